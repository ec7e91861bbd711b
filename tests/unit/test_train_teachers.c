// SPDX-License-Identifier: Apache-2.0
/* Programs that learn from several teachers and from rows without labels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/test.h"
#include "tests/support/training.h"

static process p;

#define CONTAINS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr(text, part))

#define DATA                        \
    "task: {labels: [low, high]}\n" \
    "training: {epochs: 1, batch_rows: 16, learning_rate: 1e-2, threads: 2, warmup: 0}\n"
#define ROWS "train: train.tsv, eval: dev.tsv, vocabulary: vocab.txt, max_length: 32"
#define SMALL "model: {family: bert, layers: 1, width: 8, heads: 2, ffn: 16, dropout: 0.1}\n"

static int try_compile(const char *name, const char *text) {
    char path[100], all[900], line[200];
    snprintf(path, sizeof path, "~/%s.yaml", name);
    snprintf(all, sizeof all, "%s%s", DATA, text);
    training_write(path, all);
    snprintf(line, sizeof line, "compile ~/%s.yaml -o ~/%s", name, name);
    process_run(process_beside("retort"), line, NULL, &p);
    return p.status;
}

static void compile(const char *name, const char *text) {
    int status = try_compile(name, text);
    if (status != 0) printf("%s", p.messages);
    CU_ASSERT_EQUAL_FATAL(status, 0);
}

static void run(const char *name, int status, const char *options) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    process_run(path, options, NULL, &p);
    if (p.status != status) printf("%s", p.messages);
    CU_ASSERT_EQUAL(p.status, status);
}

static void test_teachers(void) {
    training_prepare("");
    training_write("~/more.tsv", "sentence\nw1 w2 w3\nw4 w5\nw6 w7 w8 w9\nw1 w9\nw2 w8 w4\n");
    compile("base", "data: {" ROWS "}\n"
                    "model: {family: bert, layers: 2, width: 16, heads: 2, ffn: 64}\n");
    run("base", 0, "--output ~/one");
    run("base", 0, "--output ~/two --seed 7");
}

/* Two of the same teach as one does. */
static void test_same_teachers(void) {
    compile("alone", "data: {" ROWS "}\n" SMALL "teacher: {from: one/last}\n"
                     "loss: [{kind: soft, temperature: 2}, {kind: logit_mse}]\n");
    compile("twice", "data: {" ROWS "}\n" SMALL "teacher: [{from: one/last}, {from: one/last}]\n"
                     "loss: [{kind: soft, temperature: 2}, {kind: logit_mse}]\n");
    run("alone", 0, "--output ~/alone-run");
    char *alone = training_metrics("~/alone-run/metrics.jsonl");
    run("twice", 0, "--output ~/twice-run");
    char *twice = training_metrics("~/twice-run/metrics.jsonl");
    double first = training_number(alone, "loss"), second = training_number(twice, "loss");
    CU_ASSERT(first > 0 && first - second < 1e-3 * first && second - first < 1e-3 * first);
    free(alone);
    free(twice);
}

/* Rows behind those of training, whose class the teachers find; stopped, to the same bits. */
static void test_unlabelled(void) {
    compile("taught", "data: {" ROWS ", unlabelled: more.tsv}\n" SMALL
                      "teacher:\n  - {from: one/last}\n  - from: two/last\n"
                      "    labels: [low, high]\n"
                      "loss: [{kind: soft}, {kind: hard, unlabelled: teacher}]\n");
    run("taught", 0, "--output ~/taught-run");
    CONTAINS(p.messages, "training: 205 rows");
    CONTAINS(p.messages, "of these 5 without labels (");
    run("taught", 0, "--output ~/taught-broken --steps 6 --schedule constant");
    run("taught", 0, "--output ~/taught-broken --steps 13 --schedule constant --resume");
    run("taught", 0, "--output ~/taught-whole --steps 13 --schedule constant");
    CU_ASSERT(process_same_files("~/taught-broken/last/model.safetensors",
                                 "~/taught-whole/last/model.safetensors"));
    run("alone", 2, "--output ~/none --data-unlabelled ~/more.tsv");
    CONTAINS(p.messages, "the program was compiled for rows that all have labels");
}

static void refuse(const char *text, const char *message) {
    CU_ASSERT_EQUAL(try_compile("wrong", text), 1);
    if (!strstr(p.messages, message)) printf("%s", p.messages);
    CONTAINS(p.messages, message);
}

static void test_wrong_specs(void) {
#define TEACHERS "teacher: [{from: one/last}, {from: two/last}]\n"
    refuse("data: {" ROWS "}\n" SMALL "teacher: []\n",
           "wrong.yaml:5:10: error: 'teacher' must be a map, or a list of at least one");
    refuse("data: {" ROWS "}\n" SMALL "teacher: [{from: one/last}, {labels: [low, high]}]\n",
           "wrong.yaml:5:29: error: 'teacher.from' is missing");
    refuse("data: {" ROWS "}\n" SMALL
           "teacher: [{from: one/last}, {from: two/last, labels: [low, middle]}]\n"
           "loss: [{kind: soft}]\n",
           "wrong.yaml:5:36: error: the teacher has no class 'high'; its classes are low, middle");
    refuse("data: {" ROWS ", unlabelled: more.tsv}\n" SMALL,
           "'unlabelled' names rows without labels, but no term of 'loss' compares with a teacher");
    refuse(
        "data: {" ROWS "}\n" SMALL TEACHERS
        "loss: [{kind: soft}, {kind: hard, unlabelled: teacher}]\n",
        "wrong.yaml:6:47: error: 'unlabelled' says what becomes of rows without labels, but there "
        "is no 'data.unlabelled'");
    refuse("data: {" ROWS ", unlabelled: more.tsv}\n" SMALL TEACHERS
           "loss: [{kind: soft, unlabelled: skip}]\n",
           "wrong.yaml:6:33: error: 'unlabelled' is for hard terms");
    refuse("data: {" ROWS "}\n"
           "model: {family: bert, layers: 2, width: 16, heads: 2, ffn: 64}\n" TEACHERS
           "loss: [{feature: hidden, kind: mse}]\n",
           "wrong.yaml:5:36: error: only soft and logit_mse terms read several teachers");
}

TEST_MAIN("train_teachers", TEST(test_teachers), TEST(test_same_teachers), TEST(test_unlabelled),
          TEST(test_wrong_specs))
