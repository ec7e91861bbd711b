// SPDX-License-Identifier: Apache-2.0
/* Operators over rows against identities, and against formulas written out for one row at a time.
 */
#include <math.h>
#include <string.h>

#include "runtime/base/check.h"
#include "tests/support/graph.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})

/* ---- along the last axis */

static void test_softmax(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_randoms(&t, DIMS(4, 7), 2);
    rt_array *y = test_eval(&t, rt_build_softmax(&t.b, x));
    rt_array *logarithm = test_eval(&t, rt_build_log_softmax(&t.b, x));
    rt_value far = rt_build_add(&t.b, x, rt_build_scalar(&t.b, RT_F32, 1000));
    rt_array *shifted = test_eval(&t, rt_build_softmax(&t.b, far));
    for (int r = 0; r < 4; ++r) {
        double sum = 0, direct = 0;
        for (int i = 0; i < 7; ++i) sum += y->real[r * 7 + i];
        for (int i = 0; i < 7; ++i) direct += exp(t.inputs[0]->real[r * 7 + i]);
        CU_ASSERT_DOUBLE_EQUAL(sum, 1, 1e-14);
        for (int i = r * 7; i < r * 7 + 7; ++i) {
            CU_ASSERT_DOUBLE_EQUAL(y->real[i], exp(t.inputs[0]->real[i]) / direct, 1e-14);
            CU_ASSERT_DOUBLE_EQUAL(logarithm->real[i], log(y->real[i]), 1e-13);
            CU_ASSERT_DOUBLE_EQUAL(shifted->real[i], y->real[i], 1e-12);
        }
    }
    rt_value none = test_reals(&t, DIMS(0, 7), 2, NULL);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_softmax(&t.b, none)), NULL, 0, 0));
    /* A row whose every key is masked by the least f32 is even. */
    static const double masked[] = {-0x1.fffffep127, -0x1.fffffep127}, even[] = {0.5, 0.5};
    static const double logarithms[] = {-0.69314718055994531, -0.69314718055994531};
    rt_value hidden = test_reals(&t, DIMS(1, 2), 2, masked);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_softmax(&t.b, hidden)), even, 2, 1e-15));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_log_softmax(&t.b, hidden)), logarithms, 2, 1e-15));
    test_graph_end(&t);
}

/* Mean 0 and variance 1; not changed by x + c, nor by a x for a > 0; statistics as they are. */
static void test_layer_norm(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_randoms(&t, DIMS(3, 5), 2), statistics[2];
    rt_value y = rt_build_layer_norm(&t.b, x, RT_NO_VALUE, RT_NO_VALUE, 0, statistics);
    rt_array *plain = test_eval(&t, y), *mean = test_eval(&t, statistics[0]);
    rt_array *inverse = test_eval(&t, statistics[1]);
    for (int r = 0; r < 3; ++r) {
        double sum = 0, squares = 0;
        for (int i = 0; i < 5; ++i) sum += plain->real[r * 5 + i];
        for (int i = 0; i < 5; ++i) squares += plain->real[r * 5 + i] * plain->real[r * 5 + i];
        CU_ASSERT_DOUBLE_EQUAL(sum, 0, 1e-13);
        CU_ASSERT_DOUBLE_EQUAL(squares, 5, 1e-12);
        for (int i = r * 5; i < r * 5 + 5; ++i)
            CU_ASSERT_DOUBLE_EQUAL(plain->real[i] / inverse->real[r] + mean->real[r],
                                   t.inputs[0]->real[i], 1e-13);
    }
    rt_value other =
        rt_build_add(&t.b, rt_build_scale(&t.b, x, 4), rt_build_scalar(&t.b, RT_F32, 3));
    rt_value same = rt_build_layer_norm(&t.b, other, RT_NO_VALUE, RT_NO_VALUE, 0, NULL);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, same), plain->real, 15, 1e-12));
    rt_value scale = test_randoms(&t, DIMS(5), 1), bias = test_randoms(&t, DIMS(5), 1);
    rt_array *full = test_eval(&t, rt_build_layer_norm(&t.b, x, scale, bias, 0, NULL));
    for (int i = 0; i < 15; ++i)
        CU_ASSERT_DOUBLE_EQUAL(full->real[i],
                               plain->real[i] * t.inputs[1]->real[i % 5] + t.inputs[2]->real[i % 5],
                               1e-13);
    /* With an epsilon as large as the variance, 1/sigma shrinks by sqrt(2). */
    double variance = 1 / (inverse->real[0] * inverse->real[0]);
    rt_build_layer_norm(&t.b, x, RT_NO_VALUE, RT_NO_VALUE, variance, statistics);
    CU_ASSERT_DOUBLE_EQUAL(test_eval(&t, statistics[1])->real[0], inverse->real[0] / sqrt(2),
                           1e-12);
    test_graph_end(&t);
}

/* ---- packed rows */

static const int64_t offsets[] = {0, 2, 2, 5, 6}; /* rows of 2, 0, 3 and 1 tokens */
enum { ROWS = 4, TOKENS = 6 };

static rt_value test_offsets(test_graph *t) {
    return test_integers(t, RT_I32, DIMS(ROWS + 1), 1, offsets);
}

static void test_segments(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value rows = test_offsets(&t);
    rt_value x =
        test_reals(&t, DIMS(TOKENS, 2), 2, (double[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    rt_value sums = rt_build_segment_sum(&t.b, x, rows);
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, sums), (double[]){4, 6, 0, 0, 21, 24, 11, 12}, 8, 0));
    rt_dim tokens = rt_module_constant_dim(t.module, TOKENS);
    rt_value repeated = rt_build_segment_repeat(&t.b, sums, rows, tokens);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, repeated),
                                 (double[]){4, 6, 4, 6, 21, 24, 21, 24, 21, 24, 11, 12}, 12, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_shift_rows(&t.b, x, rows, false)),
                                 (double[]){0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 0, 0}, 12, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_shift_rows(&t.b, x, rows, true)),
                                 (double[]){3, 4, 0, 0, 7, 8, 9, 10, 0, 0, 0, 0}, 12, 0));
    test_graph_end(&t);
}

static void test_offsets_are_checked(void) {
    static const int64_t wrong[][3] = {{1, 2, 4}, {0, 5, 4}, {0, 2, 3}, {0, -1, 4}};
    for (size_t i = 0; i < RT_COUNT_OF(wrong); ++i) {
        test_graph t;
        test_graph_begin(&t);
        rt_value x = test_randoms(&t, DIMS(4, 1), 2);
        rt_value rows = test_integers(&t, RT_I32, DIMS(3), 1, wrong[i]);
        CU_ASSERT_PTR_NULL(test_eval(&t, rt_build_segment_sum(&t.b, x, rows)));
        CU_ASSERT_STRING_EQUAL(
            t.error.text, "segment_sum: row offsets must rise from 0 to the number of tokens, 4");
        test_graph_end(&t);
    }
}

static void test_no_rows_at_all(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value x = test_reals(&t, DIMS(0, 8), 2, NULL);
    rt_value rows = test_integers(&t, RT_I32, DIMS(1), 1, DIMS(0));
    rt_attention a = {x, x, x, rows, RT_NO_VALUE, RT_NO_VALUE, 2, 1, false, 0, 0, {0}};
    rt_value recurrent = test_randoms(&t, DIMS(8, 2), 2);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_segment_sum(&t.b, x, rows)), NULL, 0, 0));
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, rt_build_attention(&t.b, &a)), NULL, 0, 0));
    CU_ASSERT_TRUE(
        test_array_is(test_eval(&t, rt_build_lstm(&t.b, x, recurrent, rows, false)), NULL, 0, 0));
    test_graph_end(&t);
}

/* ---- attention */

enum { HEADS = 3, DEPTH = 2, WIDTH = HEADS * DEPTH };

typedef struct attention_case {
    test_graph t;
    rt_attention a;
} attention_case;

static void begin_attention(attention_case *c) {
    test_graph_begin(&c->t);
    c->a = (rt_attention){.heads = HEADS, .scale = 0.7};
    c->a.query = test_randoms(&c->t, DIMS(TOKENS, WIDTH), 2);
    c->a.key = test_randoms(&c->t, DIMS(TOKENS, WIDTH), 2);
    c->a.value = test_randoms(&c->t, DIMS(TOKENS, WIDTH), 2);
    c->a.row_offsets = test_offsets(&c->t);
    c->a.key_mask = c->a.example_ids = RT_NO_VALUE;
    c->a.longest = rt_module_constant_dim(c->t.module, 3);
}

/* softmax over the row's visible keys, written for one query and head; returns the log-sum-exp. */
static double attend_plainly(const attention_case *c, const int64_t *mask, int row, int query,
                             int head, double *out) {
    const double *q = c->t.inputs[0]->real, *k = c->t.inputs[1]->real, *v = c->t.inputs[2]->real;
    double weights[TOKENS] = {0}, sum = 0;
    for (int64_t j = offsets[row]; j < offsets[row + 1]; ++j) {
        double score = 0;
        for (int i = head * DEPTH; i < head * DEPTH + DEPTH; ++i)
            score += q[query * WIDTH + i] * k[j * WIDTH + i];
        if ((c->a.is_causal && j > query) || (mask && !mask[j])) continue;
        weights[j] = exp(c->a.scale * score);
        sum += weights[j];
    }
    for (int i = 0; i < DEPTH; ++i) {
        out[i] = 0;
        for (int j = 0; j < TOKENS && sum > 0; ++j)
            out[i] += weights[j] / sum * v[j * WIDTH + head * DEPTH + i];
    }
    return sum > 0 ? log(sum) : INFINITY;
}

static void check_attention(attention_case *c, const int64_t *mask) {
    rt_value out = rt_build_attention(&c->t.b, &c->a);
    rt_array *y = test_eval(&c->t, out);
    rt_value lse = rt_graph_result(c->t.graph, rt_graph_definition(c->t.graph, out), 1);
    rt_array *sums = test_eval(&c->t, lse);
    CU_ASSERT_PTR_NOT_NULL_FATAL(y);
    for (int row = 0; row < ROWS; ++row)
        for (int query = (int)offsets[row]; query < offsets[row + 1]; ++query)
            for (int head = 0; head < HEADS; ++head) {
                double want[DEPTH], sum = attend_plainly(c, mask, row, query, head, want);
                for (int i = 0; i < DEPTH; ++i)
                    CU_ASSERT_DOUBLE_EQUAL(y->real[query * WIDTH + head * DEPTH + i], want[i],
                                           1e-13);
                double got = sums->real[query * HEADS + head];
                CU_ASSERT_TRUE(test_is_close(got, sum, 0, 1e-13));
            }
}

static void test_attention_by_definition(void) {
    for (int is_causal = 0; is_causal < 2; ++is_causal) {
        attention_case c;
        begin_attention(&c);
        c.a.is_causal = is_causal;
        check_attention(&c, NULL);
        static const int64_t mask[TOKENS] = {1, 0, 0, 1, 1, 0}; /* the last row has no key */
        c.a.key_mask = test_integers(&c.t, RT_I32, DIMS(TOKENS), 1, mask);
        check_attention(&c, mask);
        test_graph_end(&c.t);
    }
}

static void test_rows_do_not_leak(void) {
    attention_case c;
    begin_attention(&c);
    rt_value out = rt_build_attention(&c.t.b, &c.a);
    rt_array *before = test_eval(&c.t, out);
    for (int i = 0; i < WIDTH; ++i)
        c.t.inputs[1]->real[3 * WIDTH + i] = c.t.inputs[2]->real[3 * WIDTH + i] = 9;
    rt_array *after = test_eval(&c.t, out);
    for (int token = 0; token < TOKENS; ++token) {
        bool is_touched = token >= 2 && token < 5;
        CU_ASSERT_EQUAL(memcmp(before->real + token * WIDTH, after->real + token * WIDTH,
                               WIDTH * sizeof(double)) != 0,
                        is_touched);
    }
    test_graph_end(&c.t);
}

/* Values that are one number come back as that number; with dropout on average, and the share of
 * probability kept is a function of the address alone. */
static void test_attention_dropout(void) {
    enum { LONG = 60, EXAMPLES = 2 };
    test_graph t;
    test_graph_begin(&t);
    const int64_t dims[] = {EXAMPLES * LONG, HEADS};
    static double ones[EXAMPLES * LONG * HEADS], none[EXAMPLES * LONG * HEADS];
    for (int i = 0; i < EXAMPLES * LONG * HEADS; ++i) ones[i] = 1;
    rt_value q = test_reals(&t, dims, 2, none), v = test_reals(&t, dims, 2, ones);
    rt_value rows = test_integers(&t, RT_I32, DIMS(3), 1, DIMS(0, LONG, 2 * LONG));
    rt_value ids = test_integers(&t, RT_I32, DIMS(2), 1, DIMS(31, 17));
    rt_attention a = {q, q, v, rows, RT_NO_VALUE, ids, HEADS, 1, false, 0.25, 9, {0}};
    rt_array *y = test_eval(&t, rt_build_attention(&t.b, &a));
    CU_ASSERT_PTR_NOT_NULL_FATAL(y);
    double mean = 0, keys = (double)y->count * LONG;
    for (int64_t i = 0; i < y->count; ++i) mean += y->real[i] / (double)y->count;
    /* One query's result is kept / (LONG 0.75), kept being binomial. */
    CU_ASSERT_TRUE(fabs(mean - 1) < 4 * sqrt(0.75 * 0.25 / keys) / 0.75);
    CU_ASSERT_TRUE(fabs(y->real[0] - 1) > 1e-3);
    /* The examples in another order: each draws what it drew. */
    t.inputs[3]->integer[0] = 17, t.inputs[3]->integer[1] = 31;
    rt_array *z = test_eval(&t, rt_build_attention(&t.b, &a));
    size_t half = (size_t)y->count / 2;
    CU_ASSERT_EQUAL(memcmp(y->real, z->real + half, half * sizeof(double)), 0);
    CU_ASSERT_EQUAL(memcmp(y->real + half, z->real, half * sizeof(double)), 0);
    test_graph_end(&t);
}

/* Some of the queries, with their positions, give what they give among all of them. */
static void test_attention_of_some_queries(void) {
    static const int64_t picked[] = {1, 3, 4, 5}, positions[] = {1, 1, 2, 0};
    attention_case c;
    begin_attention(&c);
    rt_builder *b = &c.t.b;
    c.a.is_causal = true;
    c.a.dropout = 0.5;
    c.a.example_ids = test_integers(&c.t, RT_I32, DIMS(ROWS), 1, DIMS(7, 8, 9, 10, 11, 12, 13));
    rt_value whole = rt_build_attention(b, &c.a);
    const rt_node_info *info = rt_graph_node(c.t.graph, rt_graph_definition(c.t.graph, whole));
    rt_value rows = test_integers(&c.t, RT_I32, DIMS(4), 1, picked);
    int64_t starts[ROWS + 1] = {0};
    for (int row = 0; row < ROWS; ++row) {
        starts[row + 1] = starts[row];
        for (int i = 0; i < 4; ++i)
            starts[row + 1] += picked[i] >= offsets[row] && picked[i] < offsets[row + 1];
    }
    rt_value operands[8] = {rt_build_gather(b, c.a.query, rows, 0),
                            c.a.key,
                            c.a.value,
                            c.a.row_offsets,
                            RT_NO_VALUE,
                            c.a.example_ids,
                            test_integers(&c.t, RT_I32, DIMS(ROWS + 1), 1, starts),
                            test_integers(&c.t, RT_I32, DIMS(4), 1, positions)};
    rt_value results[2];
    CU_ASSERT_TRUE_FATAL(rt_build_results(b, RT_OP_attention, operands, 8, info->attrs, results));
    rt_array *want = test_eval(&c.t, rt_build_gather(b, whole, rows, 0));
    rt_array *got = test_eval(&c.t, results[0]);
    CU_ASSERT_EQUAL(got->count, 4 * WIDTH);
    CU_ASSERT_EQUAL(memcmp(got->real, want->real, 4 * WIDTH * sizeof(double)), 0);
    test_graph_end(&c.t);
}

/* ---- LSTM */

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* Two units over two tokens, written out step by step. */
static void test_lstm_by_hand(void) {
    test_graph t;
    test_graph_begin(&t);
    rt_value a = test_randoms(&t, DIMS(2, 8), 2), r = test_randoms(&t, DIMS(8, 2), 2);
    rt_value rows = test_integers(&t, RT_I32, DIMS(2), 1, DIMS(0, 2));
    rt_value hidden = rt_build_lstm(&t.b, a, r, rows, false);
    rt_node node = rt_graph_definition(t.graph, hidden);
    const double *x = t.inputs[0]->real, *w = t.inputs[1]->real;
    double h[2] = {0, 0}, c[2] = {0, 0};
    for (int step = 0; step < 2; ++step) {
        double sums[8];
        for (int k = 0; k < 8; ++k)
            sums[k] = x[step * 8 + k] + w[k * 2] * h[0] + w[k * 2 + 1] * h[1];
        for (int k = 0; k < 2; ++k) {
            c[k] = logistic(sums[2 + k]) * c[k] + logistic(sums[k]) * tanh(sums[4 + k]);
            h[k] = logistic(sums[6 + k]) * tanh(c[k]);
            CU_ASSERT_DOUBLE_EQUAL(test_eval(&t, hidden)->real[step * 2 + k], h[k], 1e-14);
            CU_ASSERT_DOUBLE_EQUAL(
                test_eval(&t, rt_graph_result(t.graph, node, 1))->real[step * 2 + k], c[k], 1e-14);
            CU_ASSERT_DOUBLE_EQUAL(
                test_eval(&t, rt_graph_result(t.graph, node, 2))->real[step * 8 + 4 + k],
                tanh(sums[4 + k]), 1e-14);
        }
    }
    test_graph_end(&t);
}

/* A row read backwards is the row of its tokens in the other order; a row of one token is the same
 * in both directions; rows do not see each other. */
static void test_lstm_directions(void) {
    enum { H = 3 };
    test_graph t;
    test_graph_begin(&t);
    rt_value a = test_randoms(&t, DIMS(TOKENS, 4 * H), 2), r = test_randoms(&t, DIMS(4 * H, H), 2);
    rt_value rows = test_offsets(&t);
    rt_array *forward = test_eval(&t, rt_build_lstm(&t.b, a, r, rows, false));
    rt_array *backward = test_eval(&t, rt_build_lstm(&t.b, a, r, rows, true));
    rt_value order = test_integers(&t, RT_I32, DIMS(TOKENS), 1, DIMS(1, 0, 4, 3, 2, 5));
    rt_value turned = rt_build_gather(&t.b, a, order, 0);
    rt_value again = rt_build_gather(&t.b, rt_build_lstm(&t.b, turned, r, rows, false), order, 0);
    CU_ASSERT_TRUE(test_array_is(test_eval(&t, again), backward->real, TOKENS * H, 0));
    CU_ASSERT_EQUAL(memcmp(forward->real + 5 * H, backward->real + 5 * H, H * sizeof(double)), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(forward->real + 3 * H, backward->real + 3 * H, H * sizeof(double)),
                        0);
    t.inputs[0]->real[0] += 1;
    rt_array *other = test_eval(&t, rt_build_lstm(&t.b, a, r, rows, false));
    CU_ASSERT_EQUAL(memcmp(forward->real + 2 * H, other->real + 2 * H, 4 * H * sizeof(double)), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(forward->real, other->real, 2 * H * sizeof(double)), 0);
    test_graph_end(&t);
}

TEST_MAIN("eval_rows", TEST(test_softmax), TEST(test_layer_norm), TEST(test_segments),
          TEST(test_offsets_are_checked), TEST(test_no_rows_at_all),
          TEST(test_attention_by_definition), TEST(test_rows_do_not_leak),
          TEST(test_attention_dropout), TEST(test_attention_of_some_queries),
          TEST(test_lstm_by_hand), TEST(test_lstm_directions))
