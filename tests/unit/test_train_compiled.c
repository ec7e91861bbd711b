// SPDX-License-Identifier: Apache-2.0
/* A spec through `retort compile` to a program that trains: what holds of runs by hand-made kernels
 * holds of compiled ones. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/training.h"

static process p;

#define CONTAINS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr(text, part))

static const char spec[] =
    "task: {labels: [low, high]}\n"
    "data: {train: train.tsv, eval: dev.tsv, vocabulary: vocab.txt, "
    "max_length: 32}\n"
    "model: {family: bert, layers: 2, width: 16, heads: 2, ffn: 64}\n"
    "training: {epochs: 8, batch_rows: 2, accumulate: 8, learning_rate: 5e-3, "
    "threads: 2, log_every: 4}\n";

static const char *program(void) {
    static char path[512];
    snprintf(path, sizeof path, "%s/bert", test_folder());
    return path;
}

static void test_compiles(void) {
    training_prepare("");
    training_write("~/spec.yaml", spec);
    process_run(process_beside("retort"), "compile ~/spec.yaml -o ~/bert", NULL, &p);
    if (p.status != 0) printf("%s", p.messages);
    CU_ASSERT_EQUAL_FATAL(p.status, 0);
    process_run(program(), "--help", NULL, &p);
    CU_ASSERT_EQUAL(p.status, 0);
    CONTAINS(p.results, "--epochs X ");
}

static void test_trains(void) {
    double peak = 0, planned = 0;
    process_run(program(), "--output ~/whole", NULL, &p);
    CU_ASSERT_EQUAL(p.status, 0);
    CONTAINS(p.messages, "104 updates of 16 rows, 8 epochs, 2 threads");
    const char *line = strstr(p.results, "memory");
    CU_ASSERT_EQUAL(
        sscanf(line ? line : "", "memory %lf MB at peak, %lf MB planned", &peak, &planned), 2);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* Small as it is, a tenth is little more than what one page of stack and the like take. */
    CU_ASSERT(fabs(peak - planned) <= 0.1 * planned + 2);
#endif
    process_run(program(), "--output ~/whole --eval --quiet", NULL, &p);
    CU_ASSERT_EQUAL(p.status, 0);
    CU_ASSERT(training_number(p.results, "accuracy") > 0.8);
    process_run(program(), "--output ~/whole --predict ~/dev.tsv --quiet", NULL, &p);
    CONTAINS(p.results, "index\tprediction\tprobability_low\tprobability_high\n0\t");
}

/* Dropout is on (0.1, as BERT's configuration has it): stopped anywhere, the bits are the same. */
static void test_resumes_to_the_same_bits(void) {
    static const char *const files[] = {"last/model.safetensors", "last/optimizer.safetensors",
                                        "best/model.safetensors"};
    process_limits limits = {.kill_after_us = 60000, .kill_signal = SIGTERM};
    int stops = 0;
    for (int i = 0; i < 40; ++i) {
        limits.kill_after_us = 60000 + 30000u * (unsigned)i;
        process_run(program(), "--resume --output ~/broken", &limits, &p);
        if (p.status == 0) break;
        CU_ASSERT(p.status == 143);
        stops += strstr(p.messages, "interrupted (SIGTERM) after update ") != NULL;
    }
    CU_ASSERT(stops > 0);
    CU_ASSERT_EQUAL(p.status, 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        char whole[100], broken[100];
        snprintf(whole, sizeof whole, "~/whole/%s", files[i]);
        snprintf(broken, sizeof broken, "~/broken/%s", files[i]);
        CU_ASSERT(process_same_files(whole, broken));
    }
    char *whole = training_metrics("~/whole/metrics.jsonl");
    char *broken = training_metrics("~/broken/metrics.jsonl");
    CU_ASSERT_STRING_EQUAL(whole, broken);
    free(whole);
    free(broken);
}

static void compile(const char *name, const char *options) {
    char arguments[300];
    snprintf(arguments, sizeof arguments, "compile ~/%s.yaml -o ~/%s %s", name, name, options);
    process_run(process_beside("retort"), arguments, NULL, &p);
    if (p.status != 0) printf("%s", p.messages);
    CU_ASSERT_EQUAL_FATAL(p.status, 0);
}

static void run(const char *name, const char *options) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    process_run(path, options, NULL, &p);
    if (p.status != 0) printf("%s", p.messages);
    CU_ASSERT_EQUAL(p.status, 0);
}

/* Weights as panels, made again by each update, are the weights. */
static void test_panels_change_no_bits(void) {
    training_write("~/rows.yaml", spec);
    compile("rows", "--without panels,hoist");
    run("rows", "--output ~/rows-run");
    CU_ASSERT(
        process_same_files("~/whole/last/model.safetensors", "~/rows-run/last/model.safetensors"));
    CU_ASSERT(
        process_same_files("~/whole/best/model.safetensors", "~/rows-run/best/model.safetensors"));
}

/* Frozen weights that only their panels are kept of are saved all the same: of random values, in a
 * run that goes on from a checkpoint, and from a model that training begins with. */
static void test_saves_frozen_weights(void) {
    static const char frozen[] =
        "method: {freeze: ['embeddings.*', 'encoder.layer.0.*']}\n"
        "data: {train: train.tsv, eval: dev.tsv, vocabulary: vocab.txt, max_length: 32}\n"
        "training: {epochs: 2, batch_rows: 16, learning_rate: 5e-3, threads: 2}\n";
    char text[700];
    snprintf(text, sizeof text, "%s%s%s", "task: {labels: [low, high]}\n", frozen,
             "model: {family: bert, layers: 2, width: 16, heads: 2, ffn: 64}\n");
    training_write("~/frozen.yaml", text);
    training_write("~/frozen-rows.yaml", text);
    compile("frozen", "");
    compile("frozen-rows", "--without panels,hoist");
    run("frozen", "--output ~/frozen-run");
    run("frozen-rows", "--output ~/frozen-rows-run");
    CU_ASSERT(process_same_files("~/frozen-run/last/model.safetensors",
                                 "~/frozen-rows-run/last/model.safetensors"));
    run("frozen", "--output ~/frozen-broken --epochs 1");
    run("frozen", "--output ~/frozen-broken --resume --epochs 2");
    run("frozen-rows", "--output ~/frozen-rows-broken --epochs 1");
    run("frozen-rows", "--output ~/frozen-rows-broken --resume --epochs 2");
    CU_ASSERT(process_same_files("~/frozen-broken/last/model.safetensors",
                                 "~/frozen-rows-broken/last/model.safetensors"));
    snprintf(text, sizeof text, "%s%s%s", "task: {labels: [low, high]}\n", frozen,
             "model: {from: frozen-run/last}\n");
    training_write("~/tuned.yaml", text);
    training_write("~/tuned-rows.yaml", text);
    compile("tuned", "");
    compile("tuned-rows", "--without panels,hoist");
    run("tuned", "--output ~/tuned-run");
    run("tuned-rows", "--output ~/tuned-rows-run");
    CU_ASSERT(process_same_files("~/tuned-run/last/model.safetensors",
                                 "~/tuned-rows-run/last/model.safetensors"));
}

TEST_MAIN("train_compiled", TEST(test_compiles), TEST(test_trains),
          TEST(test_resumes_to_the_same_bits), TEST(test_panels_change_no_bits),
          TEST(test_saves_frozen_weights))
