// SPDX-License-Identifier: Apache-2.0
/* With p_ij = exp(scale * q_i k_j - lse_i), f_ij the factor that dropout gave it (0 or
 * 1 / (1 - rate)) and mean_i = d_out_i . out_i:
 *   d_v_j = sum_i f_ij p_ij d_out_i
 *   ds_ij = scale p_ij (f_ij d_out_i . v_j - mean_i)
 *   d_q_i = sum_j ds_ij k_j,   d_k_j = sum_i ds_ij q_i
 * Probabilities are computed again from lse, block by block. */
#include <math.h>

#include "compiler/kernels/attention.h"
#include "compiler/kernels/vector_math.h"

enum { D_OUT = 0, QUERY = 1, KEY = 2, VALUE = 3, OUT = 4, LSE = 5 };
enum { D_QUERY = 0, D_KEY = 1, D_VALUE = 2 };

static int64_t transpose_numbers(const attention_facts *f) {
    return f->padded_head_size * ATTENTION_QUERIES;
}

rt_dim attention_gradient_scratch(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    int64_t strips = (int64_t)ATTENTION_KEYS * ATTENTION_QUERIES, singles = 3 * ATTENTION_QUERIES;
    return attention_scratch_bytes(graph, &f, 2, 4 * transpose_numbers(&f) + 2 * strips + singles);
}

/* Five products where the forward has two. */
rt_dim attention_gradient_flops(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    rt_type query = kernel_operand_type(graph, node, f.query);
    rt_dim pairs = rt_dim_multiply(kernel_dims(graph), query.dims[0], f.longest);
    return kernel_scaled(graph, pairs, 10 * f.width);
}

/* Scratch of the unit. The block's queries and their d_out stand there twice, transposed for scores
 * and packed for the gradients of keys; lse and means are one number per query. */
typedef struct backward {
    LLVMValueRef queries_across, d_out_across, queries_copy, d_out_copy;
    LLVMValueRef p, ds; /* strips */
    LLVMValueRef lse, means, positions;
    attention_rows queries, d_out;
    attention_rows keys, values; /* the row's */
    LLVMValueRef shift, mean;    /* of the lanes */
} backward;

/* ---- strips: scores and d_out . v become f p and ds */

static LLVMValueRef gradient_step(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef sum,
                                  void *state) {
    const backward *own = state;
    const attention_unit *unit = lanes->block->unit;
    const attention_facts *facts = unit->facts;
    rt_emitter *e = unit->build->e;
    LLVMValueRef kept[KEY_STEP], minus = LLVMBuildFNeg(e->builder, own->shift, "");
    if (facts->dropout > 0) attention_draw(lanes, row, kept);
    for (unsigned i = 0; i < KEY_STEP; ++i) {
        LLVMValueRef at = attention_strip_at(lanes, row, i);
        LLVMValueRef p = rt_emit_load(e, RT_F32, own->p, at, unit->lanes, NULL);
        LLVMValueRef dp = rt_emit_load(e, RT_F32, own->ds, at, unit->lanes, NULL);
        LLVMValueRef zero = real(e, p, 0), is_hidden = is_equal(e, p, real(e, p, -INFINITY));
        p = rt_emit_exp_falling(e, mul_add(e, p, real(e, p, facts->scale), minus));
        if (facts->scale <= 0) p = where(e, is_hidden, zero, p);
        if (facts->is_causal) p = where(e, attention_sees(lanes, row, i), p, zero);
        LLVMValueRef dropped = p;
        if (facts->dropout > 0) {
            LLVMValueRef factor = real(e, p, 1 / (1 - facts->dropout));
            dropped = where(e, kept[i], mul(e, p, factor), zero);
            dp = where(e, kept[i], mul(e, dp, factor), zero);
        }
        LLVMValueRef ds = mul(e, mul(e, p, real(e, p, facts->scale)), sub(e, dp, own->mean));
        rt_emit_store(e, RT_F32, dropped, own->p, at, NULL);
        rt_emit_store(e, RT_F32, ds, own->ds, at, NULL);
    }
    return sum;
}

static void emit_gradients(const attention_lanes *lanes, void *state) {
    backward *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    own->shift = rt_emit_load(e, RT_F32, own->lse, lanes->column, unit->lanes, NULL);
    own->mean = rt_emit_load(e, RT_F32, own->means, lanes->column, unit->lanes, NULL);
    attention_emit_pass(lanes, gradient_step, rt_emit_i64(e, 0), own);
}

/* ---- blocks */

static void emit_keys(attention_block *block, void *state) {
    backward *own = state;
    LLVMValueRef *results = block->unit->build->results;
    attention_emit_scores(block, own->keys, own->queries_across, own->p);
    attention_emit_scores(block, own->values, own->d_out_across, own->ds);
    attention_emit_masks(block, own->p);
    attention_emit_lanes(block, emit_gradients, own);
    attention_emit_key_gradient(block, own->p, own->d_out, results[D_VALUE]);
    attention_emit_key_gradient(block, own->ds, own->queries, results[D_KEY]);
    attention_emit_query_gradient(block, own->ds, own->keys, results[D_QUERY]);
}

/* d_out . out of the head at one query. */
static LLVMValueRef emit_mean(const attention_unit *unit, LLVMValueRef query) {
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    LLVMValueRef d_out = attention_query(unit, build->operands[D_OUT], query);
    LLVMValueRef out = attention_query(unit, build->operands[OUT], query), sum = NULL;
    for (int64_t column = 0; column < unit->facts->head_size; column += unit->lanes) {
        LLVMValueRef at = rt_emit_i64(e, column), mask = NULL;
        if (column + unit->lanes > unit->facts->head_size)
            mask = rt_emit_tail_mask(e, at, rt_emit_i64(e, unit->facts->head_size), unit->lanes);
        LLVMValueRef x = rt_emit_load(e, RT_F32, d_out, at, unit->lanes, mask);
        LLVMValueRef y = rt_emit_load(e, RT_F32, out, at, unit->lanes, mask);
        sum = sum ? mul_add(e, x, y, sum) : mul(e, x, y);
    }
    return rt_emit_reduce_lanes(e, sum, RT_LANES_SUM);
}

static void emit_singles(const attention_block *block, const backward *own) {
    const attention_unit *unit = block->unit;
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    rt_loop number =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), block->count, rt_emit_i64(e, 1), "query");
    LLVMValueRef query = add(e, block->first, number.index);
    LLVMValueRef at = attention_lse_at(unit, query);
    LLVMValueRef lse = rt_emit_load(e, RT_F32, build->operands[LSE], at, 1, NULL);
    rt_emit_store(e, RT_F32, lse, own->lse, number.index, NULL);
    rt_emit_store(e, RT_F32, emit_mean(unit, query), own->means, number.index, NULL);
    rt_emit_loop_end(e, &number);
}

static void emit_queries(attention_block *block, void *state) {
    backward *own = state;
    const attention_unit *unit = block->unit;
    rt_kernel_build *build = unit->build;
    LLVMValueRef query = build->operands[QUERY], d_out = build->operands[D_OUT];
    own->queries = attention_emit_copy(unit, attention_query(unit, query, block->first),
                                       block->count, own->queries_copy);
    own->d_out = attention_emit_copy(unit, attention_query(unit, d_out, block->first), block->count,
                                     own->d_out_copy);
    attention_emit_transpose(block, own->queries.at, own->queries.stride, own->queries_across);
    attention_emit_transpose(block, own->d_out.at, own->d_out.stride, own->d_out_across);
    attention_emit_positions(block, own->positions);
    emit_singles(block, own);
    attention_emit_key_blocks(block, emit_keys, own);
}

static void emit_unit(attention_unit *unit, void *state) {
    (void)state;
    int64_t transpose = transpose_numbers(unit->facts);
    int64_t strips = (int64_t)ATTENTION_KEYS * ATTENTION_QUERIES;
    backward own = {.queries_across = attention_take(unit, transpose),
                    .d_out_across = attention_take(unit, transpose),
                    .queries_copy = attention_take(unit, transpose),
                    .d_out_copy = attention_take(unit, transpose),
                    .p = attention_take(unit, strips),
                    .ds = attention_take(unit, strips),
                    .lse = attention_take(unit, ATTENTION_QUERIES),
                    .means = attention_take(unit, ATTENTION_QUERIES),
                    .positions = attention_take(unit, ATTENTION_QUERIES)};
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), length = unit->keys.length;
    LLVMValueRef size = rt_emit_i64(e, unit->facts->padded_head_size);
    LLVMValueRef *operands = build->operands, copies = attention_take(unit, 0);
    own.keys = attention_emit_copy(unit, attention_key(unit, operands[KEY], zero), length, copies);
    own.values = attention_emit_copy(unit, attention_key(unit, operands[VALUE], zero), length,
                                     emit_at(e, copies, length, size, 4));
    attention_emit_query_blocks(unit, emit_queries, &own);
}

void emit_attention_gradient(rt_kernel_build *build) {
    attention_facts facts = attention_describe(build->graph, build->node);
    attention_emit_units(build, &facts, emit_unit, NULL);
}
