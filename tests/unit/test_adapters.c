// SPDX-License-Identifier: Apache-2.0
/* Methods in compiled programs. Several adaptations on one base: each answers as it does alone,
 * none is left of the one before, what is of another base or method is refused, merged it answers
 * as before. BitFit leaves weights alone; padding changes nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"
#include "tests/support/test.h"
#include "tests/support/training.h"

static process p;

#define CONTAINS(text, part) CU_ASSERT_PTR_NOT_NULL(strstr(text, part))

#define DATA                                                                              \
    "data: {train: train.tsv, eval: dev.tsv, vocabulary: vocab.txt, max_length: 32}\n"    \
    "training: {epochs: 1, batch_rows: 16, learning_rate: 2e-2, threads: 2, warmup: 0}\n" \
    "task: {labels: [low, high]}\n"

static void retort(const char *line) {
    process_run(process_beside("retort"), line, NULL, &p);
    if (p.status != 0) printf("%s", p.messages);
    CU_ASSERT_EQUAL_FATAL(p.status, 0);
}

/* NAME.yaml with this model and method, compiled as NAME. */
static void compile(const char *name, const char *text) {
    char path[100], all[700], line[200];
    snprintf(path, sizeof path, "~/%s.yaml", name);
    snprintf(all, sizeof all, "%s%s", DATA, text);
    training_write(path, all);
    snprintf(line, sizeof line, "compile ~/%s.yaml -o ~/%s", name, name);
    retort(line);
}

static void run(const char *name, int status, const char *options) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    process_run(path, options, NULL, &p);
    if (p.status != status) printf("%s", p.messages);
    CU_ASSERT_EQUAL(p.status, status);
}

static char *read_text(const char *name) {
    char path[600];
    rt_mapped_file file;
    rt_error error = {""};
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    CU_ASSERT_EQUAL_FATAL(rt_file_map(path, &file, &error), RT_OK);
    char *text = strndup((const char *)file.data, file.size);
    rt_file_unmap(&file);
    return text;
}

/* The rows of one adaptation in a file of several, without the column that names it. */
static char *rows_of(const char *answers, const char *adapter) {
    char *rows = calloc(strlen(answers) + 1, 1);
    size_t length = strlen(adapter);
    for (const char *line = answers; *line;) {
        size_t size = strcspn(line, "\n") + 1;
        if (strncmp(line, adapter, length) == 0 && line[length] == '\t')
            strncat(rows, line + length + 1, size - length - 1);
        line += size;
    }
    return rows;
}

/* The largest difference of a tensor in two models. */
static double tensor_distance(const char *one, const char *other, const char *name) {
    const char *const folders[] = {one, other};
    rt_safetensors files[2];
    const rt_safetensor *tensors[2];
    for (int i = 0; i < 2; ++i) {
        char path[600];
        rt_error error = {""};
        snprintf(path, sizeof path, "%s/%s/model.safetensors", test_folder(), folders[i]);
        CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(path, &files[i], &error), RT_OK);
        tensors[i] = rt_safetensors_find(&files[i], name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tensors[i]);
    }
    double largest = 0;
    CU_ASSERT_EQUAL_FATAL(tensors[0]->size_bytes, tensors[1]->size_bytes);
    for (size_t i = 0; i < tensors[0]->size_bytes / sizeof(float); ++i) {
        float a, b;
        memcpy(&a, (const char *)tensors[0]->data + i * sizeof a, sizeof a);
        memcpy(&b, (const char *)tensors[1]->data + i * sizeof b, sizeof b);
        largest = fmax(largest, fabs((double)a - (double)b));
    }
    for (int i = 0; i < 2; ++i) rt_safetensors_close(&files[i]);
    return largest;
}

/* A base and an adaptation of it for each of two tasks. */
static void test_trains(void) {
    training_prepare("");
    compile("base", "model: {family: bert, layers: 2, width: 16, heads: 2, ffn: 64}\n");
    run("base", 0, "--output ~/base-run");
    run("base", 0, "--output ~/other-run --seed 7");
    compile("lora", "model: {from: base-run/last, dropout: 0}\nmethod: {kind: lora, rank: 2}\n");
    run("lora", 0, "--output ~/a");
    /* Of two layers the query and the value, 2 (16 + 16) each, and the head's 2 (16 + 1). */
    CONTAINS(p.messages, "trainable params: 290 || all params: ");
    run("lora", 0, "--output ~/b --seed 5 --task-labels no,yes");
    retort("adapter save ~/lora.yaml ~/a/last ~/peft-a");
}

static void test_each_answers_as_alone(void) {
    run("lora", 0, "--predict ~/dev.tsv --checkpoint ~/a/last -o ~/a.tsv");
    run("lora", 0, "--predict ~/dev.tsv --checkpoint ~/b/last -o ~/b.tsv");
    run("lora", 0,
        "--predict ~/dev.tsv --adapter ~/a/last --adapter ~/b/last --adapter ~/peft-a -o ~/ab.tsv");
    run("lora", 0, "--predict ~/dev.tsv --adapter ~/b/last --adapter ~/a/last -o ~/ba.tsv");
    char *a = read_text("a.tsv"), *b = read_text("b.tsv");
    char *ab = read_text("ab.tsv"), *ba = read_text("ba.tsv");
    char name_a[600], name_b[600], peft[600];
    snprintf(name_a, sizeof name_a, "%s/a/last", test_folder());
    snprintf(name_b, sizeof name_b, "%s/b/last", test_folder());
    snprintf(peft, sizeof peft, "%s/peft-a", test_folder());
    /* Names of the classes differ, so the columns are numbered, each answer has its own name. */
    CU_ASSERT_EQUAL(strncmp(ab, "adapter\tindex\tprediction\tprobability_0\tprobability_1\n", 52),
                    0);
    const char *const files[] = {ab, ab, ab, ba, ba};
    const char *const names[] = {name_a, name_b, peft, name_b, name_a};
    const char *const alone[] = {a, b, a, b, a};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) {
        char *rows = rows_of(files[i], names[i]);
        CU_ASSERT_STRING_EQUAL(rows, strchr(alone[i], '\n') + 1);
        free(rows);
    }
    CU_ASSERT_STRING_NOT_EQUAL(strchr(a, '\n'), strchr(b, '\n'));
    CONTAINS(strchr(b, '\n'), "\tyes\t");
    free(a);
    free(b);
    free(ab);
    free(ba);
    /* Of one alone, and of several with the same classes, the columns are named. */
    run("lora", 0, "--predict ~/dev.tsv --adapter ~/peft-a --quiet");
    CONTAINS(p.results, "adapter\tindex\tprediction\tprobability_low\tprobability_high\n");
}

/* The largest difference of the probabilities in two files of answers. */
static double distance(const char *one, const char *other) {
    double largest = 0;
    for (one = strchr(one, '\n') + 1, other = strchr(other, '\n') + 1; *one && *other;) {
        double a, b;
        CU_ASSERT_EQUAL_FATAL(sscanf(one, "%*d\t%*s\t%lf", &a), 1);
        CU_ASSERT_EQUAL_FATAL(sscanf(other, "%*d\t%*s\t%lf", &b), 1);
        largest = fmax(largest, fabs(a - b));
        one += strcspn(one, "\n") + 1;
        other += strcspn(other, "\n") + 1;
    }
    CU_ASSERT(!*one && !*other);
    return largest;
}

/* Merged, the adaptation answers as it does on its base; taken out, the base is what it was. */
static void test_merges(void) {
    static const char query[] = "bert.encoder.layer.1.attention.self.query.weight";
    static const char output[] = "bert.encoder.layer.0.output.dense.weight";
    retort("adapter merge ~/lora.yaml ~/peft-a ~/merged");
    compile("plain", "model: {from: merged}\n");
    run("plain", 0, "--predict ~/dev.tsv --output ~/no-run -o ~/merged.tsv");
    char *alone = read_text("a.tsv"), *merged = read_text("merged.tsv");
    CU_ASSERT(distance(alone, merged) <= 2e-6);
    free(alone);
    free(merged);
    training_write("~/undo.yaml", DATA "model: {from: merged}\nmethod: {kind: lora, rank: 2}\n");
    retort("adapter unmerge ~/undo.yaml ~/peft-a ~/restored");
    CU_ASSERT(tensor_distance("restored", "base-run/last", query) <= 1e-7);
    CU_ASSERT(tensor_distance("merged", "base-run/last", query) > 1e-4);
    CU_ASSERT_EQUAL(tensor_distance("restored", "base-run/last", output), 0);
    process_run(process_beside("retort"), "adapter unmerge ~/undo.yaml ~/a/last ~/none", NULL, &p);
    CU_ASSERT_EQUAL(p.status, 1);
    CONTAINS(p.messages, "is no PEFT folder; only what holds an adaptation alone can be taken out");
}

/* BitFit moves no matrix and no scale outside of the head by a bit, and every kind of bias. */
static void test_bitfit_leaves_weights(void) {
    static const char *const kept[] = {"bert.embeddings.word_embeddings.weight",
                                       "bert.embeddings.LayerNorm.weight",
                                       "bert.encoder.layer.0.attention.self.query.weight",
                                       "bert.encoder.layer.1.output.dense.weight",
                                       "bert.encoder.layer.1.output.LayerNorm.weight",
                                       "bert.pooler.dense.weight"};
    static const char *const moved[] = {"bert.embeddings.LayerNorm.bias",
                                        "bert.encoder.layer.0.attention.self.query.bias",
                                        "bert.encoder.layer.1.output.dense.bias",
                                        "bert.encoder.layer.1.output.LayerNorm.bias",
                                        "bert.pooler.dense.bias",
                                        "classifier.weight"};
    compile("bitfit", "model: {from: base-run/last}\nmethod: {kind: bitfit}\n");
    run("bitfit", 0, "--output ~/bitfit-run");
    for (size_t i = 0; i < sizeof kept / sizeof *kept; ++i)
        CU_ASSERT_EQUAL(tensor_distance("bitfit-run/last", "base-run/last", kept[i]), 0);
    for (size_t i = 0; i < sizeof moved / sizeof *moved; ++i)
        CU_ASSERT(tensor_distance("bitfit-run/last", "base-run/last", moved[i]) > 1e-4);
}

/* Padding is computed or not: answers and losses are the same, within rounding. */
static void test_packed_is_padded(void) {
    compile("packed", "model: {from: base-run/last, dropout: 0, attention_dropout: 0}\n");
    retort("compile ~/packed.yaml data.padding=counted -o ~/padded");
    run("packed", 0, "--predict ~/dev.tsv --output ~/no-run -o ~/packed.tsv");
    run("padded", 0, "--predict ~/dev.tsv --output ~/no-run -o ~/padded.tsv");
    char *packed = read_text("packed.tsv"), *padded = read_text("padded.tsv");
    CU_ASSERT(distance(packed, padded) <= 2e-6);
    free(packed);
    free(padded);
    run("packed", 0, "--output ~/packed-run --learning-rate 1e-3");
    run("padded", 0, "--output ~/padded-run --learning-rate 1e-3");
    char *one = training_metrics("~/packed-run/metrics.jsonl");
    char *other = training_metrics("~/padded-run/metrics.jsonl");
    double first = training_number(one, "loss"), second = training_number(other, "loss");
    CU_ASSERT(first > 0 && fabs(first - second) <= 1e-4 * first);
    free(one);
    free(other);
}

static void test_refuses_others(void) {
    compile("other", "model: {from: other-run/last, dropout: 0}\nmethod: {kind: lora, rank: 2}\n");
    run("other", 0, "--output ~/other-lora");
    retort("adapter save ~/other.yaml ~/other-lora/last ~/peft-other");
    run("lora", 1, "--predict ~/dev.tsv --adapter ~/other-lora/last");
    CONTAINS(p.messages, "other-lora/last: is of another base: 'bert.embeddings.word_embeddings");
    run("lora", 1, "--predict ~/dev.tsv --adapter ~/a/last --adapter ~/peft-other -o ~/none.tsv");
    CONTAINS(p.messages, "peft-other: was trained on the base ");
    CONTAINS(p.messages, "base-run/last, which has other weights");
    char none[600];
    snprintf(none, sizeof none, "%s/none.tsv", test_folder());
    CU_ASSERT_FALSE(rt_file_exists(none));
    compile("ia3", "model: {from: base-run/last, dropout: 0}\nmethod: {kind: ia3}\n");
    run("ia3", 2, "--predict ~/dev.tsv --adapter ~/peft-a");
    CONTAINS(p.messages, "holds an adaptation of type LORA, but the program was compiled for IA3");
    compile("wide", "model: {from: base-run/last}\nmethod: {kind: lora, rank: 4}\n");
    run("wide", 1, "--predict ~/dev.tsv --adapter ~/peft-a");
    CONTAINS(p.messages, "lora_A.weight' is [2, 16], but the program's is [4, 16]");
    compile("scaled", "model: {from: base-run/last}\nmethod: {kind: lora, rank: 2, alpha: 3}\n");
    run("scaled", 2, "--predict ~/dev.tsv --adapter ~/peft-a");
    CONTAINS(p.messages, "was trained with alpha 8, but the program was compiled with alpha 3");
    compile("few", "model: {from: base-run/last}\nmethod: {kind: lora, rank: 2, targets: [key]}\n");
    run("few", 1, "--predict ~/dev.tsv --adapter ~/peft-a");
    CONTAINS(p.messages, "peft-a: has no 'bert.encoder.layer.0.attention.self.key.lora_A.weight'");
    run("base", 2, "--predict ~/dev.tsv --adapter ~/peft-a");
    CONTAINS(p.messages, "the program's method adds nothing that such a folder could hold");
}

static void test_wrong_flags(void) {
    run("lora", 1, "--predict ~/dev.tsv --adapter ~/absent");
    CONTAINS(p.messages, "absent: no such folder");
    run("lora", 1, "--predict ~/dev.tsv --adapter ~/a");
    CONTAINS(p.messages, "/a: is neither a PEFT folder (adapter_config.json) nor a checkpoint "
                         "(model.safetensors)");
    run("lora", 2, "--eval --adapter ~/a/last");
    CONTAINS(p.messages, "--adapter goes with --predict");
    run("lora", 2, "--predict ~/dev.tsv --adapter ~/a/last --checkpoint ~/b/last");
    CONTAINS(p.messages, "--adapter and --checkpoint exclude each other");
}

/* The same at compile time: a folder that a spec goes on from. */
static void test_spec_refuses_other_base(void) {
    training_write("~/from.yaml", DATA "model: {from: base-run/last}\n"
                                       "method: {kind: lora, rank: 2, from: peft-other}\n");
    process_run(process_beside("retort"), "compile ~/from.yaml -o ~/from", NULL, &p);
    CU_ASSERT_EQUAL(p.status, 1);
    CONTAINS(p.messages, "from.yaml:5:37: error: ");
    CONTAINS(p.messages, "peft-other was trained on the base ");
}

TEST_MAIN("adapters", TEST(test_trains), TEST(test_each_answers_as_alone), TEST(test_merges),
          TEST(test_bitfit_leaves_weights), TEST(test_packed_is_padded), TEST(test_refuses_others),
          TEST(test_wrong_flags), TEST(test_spec_refuses_other_base))
