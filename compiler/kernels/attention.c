// SPDX-License-Identifier: Apache-2.0
/* out_i = sum_j drop(p_ij) v_j with p = softmax(scale * q k'), lse_i = log sum_j exp(scale * q k').
 * The strip keeps exp(s - max), dropped; 1 / sum and 1 / (1 - rate) multiply the finished output.
 */
#include <math.h>

#include "compiler/kernels/attention.h"
#include "compiler/kernels/product.h"
#include "compiler/kernels/vector_math.h"

/* Strips: bias, transposed keys, scores of a block; then one factor per query of the block. */
static int64_t score_strip(const attention_facts *f) {
    return 1 + f->padded_head_size;
}

rt_dim attention_scratch(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    return attention_scratch_bytes(graph, node, score_strip(&f) + ATTENTION_BLOCK, ATTENTION_BLOCK);
}

/* Scores and values: 2 products of T x longest x width at most. */
rt_dim attention_flops(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    rt_type query = kernel_operand_type(graph, node, f.query);
    rt_dim pairs = rt_dim_multiply(kernel_dims(graph), query.dims[0], f.longest);
    return kernel_scaled(graph, pairs, 4 * f.width);
}

static LLVMValueRef maximum_step(const attention_query *q, LLVMValueRef key, unsigned lanes,
                                 LLVMValueRef most) {
    return attention_combine(q->unit->build->e, most, attention_score(q, key, lanes), RT_LANES_MAX);
}

static LLVMValueRef exponential_step(const attention_query *q, LLVMValueRef key, unsigned lanes,
                                     LLVMValueRef sum) {
    rt_emitter *e = q->unit->build->e;
    LLVMValueRef score = attention_score(q, key, lanes);
    LLVMValueRef p = rt_emit_exp_falling(e, sub(e, score, rt_emit_splat(e, q->shift, lanes)));
    rt_emit_store(e, RT_F32, attention_drop(q, key, p), q->scores, key, NULL);
    return attention_combine(e, sum, p, RT_LANES_SUM);
}

/* Turns the scores of one query into exponentials; its factor and lse. A query that sees no key has
 * a maximum of -inf and a sum of 0: its output becomes 0 and its lse +inf. */
static void emit_softmax(attention_query *q, LLVMValueRef factor_at, LLVMValueRef number,
                         LLVMValueRef lse_at) {
    rt_kernel_build *build = q->unit->build;
    const attention_facts *facts = q->unit->facts;
    rt_emitter *e = build->e;
    LLVMTypeRef vector = rt_emit_vector_type(e, e->f32, rt_emit_target_lanes(e, 4));
    LLVMValueRef most = attention_emit_pass(q, maximum_step, rt_emit_real(e, vector, -INFINITY));
    most = rt_emit_reduce_lanes(e, most, RT_LANES_MAX);
    LLVMValueRef zero = real(e, most, 0);
    q->shift = where(e, is_equal(e, most, real(e, most, -INFINITY)), zero, most);
    LLVMValueRef sum = attention_emit_pass(q, exponential_step, rt_emit_real(e, vector, 0));
    sum = rt_emit_reduce_lanes(e, sum, RT_LANES_SUM);
    LLVMValueRef sees_none = is_equal(e, sum, zero);
    LLVMValueRef factor = divide(e, real(e, sum, 1 / (1 - facts->dropout)), sum);
    LLVMValueRef lse = add(e, q->shift, rt_emit_log(e, sum));
    rt_emit_store(e, RT_F32, where(e, sees_none, zero, factor), factor_at, number, NULL);
    rt_emit_store(e, RT_F32, where(e, sees_none, real(e, sum, INFINITY), lse), build->results[1],
                  lse_at, NULL);
}

/* out of query `number` of the block times its factor. */
static void emit_scaling(const attention_unit *unit, LLVMValueRef out, LLVMValueRef factor) {
    rt_emitter *e = unit->build->e;
    unsigned lanes = rt_emit_target_lanes(e, 4);
    LLVMValueRef size = rt_emit_i64(e, unit->facts->head_size);
    vector_loop v = emit_vector_loop(e, size, lanes);
    LLVMValueRef x = rt_emit_load(e, RT_F32, out, v.loop.index, lanes, v.mask);
    x = mul(e, x, rt_emit_splat(e, factor, lanes));
    rt_emit_store(e, RT_F32, x, out, v.loop.index, v.mask);
    rt_emit_loop_end(e, &v.loop);
}

/* Queries [first, first + count) of the row. */
static void emit_block(const attention_unit *unit, LLVMValueRef first, LLVMValueRef count) {
    rt_kernel_build *build = unit->build;
    const attention_facts *facts = unit->facts;
    rt_emitter *e = build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef strips = attention_strip(unit, score_strip(facts));
    LLVMValueRef factors = attention_strip(unit, score_strip(facts) + ATTENTION_BLOCK);
    attention_emit_scores(unit, build->operands[0], first, count, attention_strip(unit, 1), strips);

    rt_loop number = rt_emit_loop_begin(e, zero, count, one, "query");
    LLVMValueRef query = add(e, first, number.index);
    attention_query q = {.unit = unit,
                         .position = attention_position(unit, query),
                         .scores = emit_at(e, strips, number.index, unit->stride, 4)};
    emit_softmax(&q, factors, number.index, attention_lse_at(unit, query));
    rt_emit_loop_end(e, &number);

    rt_emit_product(e, &(rt_product){.dtype = RT_F32,
                                     .a = strips,
                                     .a_row = unit->stride,
                                     .a_inner = one,
                                     .b = attention_key(unit, build->operands[2], zero),
                                     .b_inner = rt_emit_i64(e, facts->width),
                                     .c = attention_query_at(unit, build->results[0], first),
                                     .c_row = rt_emit_i64(e, facts->width),
                                     .rows = count,
                                     .columns = rt_emit_i64(e, facts->head_size),
                                     .inner = unit->keys.length});
    number = rt_emit_loop_begin(e, zero, count, one, "query");
    LLVMValueRef factor = rt_emit_load(e, RT_F32, factors, number.index, 1, NULL);
    emit_scaling(unit, attention_query_at(unit, build->results[0], add(e, first, number.index)),
                 factor);
    rt_emit_loop_end(e, &number);
}

static void emit_unit(const attention_unit *unit) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef block = rt_emit_i64(e, ATTENTION_BLOCK), length = unit->queries.length;
    attention_emit_transpose(unit, 1, attention_strip(unit, 1));
    rt_loop first = rt_emit_loop_begin(e, rt_emit_i64(e, 0), length, block, "block");
    emit_block(unit, first.index, emit_less_of(e, sub(e, length, first.index), block));
    rt_emit_loop_end(e, &first);
}

void emit_attention(rt_kernel_build *build) {
    attention_emit_units(build, emit_unit);
}
