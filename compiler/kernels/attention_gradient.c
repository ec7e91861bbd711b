// SPDX-License-Identifier: Apache-2.0
/* With p_ij = exp(scale * q_i k_j - lse_i), f_ij the factor that dropout gave it (0 or
 * 1 / (1 - rate)) and mean_i = d_out_i . out_i:
 *   d_v_j = sum_i f_ij p_ij d_out_i
 *   ds_ij = scale p_ij (f_ij d_out_i . v_j - mean_i)
 *   d_q_i = sum_j ds_ij k_j,   d_k_j = sum_i ds_ij q_i
 * Probabilities are computed again from lse, block by block of queries. */
#include "compiler/kernels/attention.h"
#include "compiler/kernels/product.h"
#include "compiler/kernels/vector_math.h"

enum { D_OUT = 0, QUERY = 1, KEY = 2, VALUE = 3, OUT = 4, LSE = 5 };

/* Strips: bias, transposed keys, transposed values, probabilities and their gradients of a block.
 */
static int64_t value_strip(const attention_facts *f) {
    return 1 + f->padded_head_size;
}
static int64_t p_strip(const attention_facts *f) {
    return value_strip(f) + f->padded_head_size;
}

rt_dim attention_gradient_scratch(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    return attention_scratch_bytes(graph, node, p_strip(&f) + 2 * ATTENTION_BLOCK, 0);
}

/* Five products where the forward has two. */
rt_dim attention_gradient_flops(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    rt_type query = kernel_operand_type(graph, node, f.query);
    rt_dim pairs = rt_dim_multiply(kernel_dims(graph), query.dims[0], f.longest);
    return kernel_scaled(graph, pairs, 10 * f.width);
}

/* Leaves f p in the scores' strip and ds in the other. */
static LLVMValueRef gradient_step(const attention_query *q, LLVMValueRef key, unsigned lanes,
                                  LLVMValueRef sum) {
    rt_emitter *e = q->unit->build->e;
    const attention_facts *facts = q->unit->facts;
    LLVMValueRef score = attention_score(q, key, lanes);
    LLVMValueRef p = rt_emit_exp_falling(e, sub(e, score, rt_emit_splat(e, q->shift, lanes)));
    LLVMValueRef factor = attention_drop(q, key, real(e, p, 1 / (1 - facts->dropout)));
    LLVMValueRef dp = rt_emit_load(e, RT_F32, q->other, key, lanes, NULL);
    LLVMValueRef ds = sub(e, mul(e, factor, dp), rt_emit_splat(e, q->mean, lanes));
    ds = mul(e, mul(e, p, real(e, p, facts->scale)), ds);
    rt_emit_store(e, RT_F32, mul(e, p, factor), q->scores, key, NULL);
    rt_emit_store(e, RT_F32, ds, q->other, key, NULL);
    return sum;
}

/* d_out . out of the head at one query. */
static LLVMValueRef emit_mean(const attention_unit *unit, LLVMValueRef query) {
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    unsigned lanes = rt_emit_target_lanes(e, 4);
    LLVMValueRef d_out = attention_query_at(unit, build->operands[D_OUT], query);
    LLVMValueRef out = attention_query_at(unit, build->operands[OUT], query);
    vector_loop v = emit_vector_loop(e, rt_emit_i64(e, unit->facts->head_size), lanes);
    LLVMTypeRef type = rt_emit_vector_type(e, e->f32, lanes);
    LLVMValueRef sum = rt_emit_loop_carry(e, &v.loop, rt_emit_real(e, type, 0));
    LLVMValueRef x = rt_emit_load(e, RT_F32, d_out, v.loop.index, lanes, v.mask);
    LLVMValueRef y = rt_emit_load(e, RT_F32, out, v.loop.index, lanes, v.mask);
    rt_emit_loop_next(e, &v.loop, sum, mul_add(e, x, y, sum));
    rt_emit_loop_end(e, &v.loop);
    return rt_emit_reduce_lanes(e, rt_emit_loop_result(&v.loop, sum), RT_LANES_SUM);
}

static void emit_queries(const attention_unit *unit, LLVMValueRef first, LLVMValueRef count,
                         LLVMValueRef p, LLVMValueRef ds) {
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    rt_loop number = rt_emit_loop_begin(e, rt_emit_i64(e, 0), count, rt_emit_i64(e, 1), "query");
    LLVMValueRef query = add(e, first, number.index);
    LLVMValueRef lse_at = attention_lse_at(unit, query);
    attention_query q = {.unit = unit,
                         .position = attention_position(unit, query),
                         .scores = emit_at(e, p, number.index, unit->stride, 4),
                         .other = emit_at(e, ds, number.index, unit->stride, 4),
                         .shift = rt_emit_load(e, RT_F32, build->operands[LSE], lse_at, 1, NULL),
                         .mean = emit_mean(unit, query)};
    attention_emit_pass(&q, gradient_step, rt_emit_real(e, e->f32, 0));
    rt_emit_loop_end(e, &number);
}

/* result (of keys) += strips' x (of queries), the sum over the block's queries. */
static void emit_key_gradient(const attention_unit *unit, LLVMValueRef strips, LLVMValueRef x,
                              LLVMValueRef count, int result, LLVMValueRef adds) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef width = rt_emit_i64(e, unit->facts->width);
    LLVMValueRef to = attention_key(unit, unit->build->results[result], rt_emit_i64(e, 0));
    rt_emit_product(e, &(rt_product){.dtype = RT_F32,
                                     .a = strips,
                                     .a_row = rt_emit_i64(e, 1),
                                     .a_inner = unit->stride,
                                     .b = x,
                                     .b_inner = width,
                                     .c = to,
                                     .c_row = width,
                                     .rows = unit->keys.length,
                                     .columns = rt_emit_i64(e, unit->facts->head_size),
                                     .inner = count,
                                     .adds = adds});
}

static void emit_block(const attention_unit *unit, LLVMValueRef first, LLVMValueRef count) {
    rt_kernel_build *build = unit->build;
    const attention_facts *facts = unit->facts;
    rt_emitter *e = build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), width = rt_emit_i64(e, facts->width);
    LLVMValueRef p = attention_strip(unit, p_strip(facts));
    LLVMValueRef ds = attention_strip(unit, p_strip(facts) + ATTENTION_BLOCK);
    attention_emit_scores(unit, build->operands[QUERY], first, count, attention_strip(unit, 1), p);
    attention_emit_scores(unit, build->operands[D_OUT], first, count,
                          attention_strip(unit, value_strip(facts)), ds);
    emit_queries(unit, first, count, p, ds);

    LLVMValueRef adds = LLVMBuildICmp(e->builder, LLVMIntSGT, first, zero, "");
    LLVMValueRef d_out = attention_query_at(unit, build->operands[D_OUT], first);
    LLVMValueRef query = attention_query_at(unit, build->operands[QUERY], first);
    emit_key_gradient(unit, p, d_out, count, 2, adds);
    emit_key_gradient(unit, ds, query, count, 1, adds);
    rt_emit_product(e, &(rt_product){.dtype = RT_F32,
                                     .a = ds,
                                     .a_row = unit->stride,
                                     .a_inner = rt_emit_i64(e, 1),
                                     .b = attention_key(unit, build->operands[KEY], zero),
                                     .b_inner = width,
                                     .c = attention_query_at(unit, build->results[0], first),
                                     .c_row = width,
                                     .rows = count,
                                     .columns = rt_emit_i64(e, facts->head_size),
                                     .inner = unit->keys.length});
}

static void emit_unit(const attention_unit *unit) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef block = rt_emit_i64(e, ATTENTION_BLOCK), length = unit->queries.length;
    LLVMValueRef one = rt_emit_i64(e, 1);
    attention_emit_transpose(unit, KEY, attention_strip(unit, 1));
    attention_emit_transpose(unit, VALUE, attention_strip(unit, value_strip(unit->facts)));
    /* Where there is no query, a block of none leaves zeros in d_k and d_v. */
    rt_loop first =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), emit_greater_of(e, length, one), block, "block");
    emit_block(unit, first.index, emit_less_of(e, sub(e, length, first.index), block));
    rt_emit_loop_end(e, &first);
}

void emit_attention_gradient(rt_kernel_build *build) {
    attention_emit_units(build, emit_unit);
}
