// SPDX-License-Identifier: Apache-2.0
/* Large initialisers whose values are packed in the file: they stay there until the program loads
 * them, and are then what the file says. */
#include <stdio.h>
#include <string.h>

#include "compiler/retort_compiler.h"
#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "ir/print.h"
#include "passes/pass_manager.h"
#include "runtime/base/file.h"
#include "runtime/instance.h"
#include "runtime/program.h"
#include "tests/support/message.h"
#include "tests/support/test.h"

enum { COUNT = 150001, RAW_DATA = 9, INT32_DATA = 5, INT64_DATA = 7, UINT64_DATA = 11 };

/* What the compiler may hold of it all, where the values alone take 150 KB and more. */
enum { MOST_HELD = 32 * 1024 };

static void put_value(message *graph, int field, const char *name, int type, uint64_t size) {
    message value = {0}, kind = {0}, tensor = {0}, shape = {0}, dim = {0};
    put_number(&dim, 1, size);
    put_message(&shape, 1, &dim);
    put_number(&tensor, 1, (uint64_t)type);
    put_message(&tensor, 2, &shape);
    put_message(&kind, 1, &tensor);
    put_text(&value, 1, name);
    put_message(&value, 2, &kind);
    put_message(graph, field, &value);
}

typedef struct packed_case {
    rt_onnx_type type;
    int field;  /* that holds the values */
    int pieces; /* number of occurrences of that field */
} packed_case;

/* The bits of element i: every width and sign of number occurs. */
static uint64_t element_bits(size_t i) {
    uint64_t mixed = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return mixed >> (i % 64);
}

/* As a writer stores it: integers below 32 bits as themselves, negative ones with ten bytes. */
static uint64_t stored_bits(const packed_case *c, size_t i) {
    switch (c->type) {
    case RT_ONNX_INT8: return (uint64_t)(int64_t)(int8_t)element_bits(i);
    case RT_ONNX_BOOL: return element_bits(i) & 1;
    case RT_ONNX_FLOAT16: return element_bits(i) & 0x3bff; /* neither infinite nor no number */
    default: return element_bits(i);
    }
}

static void put_values(message *tensor, const packed_case *c) {
    bool has_halves = rt_onnx_type_bits(c->type) == 4;
    size_t step = has_halves ? 2 : 1, piece = (size_t)(COUNT / c->pieces + 1) / step * step;
    for (size_t begin = 0; begin < COUNT; begin += piece) {
        message values = {0};
        for (size_t i = begin; i < COUNT && i < begin + piece; i += step) {
            uint64_t bits = stored_bits(c, i);
            if (has_halves) {
                bits &= 15;
                if (i + 1 < COUNT) bits |= (stored_bits(c, i + 1) & 15) << 4;
            }
            if (c->field == RAW_DATA)
                put(&values, &bits, 1);
            else
                put_varint(&values, bits);
        }
        put_message(tensor, c->field, &values);
    }
}

/* y = w[i] */
static void write_model(const packed_case *c, const char *path) {
    message model = {0}, opset = {0}, graph = {0}, node = {0}, tensor = {0};
    rt_error error;
    put_text(&node, 1, "w");
    put_text(&node, 1, "i");
    put_text(&node, 2, "y");
    put_text(&node, 4, "Gather");
    put_number(&tensor, 1, COUNT);
    put_number(&tensor, 2, c->type);
    put_text(&tensor, 8, "w");
    put_values(&tensor, c);
    put_message(&graph, 1, &node);
    put_text(&graph, 2, "g");
    put_message(&graph, 5, &tensor);
    put_value(&graph, 11, "i", RT_ONNX_INT64, 3);
    put_value(&graph, 12, "y", c->type, 3);
    put_number(&model, 1, 10);
    put_message(&model, 7, &graph);
    put_number(&opset, 2, 21);
    put_message(&model, 8, &opset);
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(path, model.bytes, model.size, &error), RT_OK);
    messages_release();
}

/* Element i as memory holds it; returns its size. */
static size_t expected_element(const packed_case *c, size_t i, void *element) {
    uint64_t bits = stored_bits(c, i);
    rt_dtype dtype;
    CU_ASSERT_FATAL(rt_onnx_type_dtype(c->type, &dtype));
    if (rt_onnx_type_bits(c->type) == 4) {
        bits &= 15;
        if (c->type == RT_ONNX_INT4 && bits >= 8) bits -= 16;
    }
    memcpy(element, &bits, rt_dtype_bytes(dtype));
    return rt_dtype_bytes(dtype);
}

static bool has_expected_values(const packed_case *c, const uint8_t *memory) {
    uint8_t element[8];
    for (size_t i = 0; i < COUNT; ++i) {
        size_t size = expected_element(c, i, element);
        if (memcmp(memory + i * size, element, size) == 0) continue;
        printf("type %s, field %d: element %zu is wrong\n", rt_onnx_type_text(c->type), c->field,
               i);
        return false;
    }
    return true;
}

typedef struct fixture {
    rt_onnx_source source;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph; /* NULL where importing failed */
} fixture;

static void import(fixture *f, const packed_case *c) {
    char path[300];
    rt_error error;
    rt_onnx_import_options options = {0};
    *f = (fixture){0};
    snprintf(path, sizeof path, "%s/packed.onnx", test_folder());
    write_model(c, path);
    CU_ASSERT_EQUAL_FATAL(rt_onnx_open(path, &f->source, &error), RT_OK);
    f->module = rt_module_create(&f->diagnostics);
    f->graph = rt_onnx_import(f->source.model, path, &options, f->module);
}

static void finish(fixture *f) {
    rt_module_destroy(f->module);
    rt_onnx_close(&f->source);
    rt_diagnostics_deinit(&f->diagnostics);
}

static void expect_loaded(const packed_case *c, rt_module *module) {
    rt_error error = {""};
    retort_compilation *compilation = NULL;
    const retort_program *program;
    retort_instance *instance = NULL;
    retort_compiler_options compiler;
    retort_instance_options how;
    retort_compiler_options_init(&compiler);
    retort_instance_options_init(&how);
    how.workers = 1;
    rt_status status = retort_compile(module, &compiler, &compilation, &error);
    if (status == RT_OK) status = retort_compilation_load(compilation, &program, &error);
    if (status == RT_OK) status = retort_instance_create(program, &how, &instance, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    int w = retort_program_find_parameter(program, "w");
    CU_ASSERT_FATAL(w >= 0);
    CU_ASSERT(has_expected_values(c, retort_instance_parameter(instance, w)));
    retort_instance_destroy(instance);
    retort_compilation_destroy(compilation);
}

static void run_passes(fixture *f) {
    rt_pass_manager *manager = rt_pass_manager_create(&f->diagnostics);
    CU_ASSERT_EQUAL(rt_pass_manager_add_pipeline(manager, "inference"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_run(manager, f->module), RT_OK);
    rt_pass_manager_destroy(manager);
}

static const packed_case packed_cases[] = {
    {RT_ONNX_INT64, INT64_DATA, 1},   {RT_ONNX_INT8, INT32_DATA, 1},
    {RT_ONNX_BOOL, INT32_DATA, 1},    {RT_ONNX_UINT64, UINT64_DATA, 1},
    {RT_ONNX_INT4, RAW_DATA, 1},      {RT_ONNX_UINT4, RAW_DATA, 1},
    {RT_ONNX_INT4, INT32_DATA, 1},    {RT_ONNX_UINT4, INT32_DATA, 1},
    {RT_ONNX_FLOAT16, INT32_DATA, 1},
};

static void test_values_are_loaded_by_the_program(void) {
    for (size_t i = 0; i < sizeof packed_cases / sizeof *packed_cases; ++i) {
        fixture f;
        import(&f, &packed_cases[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(f.graph);
        run_passes(&f);
        expect_loaded(&packed_cases[i], f.module);
        finish(&f);
    }
}

static void test_nothing_is_held(void) {
    for (size_t i = 0; i < sizeof packed_cases / sizeof *packed_cases; ++i) {
        fixture f;
        import(&f, &packed_cases[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(f.graph);
        run_passes(&f);
        CU_ASSERT(f.source.arena.used_bytes < MOST_HELD);
        CU_ASSERT(rt_module_arena(f.module)->used_bytes < MOST_HELD);
        rt_parameter w = rt_module_find_parameter(f.module, "w");
        CU_ASSERT_FATAL(rt_parameter_is(w));
        CU_ASSERT(rt_transform_is_packed(rt_module_parameter(f.module, w)->source.transform));
        finish(&f);
    }
}

/* No writer does this to large tensors; decoding it would take memory or a transform of its own. */
static void test_several_fields_are_refused(void) {
    const packed_case c = {RT_ONNX_INT64, INT64_DATA, 3};
    fixture f;
    rt_arena arena = {0};
    import(&f, &c);
    CU_ASSERT_PTR_NULL(f.graph);
    const char *text = rt_diagnostics_text(&f.diagnostics, &arena);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "'w': its values are spread over several fields"));
    CU_ASSERT(rt_module_arena(f.module)->used_bytes < MOST_HELD);
    rt_arena_deinit(&arena);
    finish(&f);
}

TEST_MAIN("onnx_packed", TEST(test_values_are_loaded_by_the_program), TEST(test_nothing_is_held),
          TEST(test_several_fields_are_refused))
