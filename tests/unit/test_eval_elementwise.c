// SPDX-License-Identifier: Apache-2.0
/* Elementwise operators against libm, hand values and identities. */
#include <math.h>

#include "runtime/base/check.h"
#include "tests/support/graph.h"

static const double points[] = {-3.25, -1.5, -0.5, 0, 0.25, 0.5, 1, 2.5, 3.5, 30};
enum { POINTS = RT_COUNT_OF(points) };

static double rsqrt_of(double x) {
    return pow(x, -0.5);
}
static double reciprocal_of(double x) {
    return pow(x, -1);
}
static double sigmoid_of(double x) {
    return 0.5 * (1 + tanh(x / 2));
}
static double neg_of(double x) {
    return 0 - x;
}
static double relu_of(double x) {
    return fmax(x, 0);
}
static double sign_of(double x) {
    return x == 0 ? 0 : copysign(1, x);
}

static void test_one_operand_against_libm(void) {
    static const struct {
        rt_op op;
        double (*truth)(double);
    } cases[] = {{RT_OP_neg, neg_of},     {RT_OP_abs, fabs},
                 {RT_OP_sign, sign_of},   {RT_OP_exp, exp},
                 {RT_OP_log, log},        {RT_OP_sqrt, sqrt},
                 {RT_OP_rsqrt, rsqrt_of}, {RT_OP_reciprocal, reciprocal_of},
                 {RT_OP_sin, sin},        {RT_OP_cos, cos},
                 {RT_OP_tanh, tanh},      {RT_OP_sigmoid, sigmoid_of},
                 {RT_OP_erf, erf},        {RT_OP_relu, relu_of},
                 {RT_OP_floor, floor},    {RT_OP_ceil, ceil},
                 {RT_OP_round, rint}};
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, (int64_t[]){POINTS}, 1, points);
    for (size_t c = 0; c < RT_COUNT_OF(cases); ++c) {
        rt_array *y = test_eval(&t, rt_build(&t.b, cases[c].op, &x, 1, NULL));
        double want[POINTS];
        for (int i = 0; i < POINTS; ++i) want[i] = cases[c].truth(points[i]);
        CU_ASSERT_TRUE(test_array_is(y, want, POINTS, 1e-14));
    }
    test_graph_end(&t);
}

/* gelu(x) - gelu(-x) = x, gelu(0) = 0, and the two forms differ by at most 4.8e-4. */
static void test_gelu_identities(void) {
    test_graph t;
    test_graph_begin(&t);
    double x[401], most = 0;
    for (int i = 0; i < 401; ++i) x[i] = (i - 200) / 25.0;
    rt_value value = test_reals(&t, (int64_t[]){401}, 1, x);
    rt_array *exact = test_eval(&t, rt_build_gelu(&t.b, value, false));
    rt_array *approximate = test_eval(&t, rt_build_gelu(&t.b, value, true));
    for (int i = 0; i < 401; ++i) {
        CU_ASSERT_DOUBLE_EQUAL(exact->real[i] - exact->real[400 - i], x[i], 1e-13);
        CU_ASSERT_DOUBLE_EQUAL(approximate->real[i] - approximate->real[400 - i], x[i], 1e-13);
        CU_ASSERT_DOUBLE_EQUAL(exact->real[i], x[i] * 0.5 * erfc(-x[i] / sqrt(2)), 1e-13);
        most = fmax(most, fabs(exact->real[i] - approximate->real[i]));
    }
    CU_ASSERT_EQUAL(exact->real[200], 0);
    CU_ASSERT_TRUE(most < 4.8e-4 && most > 4.6e-4);
    test_graph_end(&t);
}

static void test_special_values(void) {
    test_graph t;
    test_graph_begin(&t);
    double x[] = {NAN, INFINITY, -INFINITY, 1};
    rt_value value = test_reals(&t, (int64_t[]){4}, 1, x);
    rt_value one = rt_build_scalar(&t.b, RT_F32, 1);
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_is_nan(&t.b, value)), (double[]){1, 0, 0, 0}, 4, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_is_inf(&t.b, value)), (double[]){0, 1, 1, 0}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_maximum(&t.b, value, one)),
                                 (double[]){NAN, INFINITY, 1, 1}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_minimum(&t.b, one, value)),
                                 (double[]){NAN, 1, -INFINITY, 1}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_relu(&t.b, value)),
                                 (double[]){NAN, INFINITY, 0, 1}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_equal(&t.b, value, value)),
                                 (double[]){0, 1, 1, 1}, 4, 0));
    test_graph_end(&t);
}

static rt_array *pair(test_graph *t, rt_op op, rt_value x, rt_value y) {
    return test_eval(t, rt_build(&t->b, op, (const rt_value[]){x, y}, 2, NULL));
}

static void test_broadcasting(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, (int64_t[]){2, 1, 3}, 3, (double[]){1, 2, 3, 4, 5, 6});
    rt_value y = test_reals(&t, (int64_t[]){2, 1}, 2, (double[]){10, 20});
    rt_array *z = pair(&t, RT_OP_sub, x, y);
    CU_ASSERT_TRUE(
        test_array_is(z, (double[]){-9, -8, -7, -19, -18, -17, -6, -5, -4, -16, -15, -14}, 12, 0));
    CU_ASSERT_TRUE(z->rank == 3 && z->dims[0] == 2 && z->dims[1] == 2 && z->dims[2] == 3);
    rt_value none = test_reals(&t, (int64_t[]){0, 1}, 2, NULL);
    z = pair(&t, RT_OP_mul, none, x);
    CU_ASSERT_TRUE(z && z->count == 0 && z->dims[0] == 2 && z->dims[1] == 0 && z->dims[2] == 3);
    test_graph_end(&t);
}

static void test_two_reals(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, (int64_t[]){4}, 1, (double[]){7, -7, 7, -7.5});
    rt_value y = test_reals(&t, (int64_t[]){4}, 1, (double[]){3, 3, -3, -2});
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_add, x, y), (double[]){10, -4, 4, -9.5}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_div, x, y),
                                 (double[]){7. / 3, -7. / 3, -7. / 3, 3.75}, 4, 1e-15));
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_mod, x, y), (double[]){1, 2, -2, -1.5}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_less, x, y), (double[]){0, 1, 0, 1}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_less_equal, x, x), (double[]){1, 1, 1, 1}, 4, 0));
    rt_attr truncated = {.integer = 1};
    rt_value mod = rt_build(&t.b, RT_OP_mod, (const rt_value[]){x, y}, 2, &truncated);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, mod), (double[]){1, -1, 1, -1.5}, 4, 0));
    rt_value base = test_reals(&t, (int64_t[]){3}, 1, (double[]){2, -2, 0});
    rt_value exponent = test_reals(&t, (int64_t[]){3}, 1, (double[]){0.5, 3, 0});
    CU_ASSERT_TRUE(
        test_array_is(pair(&t, RT_OP_pow, base, exponent), (double[]){M_SQRT2, -8, 1}, 3, 1e-15));
    test_graph_end(&t);
}

static void test_two_integers(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_integers(&t, RT_I64, (int64_t[]){5}, 1, (int64_t[]){7, -7, 7, 5, INT64_MIN});
    rt_value y = test_integers(&t, RT_I64, (int64_t[]){5}, 1, (int64_t[]){3, 3, -3, 0, -1});
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_div, x, y),
                                 (double[]){2, -2, -2, 0, (double)INT64_MIN}, 5, 0));
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_mod, x, y), (double[]){1, 2, -2, 0, 0}, 5, 0));
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_maximum, x, y), (double[]){7, 3, 7, 5, -1}, 5, 0));
    rt_value p = test_integers(&t, RT_I32, (int64_t[]){5}, 1, (int64_t[]){2, -3, 1, -1, 5});
    rt_value q = test_integers(&t, RT_I32, (int64_t[]){5}, 1, (int64_t[]){10, 3, -4, -3, -1});
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_pow, p, q), (double[]){1024, -27, 1, -1, 0}, 5, 0));
    rt_value large = test_integers(&t, RT_U64, NULL, 0, (int64_t[]){-1}); /* 2^64 - 1 */
    rt_value small = test_integers(&t, RT_U64, NULL, 0, (int64_t[]){2});
    CU_ASSERT_EQUAL(pair(&t, RT_OP_less, small, large)->integer[0], 1);
    CU_ASSERT_EQUAL(pair(&t, RT_OP_maximum, small, large)->integer[0], -1);
    CU_ASSERT_EQUAL(pair(&t, RT_OP_div, large, small)->integer[0], INT64_MAX);
    CU_ASSERT_EQUAL(pair(&t, RT_OP_mod, large, small)->integer[0], 1);
    rt_value negative = rt_build_neg(&t.b, p);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, negative), (double[]){-2, 3, -1, 1, -5}, 5, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_abs(&t.b, negative)),
                                 (double[]){2, 3, 1, 1, 5}, 5, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_sign(&t.b, p)), (double[]){1, -1, 1, -1, 1}, 5, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_relu(&t.b, p)), (double[]){2, 0, 1, 0, 5}, 5, 0));
    test_graph_end(&t);
}

static void test_logic(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_integers(&t, RT_BOOL, (int64_t[]){4}, 1, (int64_t[]){0, 0, 1, 1});
    rt_value y = test_integers(&t, RT_BOOL, (int64_t[]){4}, 1, (int64_t[]){0, 1, 0, 1});
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_and, x, y), (double[]){0, 0, 0, 1}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_or, x, y), (double[]){0, 1, 1, 1}, 4, 0));
    CU_ASSERT_TRUE(test_array_is(pair(&t, RT_OP_xor, x, y), (double[]){0, 1, 1, 0}, 4, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_not(&t.b, x)), (double[]){1, 1, 0, 0}, 4, 0));
    rt_value ten = test_reals(&t, (int64_t[]){1}, 1, (double[]){10});
    rt_value numbers = test_reals(&t, (int64_t[]){2, 4}, 2, (double[]){1, 2, 3, 4, 5, 6, 7, 8});
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_select(&t.b, y, numbers, ten)),
                                 (double[]){10, 2, 10, 4, 10, 6, 10, 8}, 8, 0));
    test_graph_end(&t);
}

static void test_casts(void) {
    test_graph t;
    test_graph_begin(&t);
    double x[] = {-1.9, 1.9, 300, -300, NAN, INFINITY, 0};
    rt_value value = test_reals(&t, (int64_t[]){7}, 1, x);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_cast(&t.b, value, RT_I8)),
                                 (double[]){-1, 1, 127, -128, 0, 127, 0}, 7, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_cast(&t.b, value, RT_U8)),
                                 (double[]){0, 1, 255, 0, 0, 255, 0}, 7, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_cast(&t.b, value, RT_BOOL)),
                                 (double[]){1, 1, 1, 1, 1, 1, 0}, 7, 0));
    rt_value wide = test_integers(&t, RT_I64, (int64_t[]){2}, 1, (int64_t[]){-1, 4294967296 + 5});
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_cast(&t.b, wide, RT_U32)),
                                 (double[]){4294967295, 5}, 2, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_cast(&t.b, wide, RT_F64)),
                                 (double[]){-1, 4294967301}, 2, 0));
    rt_value bits = test_integers(&t, RT_U64, NULL, 0, (int64_t[]){-1});
    CU_ASSERT_EQUAL(test_eval(&t, rt_build_cast(&t.b, bits, RT_F64))->real[0], 0x1p64);
    test_graph_end(&t);
}

/* Kept or scaled, unbiased, and a function of (seed, step, site, example, position, column) only.
 */
static void test_dropout(void) {
    enum { ROWS = 64, COLUMNS = 125 };
    static double ones[ROWS * COLUMNS];
    int64_t example[ROWS], position[ROWS], reversed[ROWS];
    for (int i = 0; i < ROWS * COLUMNS; ++i) ones[i] = 1;
    for (int i = 0; i < ROWS; ++i) example[i] = i / 8, position[i] = i % 8;
    for (int i = 0; i < ROWS; ++i) reversed[i] = example[ROWS - 1 - i];
    test_graph t;
    test_graph_begin(&t);
    const int64_t dims[] = {ROWS, COLUMNS}, *rows = dims;
    rt_value x = test_reals(&t, dims, 2, ones);
    rt_value examples = test_integers(&t, RT_I32, rows, 1, example);
    rt_value positions = test_integers(&t, RT_I32, rows, 1, position);
    rt_value others = test_integers(&t, RT_I32, rows, 1, reversed);
    t.options.seed = 5;
    rt_array *y = test_eval(&t, rt_build_dropout(&t.b, x, examples, positions, 0.1, 3));
    int64_t kept = 0;
    for (int64_t i = 0; i < y->count; ++i) {
        CU_ASSERT_TRUE(y->real[i] == 0 || y->real[i] == 1 / 0.9);
        kept += y->real[i] != 0;
    }
    double deviation = sqrt(ROWS * COLUMNS * 0.1 * 0.9);
    CU_ASSERT_TRUE(fabs((double)kept - 0.9 * ROWS * COLUMNS) < 4 * deviation);
    /* The same tokens in another order draw the same. */
    rt_array *z = test_eval(&t, rt_build_dropout(&t.b, x, others, positions, 0.1, 3));
    for (int64_t r = 0; r < ROWS; ++r) {
        int64_t there = (7 - r / 8) * 8 + r % 8;
        for (int64_t c = 0; c < COLUMNS; ++c)
            CU_ASSERT_EQUAL(z->real[r * COLUMNS + c], y->real[there * COLUMNS + c]);
    }
    /* Another site, step or seed draws differently; rate 0 draws nothing. */
    rt_value site = rt_build_dropout(&t.b, x, examples, positions, 0.1, 4);
    rt_value same = rt_build_dropout(&t.b, x, examples, positions, 0.1, 3);
    rt_array *draws[3] = {test_eval(&t, site)};
    t.options.step = 1;
    draws[1] = test_eval(&t, same);
    t.options.step = 0, t.options.seed = 6;
    draws[2] = test_eval(&t, same);
    for (int k = 0; k < 3; ++k) {
        int64_t different = 0;
        for (int64_t i = 0; i < y->count; ++i) different += draws[k]->real[i] != y->real[i];
        CU_ASSERT_TRUE(different > 1000);
    }
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_dropout(&t.b, x, examples, positions, 0, 3)), ones,
                      ROWS * COLUMNS, 0));
    test_graph_end(&t);
}

TEST_MAIN("eval_elementwise", TEST(test_one_operand_against_libm), TEST(test_gelu_identities),
          TEST(test_special_values), TEST(test_broadcasting), TEST(test_two_reals),
          TEST(test_two_integers), TEST(test_logic), TEST(test_casts), TEST(test_dropout))
