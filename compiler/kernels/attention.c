// SPDX-License-Identifier: Apache-2.0
/* out_i = sum_j drop(p_ij) v_j with p = softmax(scale * q k'), lse_i = log sum_j exp(scale * q k').
 * Over blocks of keys a query's maximum m and sum s run along: with a block's maximum m' both s and
 * out are multiplied by exp(m - max(m, m')). 1 / s and 1 / (1 - rate) multiply the finished out. */
#include "compiler/kernels/attention.h"

#include <math.h>

#include "compiler/kernels/vector_math.h"

enum { QUERY = 0, KEY = 1, VALUE = 2, OUT = 0, LSE = 1 };

static int64_t transpose_numbers(const attention_facts *f) {
    return f->padded_head_size * ATTENTION_QUERIES;
}

rt_dim attention_scratch(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    int64_t strips = (int64_t)ATTENTION_KEYS * ATTENTION_QUERIES, singles = 5 * ATTENTION_QUERIES;
    return attention_scratch_bytes(graph, &f, 2, transpose_numbers(&f) + strips + singles);
}

/* Scores and values: 2 products of Q x longest x width at most. */
rt_dim attention_flops(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    rt_type query = kernel_operand_type(graph, node, f.query);
    rt_dim pairs = rt_dim_multiply(kernel_dims(graph), query.dims[0], f.longest);
    return kernel_scaled(graph, pairs, 4 * f.width);
}

/* Scratch of the unit; maxima to lse are one number per query of the block. */
typedef struct forward {
    LLVMValueRef transposed, strips, maxima, sums, factors, lse, positions;
    attention_rows keys, values; /* the row's */
    LLVMValueRef shift;          /* of the lanes: scale * maximum */
} forward;

/* ---- softmax of a block's scores, lane by lane */

/* Scores become final: times a scale that is not positive, -inf where the query does not see. */
static bool is_rewritten(const attention_facts *f) {
    return f->is_causal || f->scale <= 0;
}

/* A NaN may be passed over: exponentials find it again. */
static LLVMValueRef larger(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return where(e, is_less(e, b, a), a, b);
}

static LLVMValueRef maximum_step(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef most,
                                 void *state) {
    const forward *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef most_here = NULL;
    for (unsigned i = 0; i < KEY_STEP; ++i) {
        LLVMValueRef at = attention_strip_at(lanes, row, i);
        LLVMValueRef score = rt_emit_load(e, RT_F32, own->strips, at, unit->lanes, NULL);
        if (unit->facts->scale <= 0) {
            LLVMValueRef least = real(e, score, -INFINITY);
            LLVMValueRef scaled = mul(e, score, real(e, score, unit->facts->scale));
            score = where(e, is_equal(e, score, least), least, scaled);
        }
        if (unit->facts->is_causal)
            score = where(e, attention_sees(lanes, row, i), score, real(e, score, -INFINITY));
        if (is_rewritten(unit->facts)) rt_emit_store(e, RT_F32, score, own->strips, at, NULL);
        most_here = most_here ? larger(e, most_here, score) : score;
    }
    return larger(e, most_here, most);
}

/* What scores are still to be multiplied with. */
static double remaining_scale(const attention_facts *f) {
    return f->scale <= 0 ? 1 : f->scale;
}

static LLVMValueRef exponential_step(const attention_lanes *lanes, LLVMValueRef row,
                                     LLVMValueRef sum, void *state) {
    const forward *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef kept[KEY_STEP], sum_here = NULL;
    if (unit->facts->dropout > 0) attention_draw(lanes, row, kept);
    LLVMValueRef minus = LLVMBuildFNeg(e->builder, own->shift, "");
    for (unsigned i = 0; i < KEY_STEP; ++i) {
        LLVMValueRef at = attention_strip_at(lanes, row, i);
        LLVMValueRef p = rt_emit_load(e, RT_F32, own->strips, at, unit->lanes, NULL);
        p = mul_add(e, p, real(e, p, remaining_scale(unit->facts)), minus);
        p = rt_emit_exp_falling(e, p);
        sum_here = sum_here ? add(e, sum_here, p) : p;
        if (unit->facts->dropout > 0) p = where(e, kept[i], p, real(e, p, 0));
        rt_emit_store(e, RT_F32, p, own->strips, at, NULL);
    }
    return add(e, sum, sum_here);
}

/* A query that has seen no key has a maximum of -inf, from which nothing can be taken: 0 instead
 * leaves exponentials of 0. */
static LLVMValueRef finite_maximum(rt_emitter *e, LLVMValueRef most) {
    return where(e, is_equal(e, most, real(e, most, -INFINITY)), real(e, most, 0), most);
}

static void emit_softmax(const attention_lanes *lanes, void *state) {
    forward *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef column = lanes->column;
    LLVMValueRef before = rt_emit_load(e, RT_F32, own->maxima, column, unit->lanes, NULL);
    LLVMValueRef sum = rt_emit_load(e, RT_F32, own->sums, column, unit->lanes, NULL);
    LLVMValueRef most = attention_emit_pass(lanes, maximum_step, before, own);
    LLVMValueRef scale = real(e, most, remaining_scale(unit->facts));
    own->shift = mul(e, finite_maximum(e, most), scale);
    LLVMValueRef factor = rt_emit_exp_falling(e, sub(e, mul(e, before, scale), own->shift));
    sum = attention_emit_pass(lanes, exponential_step, mul(e, sum, factor), own);
    rt_emit_store(e, RT_F32, most, own->maxima, column, NULL);
    rt_emit_store(e, RT_F32, sum, own->sums, column, NULL);
    rt_emit_store(e, RT_F32, factor, own->factors, column, NULL);
}

/* ---- out */

/* out of the block's queries times their factors; lse of each where `has_lse`. */
static void emit_scaling(const attention_block *block, const forward *own, bool has_lse) {
    const attention_unit *unit = block->unit;
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    rt_loop number =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), block->count, rt_emit_i64(e, 1), "query");
    LLVMValueRef query = add(e, block->first, number.index);
    LLVMValueRef factor = rt_emit_load(e, RT_F32, own->factors, number.index, 1, NULL);
    LLVMValueRef out = attention_query(unit, build->results[OUT], query);
    factor = rt_emit_splat(e, factor, unit->lanes);
    for (int64_t column = 0; column < unit->facts->head_size; column += unit->lanes) {
        LLVMValueRef at = rt_emit_i64(e, column), mask = NULL;
        if (column + unit->lanes > unit->facts->head_size && unit->lanes > 1)
            mask = rt_emit_tail_mask(e, at, rt_emit_i64(e, unit->facts->head_size), unit->lanes);
        LLVMValueRef x = rt_emit_load(e, RT_F32, out, at, unit->lanes, mask);
        rt_emit_store(e, RT_F32, mul(e, x, factor), out, at, mask);
    }
    if (has_lse) {
        LLVMValueRef lse = rt_emit_load(e, RT_F32, own->lse, number.index, 1, NULL);
        rt_emit_store(e, RT_F32, lse, build->results[LSE], attention_lse_at(unit, query), NULL);
    }
    rt_emit_loop_end(e, &number);
}

static void emit_keys(attention_block *block, void *state) {
    forward *own = state;
    const attention_unit *unit = block->unit;
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    attention_emit_scores(block, own->keys, own->transposed, own->strips);
    attention_emit_masks(block, own->strips);
    attention_emit_lanes(block, emit_softmax, own);
    LLVMValueRef is_later =
        LLVMBuildICmp(e->builder, LLVMIntSGT, block->key, rt_emit_i64(e, 0), "");
    rt_branch branch = rt_emit_if_begin(e, is_later, "later");
    emit_scaling(block, own, false);
    rt_emit_if_end(e, &branch);
    rt_emit_product(e, &(rt_product){.dtype = RT_F32,
                                     .a = own->strips,
                                     .a_row = rt_emit_i64(e, 1),
                                     .a_inner = rt_emit_i64(e, unit->panel),
                                     .b = attention_rows_from(unit, own->values, block->key),
                                     .b_inner = own->values.stride,
                                     .c = attention_query(unit, build->results[OUT], block->first),
                                     .c_row = rt_emit_i64(e, unit->facts->width),
                                     .rows = block->count,
                                     .columns = rt_emit_i64(e, unit->facts->head_size),
                                     .inner = block->key_count,
                                     .adds = is_later});
}

/* ---- a block of queries */

static void emit_beginning(const attention_lanes *lanes, void *state) {
    const forward *own = state;
    rt_emitter *e = lanes->block->unit->build->e;
    LLVMTypeRef type = rt_emit_vector_type(e, e->f32, lanes->block->unit->lanes);
    rt_emit_store(e, RT_F32, rt_emit_real(e, type, -INFINITY), own->maxima, lanes->column, NULL);
    rt_emit_store(e, RT_F32, rt_emit_real(e, type, 0), own->sums, lanes->column, NULL);
}

/* Where no key was seen, out becomes 0 and lse +inf. */
static void emit_end(const attention_lanes *lanes, void *state) {
    const forward *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef most = rt_emit_load(e, RT_F32, own->maxima, lanes->column, unit->lanes, NULL);
    LLVMValueRef sum = rt_emit_load(e, RT_F32, own->sums, lanes->column, unit->lanes, NULL);
    LLVMValueRef zero = real(e, sum, 0), sees_none = is_equal(e, sum, zero);
    LLVMValueRef factor = divide(e, real(e, sum, 1 / (1 - unit->facts->dropout)), sum);
    LLVMValueRef scale = real(e, most, remaining_scale(unit->facts));
    LLVMValueRef lse = add(e, mul(e, finite_maximum(e, most), scale), rt_emit_log(e, sum));
    lse = where(e, sees_none, real(e, sum, INFINITY), lse);
    rt_emit_store(e, RT_F32, where(e, sees_none, zero, factor), own->factors, lanes->column, NULL);
    rt_emit_store(e, RT_F32, lse, own->lse, lanes->column, NULL);
}

static void emit_queries(attention_block *block, void *state) {
    forward *own = state;
    const attention_unit *unit = block->unit;
    LLVMValueRef from = attention_query(unit, unit->build->operands[QUERY], block->first);
    LLVMValueRef width = rt_emit_i64(unit->build->e, unit->facts->width);
    attention_emit_transpose(block, from, width, own->transposed);
    attention_emit_positions(block, own->positions);
    attention_emit_lanes(block, emit_beginning, own);
    attention_emit_key_blocks(block, emit_keys, own);
    attention_emit_lanes(block, emit_end, own);
    emit_scaling(block, own, true);
}

static void emit_unit(attention_unit *unit, void *state) {
    (void)state;
    const attention_facts *facts = unit->facts;
    rt_emitter *e = unit->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0);
    forward own = {.transposed = attention_take(unit, transpose_numbers(facts)),
                   .strips = attention_take(unit, (int64_t)ATTENTION_KEYS * ATTENTION_QUERIES),
                   .maxima = attention_take(unit, ATTENTION_QUERIES),
                   .sums = attention_take(unit, ATTENTION_QUERIES),
                   .factors = attention_take(unit, ATTENTION_QUERIES),
                   .lse = attention_take(unit, ATTENTION_QUERIES),
                   .positions = attention_take(unit, ATTENTION_QUERIES)};
    LLVMValueRef *operands = unit->build->operands, length = unit->keys.length;
    LLVMValueRef copies = attention_take(unit, 0), size = rt_emit_i64(e, facts->padded_head_size);
    own.keys = attention_emit_copy(unit, attention_key(unit, operands[KEY], zero), length, copies);
    own.values = attention_emit_copy(unit, attention_key(unit, operands[VALUE], zero), length,
                                     emit_at(e, copies, length, size, 4));
    attention_emit_query_blocks(unit, emit_queries, &own);
}

void emit_attention(rt_kernel_build *build) {
    attention_facts facts = attention_describe(build->graph, build->node);
    attention_emit_units(build, &facts, emit_unit, NULL);
}
