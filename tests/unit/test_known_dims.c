// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/known_dims.h"
#include "ir/builder.h"
#include "tests/support/test.h"

typedef struct fixture {
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_builder b;
    rt_dim_table *dims;
    rt_arena arena;
    rt_known_dims known;
    rt_dim batch, length;
} fixture;

static void begin(fixture *f) {
    *f = (fixture){0};
    f->module = rt_module_create(&f->diagnostics);
    f->graph = rt_module_add_graph(f->module, "g");
    f->b = rt_builder_begin(f->graph);
    f->dims = rt_module_dims(f->module);
    f->known = (rt_known_dims){.graph = f->graph, .arena = &f->arena};
    f->batch = rt_module_symbol(f->module, "B");
    f->length = rt_module_symbol(f->module, "S");
}

static void end(fixture *f) {
    CU_ASSERT_EQUAL(f->diagnostics.error_count, 0);
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

/* The elements by commas, "?" where they are not known. */
static void expect(fixture *f, rt_value value, const char *wanted) {
    const rt_known *known = rt_known_find(&f->known, value);
    const char *text = known ? "" : "?";
    for (size_t i = 0; known && i < known->count; ++i) {
        text = rt_arena_format(&f->arena, "%s%s%s", text, i ? "," : "",
                               rt_dim_text(f->dims, known->elements[i], &f->arena));
    }
    if (strcmp(text, wanted) != 0) printf("got %s, not %s\n", text, wanted);
    CU_ASSERT_STRING_EQUAL(text, wanted);
}

static rt_value ints(fixture *f, size_t count, const int64_t *values) {
    rt_tensor *tensor = RT_NEW(&f->arena, rt_tensor);
    *tensor =
        (rt_tensor){.dtype = RT_I64, .rank = 1, .dims = {(int64_t)count}, .count = (int64_t)count};
    tensor->data = rt_arena_copy(&f->arena, values, count * sizeof *values);
    return rt_build_constant(&f->b, tensor);
}

static rt_value number(fixture *f, int64_t value) {
    return rt_build_scalar_int(&f->b, RT_I64, value);
}

/* [B, -1, S] as exported graphs put shapes together. */
static rt_value shape_with_hole(fixture *f) {
    rt_dim one = rt_module_constant_dim(f->module, 1);
    rt_value parts[3] = {rt_build_reshape(&f->b, rt_build_dim(&f->b, f->batch), &one, 1),
                         ints(f, 1, (int64_t[]){-1}),
                         rt_build_reshape(&f->b, rt_build_dim(&f->b, f->length), &one, 1)};
    return rt_build_concat(&f->b, parts, 3, 0);
}

static void test_movement(void) {
    fixture f;
    begin(&f);
    rt_value shape = shape_with_hole(&f);
    expect(&f, shape, "B,-1,S");
    expect(&f, rt_build_gather(&f.b, shape, ints(&f, 2, (int64_t[]){-1, 0}), 0), "S,B");
    rt_dim start = rt_module_constant_dim(f.module, 2), size = start;
    expect(&f, rt_build_slice(&f.b, shape, 0, start, size, -2), "S,B");
    rt_dim wide[2] = {start, rt_module_constant_dim(f.module, 3)};
    expect(&f, rt_build_broadcast(&f.b, shape, wide, 2), "B,-1,S,B,-1,S");
    end(&f);
}

/* where(shape == -1, 1, shape): how exporters replace the open dimension. */
static void test_replaced_hole(void) {
    fixture f;
    begin(&f);
    rt_value shape = shape_with_hole(&f);
    rt_value is_open = rt_build_equal(&f.b, shape, number(&f, -1));
    expect(&f, is_open, "0,1,0");
    expect(&f, rt_build_select(&f.b, is_open, number(&f, 1), shape), "B,1,S");
    end(&f);
}

static void test_arithmetic(void) {
    fixture f;
    begin(&f);
    rt_value b = rt_build_dim(&f.b, f.batch), s = rt_build_dim(&f.b, f.length);
    rt_value tokens = rt_build_mul(&f.b, b, s);
    expect(&f, rt_build_sub(&f.b, rt_build_add(&f.b, tokens, number(&f, 3)), b), "B*S-B+3");
    expect(&f, rt_build_div(&f.b, rt_build_mul(&f.b, tokens, number(&f, 6)), s), "6*B");
    expect(&f, rt_build_div(&f.b, s, number(&f, 2)), "?");
    rt_attr attr = {.integer = 0};
    rt_value six = rt_build_mul(&f.b, s, number(&f, 6));
    expect(&f, rt_build(&f.b, RT_OP_mod, (rt_value[]){six, number(&f, 3)}, 2, &attr), "0");
    expect(&f, rt_build_maximum(&f.b, s, number(&f, 0)), "S");
    expect(&f, rt_build_minimum(&f.b, s, number(&f, 5)), "?");
    rt_value shape = shape_with_hole(&f);
    expect(&f, rt_build_reduce(&f.b, RT_OP_reduce_prod, shape, (int64_t[]){0}, 1, false), "-B*S");
    end(&f);
}

/* Symbols are at least 1: some comparisons are certain, others are not. */
static void test_comparisons(void) {
    fixture f;
    begin(&f);
    rt_value s = rt_build_dim(&f.b, f.length), b = rt_build_dim(&f.b, f.batch);
    expect(&f, rt_build_less(&f.b, number(&f, 0), s), "1");
    expect(&f, rt_build_less(&f.b, s, number(&f, 1)), "0");
    expect(&f, rt_build_less(&f.b, s, number(&f, 2)), "?");
    expect(&f, rt_build_less_equal(&f.b, number(&f, 1), s), "1");
    expect(&f, rt_build_equal(&f.b, s, number(&f, 0)), "0");
    expect(&f, rt_build_equal(&f.b, s, number(&f, 1)), "?");
    expect(&f, rt_build_equal(&f.b, s, b), "?");
    rt_value more = rt_build_add(&f.b, s, number(&f, 1));
    expect(&f, rt_build_less(&f.b, s, more), "1");
    expect(&f, rt_build_cast(&f.b, s, RT_BOOL), "1");
    expect(&f, rt_build_cast(&f.b, s, RT_I32), "S");
    end(&f);
}

static void test_values_are_unknown(void) {
    fixture f;
    begin(&f);
    rt_dim dims[1] = {rt_module_constant_dim(f.module, 3)};
    rt_value x = rt_build_input(&f.b, "x", rt_type_make(RT_I64, 1, dims));
    expect(&f, x, "?");
    expect(&f, rt_build_add(&f.b, x, number(&f, 1)), "?");
    rt_value line = rt_build_iota(&f.b, RT_I64, 0, rt_type_make(RT_I64, 1, &f.length));
    expect(&f, line, "?");
    rt_value three = rt_build_iota(&f.b, RT_I64, 0, rt_type_make(RT_I64, 1, dims));
    expect(&f, three, "0,1,2");
    end(&f);
}

/* A chain of 100,000 additions is given up, in little time and stack. */
static void test_long_chain(void) {
    fixture f;
    begin(&f);
    rt_dim dims[1] = {rt_module_constant_dim(f.module, 1)};
    rt_value x = rt_build_reshape(&f.b, rt_build_dim(&f.b, f.length), dims, 1);
    for (int i = 0; i < 100000; ++i) x = rt_build_mul(&f.b, x, rt_build_sub(&f.b, x, x));
    expect(&f, x, "?");
    end(&f);
}

TEST_MAIN("known_dims", TEST(test_movement), TEST(test_replaced_hole), TEST(test_arithmetic),
          TEST(test_comparisons), TEST(test_values_are_unknown), TEST(test_long_chain))
