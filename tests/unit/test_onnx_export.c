// SPDX-License-Identifier: Apache-2.0
/* Exported models, read back and evaluated over padded rows, give what the packed graph of the same
 * configuration gives; that graph is held against other libraries' values in test_build. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_export.h"
#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "models/build.h"
#include "models/huggingface.h"
#include "tests/support/golden.h"
#include "tests/support/graph.h"

enum { ROWS = 3, PLACES = 7, PADDING_ID = 1 };

typedef struct export_fixture {
    rt_arena arena;
    rt_diagnostics diagnostics, read_diagnostics;
    rt_model_config config;
    rt_module *module, *read_module;
    rt_graph *graph, *read_graph;
    rt_safetensors weights, inputs;
    golden_batch *batch;
    const char *onnx_path;
} export_fixture;

static const char *file_in_folder(rt_arena *arena, const char *name) {
    return rt_arena_format(arena, "%s/%s", test_folder(), name);
}

static rt_model_config small_config(rt_family family) {
    rt_model_config config = rt_model_config_default(family);
    bool is_encoder = rt_model_config_is_encoder(&config);
    config.vocabulary_size = 30;
    config.width = 8;
    config.layers = is_encoder ? 2 : 1;
    config.heads = is_encoder ? 2 : 0;
    config.inner_width = 12;
    config.embedding_width = is_encoder ? 0 : 6;
    config.positions = is_encoder ? 20 : 0;
    config.padding_id = PADDING_ID;
    config.label_count = 3;
    return config;
}

/* Random numbers for every parameter, as a file that the parameters then have as source. */
static void write_weights(export_fixture *f, rt_model_parts parts) {
    rt_model_parameters list;
    rt_error error;
    CU_ASSERT_FATAL(rt_model_list_parameters(&f->config, parts, &f->arena, &list));
    rt_safetensor *tensors = RT_NEW_ARRAY(&f->arena, rt_safetensor, list.count);
    for (size_t i = 0; i < list.count; ++i) {
        const rt_model_parameter *p = &list.items[i];
        size_t count = (size_t)(p->dims[0] * p->dims[1]);
        float *values = RT_NEW_ARRAY(&f->arena, float, count);
        for (size_t k = 0; k < count; ++k)
            values[k] = (float)(0.6 * test_random((uint32_t)i, (uint32_t)k));
        tensors[i] = (rt_safetensor){.name = p->name,
                                     .dtype = RT_F32,
                                     .rank = p->rank,
                                     .dims = {p->dims[0], p->dims[1]},
                                     .data = values,
                                     .size_bytes = count * sizeof *values};
    }
    const char *path = file_in_folder(&f->arena, "weights.safetensors");
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_write(path, tensors, list.count, NULL, 0, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(path, &f->weights, &error), RT_OK);
    rt_load_options load = {.parameter_prefix = "", .parts = parts, .needs_head = true};
    CU_ASSERT_EQUAL_FATAL(
        rt_model_load_sources(f->module, &f->config, path, &load, &f->diagnostics), RT_OK);
}

/* Rows of 7, 4 and 1 tokens in a padded batch. */
static void write_batch(export_fixture *f) {
    static const int32_t lengths[ROWS] = {PLACES, 4, 1};
    int32_t *values = RT_NEW_ARRAY(&f->arena, int32_t, 3 * ROWS * PLACES);
    int32_t *ids = values, *mask = ids + ROWS * PLACES, *types = mask + ROWS * PLACES;
    for (int row = 0; row < ROWS; ++row) {
        for (int place = 0; place < PLACES; ++place) {
            int at = row * PLACES + place;
            mask[at] = place < lengths[row];
            ids[at] = mask[at] ? 2 + (row * 11 + place * 5) % 28 : PADDING_ID;
            types[at] = mask[at] && place > 2;
        }
    }
    const char *const names[3] = {"input_ids", "attention_mask", "token_type_ids"};
    rt_safetensor tensors[3];
    for (int i = 0; i < 3; ++i)
        tensors[i] = (rt_safetensor){.name = names[i],
                                     .dtype = RT_I32,
                                     .rank = 2,
                                     .dims = {ROWS, PLACES},
                                     .data = values + i * ROWS * PLACES,
                                     .size_bytes = ROWS * PLACES * sizeof *values};
    const char *path = file_in_folder(&f->arena, "batch.safetensors");
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_write(path, tensors, 3, NULL, 0, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(path, &f->inputs, NULL), RT_OK);
    f->batch = golden_pack(&f->inputs, "", false, &f->arena);
}

static void read_back(export_fixture *f) {
    rt_onnx_source source;
    rt_error error;
    rt_onnx_import_options options = {0};
    rt_status status = rt_onnx_open(f->onnx_path, &source, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    f->read_module = rt_module_create(&f->read_diagnostics);
    f->read_graph = rt_onnx_import(source.model, f->onnx_path, &options, f->read_module);
    if (!f->read_graph) printf("%s\n", rt_diagnostics_text(&f->read_diagnostics, &f->arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->read_graph);
    rt_onnx_close(&source);
}

static void open_export(export_fixture *f, const rt_model_config *config, unsigned outputs) {
    rt_model_parts parts = rt_model_parts_of_outputs(outputs);
    rt_build_options build = {
        .graph_name = "model", .parameter_prefix = "", .outputs = outputs, .is_trainable = true};
    rt_error error = {""};
    *f = (export_fixture){.config = *config};
    f->module = rt_module_create(&f->diagnostics);
    f->graph = rt_model_build(f->module, &f->config, &build);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->graph);
    write_weights(f, parts);
    write_batch(f);
    f->onnx_path = file_in_folder(&f->arena, "model.onnx");
    rt_status status = rt_onnx_export(f->module, &f->config, parts, f->onnx_path, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    read_back(f);
}

static void close_export(export_fixture *f) {
    rt_module_destroy(f->module);
    rt_module_destroy(f->read_module);
    rt_safetensors_close(&f->weights);
    rt_safetensors_close(&f->inputs);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_diagnostics_deinit(&f->read_diagnostics);
    rt_arena_deinit(&f->arena);
}

static rt_array **evaluate(export_fixture *f, const rt_graph *graph, const rt_module *module,
                           const rt_array **inputs) {
    rt_array **outputs = RT_NEW_ARRAY(&f->arena, rt_array *, rt_graph_output_count(graph));
    rt_eval_options options = {0};
    rt_error error = {""};
    const rt_array **values = golden_parameters(module, &f->weights, "", NULL, &f->arena);
    for (size_t i = 0; i < rt_module_parameter_count(module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(module, (rt_parameter){(uint32_t)i});
        if (!values[i]) printf("'%s' is no parameter of the model\n", info->name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(values[i]);
    }
    rt_status status = rt_eval_graph(graph, inputs, values, &options, &f->arena, outputs, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return outputs;
}

/* The padded arrays as int64, by the names of the graph's inputs. */
static const rt_array **padded_inputs(export_fixture *f) {
    size_t count = rt_graph_input_count(f->read_graph);
    const rt_array **inputs = RT_NEW_ARRAY(&f->arena, const rt_array *, count);
    for (size_t i = 0; i < count; ++i) {
        rt_node node = rt_graph_definition(f->read_graph, rt_graph_input(f->read_graph, i));
        const char *name = rt_graph_attr(f->read_graph, node, RT_ATTR_input_name).text;
        rt_array *array = golden_array(&f->inputs, name, &f->arena);
        CU_ASSERT_PTR_NOT_NULL_FATAL(array);
        array->dtype = RT_I64;
        inputs[i] = array;
    }
    return inputs;
}

/* Every output of the file against the packed graph's of the same name. */
static void check_outputs(export_fixture *f, size_t expected) {
    const rt_array **inputs = golden_inputs(f->graph, f->batch, &f->arena);
    rt_array **wanted = evaluate(f, f->graph, f->module, inputs);
    rt_array **read = evaluate(f, f->read_graph, f->read_module, padded_inputs(f));
    CU_ASSERT_EQUAL(rt_graph_output_count(f->read_graph), expected);
    CU_ASSERT_EQUAL_FATAL(rt_graph_output_count(f->graph), expected);
    for (size_t i = 0; i < expected; ++i) {
        const char *name = rt_graph_output(f->graph, i)->name;
        double largest = 0, error;
        size_t at = 0;
        while (at + 1 < expected && strcmp(rt_graph_output(f->read_graph, at)->name, name) != 0)
            ++at;
        CU_ASSERT_STRING_EQUAL(rt_graph_output(f->read_graph, at)->name, name);
        if (read[at]->rank == 3)
            error = golden_token_error(f->batch, wanted[i], read[at], &largest);
        else
            error = golden_error(wanted[i], read[at], &largest);
        /* Constants in the file, such as epsilon and 1 / sqrt 2, are rounded to f32. */
        if (!(error >= 0 && error <= 1e-6 * largest)) printf("%s: %g\n", name, error);
        CU_ASSERT(error >= 0 && error <= 1e-6 * largest && largest > 0.01);
    }
}

static void check_model(const rt_model_config *config, unsigned outputs, size_t expected) {
    export_fixture f;
    open_export(&f, config, outputs);
    check_outputs(&f, expected);
    close_export(&f);
}

static void test_classifiers(void) {
    for (int family = 0; family < RT_FAMILY_COUNT; ++family) {
        rt_model_config config = small_config((rt_family)family);
        check_model(&config, RT_OUTPUT_LOGITS, 1);
    }
}

static void test_poolings(void) {
    static const rt_family families[] = {RT_FAMILY_bert, RT_FAMILY_distilbert, RT_FAMILY_roberta};
    for (int i = 0; i < 3; ++i) {
        rt_model_config config = small_config(families[i]);
        config.pooling = RT_POOLING_MEAN;
        check_model(&config, RT_OUTPUT_LOGITS, 1);
        config.pooling = RT_POOLING_FIRST;
        check_model(&config, RT_OUTPUT_LOGITS, 1);
    }
}

static void test_encoders(void) {
    for (int family = 0; family < RT_FAMILY_COUNT; ++family) {
        rt_model_config config = small_config((rt_family)family);
        config.label_count = 0;
        if (!rt_model_config_is_encoder(&config)) continue;
        bool has_pooler = rt_model_has_module(&config, RT_MODULE_pooler, RT_PART_POOLER);
        unsigned pooler = has_pooler ? RT_OUTPUT_POOLER : 0;
        check_model(&config, RT_OUTPUT_LAST_HIDDEN_STATE | pooler, has_pooler ? 2 : 1);
    }
}

static void test_activations(void) {
    rt_model_config config = small_config(RT_FAMILY_bert);
    config.activation = RT_ACTIVATION_GELU_TANH;
    check_model(&config, RT_OUTPUT_LOGITS, 1);
    config.activation = RT_ACTIVATION_RELU;
    check_model(&config, RT_OUTPUT_LOGITS, 1);
}

static void test_parameter_without_source(void) {
    rt_diagnostics diagnostics = {0};
    rt_error error = {""};
    rt_arena arena = {0};
    rt_module *module = rt_module_create(&diagnostics);
    rt_model_config config = small_config(RT_FAMILY_bert);
    rt_build_options build = {
        .graph_name = "model", .parameter_prefix = "", .outputs = RT_OUTPUT_LOGITS};
    CU_ASSERT_PTR_NOT_NULL_FATAL(rt_model_build(module, &config, &build));
    const char *path = file_in_folder(&arena, "nothing.onnx");
    CU_ASSERT_NOT_EQUAL(rt_onnx_export(module, &config, RT_PART_HEAD, path, &error), RT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "has no values to be saved"));
    CU_ASSERT(!rt_file_exists(path));
    rt_module_destroy(module);
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&diagnostics);
}

static void test_unwritable(void) {
    export_fixture f;
    rt_error error = {""};
    rt_model_config config = small_config(RT_FAMILY_bert);
    open_export(&f, &config, RT_OUTPUT_LOGITS);
    const char *path = file_in_folder(&f.arena, "absent/model.onnx");
    CU_ASSERT_NOT_EQUAL(rt_onnx_export(f.module, &f.config, RT_PART_HEAD, path, &error), RT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "absent/model.onnx: cannot be written"));
    close_export(&f);
}

TEST_MAIN("onnx_export", TEST(test_classifiers), TEST(test_poolings), TEST(test_encoders),
          TEST(test_activations), TEST(test_parameter_without_source), TEST(test_unwritable))
