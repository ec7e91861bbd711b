// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compiler/frontend/onnx_reader.h"
#include "compiler/frontend/onnx_tensor.h"
#include "compiler/frontend/onnx_writer.h"
#include "runtime/base/file.h"
#include "tests/support/message.h"
#include "tests/support/test.h"

static void put_entry(message *tensor, const char *key, const char *value) {
    message entry = {0};
    put_text(&entry, 1, key);
    put_text(&entry, 2, value);
    put_message(tensor, 13, &entry);
}

static message make_node(const char *op, const char *input, const char *output) {
    message node = {0};
    if (input) put_text(&node, 1, input);
    put_text(&node, 2, output);
    put_text(&node, 4, op);
    return node;
}

static void put_value(message *graph, int field, const char *name) {
    message value = {0};
    put_text(&value, 1, name);
    put_message(graph, field, &value);
}

static message make_model(const message *graph) {
    message model = {0}, opset = {0};
    put_number(&model, 1, 8);
    put_number(&opset, 2, 17);
    put_message(&model, 7, graph);
    put_message(&model, 8, &opset);
    return model;
}

static rt_error last_error;

static rt_status read_model(const message *model, rt_onnx_source *source) {
    last_error.text[0] = '\0';
    rt_status status = rt_onnx_read(model->bytes, model->size, "m.onnx", source, &last_error);
    if (status != RT_OK) CU_ASSERT(strncmp(last_error.text, "m.onnx: ", 8) == 0);
    return status;
}

/* Reads a model whose graph is `graph`: RT_OK or the error's text with `expected` in it. */
static void expect_refused(const message *graph, const char *expected) {
    rt_onnx_source source;
    message model = make_model(graph);
    CU_ASSERT_NOT_EQUAL(read_model(&model, &source), RT_OK);
    if (!strstr(last_error.text, expected)) printf("got: %s\n", last_error.text);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, expected));
    CU_ASSERT_PTR_NULL(source.arena.newest);
}

static message make_small_graph(void) {
    static const float weight[] = {1, 2, 3, 4, 5, 6};
    message graph = {0}, tensor = {0}, node = make_node("Relu", "w", "y");
    put_number(&tensor, 1, 2);
    put_number(&tensor, 1, 3);
    put_number(&tensor, 2, RT_ONNX_FLOAT);
    put_text(&tensor, 8, "w");
    put_bytes(&tensor, 9, weight, sizeof weight);
    put_message(&graph, 1, &node);
    put_text(&graph, 2, "g");
    put_message(&graph, 5, &tensor);
    put_value(&graph, 12, "y");
    return graph;
}

static void test_small_model(void) {
    message graph = make_small_graph(), model = make_model(&graph);
    rt_onnx_source source;
    CU_ASSERT_EQUAL_FATAL(read_model(&model, &source), RT_OK);
    const rt_onnx_model *m = source.model;
    CU_ASSERT_EQUAL(m->ir_version, 8);
    CU_ASSERT_EQUAL(m->opset_count, 1);
    CU_ASSERT_EQUAL(m->opsets[0].version, 17);
    CU_ASSERT_STRING_EQUAL(m->opsets[0].domain, "");
    CU_ASSERT_EQUAL_FATAL(m->graph.node_count, 1);
    CU_ASSERT_STRING_EQUAL(m->graph.nodes[0].op_type, "Relu");
    CU_ASSERT_STRING_EQUAL(m->graph.nodes[0].inputs[0], "w");
    CU_ASSERT_EQUAL_FATAL(m->graph.initializer_count, 1);
    const rt_onnx_tensor *w = &m->graph.initializers[0];
    CU_ASSERT_EQUAL(w->rank, 2);
    CU_ASSERT_EQUAL(w->dims[0], 2);
    CU_ASSERT_EQUAL(w->dims[1], 3);
    CU_ASSERT_EQUAL(w->count, 6);
    CU_ASSERT_EQUAL(w->storage, RT_ONNX_VALUES);
    CU_ASSERT_EQUAL(w->size_bytes, 24);
    /* The values are used where they lie. */
    CU_ASSERT_EQUAL(w->file->data, model.bytes);
    float values[6];
    CU_ASSERT_EQUAL(rt_onnx_tensor_values(w, values), RT_OK);
    CU_ASSERT_EQUAL(values[5], 6.0f);
    rt_onnx_close(&source);
}

static void test_truncations(void) {
    message graph = make_small_graph(), model = make_model(&graph);
    size_t refused = 0;
    for (size_t size = 0; size < model.size; ++size) {
        /* A copy of exactly this size, so that reading beyond it is noticed. */
        uint8_t *bytes = malloc(size ? size : 1);
        memcpy(bytes, model.bytes, size);
        rt_onnx_source source;
        rt_status status = rt_onnx_read(bytes, size, "m.onnx", &source, &last_error);
        if (status == RT_OK) rt_onnx_close(&source);
        if (status != RT_OK && last_error.text[0]) ++refused;
        free(bytes);
    }
    /* Cut behind the graph the file is a model without operator sets; all else is refused. */
    CU_ASSERT_EQUAL(refused, model.size - 1);
}

/* Every single-byte change is read or refused, and nothing else. */
static void test_changed_bytes(void) {
    message graph = make_small_graph(), model = make_model(&graph);
    for (size_t i = 0; i < model.size; ++i) {
        for (int change = 1; change < 256; change += 3) {
            message changed = message_copy(&model);
            changed.bytes[i] ^= (uint8_t)change;
            rt_onnx_source source;
            if (rt_onnx_read(changed.bytes, changed.size, "m.onnx", &source, NULL) == RT_OK) {
                rt_onnx_close(&source);
            }
        }
    }
    CU_PASS("no crash");
}

/* 30,000 graphs within each other, written from the innermost outwards. */
static void test_nested_messages(void) {
    enum { LEVELS = 30000, ROOM = LEVELS * 20 };
    uint8_t *bytes = malloc(ROOM);
    size_t at = ROOM;
    static const int fields[] = {6, 5, 1}; /* attribute.g, node.attribute, graph.node */
    for (int level = 0; level < LEVELS * 3; ++level) {
        message head = {0};
        put_varint(&head, (uint64_t)fields[level % 3] << 3 | 2);
        put_varint(&head, ROOM - at);
        at -= head.size;
        memcpy(bytes + at, head.bytes, head.size);
        if (at < 32) break;
    }
    message head = {0};
    put_number(&head, 1, 8);
    put_varint(&head, 7 << 3 | 2);
    put_varint(&head, ROOM - at);
    at -= head.size;
    memcpy(bytes + at, head.bytes, head.size);
    rt_onnx_source source;
    CU_ASSERT_EQUAL(rt_onnx_read(bytes + at, ROOM - at, "m.onnx", &source, &last_error),
                    RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, "nested more than 64 deep"));
    free(bytes);
}

/* Messages of two bytes each: time and memory stay small, the error is an ordinary one. */
static void test_many_empty_messages(void) {
    enum { COUNT = 1 << 20 };
    uint8_t *bytes = malloc(2 * COUNT + 16);
    message head = {0};
    put_number(&head, 1, 8);
    put_varint(&head, 7 << 3 | 2);
    put_varint(&head, 2 * COUNT);
    memcpy(bytes, head.bytes, head.size);
    for (size_t i = 0; i < COUNT; ++i) {
        bytes[head.size + 2 * i] = 5 << 3 | 2; /* initialisers */
        bytes[head.size + 2 * i + 1] = 0;
    }
    rt_onnx_source source;
    CU_ASSERT_NOT_EQUAL(rt_onnx_read(bytes, head.size + 2 * COUNT, "m.onnx", &source, &last_error),
                        RT_OK);
    free(bytes);
}

static message graph_with_tensor(const message *tensor) {
    message graph = {0};
    put_message(&graph, 5, tensor);
    return graph;
}

static void expect_tensor_refused(const message *tensor, const char *expected) {
    message graph = graph_with_tensor(tensor);
    expect_refused(&graph, expected);
}

static message make_tensor(int64_t dim, int32_t type) {
    message tensor = {0};
    put_number(&tensor, 1, (uint64_t)dim);
    put_number(&tensor, 2, (uint64_t)type);
    put_text(&tensor, 8, "w");
    return tensor;
}

static void test_bad_tensors(void) {
    static const uint8_t zeros[16];
    message tensor = make_tensor(-3, RT_ONNX_FLOAT);
    put_bytes(&tensor, 9, zeros, 12);
    expect_tensor_refused(&tensor, "initialiser 'w': dimension 0 is -3");

    tensor = make_tensor(INT64_C(1) << 40, RT_ONNX_FLOAT);
    put_number(&tensor, 1, UINT64_C(1) << 40);
    put_bytes(&tensor, 9, zeros, 4);
    expect_tensor_refused(&tensor, "initialiser 'w': its dimensions are too large");

    tensor = make_tensor(INT64_C(1) << 40, RT_ONNX_FLOAT);
    put_bytes(&tensor, 9, zeros, 4);
    expect_tensor_refused(&tensor, "holds 4 bytes where its shape and type float need");

    tensor = make_tensor(4, RT_ONNX_FLOAT);
    put_bytes(&tensor, 9, zeros, 12);
    expect_tensor_refused(&tensor,
                          "initialiser 'w': holds 12 bytes where its shape and type float need 16");

    tensor = make_tensor(4, RT_ONNX_FLOAT);
    expect_tensor_refused(&tensor, "holds 0 values where its shape and type float need 4");

    tensor = make_tensor(4, 99);
    expect_tensor_refused(&tensor, "unknown element type 99");

    tensor = make_tensor(2, RT_ONNX_INT64);
    put_bytes(&tensor, 4, zeros, 8); /* float_data */
    expect_tensor_refused(&tensor, "a field that does not belong to type int64");

    tensor = make_tensor(1, RT_ONNX_INT64);
    put_bytes(&tensor, 7, "\xff\xff", 2); /* int64_data: a varint without end */
    expect_tensor_refused(&tensor, "initialiser 'w': malformed values");

    tensor = make_tensor(1, RT_ONNX_FLOAT);
    put_message(&tensor, 3, &(message){0});
    expect_tensor_refused(&tensor, "a tensor in segments");
}

static void test_typed_fields(void) {
    rt_onnx_source source;
    /* int64_data: packed, then one alone, then packed again. */
    message tensor = make_tensor(4, RT_ONNX_INT64), packed = {0};
    put_varint(&packed, (uint64_t)INT64_C(-5));
    put_varint(&packed, 300);
    put_bytes(&tensor, 7, packed.bytes, packed.size);
    put_number(&tensor, 7, 7);
    put_bytes(&tensor, 7, "\x01", 1);
    CU_ASSERT_EQUAL_FATAL(rt_onnx_read_tensor(tensor.bytes, tensor.size, "t", &source, NULL),
                          RT_OK);
    CU_ASSERT_EQUAL(source.tensor->storage, RT_ONNX_FIELDS);
    int64_t integers[4];
    CU_ASSERT_EQUAL(rt_onnx_tensor_values(source.tensor, integers), RT_OK);
    CU_ASSERT_EQUAL(integers[0], -5);
    CU_ASSERT_EQUAL(integers[1], 300);
    CU_ASSERT_EQUAL(integers[2], 7);
    CU_ASSERT_EQUAL(integers[3], 1);
    rt_onnx_close(&source);
    /* float_data in one piece is raw bytes, in two it is not. */
    static const float reals[] = {1.5f, -2, 3};
    tensor = make_tensor(3, RT_ONNX_FLOAT);
    put_bytes(&tensor, 4, reals, sizeof reals);
    CU_ASSERT_EQUAL_FATAL(rt_onnx_read_tensor(tensor.bytes, tensor.size, "t", &source, NULL),
                          RT_OK);
    CU_ASSERT_EQUAL(source.tensor->storage, RT_ONNX_VALUES);
    rt_onnx_close(&source);
    tensor = make_tensor(3, RT_ONNX_FLOAT);
    put_bytes(&tensor, 4, reals, 8);
    put_bytes(&tensor, 4, reals + 2, 4);
    CU_ASSERT_EQUAL_FATAL(rt_onnx_read_tensor(tensor.bytes, tensor.size, "t", &source, NULL),
                          RT_OK);
    float got[3];
    CU_ASSERT_EQUAL(rt_onnx_tensor_values(source.tensor, got), RT_OK);
    CU_ASSERT_EQUAL(memcmp(got, reals, sizeof got), 0);
    rt_onnx_close(&source);
    /* Small types go through int32_data: bools by truth, halves by their bits. */
    tensor = make_tensor(3, RT_ONNX_BOOL);
    put_bytes(&tensor, 5, "\x00\x02\x01", 3);
    CU_ASSERT_EQUAL_FATAL(rt_onnx_read_tensor(tensor.bytes, tensor.size, "t", &source, NULL),
                          RT_OK);
    uint8_t bools[3];
    CU_ASSERT_EQUAL(rt_onnx_tensor_values(source.tensor, bools), RT_OK);
    CU_ASSERT_EQUAL(memcmp(bools, "\x00\x01\x01", 3), 0);
    rt_onnx_close(&source);
    tensor = make_tensor(1, RT_ONNX_FLOAT16);
    put_number(&tensor, 5, 0x3c00);
    CU_ASSERT_EQUAL_FATAL(rt_onnx_read_tensor(tensor.bytes, tensor.size, "t", &source, NULL),
                          RT_OK);
    uint16_t half;
    CU_ASSERT_EQUAL(rt_onnx_tensor_values(source.tensor, &half), RT_OK);
    CU_ASSERT_EQUAL(half, 0x3c00);
    rt_onnx_close(&source);
}

/* 4-bit integers, two to a byte, the first in its low half; a byte each once read. */
static void test_four_bits(void) {
    static const int8_t wanted[] = {1, -1, -8};
    for (int field = 5; field <= 9; field += 4) { /* int32_data, raw_data */
        rt_onnx_source source;
        message tensor = make_tensor(3, RT_ONNX_INT4);
        if (field == 5) {
            message packed = {0};
            put_varint(&packed, 0xf1);
            put_varint(&packed, 0x08);
            put_bytes(&tensor, 5, packed.bytes, packed.size);
        } else {
            put_bytes(&tensor, 9, "\xf1\x08", 2);
        }
        CU_ASSERT_EQUAL_FATAL(rt_onnx_read_tensor(tensor.bytes, tensor.size, "t", &source, NULL),
                              RT_OK);
        int8_t got[3];
        CU_ASSERT_EQUAL(rt_onnx_tensor_values(source.tensor, got), RT_OK);
        CU_ASSERT_EQUAL(memcmp(got, wanted, sizeof got), 0);
        rt_onnx_close(&source);
    }
    message tensor = make_tensor(3, RT_ONNX_INT4);
    put_bytes(&tensor, 9, "\xf1", 1);
    expect_tensor_refused(&tensor, "holds 1 bytes where its shape and type int4 need 2");
}

/* The test's folder by its real path, and a model in it whose tensor 'w' is external. */
static char model_path[PATH_MAX];

static rt_status read_external(const char *location, const char *offset, const char *length,
                               rt_onnx_source *source) {
    message tensor = make_tensor(4, RT_ONNX_FLOAT);
    if (location) put_entry(&tensor, "location", location);
    if (offset) put_entry(&tensor, "offset", offset);
    if (length) put_entry(&tensor, "length", length);
    put_number(&tensor, 14, 1);
    message graph = graph_with_tensor(&tensor);
    /* A second tensor over half of the same bytes: sharing is allowed. */
    message second = make_tensor(2, RT_ONNX_FLOAT);
    second.size = 0;
    put_number(&second, 1, 2);
    put_number(&second, 2, RT_ONNX_FLOAT);
    put_text(&second, 8, "v");
    if (location) put_entry(&second, "location", location);
    put_entry(&second, "offset", "16");
    put_number(&second, 14, 1);
    put_message(&graph, 5, &second);
    message model = make_model(&graph);
    snprintf(model_path, sizeof model_path, "%s/m.onnx", test_folder());
    last_error.text[0] = '\0';
    return rt_onnx_read(model.bytes, model.size, model_path, source, &last_error);
}

static void expect_external_refused(const char *location, const char *offset, const char *length,
                                    const char *expected) {
    rt_onnx_source source;
    CU_ASSERT_NOT_EQUAL(read_external(location, offset, length, &source), RT_OK);
    if (!strstr(last_error.text, expected)) printf("got: %s\n", last_error.text);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, expected));
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, "initialiser 'w'"));
}

static void test_external_data(void) {
    static const float values[] = {0, 1, 2, 3, 4, 5, 6, 7};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/weights.bin", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(path, values, sizeof values, NULL), RT_OK);
    rt_onnx_source source;
    CU_ASSERT_EQUAL_FATAL(read_external("weights.bin", "8", "16", &source), RT_OK);
    const rt_onnx_tensor *w = source.model->graph.initializers, *v = w + 1;
    float got[4];
    CU_ASSERT_EQUAL(w->offset, 8);
    CU_ASSERT_EQUAL(rt_onnx_tensor_values(w, got), RT_OK);
    CU_ASSERT_EQUAL(got[0], 2);
    CU_ASSERT_EQUAL(got[3], 5);
    CU_ASSERT_EQUAL(w->file, v->file);
    CU_ASSERT_EQUAL(rt_onnx_tensor_values(v, got), RT_OK);
    CU_ASSERT_EQUAL(got[1], 5);
    rt_onnx_close(&source);

    expect_external_refused(NULL, NULL, NULL, "no external location");
    expect_external_refused("absent.bin", NULL, NULL, "No such file");
    expect_external_refused("/etc/passwd", NULL, NULL, "must be a path below");
    expect_external_refused("../weights.bin", NULL, NULL, "must be a path below");
    expect_external_refused("a/../../weights.bin", NULL, NULL, "must be a path below");
    expect_external_refused("", NULL, NULL, "must be a path below");
    expect_external_refused(".", NULL, NULL, "model's folder");
    expect_external_refused("weights.bin", "20", NULL, "beyond the end of external data");
    expect_external_refused("weights.bin", "18446744073709551615", NULL, "no number");
    expect_external_refused("weights.bin", "9223372036854775807", NULL, "beyond the end");
    expect_external_refused("weights.bin", "-4", NULL, "no number");
    expect_external_refused("weights.bin", "0", "12", "external length is 12");
    snprintf(path, sizeof path, "%s/link.bin", test_folder());
    CU_ASSERT_EQUAL_FATAL(symlink("/etc/passwd", path), 0);
    expect_external_refused("link.bin", NULL, NULL, "leads out of the model's folder");
}

static void test_names(void) {
    message graph = {0}, a = make_node("Relu", "y", "x"), b = make_node("Exp", "x", "y");
    put_message(&graph, 1, &a);
    put_message(&graph, 1, &b);
    expect_refused(&graph, "node 0 (Relu): reads 'y', which only node 1 (Exp) computes: the nodes "
                           "form a cycle");
    graph.size = 0;
    put_message(&graph, 1, &a);
    expect_refused(&graph, "node 0 (Relu): reads 'y', which nothing defines");
    graph.size = 0;
    put_value(&graph, 11, "x");
    put_message(&graph, 1, &b);
    put_message(&graph, 1, &b);
    expect_refused(&graph, "node 1 (Exp): 'y' is already defined");
    graph.size = 0;
    put_value(&graph, 12, "z");
    expect_refused(&graph, "graph output 'z' is not computed");
    graph.size = 0;
    put_value(&graph, 11, "x");
    put_value(&graph, 11, "x");
    expect_refused(&graph, "graph input: 'x' is already defined");
    graph.size = 0;
    message odd = make_node("Re\0lu", NULL, "y");
    odd.size = 0;
    put_bytes(&odd, 4, "Re\0lu", 5);
    put_message(&graph, 1, &odd);
    expect_refused(&graph, "a string with a NUL in it");
}

static void test_subgraph_sees_outer_names(void) {
    message inner = {0}, node = make_node("Relu", "x", "r");
    put_message(&inner, 1, &node);
    put_value(&inner, 12, "r");
    message attribute = {0};
    put_text(&attribute, 1, "then_branch");
    put_message(&attribute, 6, &inner);
    put_number(&attribute, 20, RT_ONNX_ATTRIBUTE_GRAPH);
    message branch = make_node("If", "c", "y");
    put_message(&branch, 5, &attribute);
    message graph = {0};
    put_value(&graph, 11, "c");
    put_message(&graph, 1, &branch);
    expect_refused(&graph, "node 0 (If): in 'then_branch': node 0 (Relu): reads 'x'");
    put_value(&graph, 11, "x");
    message model = make_model(&graph);
    rt_onnx_source source;
    CU_ASSERT_EQUAL_FATAL(read_model(&model, &source), RT_OK);
    const rt_onnx_attribute *read = source.model->graph.nodes[0].attributes;
    CU_ASSERT_EQUAL(read->kind, RT_ONNX_ATTRIBUTE_GRAPH);
    CU_ASSERT_STRING_EQUAL(read->graphs[0].nodes[0].op_type, "Relu");
    rt_onnx_close(&source);
}

static void test_not_a_model(void) {
    rt_onnx_source source;
    message empty = {0}, text = {0};
    CU_ASSERT_EQUAL(read_model(&empty, &source), RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, "not an ONNX model"));
    put(&text, "This is a text file.\n", 21);
    CU_ASSERT_EQUAL(read_model(&text, &source), RT_INVALID_DATA);
    CU_ASSERT_NOT_EQUAL(rt_onnx_open("/nowhere/m.onnx", &source, &last_error), RT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, "/nowhere/m.onnx"));
    rt_onnx_close(&source);
    /* A SequenceProto: element type, then one tensor. */
    message sequence = {0}, tensor = make_tensor(0, RT_ONNX_FLOAT);
    put_number(&sequence, 2, 1);
    put_message(&sequence, 3, &tensor);
    CU_ASSERT_EQUAL(
        rt_onnx_read_tensor(sequence.bytes, sequence.size, "s.pb", &source, &last_error),
        RT_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(last_error.text, "sequence"));
}

TEST_MAIN("onnx_reader", TEST(test_small_model), TEST(test_truncations), TEST(test_changed_bytes),
          TEST(test_nested_messages), TEST(test_many_empty_messages), TEST(test_bad_tensors),
          TEST(test_typed_fields), TEST(test_four_bits), TEST(test_external_data), TEST(test_names),
          TEST(test_subgraph_sees_outer_names), TEST(test_not_a_model))
