// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_reader.h"
#include "compiler/frontend/onnx_tensor.h"
#include "compiler/frontend/onnx_writer.h"
#include "tests/support/test.h"

static void expect_same_tensor(const rt_onnx_tensor *a, const rt_onnx_tensor *b) {
    CU_ASSERT_STRING_EQUAL(a->name, b->name);
    CU_ASSERT_EQUAL(a->type, b->type);
    CU_ASSERT_EQUAL_FATAL(a->rank, b->rank);
    for (int i = 0; i < a->rank; ++i) CU_ASSERT_EQUAL(a->dims[i], b->dims[i]);
    if (a->storage == RT_ONNX_VALUES && b->storage == RT_ONNX_VALUES) {
        CU_ASSERT_EQUAL_FATAL(a->size_bytes, b->size_bytes);
        CU_ASSERT_EQUAL(memcmp(a->file->data + a->offset, b->file->data + b->offset, a->size_bytes),
                        0);
    }
}

static void expect_same_graph(const rt_onnx_graph *a, const rt_onnx_graph *b);

static void expect_same_attribute(const rt_onnx_attribute *a, const rt_onnx_attribute *b) {
    CU_ASSERT_STRING_EQUAL(a->name, b->name);
    CU_ASSERT_STRING_EQUAL(a->reference, b->reference);
    CU_ASSERT_EQUAL(a->kind, b->kind);
    CU_ASSERT_EQUAL(memcmp(&a->real, &b->real, sizeof a->real), 0);
    CU_ASSERT_EQUAL(a->integer, b->integer);
    CU_ASSERT_EQUAL_FATAL(a->text.size, b->text.size);
    CU_ASSERT_EQUAL(memcmp(a->text.bytes, b->text.bytes, a->text.size), 0);
    CU_ASSERT_EQUAL_FATAL(a->count, b->count);
    for (size_t i = 0; i < a->count; ++i) {
        if (a->reals) CU_ASSERT_EQUAL(memcmp(&a->reals[i], &b->reals[i], sizeof(float)), 0);
        if (a->integers) CU_ASSERT_EQUAL(a->integers[i], b->integers[i]);
        if (a->texts) CU_ASSERT_STRING_EQUAL(a->texts[i].bytes, b->texts[i].bytes);
        if (a->tensors) expect_same_tensor(&a->tensors[i], &b->tensors[i]);
        if (a->graphs) expect_same_graph(&a->graphs[i], &b->graphs[i]);
    }
}

static void expect_same_value(const rt_onnx_value *a, const rt_onnx_value *b) {
    CU_ASSERT_STRING_EQUAL(a->name, b->name);
    if (a->kind != RT_ONNX_VALUE_TENSOR) return;
    CU_ASSERT_EQUAL(a->kind, b->kind);
    CU_ASSERT_EQUAL(a->type, b->type);
    CU_ASSERT_EQUAL(a->has_shape, b->has_shape);
    CU_ASSERT_EQUAL_FATAL(a->rank, b->rank);
    for (int i = 0; i < a->rank; ++i) {
        CU_ASSERT_EQUAL(a->dims[i].value, b->dims[i].value);
        CU_ASSERT_STRING_EQUAL(a->dims[i].symbol, b->dims[i].symbol);
    }
}

static void expect_same_names(const char *const *a, const char *const *b, size_t count) {
    for (size_t i = 0; i < count; ++i) CU_ASSERT_STRING_EQUAL(a[i], b[i]);
}

static void expect_same_nodes(const rt_onnx_node *a, const rt_onnx_node *b, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        CU_ASSERT_STRING_EQUAL(a[i].name, b[i].name);
        CU_ASSERT_STRING_EQUAL(a[i].op_type, b[i].op_type);
        CU_ASSERT_STRING_EQUAL(a[i].domain, b[i].domain);
        CU_ASSERT_EQUAL_FATAL(a[i].input_count, b[i].input_count);
        CU_ASSERT_EQUAL_FATAL(a[i].output_count, b[i].output_count);
        CU_ASSERT_EQUAL_FATAL(a[i].attribute_count, b[i].attribute_count);
        expect_same_names(a[i].inputs, b[i].inputs, a[i].input_count);
        expect_same_names(a[i].outputs, b[i].outputs, a[i].output_count);
        for (size_t k = 0; k < a[i].attribute_count; ++k) {
            expect_same_attribute(&a[i].attributes[k], &b[i].attributes[k]);
        }
    }
}

static void expect_same_graph(const rt_onnx_graph *a, const rt_onnx_graph *b) {
    CU_ASSERT_EQUAL_FATAL(a->node_count, b->node_count);
    CU_ASSERT_EQUAL_FATAL(a->initializer_count, b->initializer_count);
    CU_ASSERT_EQUAL_FATAL(a->input_count, b->input_count);
    CU_ASSERT_EQUAL_FATAL(a->output_count, b->output_count);
    CU_ASSERT_EQUAL_FATAL(a->value_info_count, b->value_info_count);
    expect_same_nodes(a->nodes, b->nodes, a->node_count);
    for (size_t i = 0; i < a->initializer_count; ++i) {
        expect_same_tensor(&a->initializers[i], &b->initializers[i]);
    }
    for (size_t i = 0; i < a->input_count; ++i) expect_same_value(&a->inputs[i], &b->inputs[i]);
    for (size_t i = 0; i < a->output_count; ++i) {
        expect_same_value(&a->outputs[i], &b->outputs[i]);
    }
}

/* Reads `from`, writes it, reads the written file: the same model. */
static void expect_round_trip(const char *from) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/copy.onnx", test_folder());
    rt_onnx_source first, second;
    rt_error error;
    rt_status status = rt_onnx_open(from, &first, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_onnx_write(path, first.model, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_onnx_open(path, &second, &error), RT_OK);
    CU_ASSERT_EQUAL(first.model->ir_version, second.model->ir_version);
    CU_ASSERT_EQUAL_FATAL(first.model->opset_count, second.model->opset_count);
    CU_ASSERT_EQUAL(first.model->opsets[0].version, second.model->opsets[0].version);
    expect_same_graph(&first.model->graph, &second.model->graph);
    rt_onnx_close(&second);
    rt_onnx_close(&first);
}

static void test_exported_models(void) {
    static const char *const models[] = {
        "golden/fwd_bert/model.onnx", "golden/fwd_roberta/model.onnx",
        "golden/kd_soft_temp/student.onnx", "models/minilm-l6/model.onnx"};
    for (size_t i = 0; i < sizeof models / sizeof *models; ++i) {
        const char *path = test_data(models[i]);
        if (!path) {
            test_skip("no shared data");
            return;
        }
        expect_round_trip(path);
    }
}

static void test_operator_cases(void) {
    static const char *const cases[] = {"test_if", "test_loop11", "test_clip_default_inbounds",
                                        "test_constant", "test_reduce_sum_keepdims_example"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char name[200];
        snprintf(name, sizeof name, "conformance/node/%s/model.onnx", cases[i]);
        const char *path = test_data(name);
        if (path) expect_round_trip(path);
    }
}

static void test_every_attribute(void) {
    static const float reals[] = {1.5f, -0.0f};
    static const int64_t integers[] = {-1, INT64_MIN}, dims[] = {2};
    static const rt_onnx_text texts[] = {{"a", 1}, {"", 0}};
    static const char *const no_input[] = {""}, *const output[] = {"y"};
    rt_onnx_tensor tensor;
    rt_onnx_file file;
    rt_onnx_tensor_of_memory(&tensor, &file, "t", RT_F32, dims, 1, reals);
    const rt_onnx_attribute attributes[] = {
        {.name = "f", .reference = "", .kind = RT_ONNX_ATTRIBUTE_FLOAT, .real = 0.25f},
        {.name = "i", .reference = "", .kind = RT_ONNX_ATTRIBUTE_INT, .integer = -7},
        {.name = "s", .reference = "", .kind = RT_ONNX_ATTRIBUTE_STRING, .text = {"a\0b", 3}},
        {.name = "fs", .kind = RT_ONNX_ATTRIBUTE_FLOATS, .reals = reals, .count = 2},
        {.name = "is", .kind = RT_ONNX_ATTRIBUTE_INTS, .integers = integers, .count = 2},
        {.name = "ss", .kind = RT_ONNX_ATTRIBUTE_STRINGS, .texts = texts, .count = 2},
        {.name = "t", .kind = RT_ONNX_ATTRIBUTE_TENSOR, .tensors = &tensor, .count = 1},
        {.name = "none", .kind = RT_ONNX_ATTRIBUTE_INTS},
    };
    const rt_onnx_node node = {.op_type = "Op",
                               .domain = "example.test",
                               .inputs = no_input,
                               .input_count = 1,
                               .outputs = output,
                               .output_count = 1,
                               .attributes = attributes,
                               .attribute_count = sizeof attributes / sizeof *attributes};
    const rt_onnx_dim value_dims[] = {{-1, "batch"}, {-1, NULL}, {3, NULL}};
    const rt_onnx_value value = {"y", RT_ONNX_VALUE_TENSOR, RT_ONNX_FLOAT, true, 3, value_dims};
    const rt_onnx_opset opsets[] = {{"", 17}, {"example.test", 1}};
    const rt_onnx_model model = {
        .ir_version = 8,
        .graph = {.nodes = &node, .node_count = 1, .outputs = &value, .output_count = 1},
        .opsets = opsets,
        .opset_count = 2};
    rt_arena arena = {0};
    const uint8_t *bytes;
    size_t size;
    CU_ASSERT_EQUAL_FATAL(rt_onnx_write_bytes(&model, &arena, &bytes, &size), RT_OK);
    rt_onnx_source source;
    rt_error error;
    rt_status status = rt_onnx_read(bytes, size, "m", &source, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    const rt_onnx_node *got = source.model->graph.nodes;
    CU_ASSERT_STRING_EQUAL(got->domain, "example.test");
    CU_ASSERT_STRING_EQUAL(got->inputs[0], "");
    CU_ASSERT_EQUAL_FATAL(got->attribute_count, 8);
    CU_ASSERT_EQUAL(got->attributes[0].real, 0.25f);
    CU_ASSERT_EQUAL(got->attributes[1].integer, -7);
    CU_ASSERT_EQUAL(got->attributes[2].text.size, 3);
    CU_ASSERT_EQUAL(memcmp(got->attributes[2].text.bytes, "a\0b", 3), 0);
    CU_ASSERT_EQUAL(memcmp(got->attributes[3].reals, reals, sizeof reals), 0);
    CU_ASSERT_EQUAL(memcmp(got->attributes[4].integers, integers, sizeof integers), 0);
    CU_ASSERT_EQUAL(got->attributes[5].count, 2);
    CU_ASSERT_STRING_EQUAL(got->attributes[5].texts[0].bytes, "a");
    expect_same_tensor(&got->attributes[6].tensors[0], &tensor);
    CU_ASSERT_EQUAL(got->attributes[7].kind, RT_ONNX_ATTRIBUTE_INTS);
    CU_ASSERT_EQUAL(got->attributes[7].count, 0);
    const rt_onnx_value *y = source.model->graph.outputs;
    CU_ASSERT_STRING_EQUAL(y->dims[0].symbol, "batch");
    CU_ASSERT_EQUAL(y->dims[1].value, -1);
    CU_ASSERT_EQUAL(y->dims[2].value, 3);
    rt_onnx_close(&source);
    rt_arena_deinit(&arena);
}

static void test_unwritable(void) {
    const rt_onnx_model model = {.ir_version = 8};
    rt_error error;
    CU_ASSERT_NOT_EQUAL(rt_onnx_write("/nowhere/at/all/m.onnx", &model, &error), RT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nowhere/at/all/m.onnx"));
}

TEST_MAIN("onnx_writer", TEST(test_every_attribute), TEST(test_operator_cases),
          TEST(test_exported_models), TEST(test_unwritable))
