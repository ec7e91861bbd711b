// SPDX-License-Identifier: Apache-2.0
/* Reductions, contraction, movement and indexing against naive loops and hand values. */
#include <math.h>

#include "runtime/base/check.h"
#include "tests/support/graph.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})
#define REALS(...) ((const double[]){__VA_ARGS__})

static rt_dim size(test_graph *t, int64_t value) {
    return rt_module_constant_dim(t->module, value);
}

/* ---- reductions */

static void test_reductions(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, DIMS(2, 3, 2), 3, REALS(1, 2, 3, 4, 5, 6, -1, -2, -3, -4, -5, 7));
    static const struct {
        rt_op op;
        int64_t axes[3];
        size_t count;
        double want[6];
        int64_t want_count;
    } cases[] = {{RT_OP_reduce_sum, {1}, 1, {9, 12, -9, 1}, 4},
                 {RT_OP_reduce_sum, {0, 2}, 2, {0, 0, 13}, 3},
                 {RT_OP_reduce_sum, {0, 1, 2}, 3, {13}, 1},
                 {RT_OP_reduce_max, {-1}, 1, {2, 4, 6, -1, -3, 7}, 6},
                 {RT_OP_reduce_min, {0}, 1, {-1, -2, -3, -4, -5, 6}, 6},
                 {RT_OP_reduce_prod, {1}, 1, {15, 48, -15, 56}, 4}};
    for (size_t c = 0; c < RT_COUNT_OF(cases); ++c) {
        for (int keeps = 0; keeps < 2; ++keeps) {
            rt_array *y = test_eval(
                &t, rt_build_reduce(&t.b, cases[c].op, x, cases[c].axes, cases[c].count, keeps));
            CU_ASSERT_TRUE(test_array_is(y, cases[c].want, cases[c].want_count, 0));
            CU_ASSERT_EQUAL(y->rank, keeps ? 3 : 3 - (int)cases[c].count);
        }
    }
    test_graph_end(&t);
}

static void test_reductions_of_nothing(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, DIMS(0, 2), 2, NULL);
    rt_value n = test_integers(&t, RT_I8, DIMS(0), 1, NULL);
    const int64_t axis = 0;
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_reduce(&t.b, RT_OP_reduce_sum, x, &axis, 1, false)),
                      REALS(0, 0), 2, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_reduce(&t.b, RT_OP_reduce_max, x, &axis, 1, false)),
                      REALS(-INFINITY, -INFINITY), 2, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_reduce(&t.b, RT_OP_reduce_min, n, &axis, 1, false)),
                      REALS(127), 1, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_reduce(&t.b, RT_OP_reduce_max, n, &axis, 1, false)),
                      REALS(-128), 1, 0));
    test_graph_end(&t);
}

static void test_argmax(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, DIMS(2, 3), 2, REALS(1, 5, 5, 7, -1, 7));
    rt_attr attrs[2] = {{.integer = -1}, {.integer = 0}};
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build(&t.b, RT_OP_argmax, &x, 1, attrs)),
                                 REALS(1, 0), 2, 0));
    attrs[0].integer = 0, attrs[1].integer = 1;
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build(&t.b, RT_OP_argmax, &x, 1, attrs)),
                                 REALS(1, 0, 1), 3, 0));
    test_graph_end(&t);
}

static void test_cumsum(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, DIMS(2, 3), 2, REALS(1, 2, 3, 4, 5, 6));
    static const double want[2][2][6] = {{{1, 3, 6, 4, 9, 15}, {6, 5, 3, 15, 11, 6}},
                                         {{0, 1, 3, 0, 4, 9}, {5, 3, 0, 11, 6, 0}}};
    for (int exclusive = 0; exclusive < 2; ++exclusive) {
        for (int reverse = 0; reverse < 2; ++reverse) {
            rt_attr attrs[3] = {{.integer = 1}, {.integer = exclusive}, {.integer = reverse}};
            rt_array *y = test_eval(&t, rt_build(&t.b, RT_OP_cumsum, &x, 1, attrs));
            CU_ASSERT_TRUE(test_array_is(y, want[exclusive][reverse], 6, 0));
        }
    }
    test_graph_end(&t);
}

/* ---- contraction */

/* C[b] = op(A[b]) op(B[b]) of [batch][m][k] and [batch][k][n] with flags, by definition. */
static void check_product(int64_t m, int64_t k, int64_t n, bool turn_a, bool turn_b) {
    enum { BATCH = 2 };
    test_graph t;
    test_graph_begin(&t);
    rt_value a = test_randoms(&t, DIMS(BATCH, turn_a ? k : m, turn_a ? m : k), 3);
    rt_value b = test_randoms(&t, DIMS(BATCH, turn_b ? n : k, turn_b ? k : n), 3);
    rt_array *c = test_eval(&t, rt_build_matmul(&t.b, a, b, turn_a, turn_b));
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    CU_ASSERT_EQUAL(c->count, BATCH * m * n);
    const double *x = t.inputs[0]->real, *y = t.inputs[1]->real;
    bool is_right = true;
    for (int64_t q = 0; q < BATCH; ++q)
        for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n; ++j) {
                double sum = 0;
                for (int64_t l = 0; l < k; ++l)
                    sum += x[q * m * k + (turn_a ? l * m + i : i * k + l)] *
                           y[q * k * n + (turn_b ? j * k + l : l * n + j)];
                is_right = is_right && fabs(sum - c->real[(q * m + i) * n + j]) < 1e-12;
            }
    CU_ASSERT_TRUE(is_right);
    test_graph_end(&t);
}

static void test_products(void) {
    static const int64_t sizes[][3] = {{1, 1, 1}, {2, 3, 5}, {26, 31, 1}, {1, 26, 13},
                                       {0, 3, 2}, {4, 0, 3}, {7, 9, 0}};
    for (size_t i = 0; i < RT_COUNT_OF(sizes); ++i)
        for (int flags = 0; flags < 4; ++flags)
            check_product(sizes[i][0], sizes[i][1], sizes[i][2], flags & 1, flags & 2);
}

static void test_products_broadcast_leading_dimensions(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value a = test_reals(&t, DIMS(2, 1, 1, 2), 4, REALS(1, 2, 3, 4));
    rt_value b = test_reals(&t, DIMS(3, 2, 1), 3, REALS(1, 10, 2, 20, 3, 30));
    rt_array *c = test_eval(&t, rt_build_matmul(&t.b, a, b, false, false));
    CU_ASSERT_TRUE(test_array_is(c, REALS(21, 42, 63, 43, 86, 129), 6, 0));
    rt_value n = test_integers(&t, RT_I32, DIMS(1, 2), 2, DIMS(3, -4));
    c = test_eval(&t, rt_build_matmul(&t.b, n, n, false, true));
    CU_ASSERT_TRUE(test_array_is(c, REALS(25), 1, 0));
    test_graph_end(&t);
}

/* A I = A, and (A D) B = A (D B) for a diagonal D. */
static void test_product_identities(void) {
    test_graph t;
    test_graph_begin(&t);
    double identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, diagonal[9] = {2, 0, 0, 0, -3, 0, 0, 0, 0.5};
    rt_value a = test_randoms(&t, DIMS(5, 3), 2), b = test_randoms(&t, DIMS(3, 4), 2);
    rt_value i = test_reals(&t, DIMS(3, 3), 2, identity);
    rt_value d = test_reals(&t, DIMS(3, 3), 2, diagonal);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_matmul(&t.b, a, i, false, false)),
                                 t.inputs[0]->real, 15, 0));
    rt_value left = rt_build_matmul(&t.b, rt_build_matmul(&t.b, a, d, false, false), b, 0, 0);
    rt_value right = rt_build_matmul(&t.b, a, rt_build_matmul(&t.b, d, b, false, false), 0, 0);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, left), test_eval(&t, right)->real, 20, 1e-14));
    test_graph_end(&t);
}

/* ---- movement */

static void test_movement(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, DIMS(2, 3), 2, REALS(1, 2, 3, 4, 5, 6));
    rt_dim six = size(&t, 6), wide[3] = {size(&t, 2), size(&t, 2), size(&t, 3)};
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_reshape(&t.b, x, &six, 1)),
                                 REALS(1, 2, 3, 4, 5, 6), 6, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_transpose(&t.b, x, DIMS(1, 0), 2)),
                                 REALS(1, 4, 2, 5, 3, 6), 6, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_broadcast(&t.b, x, wide, 3)),
                                 REALS(1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6), 12, 0));
    rt_value y = test_reals(&t, DIMS(2, 1), 2, REALS(7, 8));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_concat(&t.b, (rt_value[]){x, y, x}, 3, 1)),
                                 REALS(1, 2, 3, 7, 1, 2, 3, 4, 5, 6, 8, 4, 5, 6), 14, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_slice(&t.b, x, 1, size(&t, 1), size(&t, 2), 1)),
                      REALS(2, 3, 5, 6), 4, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_slice(&t.b, x, 1, size(&t, 2), size(&t, 2), -2)),
                      REALS(3, 1, 6, 4), 4, 0));
    CU_ASSERT_TRUE(test_array_is(
        test_eval(&t, rt_build_slice(&t.b, x, 0, size(&t, 2), size(&t, 0), 1)), NULL, 0, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_pad(&t.b, x, 1, size(&t, 1), size(&t, 2), -1)),
                      REALS(-1, 1, 2, 3, -1, -1, -1, 4, 5, 6, -1, -1), 12, 0));
    test_graph_end(&t);
}

static void test_transpose_of_three_axes(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_randoms(&t, DIMS(2, 3, 4), 3);
    rt_array *y = test_eval(&t, rt_build_transpose(&t.b, x, DIMS(2, 0, 1), 3));
    CU_ASSERT_TRUE(y->dims[0] == 4 && y->dims[1] == 2 && y->dims[2] == 3);
    for (int64_t i = 0; i < 4; ++i)
        for (int64_t j = 0; j < 2; ++j)
            for (int64_t k = 0; k < 3; ++k)
                CU_ASSERT_EQUAL(y->real[(i * 2 + j) * 3 + k],
                                t.inputs[0]->real[(j * 3 + k) * 4 + i]);
    test_graph_end(&t);
}

static void test_iota(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_dim dims[2] = {size(&t, 2), size(&t, 3)};
    rt_type type = rt_type_make(RT_F32, 2, dims);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_iota(&t.b, RT_F32, 1, type)),
                                 REALS(0, 1, 2, 0, 1, 2), 6, 0));
    type.dtype = RT_I32;
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_iota(&t.b, RT_I32, 0, type)),
                                 REALS(0, 0, 0, 1, 1, 1), 6, 0));
    test_graph_end(&t);
}

/* ---- indexing */

static void test_gather(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, DIMS(3, 2), 2, REALS(1, 2, 3, 4, 5, 6));
    rt_value ids = test_integers(&t, RT_I32, DIMS(2, 2), 2, DIMS(2, 0, -1, 1));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_gather(&t.b, x, ids, 0)),
                                 REALS(5, 6, 1, 2, 5, 6, 3, 4), 8, 0));
    rt_value columns = test_integers(&t, RT_I64, DIMS(3), 1, DIMS(1, -2, 1));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_gather(&t.b, x, columns, 1)),
                                 REALS(2, 1, 2, 4, 3, 4, 6, 5, 6), 9, 0));
    rt_value one = test_integers(&t, RT_I64, NULL, 0, DIMS(1));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_gather(&t.b, x, one, 0)), REALS(3, 4), 2, 0));
    rt_value wrong = test_integers(&t, RT_I64, DIMS(1), 1, DIMS(3));
    CU_ASSERT_PTR_NULL(test_eval(&t, rt_build_gather(&t.b, x, wrong, 0)));
    CU_ASSERT_STRING_EQUAL(t.error.text, "gather: index 3 into a dimension of 3");
    test_graph_end(&t);
}

/* Equal to the product with one-hot rows; rows without an index stay exactly 0. */
static void test_scatter_add(void) {
    enum { TOKENS = 9, ROWS = 5, WIDTH = 3 };
    static const int64_t ids[TOKENS] = {4, 0, 0, 2, -1, 2, 2, 0, 4};
    test_graph t;
    test_graph_begin(&t);
    double one_hot[TOKENS * ROWS] = {0};
    for (int i = 0; i < TOKENS; ++i) one_hot[i * ROWS + (ids[i] < 0 ? ids[i] + ROWS : ids[i])] = 1;
    rt_value indices = test_integers(&t, RT_I32, DIMS(3, 3), 2, ids);
    rt_value hot = test_reals(&t, DIMS(TOKENS, ROWS), 2, one_hot);
    rt_value updates = test_randoms(&t, DIMS(3, 3, WIDTH), 3);
    rt_array *y = test_eval(&t, rt_build_scatter_add(&t.b, indices, updates, size(&t, ROWS)));
    rt_dim flat[2] = {size(&t, TOKENS), size(&t, WIDTH)};
    rt_value rows = rt_build_reshape(&t.b, updates, flat, 2);
    rt_array *z = test_eval(&t, rt_build_matmul(&t.b, hot, rows, true, false));
    CU_ASSERT_TRUE(test_array_is(y, z->real, ROWS * WIDTH, 1e-14));
    for (int i = 0; i < WIDTH; ++i) {
        CU_ASSERT_EQUAL(y->real[1 * WIDTH + i], 0);
        CU_ASSERT_EQUAL(y->real[3 * WIDTH + i], 0);
    }
    test_graph_end(&t);
}

TEST_MAIN("eval_tensor", TEST(test_reductions), TEST(test_reductions_of_nothing), TEST(test_argmax),
          TEST(test_cumsum), TEST(test_products), TEST(test_products_broadcast_leading_dimensions),
          TEST(test_product_identities), TEST(test_movement), TEST(test_transpose_of_three_axes),
          TEST(test_iota), TEST(test_gather), TEST(test_scatter_add))
