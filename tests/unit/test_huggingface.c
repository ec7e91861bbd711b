// SPDX-License-Identifier: Apache-2.0
/* Saved models: found, loaded as sources, saved again; what does not fit is said. */
#include <stdio.h>
#include <string.h>

#include "models/build.h"
#include "models/huggingface.h"
#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"
#include "tests/support/test.h"

typedef struct loaded_model {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_model_config config;
    rt_saved_model files;
    rt_status status;
} loaded_model;

static void build_model(loaded_model *f, const char *prefix) {
    bool has_head = f->config.label_count > 0;
    rt_build_options options = {.graph_name = "model",
                                .parameter_prefix = prefix,
                                .outputs = has_head ? RT_OUTPUT_LOGITS : RT_OUTPUT_POOLER};
    if (!f->module) f->module = rt_module_create(&f->diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rt_model_build(f->module, &f->config, &options));
}

static rt_model_parts parts_of(const loaded_model *f) {
    return f->config.label_count ? RT_PART_HEAD : RT_PART_POOLER;
}

/* Loads weights `path` into a model of `config`, which needs a head or not. */
static void load_as(loaded_model *f, const char *path, bool needs_head) {
    build_model(f, "");
    rt_load_options options = {.parameter_prefix = "",
                               .parts = parts_of(f),
                               .needs_head = needs_head,
                               .location = {.file = "spec", .line = 3}};
    f->status = rt_model_load_sources(f->module, &f->config, path, &options, &f->diagnostics);
}

static bool open_saved(loaded_model *f, const char *path) {
    rt_error error;
    *f = (loaded_model){0};
    rt_status status = rt_saved_model_find(path, &f->arena, &f->files, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_model_config_read(f->files.config, &f->arena, &f->config, &error),
                          RT_OK);
    return true;
}

static bool open_golden(loaded_model *f, const char *folder) {
    char name[100];
    snprintf(name, sizeof name, "golden/%s/initial.safetensors", folder);
    const char *path = test_data(name);
    if (!path) test_skip("no golden data");
    return path && open_saved(f, path);
}

static void close_model(loaded_model *f) {
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static size_t count_severity(const loaded_model *f, rt_severity severity) {
    size_t count = 0;
    for (size_t i = 0; i < f->diagnostics.count; ++i)
        count += f->diagnostics.items[i].severity == severity;
    return count;
}

static bool says(loaded_model *f, const char *text) {
    const char *all = rt_diagnostics_text(&f->diagnostics, &f->arena);
    bool is_said = strstr(all, text) != NULL;
    if (!is_said) printf("%s\nnot: %s\n", all, text);
    return is_said;
}

/* Saves what was loaded and compares every tensor of the two files. */
static void check_round_trip(const char *name) {
    loaded_model f, again;
    if (!open_golden(&f, name)) return;
    load_as(&f, f.files.weights, true);
    CU_ASSERT_EQUAL(f.status, RT_OK);
    CU_ASSERT_EQUAL(f.diagnostics.count, 0);
    char folder[200];
    rt_error error;
    snprintf(folder, sizeof folder, "%s/%s", test_folder(), name);
    rt_status status = rt_model_save(f.module, &f.config, parts_of(&f), &f.files, folder, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    open_saved(&again, folder);
    CU_ASSERT_EQUAL(again.config.family, f.config.family);
    CU_ASSERT_EQUAL(again.config.label_count, f.config.label_count);
    CU_ASSERT_PTR_NULL(again.files.vocabulary);
    rt_safetensors before = {0}, after = {0};
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(f.files.weights, &before, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(again.files.weights, &after, NULL), RT_OK);
    CU_ASSERT_EQUAL(before.count, after.count);
    for (size_t i = 0; i < before.count; ++i) {
        const rt_safetensor *tensor = rt_safetensors_find(&after, before.tensors[i].name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
        CU_ASSERT_EQUAL(tensor->size_bytes, before.tensors[i].size_bytes);
        CU_ASSERT_EQUAL(memcmp(tensor->data, before.tensors[i].data, tensor->size_bytes), 0);
    }
    rt_safetensors_close(&before);
    rt_safetensors_close(&after);
    close_model(&f);
    close_model(&again);
}

static void test_round_trip(void) {
    static const char *const names[] = {"ft_cls",    "ft_reg",      "fwd_bert",
                                        "fwd_preln", "fwd_roberta", "fwd_distilbert"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) check_round_trip(names[i]);
}

/* A classifier from an encoder that was saved without the prefix: the head starts fresh. */
static void test_encoder_becomes_classifier(void) {
    loaded_model f;
    if (!open_golden(&f, "fwd_bert")) return;
    f.config.label_count = 2;
    load_as(&f, f.files.weights, false);
    CU_ASSERT_EQUAL(f.status, RT_OK);
    CU_ASSERT_EQUAL(count_severity(&f, RT_NOTE), 2);
    CU_ASSERT(says(&f, "spec:3: note: 'classifier.weight' is not in"));
    rt_parameter word =
        rt_module_find_parameter(f.module, "bert.embeddings.word_embeddings.weight");
    const rt_parameter_info *info = rt_module_parameter(f.module, word);
    CU_ASSERT_EQUAL(info->initial, RT_INITIAL_SOURCE);
    CU_ASSERT_STRING_EQUAL(info->source.tensor_name, "embeddings.word_embeddings.weight");
    CU_ASSERT_EQUAL(info->source.size_bytes, 200 * 48 * 4);
    close_model(&f);
    if (!open_golden(&f, "fwd_bert")) return;
    f.config.label_count = 2;
    load_as(&f, f.files.weights, true);
    CU_ASSERT_EQUAL(f.status, RT_INVALID_DATA);
    CU_ASSERT(says(&f, "but a trained classifier is needed here"));
    close_model(&f);
}

static void test_other_task(void) {
    loaded_model f;
    if (!open_golden(&f, "ft_cls")) return;
    f.config.label_count = 7;
    load_as(&f, f.files.weights, false);
    CU_ASSERT_EQUAL(f.status, RT_OK);
    CU_ASSERT(says(&f, "'classifier.weight' is [3,48] in"));
    CU_ASSERT(says(&f, "but this task needs [7,48]; it starts from random values"));
    close_model(&f);
}

static void test_wrong_shapes(void) {
    loaded_model f;
    if (!open_golden(&f, "ft_cls")) return;
    f.config.inner_width = 64;
    f.config.layers = 40;
    load_as(&f, f.files.weights, false);
    CU_ASSERT_EQUAL(f.status, RT_INVALID_DATA);
    CU_ASSERT(says(&f, "'bert.encoder.layer.0.intermediate.dense.weight' is f32[80,48] in"));
    CU_ASSERT(says(&f, "but must be f32[64,48] (or f16, bf16, f64)"));
    CU_ASSERT(says(&f, "'bert.encoder.layer.3.attention.self.query.weight' [48,48] is not in"));
    CU_ASSERT(says(&f, "more tensors of"));
    CU_ASSERT(f.diagnostics.error_count < 30);
    close_model(&f);
}

static rt_safetensor matrix(const char *name, int64_t rows, int64_t columns, const void *data) {
    rt_safetensor tensor = {.name = name,
                            .dtype = RT_F32,
                            .rank = 2,
                            .dims = {rows, columns},
                            .size_bytes = (uint64_t)(rows * columns) * 4,
                            .data = data};
    return tensor;
}

/* Names of older files, and tensors that nothing uses. */
static void test_older_names(void) {
    loaded_model f;
    static const float zeros[64 * 16];
    if (!open_golden(&f, "fwd_bert")) return;
    f.config = rt_model_config_default(RT_FAMILY_bert);
    f.config.vocabulary_size = 40, f.config.layers = 1, f.config.width = 8, f.config.heads = 2;
    f.config.inner_width = 16, f.config.positions = 64;
    rt_model_parameters list;
    CU_ASSERT_FATAL(rt_model_list_parameters(&f.config, RT_PART_POOLER, &f.arena, &list));
    rt_safetensor *tensors = RT_NEW_ARRAY(&f.arena, rt_safetensor, list.count + 3);
    for (size_t i = 0; i < list.count; ++i) {
        const rt_model_parameter *p = &list.items[i];
        char name[200];
        snprintf(name, sizeof name, "bert.%s", p->name);
        char *norm = strstr(name, "LayerNorm.");
        if (norm) strcpy(norm + 10, p->leaf == RT_LEAF_WEIGHT ? "gamma" : "beta");
        tensors[i] = matrix(rt_arena_copy_string(&f.arena, name), p->dims[0], p->dims[1], zeros);
        tensors[i].rank = p->rank;
    }
    tensors[list.count] = matrix("bert.embeddings.position_ids", 1, 64, zeros);
    tensors[list.count + 1] = matrix("cls.predictions.bias", 1, 40, zeros);
    tensors[list.count + 2] = matrix("something.else", 2, 2, zeros);
    char path[200];
    snprintf(path, sizeof path, "%s/old.safetensors", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_write(path, tensors, list.count + 3, NULL, 0, NULL),
                          RT_OK);
    load_as(&f, path, false);
    CU_ASSERT_EQUAL(f.status, RT_OK);
    CU_ASSERT_EQUAL(count_severity(&f, RT_WARNING), 1);
    CU_ASSERT(says(&f, "warning: 'something.else' in"));
    CU_ASSERT(says(&f, "note: 2 tensors in"));
    rt_parameter norm = rt_module_find_parameter(f.module, "embeddings.LayerNorm.weight");
    CU_ASSERT_STRING_EQUAL(rt_module_parameter(f.module, norm)->source.tensor_name,
                           "bert.embeddings.LayerNorm.gamma");
    close_model(&f);
}

/* A DistilBERT whose layers start from those of a BERT, with fewer positions. */
static void test_layers_from_teacher(void) {
    loaded_model f;
    static const int64_t layers[] = {0, 2};
    if (!open_golden(&f, "fwd_bert")) return;
    rt_model_config teacher = f.config, student = rt_model_config_default(RT_FAMILY_distilbert);
    build_model(&f, "teacher/");
    rt_load_options options = {.parameter_prefix = "teacher/", .parts = RT_PART_POOLER};
    CU_ASSERT_EQUAL(
        rt_model_load_sources(f.module, &teacher, f.files.weights, &options, &f.diagnostics),
        RT_OK);
    student.vocabulary_size = 200, student.layers = 2, student.width = 48, student.heads = 4;
    student.inner_width = 80, student.positions = 40, student.label_count = 2;
    f.config = student;
    build_model(&f, "");
    rt_location location = {.file = "spec", .line = 9};
    CU_ASSERT_EQUAL(
        rt_model_copy_layers(f.module, &student, &teacher, "teacher/", layers, location), RT_OK);
    rt_parameter query =
        rt_module_find_parameter(f.module, "distilbert.transformer.layer.1.attention.q_lin.weight");
    CU_ASSERT_STRING_EQUAL(rt_module_parameter(f.module, query)->source.tensor_name,
                           "encoder.layer.2.attention.self.query.weight");
    rt_parameter positions =
        rt_module_find_parameter(f.module, "distilbert.embeddings.position_embeddings.weight");
    CU_ASSERT_EQUAL(rt_module_parameter(f.module, positions)->source.size_bytes, 40 * 48 * 4);
    rt_parameter head = rt_module_find_parameter(f.module, "classifier.weight");
    CU_ASSERT_EQUAL(rt_module_parameter(f.module, head)->initial, RT_INITIAL_NORMAL);
    teacher.family = RT_FAMILY_bert;
    close_model(&f);
}

static void test_folders_that_are_none(void) {
    rt_arena arena = {0};
    rt_saved_model model;
    rt_error error;
    char path[200];
    CU_ASSERT_EQUAL(rt_saved_model_find("/no/such/place", &arena, &model, &error), RT_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "there is no config.json"));
    snprintf(path, sizeof path, "%s/bin", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_folder_create(path, NULL), RT_OK);
    snprintf(path, sizeof path, "%s/bin/config.json", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(path, "{}", 2, NULL), RT_OK);
    snprintf(path, sizeof path, "%s/bin/pytorch_model.bin", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(path, "x", 1, NULL), RT_OK);
    snprintf(path, sizeof path, "%s/bin", test_folder());
    CU_ASSERT_EQUAL(rt_saved_model_find(path, &arena, &model, &error), RT_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "the folder has pytorch_model.bin"));
    rt_arena_deinit(&arena);
}

TEST_MAIN("huggingface", TEST(test_round_trip), TEST(test_encoder_becomes_classifier),
          TEST(test_other_task), TEST(test_wrong_shapes), TEST(test_older_names),
          TEST(test_layers_from_teacher), TEST(test_folders_that_are_none))
