// SPDX-License-Identifier: Apache-2.0
/* Whole runs of a training program: what it writes, and that stopping and going on changes no
 * bit. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/safetensors.h"
#include "tests/support/test.h"
#include "tests/support/training.h"

static process p;

#define CONTAINS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr(text, part))

static const char *in_folder(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    return path;
}

static void test_trains(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "", &p), 0);
    CONTAINS(p.messages, "trainable params: 530 || all params: 538 || trainable%: 98.5130");
    CONTAINS(p.messages, "training: 200 rows");
    CONTAINS(p.messages, "75 updates of 8 rows, 3 epochs");
    CONTAINS(p.messages, "update 75  epoch 3.00  accuracy 0.9");
    CONTAINS(p.results, "accuracy     0.9");
    CONTAINS(p.results, "/run/best\n");
    CONTAINS(p.results, "--predict FILE.tsv");
    char *metrics = process_file("~/run/metrics.jsonl", NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(metrics);
    CU_ASSERT_EQUAL(training_number(metrics, "step"), 75);
    CU_ASSERT_EQUAL(training_number(metrics, "epoch"), 3);
    CU_ASSERT(training_number(metrics, "accuracy") > 0.9);
    CU_ASSERT(training_number(metrics, "loss") < 0.3);
    free(metrics);
    /* What transformers needs to load it, and what was in force. */
    rt_safetensors model;
    CU_ASSERT_EQUAL(rt_safetensors_open(in_folder("run/best/model.safetensors"), &model, NULL),
                    RT_OK);
    CU_ASSERT_EQUAL(model.count, 4);
    CU_ASSERT_STRING_EQUAL(rt_safetensors_metadata(&model, "format"), "pt");
    const rt_safetensor *matrix = rt_safetensors_find(&model, "classifier.weight");
    CU_ASSERT_PTR_NOT_NULL_FATAL(matrix);
    CU_ASSERT(matrix->rank == 2 && matrix->dims[0] == 2 && matrix->dims[1] == 8);
    rt_safetensors_close(&model);
    CU_ASSERT(process_same_files("~/run/best/vocab.txt", "~/vocab.txt"));
    json_t *config;
    CU_ASSERT_EQUAL(rt_json_read(in_folder("run/best/config.json"), &config, NULL), RT_OK);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(config, "model_type")), "bag");
    CU_ASSERT_EQUAL(json_object_size(json_object_get(config, "id2label")), 2);
    json_decref(config);
    CU_ASSERT_EQUAL(rt_json_read(in_folder("run/settings.json"), &config, NULL), RT_OK);
    const json_t *training = json_object_get(config, "training");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(training, "batch_rows")), 8);
    json_decref(config);
}

/* The same run again, with other counts of threads, gives the same files. */
static void test_is_deterministic(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("dropout=0.2", "--overwrite --threads 1 --quiet", &p), 0);
    CU_ASSERT_STRING_EQUAL(p.messages, "");
    CU_ASSERT_EQUAL(training_run("dropout=0.2", "--output ~/again --threads 3", &p), 0);
    CU_ASSERT(process_same_files("~/run/last/model.safetensors", "~/again/last/model.safetensors"));
    CU_ASSERT_EQUAL(training_run("dropout=0.2", "--output ~/other --seed 2", &p), 0);
    CU_ASSERT(
        !process_same_files("~/run/last/model.safetensors", "~/other/last/model.safetensors"));
}

static bool same_metrics(const char *a, const char *b) {
    char *x = training_metrics(a), *y = training_metrics(b);
    bool is_same = x && y && strcmp(x, y) == 0;
    free(x);
    free(y);
    return is_same;
}

/* Everything that is not a clock's: weights, state, best, metrics. */
static void check_same_run(const char *a, const char *b) {
    static const char *const files[] = {"last/model.safetensors", "last/optimizer.safetensors",
                                        "best/model.safetensors", "best/optimizer.safetensors"};
    char x[200], y[200];
    for (size_t i = 0; i < RT_COUNT_OF(files); ++i) {
        snprintf(x, sizeof x, "%s/%s", a, files[i]);
        snprintf(y, sizeof y, "%s/%s", b, files[i]);
        CU_ASSERT(process_same_files(x, y));
    }
    snprintf(x, sizeof x, "%s/metrics.jsonl", a);
    snprintf(y, sizeof y, "%s/metrics.jsonl", b);
    CU_ASSERT(same_metrics(x, y));
}

#define AGAIN "--steps 20 --eval-every 7 --log-every 3 --eval-batch-rows 32 "
#define RUN "--overwrite " AGAIN

/* ~/whole: what the broken runs are compared with. */
static void make_unbroken_run(void) {
    training_prepare("");
    if (rt_folder_exists(in_folder("whole"))) return;
    CU_ASSERT_EQUAL(training_run("dropout=0.1", RUN "--output ~/whole", &p), 0);
}

static void test_resumes_to_the_same_bits(void) {
    static const struct {
        const char *options;
        int status;
        const char *message;
    } stops[] = {
        /* In the middle of an epoch, at an evaluation's update, in an evaluation, twice. */
        {"dropout=0.1 signal=15 signal_at=9", 143, "interrupted (SIGTERM) after update 10 of 20"},
        {"dropout=0.1 signal=2 signal_at=6", 130, "interrupted (SIGINT) after update 7 of 20"},
        {"dropout=0.1 signal=1 signal_at_answer=3", 129, "(SIGHUP) after update 14 of 20"},
        {"dropout=0.1 signal=2 signal_at=0", 130, "(SIGINT) after update 1 of 20"},
        {"dropout=0.1 signal=2 signal_at=19", 130, "(SIGINT) after update 20 of 20"},
    };
    make_unbroken_run();
    for (size_t i = 0; i < RT_COUNT_OF(stops); ++i) {
        CU_ASSERT_EQUAL(training_run(stops[i].options, RUN, &p), stops[i].status);
        CONTAINS(p.messages, stops[i].message);
        CONTAINS(p.messages, "--resume continues");
        CU_ASSERT_STRING_EQUAL(p.results, "");
        CU_ASSERT_EQUAL(training_run("dropout=0.1", "--resume", &p), 0);
        CONTAINS(p.messages, "resuming after update ");
        check_same_run("~/whole", "~/run");
    }
}

/* Killed without warning: what was saved last goes on to the same end. */
static void test_resumes_after_a_kill(void) {
    static const char *const kills[] = {"dropout=0.1 signal=9 signal_at=11",
                                        "dropout=0.1 signal=9 signal_at_answer=1",
                                        "dropout=0.1 signal=9 signal_at=1"};
    make_unbroken_run();
    for (size_t i = 0; i < RT_COUNT_OF(kills); ++i) {
        CU_ASSERT_EQUAL(training_run(kills[i], RUN "--save-every 4", &p), 137);
        CU_ASSERT_EQUAL(training_run("dropout=0.1", "--resume " AGAIN, &p), 0);
        if (i == 2) CONTAINS(p.messages, "nothing to resume; the run begins anew");
        check_same_run("~/whole", "~/run");
    }
}

/* Killed at any moment, also while files are being written: there is always a whole checkpoint. */
static void test_survives_kills_at_any_time(void) {
    const char *program = process_beside("fake_train");
    const char *line = "--resume --output ~/killed --save-every 1 " AGAIN;
    process_limits limits = {.kill_after_us = 1000};
    int kills = 0;
    make_unbroken_run();
    setenv("FAKE", "dropout=0.1 delay_us=10000", 1);
    for (int i = 0; i < 60; ++i) {
        limits.kill_after_us = 15000 + 7919u * (unsigned)i % 25000;
        process_run(program, line, &limits, &p);
        if (p.status == 0) break;
        CU_ASSERT_EQUAL(p.status, 137);
        CU_ASSERT_PTR_NULL(strstr(p.messages, "error"));
        ++kills;
    }
    CU_ASSERT(kills >= 3);
    process_run(program, line, NULL, &p);
    CU_ASSERT_EQUAL(p.status, 0);
    check_same_run("~/whole", "~/killed");
}

/* A finished run has nothing left; more steps go on from its end. */
static void test_resume_of_a_finished_run(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --steps 5 --schedule constant --threads 2", &p),
                    0);
    CU_ASSERT_EQUAL(training_run("", "--resume", &p), 0);
    CONTAINS(p.results, "5 updates");
    CU_ASSERT_EQUAL(training_run("", "--resume --steps 9", &p), 0);
    CONTAINS(p.messages, "warning: --steps: another value than the run began with");
    CU_ASSERT_EQUAL(training_run("", "--resume --steps 12 --threads 1", &p), 0);
    CONTAINS(p.messages, "threads and goes on with 1; the last digits may differ");
    CONTAINS(p.results, "12 updates");
    char *metrics = process_file("~/run/metrics.jsonl", NULL);
    CU_ASSERT_EQUAL(training_number(metrics, "step"), 12);
    free(metrics);
}

static float tensor_difference(const char *a, const char *b, const char *name) {
    rt_safetensors x, y;
    float largest = INFINITY;
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder(a));
    if (rt_safetensors_open(path, &x, NULL) != RT_OK) return largest;
    if (rt_safetensors_open(in_folder(b), &y, NULL) == RT_OK) {
        const rt_safetensor *s = rt_safetensors_find(&x, name), *t = rt_safetensors_find(&y, name);
        largest = 0;
        for (size_t i = 0; s && t && i < s->size_bytes / 4; ++i)
            largest =
                fmaxf(largest, fabsf(((const float *)s->data)[i] - ((const float *)t->data)[i]));
        rt_safetensors_close(&y);
    }
    rt_safetensors_close(&x);
    return largest;
}

/* Four batches of 4 rows are one of 16, the short last one of an epoch too: 200 = 12 * 16 + 8. */
static void test_accumulation_equals_large_batches(void) {
    const char *line = "--no-group-by-length --epochs 2 --output ~/large --batch-rows 16";
    training_prepare(",\"accumulate\":2");
    CU_ASSERT_EQUAL(training_run("accumulation=1", line, &p), 0);
    CONTAINS(p.messages, "14 updates of 32 rows");
    line = "--no-group-by-length --epochs 2 --output ~/small --batch-rows 4 --accumulate 8";
    CU_ASSERT_EQUAL(training_run("accumulation=1", line, &p), 0);
    CONTAINS(p.messages, "14 updates of 32 rows");
    CU_ASSERT(tensor_difference("large/last/model.safetensors", "small/last/model.safetensors",
                                "embedding.weight") < 1e-5f);
    line = "--no-group-by-length --epochs 2 --output ~/plain --batch-rows 8 --accumulate 3";
    CU_ASSERT_EQUAL(training_run("accumulation=1", line, &p), 0);
    CU_ASSERT(tensor_difference("large/last/model.safetensors", "plain/last/model.safetensors",
                                "embedding.weight") > 1e-3f);
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--accumulate 2 --output ~/none", &p), 2);
    CONTAINS(p.messages, "compiled without accumulation");
}

static void test_loss_that_is_no_number(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("bad_loss_at=30", "--overwrite", &p), 1);
    CONTAINS(p.messages, "error: update 31 (epoch 1.20): the loss is nan, training cannot go on; ");
    CONTAINS(p.messages, "run/last holds update 25");
    CONTAINS(p.messages, "--learning-rate (now 0.05)");
    char *metrics = process_file("~/run/metrics.jsonl", NULL);
    CU_ASSERT_EQUAL(training_number(metrics, "step"), 30);
    free(metrics);
}

static void test_does_not_lose_a_run(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --steps 3", &p), 0);
    CU_ASSERT_EQUAL(training_run("", "", &p), 2);
    CONTAINS(p.messages, "run: holds a trained model already (");
    CONTAINS(p.messages, "--resume continues that run, --overwrite replaces it");
    /* Overwriting deletes nothing before the new run is known to begin. */
    CU_ASSERT_EQUAL(training_run("", "--overwrite --data-train ~/none.tsv", &p), 1);
    CU_ASSERT(rt_folder_exists(in_folder("run/best")));
}

static void test_compiled_in(void) {
    training_prepare("");
    CU_ASSERT_EQUAL(training_run("", "--overwrite --clip-norm 2 --weight-decay 0", &p), 2);
    CONTAINS(p.messages,
             "error: --weight-decay 0: training.weight_decay is compiled in as its default; "
             "change it in the spec and compile again\n"
             "error: --clip-norm 2: training.clip_norm is compiled in as 1;");
    CU_ASSERT_EQUAL(training_run("clipping=1", "--overwrite --clip-norm 0.01 --steps 4", &p), 0);
    CU_ASSERT_EQUAL(training_run("", "--overwrite --data-padding counted", &p), 2);
    CONTAINS(p.messages, "compiled without a key mask");
}

/* One epoch without evaluation: the last checkpoint is the result. */
static void test_without_evaluation(void) {
    training_prepare(",\"epochs\":1");
    char *settings = strdup(getenv("FAKE_SETTINGS")), *eval = strstr(settings, "\"eval\"");
    memcpy(eval, "\"none\"", 6);
    setenv("FAKE_SETTINGS", settings, 1);
    free(settings);
    CU_ASSERT_EQUAL(training_run("", "--overwrite", &p), 0);
    CONTAINS(p.results, "evaluation   none; --data-eval FILE names rows for it");
    CONTAINS(p.results, "run/last\n");
    CU_ASSERT(!rt_folder_exists(in_folder("run/best")));
}

TEST_MAIN("train_runs", TEST(test_trains), TEST(test_is_deterministic),
          TEST(test_resumes_to_the_same_bits), TEST(test_resumes_after_a_kill),
          TEST(test_survives_kills_at_any_time), TEST(test_resume_of_a_finished_run),
          TEST(test_accumulation_equals_large_batches), TEST(test_loss_that_is_no_number),
          TEST(test_does_not_lose_a_run), TEST(test_compiled_in), TEST(test_without_evaluation))
