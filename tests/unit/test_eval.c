// SPDX-License-Identifier: Apache-2.0
/* The evaluator's driver: shapes, symbols, parameters, rounding, folding. */
#include <math.h>
#include <string.h>

#include "runtime/base/check.h"
#include "tests/support/graph.h"

static rt_dim symbol(test_graph *t, const char *name, int64_t offset) {
    return rt_dim_add(rt_module_dims(t->module), rt_module_symbol(t->module, name),
                      rt_module_constant_dim(t->module, offset));
}

/* Declares an input of one symbolic dimension with `size` zeros behind it. */
static rt_value symbolic_input(test_graph *t, const char *name, rt_dim dim, rt_dtype dtype,
                               int64_t size) {
    rt_type type = rt_type_make(dtype, 1, &dim);
    t->inputs[rt_graph_input_count(t->graph)] = rt_array_create(dtype, 1, &size, &t->arena);
    return rt_build_input(&t->b, name, type);
}

static void test_symbols_come_from_inputs(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_dim tokens = symbol(&t, "T", 0);
    symbolic_input(&t, "offsets", symbol(&t, "B", 1), RT_I32, 4);
    symbolic_input(&t, "x", tokens, RT_F32, 7);
    rt_dim product = rt_dim_multiply(rt_module_dims(t.module), tokens, symbol(&t, "B", 0));
    rt_array *value = test_eval(&t, rt_build_dim(&t.b, product));
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    CU_ASSERT_EQUAL(value->integer[0], 21);
    test_graph_end(&t);
}

static void test_sizes_that_disagree_are_refused(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_dim tokens = symbol(&t, "T", 0);
    rt_value x = symbolic_input(&t, "x", tokens, RT_F32, 7);
    symbolic_input(&t, "y", tokens, RT_F32, 8);
    CU_ASSERT_PTR_NULL(test_eval(&t, rt_build_neg(&t.b, x)));
    CU_ASSERT_STRING_EQUAL(t.error.text, "dimension 0 of 'y' is 8 but must be 7");
    t.inputs[1] = rt_array_create(RT_F64, 1, &(int64_t){7}, &t.arena);
    CU_ASSERT_PTR_NULL(test_eval(&t, rt_build_neg(&t.b, x)));
    CU_ASSERT_STRING_EQUAL(t.error.text, "'y' is f64 but must be f32");
    test_graph_end(&t);
}

static void test_symbols_without_value_are_named(void) {
    test_graph t;
    test_graph_begin(&t);
    CU_ASSERT_PTR_NULL(test_eval(&t, rt_build_dim(&t.b, symbol(&t, "S", 0))));
    CU_ASSERT_STRING_EQUAL(t.error.text, "dim: dimension S has no value");
    test_graph_end(&t);
}

static void test_unused_inputs_may_be_left_out(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, NULL, 0, (double[]){3});
    rt_value y = test_reals(&t, NULL, 0, (double[]){4});
    t.inputs[1] = NULL;
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_neg(&t.b, x)), (double[]){-3}, 1, 0));
    CU_ASSERT_PTR_NULL(test_eval(&t, rt_build_neg(&t.b, y)));
    CU_ASSERT_STRING_EQUAL(t.error.text, "input: input 'input1' has no value");
    test_graph_end(&t);
}

static void test_parameters_and_assignments(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_dim two = rt_module_constant_dim(t.module, 2);
    rt_parameter_info info = {.name = "w", .type = rt_type_make(RT_F32, 1, &two)};
    info.of = RT_NO_PARAMETER;
    rt_parameter w = rt_module_add_parameter(t.module, &info);
    rt_value value = rt_build_parameter(&t.b, w);
    rt_graph_add_assign(t.graph, w, rt_build_add(&t.b, value, value));
    rt_graph_add_output(t.graph, "negative", rt_build_neg(&t.b, value));
    rt_array *weight = rt_array_create(RT_F32, 1, &(int64_t){2}, &t.arena), *outputs[2];
    weight->real[0] = 1.5, weight->real[1] = -2;
    CU_ASSERT_EQUAL_FATAL(rt_eval_graph(t.graph, NULL, (const rt_array *const *)&weight, &t.options,
                                        &t.arena, outputs, &t.error),
                          RT_OK);
    CU_ASSERT_TRUE(test_array_is(outputs[0], (double[]){3, -4}, 2, 0));
    CU_ASSERT_TRUE(test_array_is(outputs[1], (double[]){-1.5, 2}, 2, 0));
    CU_ASSERT_TRUE(test_array_is(weight, (double[]){1.5, -2}, 2, 0));
    CU_ASSERT_EQUAL(rt_eval_graph(t.graph, NULL, NULL, &t.options, &t.arena, outputs, &t.error),
                    RT_INVALID_ARGUMENT);
    CU_ASSERT_STRING_EQUAL(t.error.text, "parameter: parameter 'w' has no value");
    test_graph_end(&t);
}

static void test_rounds_only_where_asked(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, NULL, 0, (double[]){1});
    rt_value third = rt_build_div(&t.b, x, rt_build_scalar(&t.b, RT_F32, 3));
    CU_ASSERT_EQUAL(test_eval(&t, third)->real[0], 1.0 / 3);
    t.options.rounds = true;
    CU_ASSERT_EQUAL(test_eval(&t, third)->real[0], (double)(1.0f / 3.0f));
    rt_value narrow = rt_build_cast(&t.b, third, RT_BF16);
    CU_ASSERT_EQUAL(test_eval(&t, narrow)->real[0], 0.333984375);
    test_graph_end(&t);
}

static void test_integers_wrap_to_their_width(void) {
    static const struct {
        rt_dtype dtype;
        int64_t x, y, sum, product;
    } cases[] = {{RT_U8, 200, 100, 44, 32},
                 {RT_I8, 100, 100, -56, 16},
                 {RT_U16, 65535, 2, 1, 65534},
                 {RT_I32, INT32_MAX, 1, INT32_MIN, INT32_MAX},
                 {RT_U32, 4000000000, 4000000000, 3705032704, 1983905792},
                 {RT_I64, INT64_MAX, 2, INT64_MIN + 1, -2}};
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i) {
        test_graph t;
        test_graph_begin(&t);
        rt_value x = test_integers(&t, cases[i].dtype, NULL, 0, &cases[i].x);
        rt_value y = test_integers(&t, cases[i].dtype, NULL, 0, &cases[i].y);
        CU_ASSERT_EQUAL(test_eval(&t, rt_build_add(&t.b, x, y))->integer[0], cases[i].sum);
        CU_ASSERT_EQUAL(test_eval(&t, rt_build_mul(&t.b, x, y))->integer[0], cases[i].product);
        test_graph_end(&t);
    }
}

static void test_folds_to_rounded_tensors(void) {
    test_graph t;
    test_graph_begin(&t);
    float one = 1, three = 3;
    const rt_tensor x = {.dtype = RT_F32, .count = 1, .data = &one};
    const rt_tensor y = {.dtype = RT_F32, .count = 1, .data = &three};
    const rt_tensor *operands[2] = {&x, &y};
    rt_type type = rt_type_scalar(RT_F32);
    rt_tensor *result;
    CU_ASSERT_EQUAL_FATAL(rt_eval_fold(t.module, RT_OP_div, NULL, operands, 2, &type, 1, &result),
                          RT_OK);
    CU_ASSERT_EQUAL(*(const float *)result->data, 1.0f / 3.0f);
    test_graph_end(&t);
}

static void test_draws_and_symbols_do_not_fold(void) {
    test_graph t;
    test_graph_begin(&t);
    float numbers[4] = {1, 2, 3, 4};
    int32_t id = 0;
    const rt_tensor x = {.dtype = RT_F32, .rank = 1, .dims = {4}, .count = 4, .data = numbers};
    const rt_tensor zero = {.dtype = RT_I32, .count = 1, .data = &id};
    const rt_tensor *operands[3] = {&x, &zero, &zero};
    rt_dim four = rt_module_constant_dim(t.module, 4);
    rt_type type = rt_type_make(RT_F32, 1, &four), scalar = rt_type_scalar(RT_I64);
    rt_attr attrs[2] = {{.real = 0.5}, {.integer = 1}};
    rt_attr size = {.dim = symbol(&t, "T", 0)};
    rt_tensor *result;
    CU_ASSERT_EQUAL(rt_eval_fold(t.module, RT_OP_dropout, attrs, operands, 3, &type, 1, &result),
                    RT_UNSUPPORTED);
    CU_ASSERT_EQUAL(rt_eval_fold(t.module, RT_OP_dim, &size, NULL, 0, &scalar, 1, &result),
                    RT_INVALID_ARGUMENT);
    test_graph_end(&t);
}

static void test_one_node_alone(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, (int64_t[]){2}, 1, (double[]){1, 4});
    rt_value root = rt_build_sqrt(&t.b, x);
    rt_array *result;
    CU_ASSERT_EQUAL_FATAL(rt_eval_node(t.graph, rt_graph_definition(t.graph, root),
                                       (const rt_array *const *)t.inputs, NULL, &t.options,
                                       &t.arena, &result, &t.error),
                          RT_OK);
    CU_ASSERT_TRUE(test_array_is(result, (double[]){1, 2}, 2, 0));
    test_graph_end(&t);
}

TEST_MAIN("eval", TEST(test_symbols_come_from_inputs), TEST(test_sizes_that_disagree_are_refused),
          TEST(test_symbols_without_value_are_named), TEST(test_unused_inputs_may_be_left_out),
          TEST(test_parameters_and_assignments), TEST(test_rounds_only_where_asked),
          TEST(test_integers_wrap_to_their_width), TEST(test_folds_to_rounded_tensors),
          TEST(test_draws_and_symbols_do_not_fold), TEST(test_one_node_alone))
