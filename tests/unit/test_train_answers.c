// SPDX-License-Identifier: Apache-2.0
/* What a training program reads and answers: rows good and bad, --eval, --predict, --plan,
 * --dry-run, --profile. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "tests/support/test.h"
#include "tests/support/training.h"

static process p;

#define CONTAINS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr(text, part))

static const char *in_folder(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

static void make_run(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --steps 30", &p), 0);
}

/* ---- answers */

/* The metric of --eval is what counting the predictions gives, and what the log says of best. */
static void test_eval_and_predict_agree(void) {
    make_run();
    CU_ASSERT_EQUAL(training_run("", "--eval --quiet", &p), 0);
    CU_ASSERT_STRING_EQUAL(p.messages, "");
    double accuracy = training_number(p.results, "accuracy");
    double loss = training_number(p.results, "loss");
    CU_ASSERT_EQUAL(training_number(p.results, "rows"), 60);
    CU_ASSERT(accuracy > 0.8 && loss > 0);
    json_t *line;
    CU_ASSERT_EQUAL(rt_json_parse("eval", p.results, strlen(p.results), &line, NULL), RT_OK);
    CONTAINS(json_string_value(json_object_get(line, "model")), "run/best");
    json_decref(line);

    CU_ASSERT_EQUAL(training_run("", "--predict ~/dev.tsv -o ~/answers.tsv", &p), 0);
    CONTAINS(p.messages, "60 rows in ");
    char *answers = process_file("~/answers.tsv", NULL), *truth = process_file("~/dev.tsv", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answers);
    CU_ASSERT_EQUAL(strncmp(answers, "index\tprediction\tprobability_0\tprobability_1\n", 44), 0);
    char *answer = strchr(answers, '\n') + 1, *row = strchr(truth, '\n') + 1;
    int right = 0, count = 0;
    double log_loss = 0;
    for (; *answer; ++count) {
        int index, class, label = atoi(strchr(row, '\t') + 1);
        double probabilities[2];
        CU_ASSERT_EQUAL(sscanf(answer, "%d\t%d\t%lf\t%lf", &index, &class, &probabilities[0],
                               &probabilities[1]),
                        4);
        CU_ASSERT_EQUAL(index, count);
        CU_ASSERT_DOUBLE_EQUAL(probabilities[0] + probabilities[1], 1, 2e-6);
        CU_ASSERT(probabilities[class] >= 0.5);
        right += class == label;
        log_loss -= log(probabilities[label]);
        answer = strchr(answer, '\n') + 1;
        row = strchr(row, '\n') + 1;
    }
    CU_ASSERT_EQUAL(count, 60);
    CU_ASSERT_DOUBLE_EQUAL(right / 60.0, accuracy, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(log_loss / 60, loss, 1e-3);
    free(answers);
    free(truth);
}

/* Standard output gets the same rows, as a pipe and as a file; the size of batches changes nothing
 * but the last digits. */
static void test_predicts_to_standard_output(void) {
    process_limits limits = {.results_path = "~/redirected.tsv"};
    make_run();
    CU_ASSERT_EQUAL(training_run("", "--predict ~/dev.tsv -o ~/answers.tsv", &p), 0);
    process_run(process_beside("fake_train"), "--predict ~/dev.tsv", &limits, &p);
    CU_ASSERT_EQUAL(p.status, 0);
    CU_ASSERT(process_same_files("~/answers.tsv", "~/redirected.tsv"));
    CU_ASSERT_EQUAL(training_run("", "--predict ~/dev.tsv --eval-batch-rows 7", &p), 0);
    char *answers = process_file("~/answers.tsv", NULL);
    CU_ASSERT_STRING_EQUAL(p.results, answers);
    free(answers);
}

/* Labels are not looked at, and need not be there; files of the checkpoint suffice. */
static void test_predicts_from_the_checkpoint_alone(void) {
    make_run();
    training_write("~/new.tsv", "id\tsentence\n7\tw1 w2 w3\n8\tw50 w51\n9\tunknown words\n");
    CU_ASSERT_EQUAL(remove(in_folder("vocab.txt")), 0);
    CU_ASSERT_EQUAL(remove(in_folder("train.tsv")), 0);
    CU_ASSERT_EQUAL(training_run("", "--predict ~/new.tsv", &p), 0);
    CONTAINS(p.results, "\n0\t0\t0.");
    CONTAINS(p.results, "\n1\t1\t0.");
    CONTAINS(p.results, "\n2\t");
    training_write("~/odd.tsv", "sentence\tlabel\nw1 w2\tneither\n");
    CU_ASSERT_EQUAL(training_run("", "--predict ~/odd.tsv", &p), 0);
}

/* The classes keep their names; settings of the run hold for its answers. */
static void test_names_of_classes(void) {
    training_prepare("");
    char *rows = process_file("~/train.tsv", NULL);
    FILE *file = fopen(in_folder("named.tsv"), "w");
    fprintf(file, "phrase\tkind\n");
    for (char *line = strchr(rows, '\n') + 1, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        fprintf(file, "%.*s%s\n", (int)(end - 1 - line), line, end[-1] == '1' ? "warm" : "cold");
    }
    fclose(file);
    free(rows);
    CU_ASSERT_EQUAL(training_run("",
                                 "--output ~/named --train ~/named.tsv --data-eval ~/named.tsv "
                                 "--data-text phrase --data-label kind --steps 30",
                                 &p),
                    0);
    training_write("~/new.tsv", "phrase\nw1 w2 w3\nw50 w51\n");
    CU_ASSERT_EQUAL(training_run("", "--output ~/named --predict ~/new.tsv", &p), 0);
    CONTAINS(p.results, "index\tprediction\tprobability_cold\tprobability_warm\n0\tcold\t");
    CONTAINS(p.results, "\n1\twarm\t");
    CU_ASSERT_EQUAL(training_run("", "--output ~/named --eval", &p), 0);
    CU_ASSERT(training_number(p.results, "accuracy") > 0.8);
    char *config = process_file("~/named/best/config.json", NULL);
    CONTAINS(config, "\"warm\": 1");
    free(config);
}

static void test_regression(void) {
    training_prepare("");
    char *settings = strdup(getenv("FAKE_SETTINGS")), with_task[2400];
    snprintf(with_task, sizeof with_task, "{\"task\":{\"kind\":\"regression\"},%s", settings + 1);
    setenv("FAKE_SETTINGS", with_task, 1);
    free(settings);
    CU_ASSERT_EQUAL(training_run("regression=1", "--output ~/scores", &p), 0);
    CONTAINS(p.results, "pearson      0.");
    CU_ASSERT_EQUAL(training_run("regression=1", "--output ~/scores --eval", &p), 0);
    CU_ASSERT(training_number(p.results, "pearson") > 0.7);
    CU_ASSERT_EQUAL(
        training_run("regression=1", "--output ~/scores --eval --task-metric spearman", &p), 0);
    CU_ASSERT(training_number(p.results, "spearman") > 0.7);
    CU_ASSERT_EQUAL(training_run("regression=1", "--output ~/scores --predict ~/dev.tsv", &p), 0);
    CONTAINS(p.results, "index\tprediction\n0\t");
    CU_ASSERT_EQUAL(training_run("regression=1", "--output ~/scores --eval --task-metric f1", &p),
                    2);
    CONTAINS(p.messages, "task.metric is f1, but a regression is measured by pearson");
}

static void test_without_a_trained_model(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--eval --output ~/never", &p), 0);
    CONTAINS(p.messages, "never holds no trained model; these are the weights that the program was "
                         "compiled with");
    CU_ASSERT(training_number(p.results, "accuracy") < 0.8);
    CU_ASSERT(!rt_folder_exists(in_folder("never")));
}

/* ---- bad rows */

static void refuse(const char *rows, const char *first, const char *second) {
    training_write("~/bad.tsv", rows);
    CU_ASSERT_EQUAL(training_run("", "--overwrite --data-train ~/bad.tsv", &p), 1);
    CONTAINS(p.messages, first);
    CONTAINS(p.messages, second);
}

static void test_bad_rows(void) {
    training_prepare(",\"epochs\":1");
    char *settings = strdup(getenv("FAKE_SETTINGS")), with_labels[2400];
    snprintf(with_labels, sizeof with_labels, "{\"task\":{\"labels\":[\"no\",\"yes\"]},%s",
             settings + 1);
    setenv("FAKE_SETTINGS", with_labels, 1);
    free(settings);
    refuse(
        "sentence\tlabel\nw1\tyes\nw2\nw3\tmaybe\n", "bad.tsv:3: error: too few columns: 1 where",
        "bad.tsv:4: error: unknown label 'maybe'; the labels are: no, yes\nnote: --skip-bad-rows ");
    refuse("sentence\tlabel\nw1\tyes\nw\xff\tno\n", "bad.tsv:3: error: not UTF-8",
           "--skip-bad-rows");
    refuse("", "bad.tsv:1: error: empty file", "");
    refuse("text\tlabel\nw1\tyes\n", "bad.tsv:1: error: the header has no column 'sentence'",
           "'text'");
    refuse("sentence\tclass\nw1\tyes\n", "bad.tsv:1: error: the header has no column 'label'", "");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --data-train ~/none.tsv", &p), 1);
    CONTAINS(p.messages, "none.tsv: no such file; --data-folder, --data-train");
    training_write("~/bad.tsv", "sentence\tlabel\nw1 w2\tyes\nw2\nw3\tmaybe\nw40\tno\n");
    CU_ASSERT_EQUAL(
        training_run("", "--overwrite --data-train ~/bad.tsv --skip-bad-rows --steps 2", &p), 0);
    CONTAINS(p.messages, "bad.tsv: 2 of 4 rows skipped, the first: ");
    CONTAINS(p.messages, "training: 2 rows");
}

/* What does not fit the compiled model. */
static void test_misfits(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("classes=3", "--overwrite", &p), 1);
    CONTAINS(p.messages, "train.tsv has 2 labels (0, 1), but the program was compiled for 3; name "
                         "them in the spec (task.labels)");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --max-length 500", &p), 2);
    CONTAINS(p.messages, "data.max_length is 500, but the model has 200 positions; at most");
    training_write("~/large.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    FILE *file = fopen(in_folder("large.txt"), "a");
    for (int i = 0; i < 60; ++i) fprintf(file, "x%d\n", i);
    fclose(file);
    CU_ASSERT_EQUAL(training_run("", "--overwrite --vocabulary ~/large.txt", &p), 1);
    CONTAINS(p.messages, "large.txt: has 65 tokens, but the model knows 64");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --vocabulary ~/none.txt", &p), 1);
    CONTAINS(p.messages, "none.txt: no such file; --data-vocabulary FILE names the vocabulary");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --max-length 5 --steps 2", &p), 0);
    CONTAINS(p.messages, "rows are longer than 5 tokens and were cut");
}

/* ---- the rest of the command line */

static void test_usage(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--epoch", &p), 2);
    CONTAINS(p.messages, "error: unknown flag --epoch; did you mean --epochs?\n");
    CONTAINS(p.messages, "fake_train --help lists all flags");
    CU_ASSERT_EQUAL(training_run("", "--batch-rows 0 --epochs many", &p), 2);
    CONTAINS(p.messages, "error: --batch-rows must be a whole number of at least 1, not '0'\n"
                         "error: --epochs must be a number of at least 0, not 'many'\n");
    CU_ASSERT_EQUAL(training_run("", "--help", &p), 0);
    CONTAINS(p.results, "--batch-rows N                Rows of one batch [8]");
    CU_ASSERT_EQUAL(training_run("", "--version", &p), 0);
    CONTAINS(p.results, "bag, a training program made by Retort for generic, interface ");
}

/* Initial weights that moved are told of; a checkpoint does without them. */
static void test_weights_that_moved(void) {
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder("initial.bin"));
    float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    CU_ASSERT_EQUAL(rt_file_replace(path, ones, sizeof ones, NULL), RT_OK);
    setenv("FAKE_SOURCE", path, 1);
    make_run();
    CU_ASSERT_EQUAL(remove(path), 0);
    CU_ASSERT_EQUAL(training_run("", "--overwrite", &p), 1);
    CONTAINS(p.messages, "initial.bin: No such file or directory\nnote: --weights PATH says where");
    CU_ASSERT_EQUAL(training_run("", "--eval", &p), 0);
    CU_ASSERT_EQUAL(training_run("", "--resume --steps 31", &p), 0);
    unsetenv("FAKE_SOURCE");
}

static void test_dry_run(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--dry-run --output ~/dry", &p), 0);
    CONTAINS(p.results, "one update of 8 rows: loss 0.6");
    CONTAINS(p.results, "75 updates would take about");
    CU_ASSERT(!rt_folder_exists(in_folder("dry")));
}

static void test_profile(void) {
    json_t *trace;
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--profile --overwrite --steps 10", &p), 0);
    CONTAINS(p.results, "gradient of bag");
    CONTAINS(p.results, "by kernel");
    CONTAINS(p.results, "% peak");
    CONTAINS(p.results, "GFLOP/s (f32)");
    CU_ASSERT_EQUAL(rt_json_read(in_folder("run/trace.json"), &trace, NULL), RT_OK);
    /* Three kernels of each step, one of each update, two of each evaluation. */
    const json_t *events = json_object_get(trace, "traceEvents"), *event;
    size_t i, calls = 0;
    json_array_foreach(events, i, event) {
        CU_ASSERT(json_is_integer(json_object_get(event, "tid")));
        CU_ASSERT(json_is_integer(json_object_get(event, "pid")));
        CU_ASSERT(json_is_object(json_object_get(event, "args")));
        if (strcmp(json_string_value(json_object_get(event, "ph")), "X")) continue;
        CU_ASSERT(json_number_value(json_object_get(event, "dur")) >= 0);
        ++calls;
    }
    CU_ASSERT(calls >= 10 * 3 + 10);
    json_decref(trace);
    /* With --eval the table keeps out of the result. */
    CU_ASSERT_EQUAL(training_run("", "--eval --profile", &p), 0);
    CU_ASSERT_EQUAL(strcspn(p.results, "\n") + 1, strlen(p.results));
    CONTAINS(p.messages, "by kernel");
}

/* The peak is what the plan says, within a tenth: 40 MB of weights, 40 MB of buffers. */
static void test_plan_is_kept(void) {
    const char *options = "ballast=10000000 bytes_per_token=200000";
    training_prepare("");
    CU_ASSERT_EQUAL(training_run(options, "--plan --output ~/planned", &p), 0);
    CONTAINS(p.results, "weights");
    CONTAINS(p.results, "in all");
    CU_ASSERT(!rt_folder_exists(in_folder("planned")));
    CU_ASSERT_EQUAL(training_run(options, "--overwrite --epochs 1", &p), 0);
    const char *line = strstr(p.results, "memory       ");
    double peak = 0, planned = 0;
    CU_ASSERT_EQUAL(
        sscanf(line ? line : "", "memory %lf MB at peak, %lf MB planned", &peak, &planned), 2);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    test_skip("a sanitizer takes memory of its own");
#else
    CU_ASSERT(planned > 60);
    CU_ASSERT(fabs(peak - planned) <= 0.1 * planned);
#endif
}

TEST_MAIN("train_answers", TEST(test_eval_and_predict_agree),
          TEST(test_predicts_to_standard_output), TEST(test_predicts_from_the_checkpoint_alone),
          TEST(test_names_of_classes), TEST(test_regression), TEST(test_without_a_trained_model),
          TEST(test_bad_rows), TEST(test_misfits), TEST(test_usage), TEST(test_weights_that_moved),
          TEST(test_dry_run), TEST(test_profile), TEST(test_plan_is_kept))
