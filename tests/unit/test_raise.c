// SPDX-License-Identifier: Apache-2.0
/* Each pattern as exporters write it becomes one operator and computes the same numbers. */
#include <math.h>
#include <string.h>

#include "ir/builder.h"
#include "ir/eval.h"
#include "passes/raise.h"
#include "runtime/base/philox.h"
#include "tests/support/test.h"

enum { BATCH = 2, TOKENS = 5, HEADS = 3, HEAD_WIDTH = 4, WIDTH = HEADS * HEAD_WIDTH };

static rt_diagnostics diagnostics;
static rt_arena arena;
static rt_module *module;
static rt_graph *graph;
static rt_builder b;

static void begin(void) {
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    rt_arena_deinit(&arena);
    module = rt_module_create(&diagnostics);
    graph = rt_module_add_graph(module, "main");
    b = rt_builder_begin(graph);
}

static rt_dim size(int64_t value) {
    return rt_module_constant_dim(module, value);
}

static rt_value hidden(const char *name) {
    rt_dim dims[3] = {rt_module_symbol(module, "B"), rt_module_symbol(module, "S"), size(WIDTH)};
    return rt_build_input(&b, name, rt_type_make(RT_F32, 3, dims));
}

static rt_value vector(const char *name) {
    rt_dim width = size(WIDTH);
    return rt_build_input(&b, name, rt_type_make(RT_F32, 1, &width));
}

static rt_value number(double value) {
    return rt_build_scalar(&b, RT_F32, value);
}

static size_t count_ops(const rt_graph *counted, rt_op op) {
    rt_node *nodes;
    size_t count, found = 0;
    CU_ASSERT_TRUE_FATAL(rt_graph_order(counted, &arena, &nodes, &count));
    for (size_t i = 0; i < count; ++i) found += rt_graph_node(counted, nodes[i])->op == op;
    return found;
}

/* Values of input `index`: floats in [-1, 1); integers are masks with the last position of every
 * second row missing. */
static rt_array *values_of(const rt_graph *evaluated, size_t index) {
    rt_type type = rt_graph_type(evaluated, rt_graph_input(evaluated, index));
    int64_t dims[3] = {0}, given[2] = {BATCH, TOKENS};
    for (int i = 0; i < type.rank; ++i) {
        uint32_t symbol;
        if (rt_dim_is_symbol(rt_module_dims(module), type.dims[i], &symbol))
            dims[i] = given[symbol];
        else
            rt_dim_is_constant(rt_module_dims(module), type.dims[i], &dims[i]);
    }
    rt_array *array = rt_array_create(type.dtype, type.rank, dims, &arena);
    rt_random random = rt_random_begin(7, index);
    for (int64_t i = 0; i < array->count; ++i)
        if (array->real)
            array->real[i] = rt_random_uniform(&random) * 2 - 1;
        else
            array->integer[i] = !(i % TOKENS == TOKENS - 1 && i / TOKENS % 2);
    return array;
}

static rt_array *evaluate(const rt_graph *evaluated) {
    const rt_array *inputs[8];
    rt_array *outputs[1];
    rt_error error;
    rt_eval_options options = {0};
    for (size_t i = 0; i < rt_graph_input_count(evaluated); ++i)
        inputs[i] = values_of(evaluated, i);
    rt_status status = rt_eval_graph(evaluated, inputs, NULL, &options, &arena, outputs, &error);
    if (status != RT_OK) puts(error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return outputs[0];
}

/* Raises `result` and expects `count` nodes of `op` and the same numbers. */
static void expect_raised(rt_value result, rt_op op, size_t count) {
    CU_ASSERT_TRUE_FATAL(rt_value_is(result));
    rt_graph_add_output(graph, "result", result);
    rt_graph *raised = rt_graph_rewrite(graph, rt_raise_node, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(raised);
    CU_ASSERT_EQUAL(count_ops(raised, op), count);
    rt_array *want = evaluate(graph), *got = evaluate(raised);
    CU_ASSERT_EQUAL_FATAL(want->count, got->count);
    for (int64_t i = 0; i < want->count; ++i)
        CU_ASSERT_TRUE(test_is_close(got->real[i], want->real[i], 1e-6, 1e-7));
}

static rt_value mean_last(rt_value x) {
    return rt_build_reduce_mean(&b, x, (const int64_t[]){-1}, 1, true);
}

static void test_layer_norm(void) {
    begin();
    rt_value x = hidden("x"), centred = rt_build_sub(&b, x, mean_last(x));
    rt_value square = rt_build_pow(&b, centred, number(2));
    rt_value sigma = rt_build_sqrt(&b, rt_build_add(&b, mean_last(square), number(1e-5)));
    rt_value y = rt_build_mul(&b, rt_build_div(&b, centred, sigma), vector("scale"));
    expect_raised(rt_build_add(&b, y, vector("bias")), RT_OP_layer_norm, 1);
    CU_ASSERT_EQUAL(rt_graph_node_count(graph) > 10, true);
}

static void test_layer_norm_of_another_mean_is_left(void) {
    begin();
    rt_value x = hidden("x"), y = hidden("y"), centred = rt_build_sub(&b, x, mean_last(y));
    rt_value square = rt_build_mul(&b, centred, centred);
    rt_value sigma = rt_build_sqrt(&b, rt_build_add(&b, mean_last(square), number(1e-5)));
    expect_raised(rt_build_div(&b, centred, sigma), RT_OP_layer_norm, 0);
}

static rt_value gate(rt_value function) {
    return rt_build_add(&b, function, number(1));
}

static void test_gelu_in_every_order(void) {
    for (int order = 0; order < 3; ++order) {
        begin();
        rt_value x = hidden("x");
        rt_value open = gate(rt_build_erf(&b, rt_build_div(&b, x, number(sqrt(2)))));
        rt_value half = number(0.5), y;
        if (order == 0)
            y = rt_build_mul(&b, rt_build_mul(&b, x, open), half);
        else if (order == 1)
            y = rt_build_mul(&b, rt_build_mul(&b, x, half), open);
        else
            y = rt_build_mul(&b, x, rt_build_mul(&b, half, open));
        expect_raised(y, RT_OP_gelu, 1);
    }
}

static void test_gelu_tanh(void) {
    for (int form = 0; form < 2; ++form) {
        begin();
        rt_value x = hidden("x");
        rt_value cube =
            form ? rt_build_pow(&b, x, number(3)) : rt_build_mul(&b, rt_build_mul(&b, x, x), x);
        rt_value sum = rt_build_add(&b, x, rt_build_scale(&b, cube, 0.044715));
        rt_value open = gate(rt_build_tanh(&b, rt_build_scale(&b, sum, sqrt(2 / acos(-1)))));
        expect_raised(rt_build_mul(&b, rt_build_scale(&b, x, 0.5), open), RT_OP_gelu, 1);
    }
}

static void test_gelu_with_another_constant_is_left(void) {
    begin();
    rt_value x = hidden("x"), open = gate(rt_build_erf(&b, rt_build_div(&b, x, number(1.5))));
    expect_raised(rt_build_mul(&b, rt_build_mul(&b, x, open), number(0.5)), RT_OP_gelu, 0);
}

/* ---- attention */

static rt_value split(rt_value x) {
    rt_type type = rt_builder_type(&b, x);
    rt_dim dims[4] = {type.dims[0], type.dims[1], size(HEADS), size(HEAD_WIDTH)};
    return rt_build_transpose(&b, rt_build_reshape(&b, x, dims, 4), (const int64_t[]){0, 2, 1, 3},
                              4);
}

static rt_value mask_input(void) {
    rt_dim dims[2] = {rt_module_symbol(module, "B"), rt_module_symbol(module, "S")};
    return rt_build_input(&b, "mask", rt_type_make(RT_I64, 2, dims));
}

/* [B,S] to [B,1,1,S]. */
static rt_value per_key(rt_value mask) {
    rt_type type = rt_builder_type(&b, mask);
    rt_dim dims[4] = {type.dims[0], size(1), size(1), type.dims[1]};
    return rt_build_reshape(&b, mask, dims, 4);
}

/* softmax(q k' * scale + mask) v with heads merged; the factor on both sides when `scales_inputs`,
 * as scaled-dot-product attention is exported. */
static rt_value attention(rt_value mask, bool scales_inputs) {
    rt_value q = split(hidden("q")), k = split(hidden("k")), v = split(hidden("v"));
    double scale = 1 / sqrt(HEAD_WIDTH);
    if (scales_inputs) {
        q = rt_build_scale(&b, q, sqrt(scale));
        k = rt_build_scale(&b, k, sqrt(scale));
    }
    k = rt_build_transpose(&b, k, (const int64_t[]){0, 1, 3, 2}, 4);
    rt_value scores = rt_build_matmul(&b, q, k, false, false);
    if (!scales_inputs) scores = rt_build_scale(&b, scores, scale);
    if (rt_value_is(mask)) scores = rt_build_add(&b, scores, mask);
    rt_value out = rt_build_matmul(&b, rt_build_softmax(&b, scores), v, false, false);
    rt_type type = rt_builder_type(&b, hidden("q"));
    out = rt_build_transpose(&b, out, (const int64_t[]){0, 2, 1, 3}, 4);
    return rt_build_reshape(&b, out, type.dims, 3);
}

static void test_attention_without_mask(void) {
    begin();
    expect_raised(attention(RT_NO_VALUE, false), RT_OP_attention, 1);
    begin();
    expect_raised(attention(RT_NO_VALUE, true), RT_OP_attention, 1);
}

static void test_attention_with_chosen_mask(void) {
    static const double excluded[] = {-10000, -3.4028234663852886e38, -INFINITY};
    for (size_t i = 0; i < 3; ++i) {
        begin();
        rt_value keep = rt_build_cast(&b, per_key(mask_input()), RT_BOOL);
        rt_value mask = rt_build_select(&b, keep, number(0), number(excluded[i]));
        expect_raised(attention(mask, i == 1), RT_OP_attention, 1);
    }
}

static void test_attention_with_computed_mask(void) {
    begin();
    rt_value mask = rt_build_cast(&b, per_key(mask_input()), RT_F32);
    mask = rt_build_scale(&b, rt_build_sub(&b, number(1), mask), -10000);
    expect_raised(attention(mask, false), RT_OP_attention, 1);
}

static void test_attention_with_a_bias_is_left(void) {
    begin();
    rt_value mask = rt_build_cast(&b, per_key(mask_input()), RT_F32);
    expect_raised(attention(rt_build_scale(&b, mask, -2), false), RT_OP_attention, 0);
    begin();
    /* A mask over queries is not a key mask. */
    rt_type type = rt_builder_type(&b, mask_input());
    rt_dim dims[4] = {type.dims[0], size(1), type.dims[1], size(1)};
    rt_value keep = rt_build_cast(&b, rt_build_reshape(&b, mask_input(), dims, 4), RT_BOOL);
    mask = rt_build_select(&b, keep, number(0), number(-1e4));
    expect_raised(attention(mask, false), RT_OP_attention, 0);
}

TEST_MAIN("raise", TEST(test_layer_norm), TEST(test_layer_norm_of_another_mean_is_left),
          TEST(test_gelu_in_every_order), TEST(test_gelu_tanh),
          TEST(test_gelu_with_another_constant_is_left), TEST(test_attention_without_mask),
          TEST(test_attention_with_chosen_mask), TEST(test_attention_with_computed_mask),
          TEST(test_attention_with_a_bias_is_left))
