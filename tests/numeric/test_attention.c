// SPDX-License-Identifier: Apache-2.0
/* Compiled attention and its gradient against the evaluator. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/kernel_run.h"

typedef struct shape {
    int64_t heads, head_size;
    const int32_t *offsets; /* rows + 1 */
    int rows;
    const int32_t *query_offsets; /* rows + 1, or NULL: the tokens are the queries */
} shape;

typedef struct options {
    bool has_mask, is_causal;
    double dropout;
} options;

static const int32_t ragged[] = {0, 5, 5, 6, 39, 39, 55, 72};
static const int32_t lonely[] = {0, 1};
static const int32_t long_row[] = {0, 130, 130, 133};
static const int32_t none[] = {0};
/* Queries for rows of `ragged`: fewer than keys, none, more; also where there is no key. */
static const int32_t few[] = {0, 1, 2, 2, 5, 5, 105, 106};

typedef struct inputs {
    rt_value q, k, v, offsets, mask, ids, query_offsets, query_positions;
    rt_dim longest;
    rt_type type; /* of the query */
} inputs;

static inputs add_inputs(kernel_run *r, shape s, options o) {
    inputs in = {RT_NO_VALUE, RT_NO_VALUE, RT_NO_VALUE, RT_NO_VALUE, RT_NO_VALUE,
                 RT_NO_VALUE, RT_NO_VALUE, RT_NO_VALUE, {0},         {0}};
    int64_t longest = 0;
    for (int i = 0; i < s.rows; ++i)
        if (s.offsets[i + 1] - s.offsets[i] > longest) longest = s.offsets[i + 1] - s.offsets[i];
    rt_dim tokens = kernel_run_dim(r, "T", s.offsets[s.rows]);
    rt_dim rows = kernel_run_dim(r, "B", s.rows), one = kernel_run_constant(r, 1);
    in.longest = kernel_run_dim(r, "S", longest);
    rt_dim dims[] = {tokens, kernel_run_constant(r, s.heads * s.head_size)};
    rt_dim behind = rt_dim_add(rt_module_dims(r->module), rows, one);
    in.type = rt_type_make(RT_F32, 2, dims);
    if (s.query_offsets) {
        in.type.dims[0] = kernel_run_dim(r, "Q", s.query_offsets[s.rows]);
        in.query_offsets = kernel_run_vector(r, behind, s.query_offsets);
        in.query_positions = kernel_run_integers(r, RT_I32, 1, in.type.dims, 0, longest - 1);
    }
    in.q = kernel_run_reals(r, RT_F32, 2, in.type.dims);
    in.k = kernel_run_reals(r, RT_F32, 2, dims);
    in.v = kernel_run_reals(r, RT_F32, 2, dims);
    in.offsets = kernel_run_vector(r, behind, s.offsets);
    if (o.has_mask) {
        in.mask = kernel_run_integers(r, RT_I32, 1, &tokens, 0, 2);
        int32_t *mask = kernel_run_data(r, in.mask);
        for (int i = 0; i < s.offsets[s.rows]; ++i)
            if (i >= 39 && i < 55) mask[i] = 0; /* a row of `ragged` without a key */
    }
    if (o.dropout > 0) in.ids = kernel_run_integers(r, RT_I32, 1, &rows, -5, 1 << 20);
    return in;
}

static rt_value build_forward(kernel_run *r, const inputs *in, shape s, options o) {
    rt_value operands[] = {in->q,
                           in->k,
                           in->v,
                           in->offsets,
                           in->mask,
                           in->ids,
                           in->query_offsets,
                           in->query_positions};
    rt_attr attrs[] = {{.integer = s.heads},     {.real = 2.5 / sqrt((double)s.head_size)},
                       {.integer = o.is_causal}, {.real = o.dropout},
                       {.integer = 7},           {.dim = in->longest}};
    rt_value results[2];
    CU_ASSERT_TRUE_FATAL(rt_build_results(&r->b, RT_OP_attention, operands, 8, attrs, results));
    return results[0];
}

/* The forward's out and lse as inputs of the gradient, so that both start from the same numbers. */
static rt_value build_gradient(kernel_run *r, const inputs *in, rt_value forward) {
    rt_node node = rt_graph_definition(r->graph, forward);
    const rt_node_info *info = rt_graph_node(r->graph, node);
    const rt_attr *attrs = info->attrs;
    rt_type lse_type = rt_graph_type(r->graph, rt_graph_result(r->graph, node, 1));
    rt_value d_out = kernel_run_reals(r, RT_F32, 2, in->type.dims);
    rt_value out = kernel_run_reals(r, RT_F32, 2, in->type.dims);
    rt_value lse = kernel_run_reals(r, RT_F32, 2, lse_type.dims);
    kernel_run_compile(r, forward);
    kernel_run_call(r, NULL, 0);
    memcpy(kernel_run_data(r, out), r->results[0], r->result_bytes[0]);
    memcpy(kernel_run_data(r, lse), r->results[1], r->result_bytes[1]);
    compiled_end(&r->code);
    r->function = NULL;
    rt_value operands[] = {d_out,
                           in->q,
                           in->k,
                           in->v,
                           out,
                           lse,
                           in->offsets,
                           in->mask,
                           in->ids,
                           in->query_offsets,
                           in->query_positions};
    rt_value results[3];
    CU_ASSERT_TRUE_FATAL(
        rt_build_results(&r->b, RT_OP_attention_gradient, operands, 11, attrs, results));
    return results[0];
}

static void check(shape s, options o, bool is_gradient) {
    kernel_run r;
    kernel_run_begin(&r);
    inputs in = add_inputs(&r, s, o);
    rt_value value = build_forward(&r, &in, s, o);
    CU_ASSERT_TRUE_FATAL(rt_value_is(value));
    if (is_gradient) value = build_gradient(&r, &in, value);
    kernel_run_compile(&r, value);
    CU_ASSERT_TRUE(kernel_run_splits_alike(&r));
    for (int i = 0; i < (is_gradient ? 3 : 2); ++i) {
        double error = kernel_run_error(&r, i);
        CU_ASSERT(error < 2e-6);
        if (error >= 2e-6 || getenv("RETORT_TEST_VERBOSE"))
            printf(
                "  heads %d of %d, %d rows, mask %d causal %d dropout %g, gradient %d: result %d "
                "off by %g\n",
                (int)s.heads, (int)s.head_size, s.rows, o.has_mask, o.is_causal, o.dropout,
                is_gradient, i, error);
    }
    kernel_run_end(&r);
}

static void check_all_options(bool is_gradient) {
    static const shape shapes[] = {
        {2, 64, ragged, 7, NULL},   {3, 26, ragged, 7, NULL}, {1, 32, ragged, 7, NULL},
        {4, 16, lonely, 1, NULL},   {5, 1, ragged, 7, NULL},  {2, 64, none, 0, NULL},
        {2, 40, long_row, 3, NULL}, {2, 64, ragged, 7, few},  {3, 26, ragged, 7, few}};
    static const options all[] = {{false, false, 0},
                                  {true, false, 0},
                                  {false, true, 0},
                                  {false, false, 0.3},
                                  {true, true, 0.1}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s)
        for (size_t o = 0; o < sizeof all / sizeof *all; ++o) check(shapes[s], all[o], is_gradient);
}

static void test_forward(void) {
    check_all_options(false);
}

static void test_gradient(void) {
    check_all_options(true);
}

/* Rows read in place instead of from copies: the same numbers to the bit, as each is one chain of
 * multiply-adds either way. */
static void test_without_packing(void) {
    shape s = {2, 40, long_row, 3, NULL};
    options o = {true, true, 0.1};
    for (int is_gradient = 0; is_gradient < 2; ++is_gradient) {
        kernel_run r;
        kernel_run_begin(&r);
        inputs in = add_inputs(&r, s, o);
        rt_value value = build_forward(&r, &in, s, o);
        if (is_gradient) value = build_gradient(&r, &in, value);
        kernel_run_compile(&r, value);
        kernel_run_call(&r, NULL, 0);
        void *packed[KERNEL_RUN_RESULTS];
        memcpy(packed, r.results, sizeof packed);
        compiled_end(&r.code);
        r.optimizations.left_out = UINT64_C(1) << RT_OPTIMIZE_pack_heads;
        kernel_run_compile(&r, value);
        kernel_run_call(&r, NULL, 0);
        for (int i = 0; i < (is_gradient ? 3 : 2); ++i) {
            CU_ASSERT_EQUAL(memcmp(packed[i], r.results[i], r.result_bytes[i]), 0);
            CU_ASSERT(kernel_run_error(&r, i) < 2e-6);
        }
        kernel_run_end(&r);
    }
}

/* With values that are unit vectors the output shows each probability: dropped ones are exactly 0
 * in the compiled kernel where they are in the evaluator. */
static void test_dropout_mask(void) {
    static const int32_t offsets[] = {0, 37};
    shape s = {1, 37, offsets, 1, NULL};
    options o = {.dropout = 0.4};
    kernel_run r;
    kernel_run_begin(&r);
    inputs in = add_inputs(&r, s, o);
    float *v = kernel_run_data(&r, in.v);
    for (int i = 0; i < 37; ++i)
        for (int j = 0; j < 37; ++j) v[i * 37 + j] = i == j;
    kernel_run_compile(&r, build_forward(&r, &in, s, o));
    kernel_run_call(&r, NULL, 0);
    CU_ASSERT(kernel_run_error(&r, 0) < 1e-6);
    int kept = 0;
    const float *out = r.results[0];
    for (int i = 0; i < 37 * 37; ++i) kept += out[i] != 0;
    CU_ASSERT(kept > 37 * 37 * 0.5 && kept < 37 * 37 * 0.7);
    float *before = rt_arena_allocate(&r.arena, r.result_bytes[0]);
    memcpy(before, out, r.result_bytes[0]);
    r.step++;
    kernel_run_call(&r, NULL, 0);
    CU_ASSERT_NOT_EQUAL(memcmp(before, r.results[0], r.result_bytes[0]), 0);
    kernel_run_end(&r);
}

/* Rows do not see each other: changing one leaves the others' bits. */
static void test_rows_are_independent(void) {
    shape s = {2, 32, ragged, 7, NULL};
    options o = {.dropout = 0.1};
    kernel_run r;
    kernel_run_begin(&r);
    inputs in = add_inputs(&r, s, o);
    kernel_run_compile(&r, build_forward(&r, &in, s, o));
    kernel_run_call(&r, NULL, 0);
    const float *before = r.results[0];
    float *k = kernel_run_data(&r, in.k);
    for (int i = 6 * 64; i < 39 * 64; ++i) k[i] += 100;
    kernel_run_call(&r, NULL, 0);
    const float *after = r.results[0];
    CU_ASSERT_EQUAL(memcmp(before, after, 6 * 64 * 4), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(before + 6 * 64, after + 6 * 64, 33 * 64 * 4), 0);
    CU_ASSERT_EQUAL(memcmp(before + 39 * 64, after + 39 * 64, 33 * 64 * 4), 0);
    kernel_run_end(&r);
}

TEST_MAIN("attention", TEST(test_forward), TEST(test_gradient), TEST(test_without_packing),
          TEST(test_dropout_mask), TEST(test_rows_are_independent))
