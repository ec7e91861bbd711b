// SPDX-License-Identifier: Apache-2.0
/* Masked language models as compiled programs: they learn, go on to the same bits after a stop, are
 * taught by one another, and begin what is trained for a task. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/training.h"

static process p;

#define CONTAINS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr(text, part))

#define DATA                                                                                   \
    "data: {train: text.txt, eval: dev.txt, format: text, vocabulary: vocab.txt, max_length: " \
    "32}\n"
#define RUN                                                                                 \
    "training: {epochs: 6, batch_rows: 8, accumulate: 2, learning_rate: 5e-3, threads: 2, " \
    "log_every: 4}\n"

/* Lines of one word, so that neighbours tell it. */
static void write_text(const char *name, int rows) {
    static char text[40000];
    char *end = text;
    for (int i = 0; i < rows; ++i) {
        for (int w = 0; w < 3 + i * 5 % 17; ++w) end += sprintf(end, "w%d ", i * 7 % 58);
        *end++ = '\n';
        if (i % 11 == 0) *end++ = '\n';
    }
    *end = 0;
    training_write(name, text);
}

static void compile(const char *name, const char *spec) {
    char arguments[300], path[100];
    snprintf(path, sizeof path, "~/%s.yaml", name);
    training_write(path, spec);
    snprintf(arguments, sizeof arguments, "compile ~/%s.yaml -o ~/%s", name, name);
    process_run(process_beside("retort"), arguments, NULL, &p);
    if (p.status != 0) printf("%s", p.messages);
    CU_ASSERT_EQUAL_FATAL(p.status, 0);
}

static void run(const char *name, const char *options, const process_limits *limits) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    process_run(path, options, limits, &p);
}

static void test_learns(void) {
    training_prepare("");
    write_text("~/text.txt", 300);
    write_text("~/dev.txt", 60);
    compile("mlm",
            "task: {kind: mlm}\n" DATA
            "model: {family: bert, layers: 2, width: 32, heads: 2, ffn: 64, dropout: 0.1}\n" RUN);
    run("mlm", "--output ~/whole", NULL);
    CU_ASSERT_EQUAL(p.status, 0);
    CONTAINS(p.results, "next ");
    CONTAINS(p.results, " --eval\n");
    CU_ASSERT_PTR_NULL(strstr(p.results, "--predict"));
    run("mlm", "--output ~/whole --eval --quiet", NULL);
    CU_ASSERT_EQUAL(p.status, 0);
    double loss = training_number(p.results, "loss");
    CU_ASSERT(loss < 0.75 * log(58));
    CU_ASSERT_DOUBLE_EQUAL(training_number(p.results, "perplexity"), exp(loss), 1e-6 * exp(loss));
    CU_ASSERT(training_number(p.results, "accuracy") > 0.1);
}

static void test_resumes_to_the_same_bits(void) {
    process_limits limits = {.kill_after_us = 60000, .kill_signal = SIGTERM};
    int stops = 0;
    for (int i = 0; i < 40; ++i) {
        limits.kill_after_us = 60000 + 30000u * (unsigned)i;
        run("mlm", "--resume --output ~/broken", &limits);
        if (p.status == 0) break;
        stops += p.status == 143;
    }
    CU_ASSERT(stops > 0);
    CU_ASSERT_EQUAL(p.status, 0);
    CU_ASSERT(
        process_same_files("~/whole/last/model.safetensors", "~/broken/last/model.safetensors"));
    char *whole = training_metrics("~/whole/metrics.jsonl");
    char *broken = training_metrics("~/broken/metrics.jsonl");
    CU_ASSERT_STRING_EQUAL(whole, broken);
    free(whole);
    free(broken);
}

static double last_loss(const char *name, int rows, int accumulate) {
    char spec[1000], path[100], options[100];
    snprintf(
        spec, sizeof spec,
        "task: {kind: mlm, mask_share: 1, mask_kinds: [1, 0]}\n" DATA
        "model: {family: bert, layers: 1, width: 16, heads: 2, ffn: 16, dropout: 0, "
        "attention_dropout: 0}\n"
        "training: {steps: 3, batch_rows: %d, accumulate: %d, threads: 1, learning_rate: 0.01, "
        "group_by_length: false, log_every: 1}\n",
        rows, accumulate);
    compile(name, spec);
    snprintf(options, sizeof options, "--output ~/%s-run", name);
    run(name, options, NULL);
    CU_ASSERT_EQUAL(p.status, 0);
    snprintf(path, sizeof path, "~/%s-run/metrics.jsonl", name);
    char *metrics = process_file(path, NULL);
    double loss = training_number(metrics ? metrics : "", "hard");
    free(metrics);
    return loss;
}

/* Two batches of an update are one of twice the rows: a token weighs the same, whatever batch it is
 * in. Everything is masked, so that the draws, which are addressed by the batch, change nothing. */
static void test_accumulates(void) {
    double one = last_loss("one", 16, 1), two = last_loss("two", 8, 2);
    CU_ASSERT(one > 0);
    CU_ASSERT_DOUBLE_EQUAL(one, two, 1e-5 * one);
}

static void test_distils(void) {
    compile("distil",
            "task: {kind: mlm}\n" DATA "teacher: {from: whole/last}\n"
            "model: {family: distilbert, layers: 1, width: 32, heads: 2, layers_from: [1]}\n"
            "loss: [{kind: soft, weight: 5, temperature: 2}, {kind: hard, weight: 2}, "
            "{kind: cosine, feature: hidden, layers: last, teacher_layers: last}]\n" RUN);
    run("distil", "--output ~/taught", NULL);
    CU_ASSERT_EQUAL(p.status, 0);
    if (p.status) printf("%s", p.messages);
    char *metrics = process_file("~/taught/metrics.jsonl", NULL);
    CONTAINS(metrics, "\"terms\":{\"soft\":");
    CU_ASSERT(training_number(metrics, "hidden") > 0 && training_number(metrics, "hidden") < 1);
    free(metrics);
    char *config = process_file("~/taught/last/config.json", NULL);
    CONTAINS(config, "DistilBertForMaskedLM");
    free(config);
}

/* The encoder of a masked language model begins a classifier. */
static void test_begins_a_task(void) {
    compile("task", "task: {labels: [low, high]}\n"
                    "data: {train: train.tsv, eval: dev.tsv, max_length: 32}\n"
                    "model: {from: taught/last}\n"
                    "training: {epochs: 1, batch_rows: 16, learning_rate: 1e-3}\n");
    run("task", "--output ~/task-run", NULL);
    CU_ASSERT_EQUAL(p.status, 0);
    char *config = process_file("~/task-run/last/config.json", NULL);
    CONTAINS(config, "DistilBertForSequenceClassification");
    free(config);
}

static void test_refuses(void) {
    training_write("~/empty.txt", "");
    training_write("~/blank.txt", "\n  \n\n");
    training_write("~/hollow.txt", "[MASK]\n[SEP] [PAD]\n");
    training_write("~/counts.txt", "1\n2\n");
    static const char *const cases[][2] = {
        {"--data-train ~/empty.txt", "empty file; expected rows of text"},
        {"--data-train ~/blank.txt", "the file has no rows"},
        {"--data-train ~/hollow.txt", "hold no token that could be masked, only special ones"},
        {"--data-train ~/none.txt", "no such file"},
        {"--task-mask-smoothing 0.7 --task-token-counts ~/counts.txt",
         "counts.txt: has 2 counts, but the vocabulary has 63 tokens"},
        {"--predict ~/text.txt --output ~/whole", "predicts masked tokens and has no answer"},
        {"--task-metric f1", "measured by loss, perplexity or accuracy"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char options[300];
        bool has_output = strstr(cases[i][0], "--output");
        snprintf(options, sizeof options, "%s%s", cases[i][0],
                 has_output ? "" : " --output ~/refused");
        run("mlm", options, NULL);
        CU_ASSERT(p.status != 0);
        if (!strstr(p.messages, cases[i][1])) printf("%s: %s", cases[i][0], p.messages);
        CONTAINS(p.messages, cases[i][1]);
    }
}

TEST_MAIN("train_masked", TEST(test_learns), TEST(test_resumes_to_the_same_bits),
          TEST(test_accumulates), TEST(test_distils), TEST(test_begins_a_task), TEST(test_refuses))
