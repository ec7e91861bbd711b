// SPDX-License-Identifier: Apache-2.0
/* A spec through `retort compile` to a program that trains: what holds of runs by hand-made kernels
 * holds of compiled ones. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/safetensors.h"
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

/* ---- gradual unfreezing */

static float *read_tensor(const char *run, const char *name, size_t *count) {
    char path[600];
    rt_safetensors file;
    rt_error error = {""};
    snprintf(path, sizeof path, "%s/%s/last/model.safetensors", test_folder(), run);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(path, &file, &error), RT_OK);
    const rt_safetensor *tensor = rt_safetensors_find(&file, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    float *values = malloc(tensor->size_bytes);
    memcpy(values, tensor->data, tensor->size_bytes);
    *count = tensor->size_bytes / sizeof *values;
    rt_safetensors_close(&file);
    return values;
}

static bool has_same_bits(const char *one, const char *other, const char *name) {
    size_t left_count, right_count;
    float *left = read_tensor(one, name, &left_count);
    float *right = read_tensor(other, name, &right_count);
    bool is_same = left_count == right_count && memcmp(left, right, left_count * sizeof *left) == 0;
    free(left);
    free(right);
    return is_same;
}

#define EMBEDDINGS "bert.embeddings.word_embeddings.weight"
#define LAYER(n) "bert.encoder.layer." #n ".output.dense.weight"

/* An epoch has 13 updates of 16 rows; the top layer joins in the first epoch, then all. */
static void test_unfreezes(void) {
    static const char text[] =
        "task: {labels: [low, high]}\n"
        "data: {train: train.tsv, eval: dev.tsv, vocabulary: vocab.txt, max_length: 32}\n"
        "model: {family: bert, layers: 2, width: 16, heads: 2, ffn: 64}\n"
        "method: {unfreeze: [0, 1], layer_rate_divisor: 2}\n"
        "training: {epochs: 4, batch_rows: 8, accumulate: 2, learning_rate: 5e-3, threads: 2, "
        "schedule: constant, warmup: 0}\n";
    training_write("~/gradual.yaml", text);
    compile("gradual", "");
    run("gradual", "--output ~/gradual-1 --steps 1");
    run("gradual", "--output ~/gradual-13 --steps 13");
    run("gradual", "--output ~/gradual-26 --steps 26");
    CU_ASSERT(has_same_bits("gradual-1", "gradual-13", EMBEDDINGS));
    CU_ASSERT(has_same_bits("gradual-1", "gradual-13", LAYER(0)));
    CU_ASSERT(has_same_bits("gradual-1", "gradual-13", LAYER(1)));
    CU_ASSERT_FALSE(has_same_bits("gradual-1", "gradual-13", "bert.pooler.dense.weight"));
    CU_ASSERT_FALSE(has_same_bits("gradual-1", "gradual-13", "classifier.weight"));
    CU_ASSERT(has_same_bits("gradual-1", "gradual-26", EMBEDDINGS));
    CU_ASSERT(has_same_bits("gradual-1", "gradual-26", LAYER(0)));
    CU_ASSERT_FALSE(has_same_bits("gradual-1", "gradual-26", LAYER(1)));
    /* Adam's first step has the size of the rate, whenever it is made: a count of its own. */
    run("gradual", "--output ~/gradual-27 --steps 27");
    CU_ASSERT_FALSE(has_same_bits("gradual-1", "gradual-27", LAYER(0)));
    size_t count;
    float *before = read_tensor("gradual-1", LAYER(0), &count), largest = 0;
    float *after = read_tensor("gradual-27", LAYER(0), &count);
    for (size_t i = 0; i < count; ++i) largest = fmaxf(largest, fabsf(after[i] - before[i]));
    CU_ASSERT(largest > 0.9f * 5e-3f / 2 && largest < 1.1f * 5e-3f / 2);
    free(before);
    free(after);
}

/* Stopped before, at and behind each border, the run goes on to the same bits. */
static void test_resumes_across_phases(void) {
    static const int stops[] = {5, 13, 14, 25, 26, 40, 52};
    run("gradual", "--output ~/gradual-whole --steps 52");
    for (size_t i = 0; i < sizeof stops / sizeof *stops; ++i) {
        char line[100];
        snprintf(line, sizeof line, "--output ~/gradual-broken --resume --steps %d", stops[i]);
        run("gradual", line);
    }
    CU_ASSERT(process_same_files("~/gradual-whole/last/model.safetensors",
                                 "~/gradual-broken/last/model.safetensors"));
    CU_ASSERT(process_same_files("~/gradual-whole/last/optimizer.safetensors",
                                 "~/gradual-broken/last/optimizer.safetensors"));
}

TEST_MAIN("train_compiled", TEST(test_compiles), TEST(test_trains),
          TEST(test_resumes_to_the_same_bits), TEST(test_panels_change_no_bits),
          TEST(test_saves_frozen_weights), TEST(test_unfreezes), TEST(test_resumes_across_phases))
