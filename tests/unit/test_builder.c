// SPDX-License-Identifier: Apache-2.0
/* Building, merging, folding, replacing and rewriting graphs. */
#include <string.h>

#include "ir/builder.h"
#include "ir/rewrite.h"
#include "ir/rules.h"
#include "tests/support/test.h"

static rt_diagnostics diagnostics;
static rt_module *module;
static rt_graph *graph;
static rt_builder b;

static void begin(void) {
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    module = rt_module_create(&diagnostics);
    graph = rt_module_add_graph(module, "main");
    b = rt_builder_begin(graph);
}

static rt_dim size(int64_t value) {
    return rt_module_constant_dim(module, value);
}

static rt_value input(const char *name, rt_dim rows, rt_dim columns) {
    return rt_build_input(&b, name, rt_type_make(RT_F32, 2, (const rt_dim[]){rows, columns}));
}

static const char *type_text(rt_value value) {
    return rt_type_text(rt_module_dims(module), rt_graph_type(graph, value),
                        rt_module_arena(module));
}

static void test_equal_nodes_merge(void) {
    begin();
    rt_value x = input("x", rt_module_symbol(module, "T"), size(4)),
             y = input("y", size(1), size(4));
    rt_value sum = rt_build_add(&b, x, y);
    size_t nodes = rt_graph_node_count(graph);
    CU_ASSERT_TRUE(rt_value_equal(rt_build_add(&b, x, y), sum));
    CU_ASSERT_TRUE(rt_value_equal(input("x", rt_module_symbol(module, "T"), size(4)), x));
    CU_ASSERT_EQUAL(rt_graph_node_count(graph), nodes);
    CU_ASSERT_FALSE(rt_value_equal(rt_build_sub(&b, x, y), sum));
    CU_ASSERT_STRING_EQUAL(type_text(sum), "f32[T,4]");
}

static void test_attributes_tell_nodes_apart(void) {
    begin();
    rt_value x = input("x", size(3), size(3));
    CU_ASSERT_FALSE(rt_value_equal(rt_build_gelu(&b, x, true), rt_build_gelu(&b, x, false)));
    CU_ASSERT_FALSE(rt_value_equal(rt_build_matmul(&b, x, x, true, false),
                                   rt_build_matmul(&b, x, x, false, false)));
}

static void test_neutral_elements_vanish(void) {
    begin();
    rt_value x = input("x", size(2), size(3)), one = rt_build_scalar(&b, RT_F32, 1);
    rt_value zero = rt_build_scalar(&b, RT_F32, 0);
    CU_ASSERT_TRUE(rt_value_equal(rt_build_add(&b, x, zero), x));
    CU_ASSERT_TRUE(rt_value_equal(rt_build_add(&b, zero, x), x));
    CU_ASSERT_TRUE(rt_value_equal(rt_build_mul(&b, one, x), x));
    CU_ASSERT_TRUE(rt_value_equal(rt_build_neg(&b, rt_build_neg(&b, x)), x));
    /* A broadcast is not lost. */
    rt_value row = input("row", size(1), size(3));
    rt_value zeros = rt_build_zeros(&b, rt_builder_type(&b, x));
    CU_ASSERT_STRING_EQUAL(type_text(rt_build_add(&b, row, zeros)), "f32[2,3]");
}

static void test_transposes_become_flags(void) {
    begin();
    rt_value x = input("x", size(2), size(3)), w = input("w", size(5), size(3));
    rt_value wt = rt_build_transpose(&b, w, (const int64_t[]){1, 0}, 2);
    CU_ASSERT_TRUE(rt_value_equal(rt_build_matmul(&b, x, wt, false, false),
                                  rt_build_matmul(&b, x, w, false, true)));
    CU_ASSERT_TRUE(rt_value_equal(rt_build_transpose(&b, wt, (const int64_t[]){1, 0}, 2), w));
}

static void test_constants_fold(void) {
    begin();
    rt_value seven =
        rt_build_add(&b, rt_build_scalar(&b, RT_F32, 3), rt_build_scalar(&b, RT_F32, 4));
    double number;
    CU_ASSERT_TRUE_FATAL(rt_value_is(seven));
    CU_ASSERT_TRUE(rt_value_is_splat(graph, seven, &number));
    CU_ASSERT_EQUAL(number, 7);
    CU_ASSERT_EQUAL(rt_graph_op(graph, seven), RT_OP_constant);
    /* Rounded to the type: 2^24 + 1 is not an f32. */
    rt_value large =
        rt_build_add(&b, rt_build_scalar(&b, RT_F32, 16777216), rt_build_scalar(&b, RT_F32, 1));
    CU_ASSERT_TRUE(rt_value_is_splat(graph, large, &number));
    CU_ASSERT_EQUAL(number, 16777216);
}

static void test_dimension_arithmetic_folds(void) {
    begin();
    rt_dim t = rt_module_symbol(module, "T");
    rt_value sum = rt_build_add(&b, rt_build_dim(&b, t), rt_build_scalar_int(&b, RT_I64, 1));
    rt_dim expected = rt_dim_add(rt_module_dims(module), t, size(1));
    CU_ASSERT_TRUE(rt_value_equal(sum, rt_build_dim(&b, expected)));
    CU_ASSERT_EQUAL(rt_graph_op(graph, rt_build_dim(&b, size(3))), RT_OP_constant);
}

/* iota of `size` reshaped to [.., size, ..] with `size` at `axis` of rank 4. */
static rt_value index_along(int axis, rt_dim count) {
    rt_value index = rt_build_iota(&b, RT_I64, 0, rt_type_make(RT_I64, 1, &count));
    rt_dim dims[4] = {size(1), size(1), size(1), size(1)};
    dims[axis] = count;
    return rt_build_reshape(&b, index, dims, 4);
}

static void test_gathering_in_order_is_a_reshape(void) {
    begin();
    rt_dim rows = rt_module_symbol(module, "B"), tokens = rt_module_symbol(module, "S");
    rt_dim flat = rt_dim_multiply(rt_module_dims(module), rows, tokens);
    rt_value x = rt_build_reshape(&b, input("x", rows, tokens), &flat, 1);
    rt_value start = rt_build_mul(&b, index_along(0, rows), rt_build_dim(&b, tokens));
    rt_value index = rt_build_add(&b, index_along(3, tokens), start);
    rt_value all = rt_build_gather(&b, x, index, 0);
    CU_ASSERT_STRING_EQUAL(type_text(all), "f32[B,1,1,S]");
    CU_ASSERT_EQUAL(rt_graph_op(graph, all), RT_OP_reshape);
    /* The other stride reads the transpose: a real gather. */
    start = rt_build_mul(&b, index_along(3, tokens), rt_build_dim(&b, rows));
    index = rt_build_add(&b, index_along(0, rows), start);
    CU_ASSERT_EQUAL(rt_graph_op(graph, rt_build_gather(&b, x, index, 0)), RT_OP_gather);
}

static void test_sizes_come_out_of_shapes(void) {
    begin();
    rt_dim one = size(1), t = rt_module_symbol(module, "T");
    rt_value parts[2] = {
        rt_build_reshape(&b, rt_build_dim(&b, rt_module_symbol(module, "B")), &one, 1),
        rt_build_reshape(&b, rt_build_dim(&b, t), &one, 1)};
    rt_value shape = rt_build_concat(&b, parts, 2, 0);
    rt_value last = rt_build_gather(&b, shape, rt_build_scalar_int(&b, RT_I64, -1), 0);
    CU_ASSERT_TRUE(rt_value_equal(last, rt_build_dim(&b, t)));
    /* Which of them an input names is not known. */
    rt_value index = rt_build_input(&b, "index", rt_type_scalar(RT_I64));
    CU_ASSERT_EQUAL(rt_graph_op(graph, rt_build_gather(&b, shape, index, 0)), RT_OP_gather);
}

static void test_indices_are_not_negative(void) {
    begin();
    rt_dim tokens = rt_module_symbol(module, "S");
    double number = 0;
    rt_value index = index_along(3, tokens), zero = rt_build_scalar_int(&b, RT_I64, 0);
    CU_ASSERT_TRUE(rt_value_is_splat(graph, rt_build_less_equal(&b, zero, index), &number));
    CU_ASSERT_EQUAL(number, 1);
    CU_ASSERT_EQUAL(rt_graph_op(graph, rt_build_less(&b, zero, index)), RT_OP_less);
}

static void test_wrong_shapes_are_diagnosed_once(void) {
    begin();
    b.location = (rt_location){.file = "spec.yaml", .line = 14, .name = "encoder.ffn"};
    rt_value x = input("x", size(8), size(768)), w = input("w", size(3072), size(767));
    rt_value wrong = rt_build_matmul(&b, x, w, false, true);
    CU_ASSERT_FALSE(rt_value_is(wrong));
    CU_ASSERT_FALSE(rt_value_is(rt_build_add(&b, rt_build_exp(&b, wrong), x)));
    CU_ASSERT_EQUAL(diagnostics.error_count, 1);
    CU_ASSERT_EQUAL(rt_module_status(module), RT_INVALID_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(diagnostics.items[0].text, "768"));
    CU_ASSERT_PTR_NOT_NULL(strstr(diagnostics.items[0].text, "767"));
    CU_ASSERT_EQUAL(diagnostics.items[0].location.line, 14);
}

static void test_replacing_uses_keeps_order(void) {
    begin();
    rt_arena scratch = {0};
    rt_value x = input("x", size(2), size(2)), y = rt_build_exp(&b, x), z = rt_build_tanh(&b, y);
    rt_graph_add_output(graph, "z", z);
    rt_node since = {(uint32_t)rt_graph_node_count(graph)};
    /* y -> y + relu(y): the wrapped value keeps its own use of y. */
    rt_value wrapped = rt_build_add(&b, y, rt_build_relu(&b, y));
    rt_graph_replace_uses(graph, y, wrapped, since);
    rt_node *nodes;
    size_t count;
    CU_ASSERT_TRUE_FATAL(rt_graph_order(graph, &scratch, &nodes, &count));
    CU_ASSERT_EQUAL(count, 5);
    CU_ASSERT_EQUAL(rt_graph_node(graph, nodes[count - 1])->op, RT_OP_tanh);
    /* Without `since` it would feed itself, which order refuses. */
    rt_graph_replace_uses(graph, y, wrapped, RT_NO_NODE);
    CU_ASSERT_FALSE(rt_graph_order(graph, &scratch, &nodes, &count));
    rt_arena_deinit(&scratch);
}

static bool exp_to_tanh(rt_rewriter *rewriter, rt_node node) {
    if (rt_graph_node(rewriter->old, node)->op != RT_OP_exp) return false;
    rt_rewriter_set(rewriter, rt_graph_result(rewriter->old, node, 0),
                    rt_build_tanh(&rewriter->b, rt_rewriter_operand(rewriter, node, 0)));
    return true;
}

static void test_rewriting_rebuilds_live_nodes(void) {
    begin();
    rt_value x = input("x", size(2), size(2));
    input("unused", size(1), size(1));
    rt_build_cos(&b, x);
    rt_graph_add_output(graph, "y", rt_build_neg(&b, rt_build_exp(&b, x)));
    rt_graph *fresh = rt_graph_rewrite(graph, exp_to_tanh, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fresh);
    CU_ASSERT_EQUAL(rt_graph_input_count(fresh), 2);
    CU_ASSERT_EQUAL(rt_graph_node_count(fresh), 4);
    rt_value y = rt_graph_find_output(fresh, "y");
    rt_value inner = rt_graph_node(fresh, rt_graph_definition(fresh, y))->operands[0];
    CU_ASSERT_EQUAL(rt_graph_op(fresh, inner), RT_OP_tanh);
    rt_module_put_graph(module, fresh);
    CU_ASSERT_PTR_EQUAL(rt_module_find_graph(module, "main"), fresh);
}

static void test_inlining(void) {
    begin();
    rt_value x = input("x", size(2), size(2));
    rt_graph_add_output(graph, "y", rt_build_exp(&b, x));
    rt_graph *caller = rt_module_add_graph(module, "caller");
    rt_builder c = rt_builder_begin(caller);
    rt_value a = rt_build_input(&c, "a", rt_graph_type(graph, x)), results[1];
    CU_ASSERT_TRUE_FATAL(rt_build_inline(&c, graph, &a, results));
    CU_ASSERT_TRUE(rt_value_equal(results[0], rt_build_exp(&c, a)));
}

static void test_parameters(void) {
    begin();
    rt_parameter_info info = {.name = "w", .type = rt_type_scalar(RT_F32), .of = RT_NO_PARAMETER};
    rt_parameter w = rt_module_add_parameter(module, &info);
    CU_ASSERT_TRUE(rt_module_find_parameter(module, "w").index == w.index);
    CU_ASSERT_FALSE(rt_parameter_is(rt_module_find_parameter(module, "v")));
    CU_ASSERT_FALSE(rt_parameter_is(rt_module_add_parameter(module, &info)));
    CU_ASSERT_EQUAL(diagnostics.error_count, 1);
    for (int i = 0; i < 1000; ++i) {
        info.name = rt_arena_format(rt_module_arena(module), "layer.%d", i);
        rt_module_add_parameter(module, &info);
    }
    CU_ASSERT_EQUAL(rt_module_find_parameter(module, "layer.777").index, 778);
}

TEST_MAIN("builder", TEST(test_equal_nodes_merge), TEST(test_attributes_tell_nodes_apart),
          TEST(test_neutral_elements_vanish), TEST(test_transposes_become_flags),
          TEST(test_constants_fold), TEST(test_dimension_arithmetic_folds),
          TEST(test_gathering_in_order_is_a_reshape), TEST(test_sizes_come_out_of_shapes),
          TEST(test_indices_are_not_negative), TEST(test_wrong_shapes_are_diagnosed_once),
          TEST(test_replacing_uses_keeps_order), TEST(test_rewriting_rebuilds_live_nodes),
          TEST(test_inlining), TEST(test_parameters))
