// SPDX-License-Identifier: Apache-2.0
/* Jobs: what a spec becomes when all it names is looked up, the graphs and the settings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/job.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "tests/support/test.h"

typedef struct job_fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_spec *spec;
    rt_job job;
    rt_module *module;
    rt_status status;
} job_fixture;

static void write_file(const char *name, const char *text) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", test_folder(), name);
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(path, text, strlen(text), NULL), RT_OK);
}

static void read_job(job_fixture *f, const char *text, bool may_lack_data) {
    char path[300];
    *f = (job_fixture){0};
    snprintf(path, sizeof path, "%s/spec.yaml", test_folder());
    write_file("train.tsv", "sentence\tlabel\na\tgood\n");
    write_file("vocab.txt", "[UNK]\n[CLS]\n[PAD]\n[SEP]\na\nb\n");
    rt_job_options options = {.may_lack_data = may_lack_data};
    f->spec = rt_spec_parse(text, strlen(text), path, NULL, &f->diagnostics);
    f->status = f->spec ? rt_job_read(f->spec, &options, &f->arena, &f->job, &f->diagnostics)
                        : RT_INVALID_DATA;
    if (f->status != RT_OK) printf("%s\n", rt_diagnostics_text(&f->diagnostics, &f->arena));
    CU_ASSERT_EQUAL_FATAL(f->status, RT_OK);
    f->module = rt_module_create(&f->diagnostics);
    f->status = rt_job_build(&f->job, f->module);
    if (f->status != RT_OK) printf("%s\n", rt_diagnostics_text(&f->diagnostics, &f->arena));
    CU_ASSERT_EQUAL_FATAL(f->status, RT_OK);
}

static void end_job(job_fixture *f) {
    rt_module_destroy(f->module);
    rt_spec_destroy(f->spec);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

#define DATA "data: {train: train.tsv, vocabulary: vocab.txt, max_length: 600}\n"

/* What the pass adapt is told; "" where nothing. */
static const char *option_of(const job_fixture *f, const char *key) {
    for (size_t i = 0; i < f->job.adapt_count; ++i)
        if (strcmp(f->job.adapt[i].key, key) == 0) return f->job.adapt[i].value;
    return "";
}

/* Keys of a method are options of the pass as they stand, each with its place. */
static void test_method_options(void) {
    job_fixture f;
    read_job(&f,
             "task: {labels: [bad, good]}\n" DATA
             "model: {family: bert, layers: 2, width: 8, heads: 2}\n"
             "method:\n"
             "  kind: lora\n"
             "  targets: [query, \"*.output.dense\"]\n"
             "  layers: [0, 1]\n"
             "  rank: 4\n"
             "  alpha: 0.5\n",
             false);
    CU_ASSERT_STRING_EQUAL(option_of(&f, "method"), "lora");
    CU_ASSERT_STRING_EQUAL(option_of(&f, "targets"), "query *.output.dense");
    CU_ASSERT_STRING_EQUAL(option_of(&f, "layers"), "0 1");
    CU_ASSERT_STRING_EQUAL(option_of(&f, "rank"), "4");
    CU_ASSERT_STRING_EQUAL(option_of(&f, "alpha"), "0.5");
    CU_ASSERT_STRING_EQUAL(option_of(&f, "head"), "classifier.weight classifier.bias");
    for (size_t i = 0; i < f.job.adapt_count; ++i)
        if (strcmp(f.job.adapt[i].key, "rank") == 0)
            CU_ASSERT_EQUAL(f.job.adapt[i].location.line, 8);
    end_job(&f);
}

static void test_random_model(void) {
    job_fixture f;
    read_job(&f,
             "task: {labels: [bad, good]}\n" DATA
             "model: {family: bert, layers: 1, width: 8, heads: 2, dropout: 0.3}\n",
             false);
    const rt_model_config *config = &f.job.student.config;
    CU_ASSERT_EQUAL(config->vocabulary_size, 6);
    CU_ASSERT_EQUAL(config->padding_id, 2);
    CU_ASSERT_EQUAL(config->positions, 600);
    CU_ASSERT_EQUAL(config->inner_width, 32);
    CU_ASSERT_EQUAL(config->dropout, 0.3);
    CU_ASSERT_EQUAL(config->classifier_dropout, 0.3);
    CU_ASSERT_EQUAL(config->attention_dropout, 0.1);
    CU_ASSERT_EQUAL(f.job.label_count, 2);
    CU_ASSERT_STRING_EQUAL(f.job.distil_terms, "hard");
    CU_ASSERT_STRING_EQUAL(option_of(&f, "method"), "");
    CU_ASSERT_STRING_EQUAL(f.job.metric, "accuracy");
    CU_ASSERT_PTR_NOT_NULL(rt_module_find_graph(f.module, "student"));
    CU_ASSERT_PTR_NULL(rt_module_find_graph(f.module, "teacher"));
    end_job(&f);
}

static void test_head_and_patterns(void) {
    job_fixture f;
    read_job(&f,
             "task: {labels: [bad, good]}\n" DATA
             "model: {family: distilbert, layers: 2, width: 8, heads: 2}\n"
             "method: {kind: head, train: [\"encoder.layer.{1..5}.attention.self.query.*\"]}\n",
             false);
    CU_ASSERT_STRING_EQUAL(option_of(&f, "method"), "head");
    CU_ASSERT_STRING_EQUAL(option_of(&f, "head"),
                           "pre_classifier.weight pre_classifier.bias classifier.weight "
                           "classifier.bias");
    CU_ASSERT_STRING_EQUAL(option_of(&f, "train"),
                           "distilbert.transformer.layer.1.attention.q_lin.weight "
                           "distilbert.transformer.layer.1.attention.q_lin.bias");
    end_job(&f);
}

/* Terms name outputs of the graphs: maps of layers are resolved, and the graphs have what is
 * compared. */
static void test_features(void) {
    job_fixture f;
    if (!test_data("golden/kd_soft_temp/teacher.safetensors")) {
        test_skip("the shared test data is not there");
        return;
    }
    char text[2000];
    snprintf(
        text, sizeof text,
        "task: {labels: [a, b, c]}\n"
        "data: {train: train.tsv, vocabulary: vocab.txt, max_length: 32}\n"
        "model: {family: bert, layers: 2, width: 32, heads: 4}\n"
        "teacher: {from: %s}\n"
        "loss:\n"
        "  - {kind: mse, feature: embedding, projection: shared}\n"
        "  - {kind: mse, feature: hidden, projection: shared, weight: 2, reduction: batchmean}\n"
        "  - {kind: normalised_mse, feature: first, layers: [1], teacher_layers: 2 * m, "
        "projection: separate}\n"
        "  - {kind: mse, feature: attention, teacher_layers: last}\n"
        "  - {kind: kl, feature: value_relation, layers: last, relation_heads: 8}\n",
        test_data("golden/kd_soft_temp/teacher.safetensors"));
    read_job(&f, text, false);
    CU_ASSERT_STRING_EQUAL(
        f.job.distil_terms,
        "1*mse(states hidden_states.0:hidden_states.0 fit=fit_dense as=embedding)"
        "+2*mse(states hidden_states.1:hidden_states.2 hidden_states.2:hidden_states.4 "
        "fit=fit_dense batchmean as=hidden)"
        "+1*normalised_mse(first hidden_states.2:hidden_states.3 map=fit_first as=first)"
        "+1*mse(scores attention.0.query*attention.0.key:attention.2.query*attention.2.key "
        "attention.1.query*attention.1.key:attention.3.query*attention.3.key heads=4 as=attention)"
        "+1*kl(scores attention.1.value*attention.1.value:attention.3.value*attention.3.value "
        "heads=8 as=value_relation)");
    CU_ASSERT(!f.job.reads_teacher_logits);
    const rt_graph *teacher = rt_module_find_graph(f.module, "teacher");
    CU_ASSERT_PTR_NOT_NULL_FATAL(teacher);
    CU_ASSERT(rt_value_is(rt_graph_find_output(teacher, "hidden_states.4")));
    CU_ASSERT(rt_value_is(rt_graph_find_output(teacher, "attention.3.value")));
    CU_ASSERT(!rt_value_is(rt_graph_find_output(teacher, "logits")));
    end_job(&f);
}

static void test_format_says_it_all(void) {
    job_fixture f;
    read_job(&f,
             "data: {train: train.tsv, vocabulary: vocab.txt, format: sts-b}\n"
             "model: {family: bilstm, width: 4}\n",
             false);
    CU_ASSERT(f.job.is_regression);
    CU_ASSERT_EQUAL(f.job.label_count, 1);
    CU_ASSERT_STRING_EQUAL(f.job.metric, "spearman");
    end_job(&f);
    read_job(&f,
             "data: {train: train.tsv, vocabulary: vocab.txt, format: mnli}\n"
             "model: {family: bilstm, width: 4}\n",
             false);
    CU_ASSERT_EQUAL(f.job.label_count, 3);
    CU_ASSERT_STRING_EQUAL(f.job.labels[1], "entailment");
    end_job(&f);
    write_file("labels.txt", "news\r\nsport\n");
    read_job(&f,
             "data: {train: train.tsv, vocabulary: vocab.txt, format: ag-news}\n"
             "model: {family: bilstm, width: 4}\n",
             false);
    CU_ASSERT_EQUAL(f.job.label_count, 2);
    CU_ASSERT_STRING_EQUAL(f.job.labels[0], "news");
    end_job(&f);
}

/* What `verify` asks for: models from files, batches given. */
static void test_golden_job(void) {
    job_fixture f;
    const char *folder = test_data("golden/kd_soft_temp");
    if (!folder) {
        test_skip("no golden data");
        return;
    }
    char text[2000];
    snprintf(text, sizeof text,
             "data: {train: %s/batches.safetensors}\n"
             "model: {from: %s/initial.safetensors, dropout: 0}\n"
             "teacher: {from: %s/teacher.safetensors}\n"
             "loss: [{kind: soft, temperature: 4, weight: 0.9}, {kind: hard, weight: 0.1}]\n",
             folder, folder, folder);
    read_job(&f, text, true);
    CU_ASSERT_EQUAL(f.job.student.config.width, 32);
    CU_ASSERT_EQUAL(f.job.teacher.config.width, 48);
    CU_ASSERT_EQUAL(f.job.label_count, 3);
    CU_ASSERT_STRING_EQUAL(f.job.distil_terms,
                           "0.90000000000000002*soft(4 batchmean)+0.10000000000000001*hard");
    CU_ASSERT_PTR_NULL(f.job.teacher.classes);
    rt_parameter theirs = rt_module_find_parameter(f.module, "teacher/bert.pooler.dense.weight");
    CU_ASSERT(!rt_module_parameter(f.module, theirs)->is_trainable);
    CU_ASSERT_EQUAL(rt_module_parameter(f.module, theirs)->initial, RT_INITIAL_SOURCE);
    rt_parameter ours = rt_module_find_parameter(f.module, "bert.pooler.dense.weight");
    CU_ASSERT(rt_module_parameter(f.module, ours)->is_trainable);
    CU_ASSERT_EQUAL(f.diagnostics.count, 0);
    end_job(&f);
}

static const char *string_at(const json_t *root, const char *section, const char *key) {
    const char *text = json_string_value(json_object_get(json_object_get(root, section), key));
    return text ? text : "";
}

static void test_settings(void) {
    job_fixture f;
    rt_error error;
    json_t *root;
    write_file("tokenizer_config.json", "{\"do_lower_case\": false}");
    read_job(&f,
             "task: {labels: [bad, good]}\n" DATA
             "model: {family: roberta, layers: 1, width: 8, heads: 2}\n"
             "training: {betas: [0.9, 0.98], steps: 1e3, output: out}\n",
             false);
    const char *text = rt_job_settings(&f.job, &f.arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(rt_json_parse("settings", text, strlen(text), &root, &error), RT_OK);
    char *folder = realpath(test_folder(), NULL), path[300];
    snprintf(path, sizeof path, "%s/train.tsv", folder);
    CU_ASSERT_STRING_EQUAL(string_at(root, "data", "train"), path);
    CU_ASSERT_STRING_EQUAL(string_at(root, "data", "folder"), folder);
    snprintf(path, sizeof path, "%s/vocab.txt", folder);
    CU_ASSERT_STRING_EQUAL(string_at(root, "data", "vocabulary"), path);
    CU_ASSERT(json_is_false(json_object_get(json_object_get(root, "data"), "lowercase")));
    CU_ASSERT_STRING_EQUAL(string_at(root, "task", "kind"), "classification");
    CU_ASSERT_STRING_EQUAL(string_at(root, "task", "metric"), "accuracy");
    CU_ASSERT_STRING_EQUAL(string_at(root, "training", "output"), "out");
    const json_t *training = json_object_get(root, "training");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(training, "steps")), 1000);
    CU_ASSERT_EQUAL(json_number_value(json_array_get(json_object_get(training, "betas"), 1)), 0.98);
    const json_t *model = json_object_get(root, "model");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(model, "positions")), 600);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(model, "vocabulary")), 6);
    CU_ASSERT_PTR_NOT_NULL(strstr(string_at(root, "checkpoint", "config.json"), "\"1\": \"good\""));
    free(folder);
    json_decref(root);
    end_job(&f);
}

TEST_MAIN("job", TEST(test_random_model), TEST(test_head_and_patterns), TEST(test_method_options),
          TEST(test_features), TEST(test_format_says_it_all), TEST(test_golden_job),
          TEST(test_settings))
