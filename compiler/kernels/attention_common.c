// SPDX-License-Identifier: Apache-2.0
#include <math.h>

#include "compiler/kernels/attention.h"
#include "compiler/kernels/product.h"
#include "runtime/base/check.h"

_Static_assert(RT_ATTR_attention_causal - RT_ATTR_attention_heads ==
                       RT_ATTR_attention_gradient_causal - RT_ATTR_attention_gradient_heads &&
                   RT_ATTR_attention_longest - RT_ATTR_attention_heads ==
                       RT_ATTR_attention_gradient_longest - RT_ATTR_attention_gradient_heads,
               "forward and gradient have the same attributes");

attention_facts attention_describe(const rt_graph *graph, rt_node node) {
    const rt_node_info *info = rt_graph_node(graph, node);
    bool is_gradient = info->op == RT_OP_attention_gradient;
    const rt_attr *attrs = info->attrs;
    attention_facts f = {.heads = attrs[RT_ATTR_attention_heads - RT_ATTR_attention_heads].integer,
                         .scale = attrs[RT_ATTR_attention_scale - RT_ATTR_attention_heads].real,
                         .is_causal =
                             attrs[RT_ATTR_attention_causal - RT_ATTR_attention_heads].integer,
                         .dropout = attrs[RT_ATTR_attention_dropout - RT_ATTR_attention_heads].real,
                         .longest = attrs[RT_ATTR_attention_longest - RT_ATTR_attention_heads].dim,
                         .query = is_gradient ? 1 : 0,
                         .offsets = is_gradient ? 6 : 3};
    f.width = kernel_constant(graph, kernel_operand_type(graph, node, f.query).dims[1]);
    f.head_size = f.width / f.heads;
    f.padded_head_size = (f.head_size + RT_TRANSPOSE_PAD - 1) / RT_TRANSPOSE_PAD * RT_TRANSPOSE_PAD;
    return f;
}

/* ---- range and scratch */

rt_dim attention_range(const rt_graph *graph, rt_node node) {
    attention_facts f = attention_describe(graph, node);
    rt_dim_table *dims = kernel_dims(graph);
    rt_dim behind = kernel_operand_type(graph, node, f.offsets).dims[0]; /* B + 1 */
    rt_dim rows = rt_dim_subtract(dims, behind, rt_dim_constant(dims, 1));
    return kernel_scaled(graph, rows, f.heads);
}

/* A strip is padded to whole vectors and by one vector more: strips that are a power of two apart
 * would share few cache sets. */
enum { STRIP_PAD = RT_TRANSPOSE_PAD };

rt_dim attention_scratch_bytes(const rt_graph *graph, rt_node node, int64_t strips,
                               int64_t singles) {
    rt_dim_table *dims = kernel_dims(graph);
    rt_dim longest = attention_describe(graph, node).longest;
    rt_dim most = rt_dim_add(dims, longest, rt_dim_constant(dims, RT_TRANSPOSE_PAD + STRIP_PAD));
    rt_dim numbers =
        rt_dim_add(dims, kernel_scaled(graph, most, strips), rt_dim_constant(dims, singles));
    return kernel_scaled(graph, numbers, 4);
}

LLVMValueRef attention_strip(const attention_unit *unit, int64_t number) {
    rt_emitter *e = unit->build->e;
    return emit_at(e, unit->build->scratch, rt_emit_i64(e, number), unit->stride, 4);
}

/* ---- units */

static void emit_bias(const attention_unit *unit) {
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    unsigned lanes = rt_emit_target_lanes(e, 4);
    LLVMValueRef key_mask = build->operands[unit->facts->offsets + 1];
    rt_loop key =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), unit->padded, rt_emit_i64(e, lanes), "bias");
    LLVMValueRef counts = rt_emit_tail_mask(e, key.index, unit->keys.length, lanes);
    if (key_mask) {
        LLVMValueRef at = add(e, unit->keys.first, key.index);
        LLVMValueRef mask = rt_emit_load(e, RT_I32, key_mask, at, lanes, counts);
        counts = LLVMBuildICmp(e->builder, LLVMIntNE, mask, rt_emit_int_like(e, mask, 0), "");
    }
    LLVMTypeRef type = rt_emit_vector_type(e, e->f32, lanes);
    LLVMValueRef bias =
        where(e, counts, rt_emit_real(e, type, 0), rt_emit_real(e, type, -INFINITY));
    rt_emit_store(e, RT_F32, bias, unit->bias, key.index, NULL);
    rt_emit_loop_end(e, &key);
}

static rt_draw emit_draw(const attention_unit *unit, LLVMValueRef row) {
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    rt_draw draw = {0};
    if (unit->facts->dropout <= 0) return draw;
    LLVMValueRef site = mul(e, build->site, rt_emit_i64(e, 4096));
    LLVMValueRef ids = build->operands[unit->facts->offsets + 2];
    draw.example = LLVMBuildTrunc(e->builder, row, e->i32, "");
    if (ids) draw.example = rt_emit_load(e, RT_I32, ids, row, 1, NULL);
    draw.site = LLVMBuildTrunc(e->builder, add(e, site, unit->head), e->i32, "");
    draw.seed = rt_emit_context_seed(e, build->context);
    draw.step = rt_emit_context_step(e, build->context);
    return draw;
}

static LLVMValueRef emit_origin(const attention_unit *unit, packed_row row) {
    rt_emitter *e = unit->build->e;
    return add(e, mul(e, row.first, rt_emit_i64(e, unit->facts->width)),
               mul(e, unit->head, rt_emit_i64(e, unit->facts->head_size)));
}

void attention_emit_units(rt_kernel_build *build, attention_body body) {
    rt_emitter *e = build->e;
    attention_facts facts = attention_describe(build->graph, build->node);
    rt_dim behind = kernel_operand_type(build->graph, build->node, facts.offsets).dims[0];
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef rows = sub(e, build->size(build, behind), one);
    rt_loop loop = rt_emit_loop_begin(e, build->begin, build->end, one, "unit");
    LLVMValueRef row = LLVMBuildURem(e->builder, loop.index, rows, "");
    attention_unit unit = {.build = build,
                           .facts = &facts,
                           .head = LLVMBuildUDiv(e->builder, loop.index, rows, ""),
                           .keys = emit_packed_row(e, build->operands[facts.offsets], row)};
    LLVMValueRef query_offsets = build->operands[facts.offsets + 3];
    unit.queries = query_offsets ? emit_packed_row(e, query_offsets, row) : unit.keys;
    LLVMValueRef most = emit_greater_of(e, unit.keys.length, unit.queries.length);
    rt_branch branch =
        rt_emit_if_begin(e, LLVMBuildICmp(e->builder, LLVMIntSGT, most, zero, ""), "tokens");
    unit.positions = build->operands[facts.offsets + 4];
    unit.key_origin = emit_origin(&unit, unit.keys);
    unit.query_origin = emit_origin(&unit, unit.queries);
    unit.padded = emit_round_up(e, unit.keys.length, rt_emit_target_lanes(e, 4));
    unit.stride = add(e, unit.padded, rt_emit_i64(e, STRIP_PAD));
    unit.bias = build->scratch;
    unit.draw = emit_draw(&unit, row);
    emit_bias(&unit);
    body(&unit);
    rt_emit_if_end(e, &branch);
    rt_emit_loop_end(e, &loop);
}

/* ---- products */

static LLVMValueRef emit_head(const attention_unit *unit, LLVMValueRef array, LLVMValueRef origin,
                              LLVMValueRef number) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef at = mul(e, number, rt_emit_i64(e, unit->facts->width));
    return rt_emit_address(e, array, add(e, origin, at), 4);
}

LLVMValueRef attention_key(const attention_unit *unit, LLVMValueRef array, LLVMValueRef number) {
    return emit_head(unit, array, unit->key_origin, number);
}

LLVMValueRef attention_query_at(const attention_unit *unit, LLVMValueRef array,
                                LLVMValueRef number) {
    return emit_head(unit, array, unit->query_origin, number);
}

LLVMValueRef attention_lse_at(const attention_unit *unit, LLVMValueRef number) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef query = add(e, unit->queries.first, number);
    return add(e, mul(e, query, rt_emit_i64(e, unit->facts->heads)), unit->head);
}

void attention_emit_transpose(const attention_unit *unit, uint32_t operand, LLVMValueRef to) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef from = attention_key(unit, unit->build->operands[operand], rt_emit_i64(e, 0));
    rt_emit_transpose(e, &(rt_transpose_job){.from = from,
                                             .from_row = rt_emit_i64(e, unit->facts->width),
                                             .rows = unit->keys.length,
                                             .columns = rt_emit_i64(e, unit->facts->head_size),
                                             .to = to,
                                             .to_row = unit->stride});
}

void attention_emit_scores(const attention_unit *unit, LLVMValueRef x, LLVMValueRef first,
                           LLVMValueRef count, LLVMValueRef transposed, LLVMValueRef strips) {
    rt_emitter *e = unit->build->e;
    rt_emit_product(e, &(rt_product){.dtype = RT_F32,
                                     .a = attention_query_at(unit, x, first),
                                     .a_row = rt_emit_i64(e, unit->facts->width),
                                     .a_inner = rt_emit_i64(e, 1),
                                     .b = transposed,
                                     .b_inner = unit->stride,
                                     .c = strips,
                                     .c_row = unit->stride,
                                     .rows = count,
                                     .columns = unit->padded,
                                     .inner = rt_emit_i64(e, unit->facts->head_size)});
}

/* ---- one query */

LLVMValueRef attention_position(const attention_unit *unit, LLVMValueRef number) {
    rt_emitter *e = unit->build->e;
    if (!unit->positions) return number;
    return emit_load_index(e, RT_I32, unit->positions, add(e, unit->queries.first, number));
}

LLVMValueRef attention_emit_pass(const attention_query *q, attention_step step, LLVMValueRef sum) {
    rt_emitter *e = q->unit->build->e;
    unsigned lanes = rt_emit_target_lanes(e, 4);
    LLVMValueRef begin = rt_emit_i64(e, 0);
    for (unsigned width = q->unit->facts->dropout > 0 ? 2 * lanes : lanes; width >= lanes;
         width /= 2) {
        LLVMValueRef size = rt_emit_i64(e, width);
        LLVMValueRef end =
            LLVMBuildAnd(e->builder, q->unit->padded, rt_emit_i64(e, -(int64_t)width), "");
        rt_loop key = rt_emit_loop_begin(e, begin, end, size, "key");
        LLVMValueRef carried = rt_emit_loop_carry(e, &key, sum);
        rt_emit_loop_next(e, &key, carried, step(q, key.index, width, carried));
        rt_emit_loop_end(e, &key);
        sum = rt_emit_loop_result(&key, carried);
        begin = end;
    }
    return sum;
}

LLVMValueRef attention_score(const attention_query *q, LLVMValueRef key, unsigned lanes) {
    const attention_facts *facts = q->unit->facts;
    rt_emitter *e = q->unit->build->e;
    LLVMValueRef score = rt_emit_load(e, RT_F32, q->scores, key, lanes, NULL);
    LLVMValueRef bias = rt_emit_load(e, RT_F32, q->unit->bias, key, lanes, NULL);
    score = mul_add(e, score, real(e, score, facts->scale), bias);
    if (!facts->is_causal) return score;
    LLVMValueRef behind = add(e, q->position, rt_emit_i64(e, 1));
    LLVMValueRef is_seen = rt_emit_tail_mask(e, key, behind, lanes);
    return where(e, is_seen, score, real(e, score, -INFINITY));
}

LLVMValueRef attention_drop(const attention_query *q, LLVMValueRef key, LLVMValueRef x) {
    rt_emitter *e = q->unit->build->e;
    double rate = q->unit->facts->dropout;
    if (rate <= 0) return x;
    rt_draw draw = q->unit->draw;
    draw.position = LLVMBuildTrunc(e->builder, q->position, e->i32, "");
    return where(e, rt_emit_kept(e, &draw, key, rt_emit_lanes(x), rate), x, real(e, x, 0));
}

LLVMValueRef attention_combine(rt_emitter *e, LLVMValueRef sum, LLVMValueRef x,
                               rt_lane_reduction reduction) {
    unsigned lanes = rt_emit_lanes(sum);
    if (rt_emit_lanes(x) == lanes) return rt_emit_combine(e, sum, x, reduction);
    RT_ASSERT(rt_emit_lanes(x) == 2 * lanes && lanes <= 64);
    for (unsigned half = 0; half < 2; ++half) {
        LLVMValueRef numbers[64];
        for (unsigned i = 0; i < lanes; ++i) numbers[i] = rt_emit_int(e, e->i32, half * lanes + i);
        LLVMValueRef part = LLVMBuildShuffleVector(e->builder, x, LLVMGetPoison(LLVMTypeOf(x)),
                                                   LLVMConstVector(numbers, lanes), "");
        sum = rt_emit_combine(e, sum, part, reduction);
    }
    return sum;
}
