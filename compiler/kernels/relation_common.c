// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernels/relation.h"

#include <math.h>

#include "compiler/kernels/vector_math.h"

enum { OWN = 0, TARGET = 1 };

static attention_facts describe_side(const rt_graph *graph, rt_node node, uint32_t query,
                                     uint32_t offsets, rt_attr_id scale) {
    const rt_attr *attrs = rt_graph_node(graph, node)->attrs;
    attention_facts f = {
        .heads = attrs[RT_ATTR_relation_loss_heads - RT_ATTR_relation_loss_heads].integer,
        .scale = attrs[scale - RT_ATTR_relation_loss_heads].real,
        .query = query,
        .offsets = offsets,
        .longest = attrs[RT_ATTR_relation_loss_longest - RT_ATTR_relation_loss_heads].dim};
    attention_set_width(&f,
                        kernel_constant(graph, kernel_operand_type(graph, node, query).dims[1]));
    return f;
}

relation_facts relation_describe(const rt_graph *graph, rt_node node) {
    const rt_node_info *info = rt_graph_node(graph, node);
    bool is_gradient = info->op == RT_OP_relation_loss_gradient;
    uint32_t first = is_gradient ? 1 : 0;
    bool is_of_target =
        is_gradient &&
        info->attrs[RT_ATTR_relation_loss_gradient_of_target - RT_ATTR_relation_loss_gradient_heads]
            .integer;
    return (relation_facts){
        .sides = {describe_side(graph, node, first, first + 4, RT_ATTR_relation_loss_scale),
                  describe_side(graph, node, first + 2, first + 4,
                                RT_ATTR_relation_loss_target_scale)},
        .is_divergence =
            info->attrs[RT_ATTR_relation_loss_divergence - RT_ATTR_relation_loss_heads].integer,
        .own = is_of_target ? TARGET : OWN};
}

/* ---- sizes */

rt_dim relation_range(const rt_graph *graph, rt_node node) {
    relation_facts f = relation_describe(graph, node);
    rt_dim_table *dims = kernel_dims(graph);
    rt_dim behind = kernel_operand_type(graph, node, f.sides[OWN].offsets).dims[0]; /* B + 1 */
    rt_dim rows = rt_dim_subtract(dims, behind, rt_dim_constant(dims, 1));
    return kernel_scaled(graph, rows, f.sides[OWN].heads);
}

int64_t relation_numbers(const relation_facts *facts) {
    int64_t transposed = facts->sides[OWN].padded_head_size + facts->sides[TARGET].padded_head_size;
    return (transposed + 2 * ATTENTION_KEYS + 2 * 2 + 2) * ATTENTION_QUERIES;
}

rt_dim relation_scratch_bytes(const rt_graph *graph, const relation_facts *facts, int64_t more) {
    rt_dim_table *dims = kernel_dims(graph);
    rt_dim own =
        attention_scratch_bytes(graph, &facts->sides[OWN], 1, relation_numbers(facts) + more);
    return rt_dim_add(dims, own, attention_scratch_bytes(graph, &facts->sides[TARGET], 1, 0));
}

rt_dim relation_products(const rt_graph *graph, rt_node node, int64_t scores, int64_t products) {
    relation_facts f = relation_describe(graph, node);
    rt_type query = kernel_operand_type(graph, node, f.sides[OWN].query);
    rt_dim pairs = rt_dim_multiply(kernel_dims(graph), query.dims[0], f.sides[OWN].longest);
    int64_t widths = scores * (f.sides[OWN].width + f.sides[TARGET].width);
    return kernel_scaled(graph, pairs, 2 * (widths + products * f.sides[f.own].width));
}

/* ---- the unit */

static relation_side begin_side(attention_unit *unit, const attention_facts *facts) {
    rt_kernel_build *build = unit->build;
    relation_side side = {
        .across = attention_take(unit, facts->padded_head_size * ATTENTION_QUERIES),
        .strips = attention_take(unit, (int64_t)ATTENTION_KEYS * ATTENTION_QUERIES),
        .most = attention_take(unit, ATTENTION_QUERIES),
        .sums = attention_take(unit, ATTENTION_QUERIES),
        .queries = build->operands[facts->query]};
    side.unit = attention_unit_of(unit, facts);
    return side;
}

relation_state relation_begin(attention_unit *unit, const relation_facts *facts) {
    relation_state state = {
        .facts = facts,
        .sides = {begin_side(unit, &facts->sides[OWN]), begin_side(unit, &facts->sides[TARGET])},
        .counts = attention_take(unit, ATTENTION_QUERIES),
        .losses = attention_take(unit, ATTENTION_QUERIES)};
    return state;
}

void relation_copy_keys(attention_unit *unit, relation_state *state) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), copies = attention_take(unit, 0);
    for (int i = 0; i < 2; ++i) {
        relation_side *side = &state->sides[i];
        LLVMValueRef keys = unit->build->operands[side->unit.facts->query + 1];
        side->keys = attention_emit_copy(&side->unit, attention_key(&side->unit, keys, zero),
                                         unit->keys.length, copies);
        copies = emit_at(e, copies, unit->keys.length,
                         rt_emit_i64(e, side->unit.facts->padded_head_size), 4);
    }
}

attention_block relation_block(const attention_block *block, relation_side *side) {
    attention_block own = *block;
    own.unit = &side->unit;
    return own;
}

/* 1 where the lane is one of the block's queries and its mask is not 0. */
static void emit_counts(const attention_lanes *lanes, void *state) {
    const relation_state *own = state;
    const attention_block *block = lanes->block;
    const attention_unit *unit = block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef mask = unit->build->operands[unit->facts->offsets + 2];
    LLVMValueRef is_query = rt_emit_tail_mask(e, lanes->column, block->count, unit->lanes);
    LLVMTypeRef type = rt_emit_vector_type(e, e->f32, unit->lanes);
    LLVMValueRef one = rt_emit_real(e, type, 1), zero = rt_emit_real(e, type, 0);
    if (mask) {
        LLVMValueRef at = add(e, add(e, unit->queries.first, block->first), lanes->column);
        LLVMValueRef value = rt_emit_load(e, RT_I32, mask, at, unit->lanes, is_query);
        LLVMValueRef is_out = is_equal(e, value, rt_emit_int_like(e, value, 0));
        one = where(e, is_out, zero, one);
    }
    rt_emit_store(e, RT_F32, where(e, is_query, one, zero), own->counts, lanes->column, NULL);
}

static void emit_beginning(const attention_lanes *lanes, void *state) {
    const relation_state *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMTypeRef type = rt_emit_vector_type(e, e->f32, unit->lanes);
    LLVMValueRef zero = rt_emit_real(e, type, 0), least = rt_emit_real(e, type, -INFINITY);
    for (int i = 0; i < 2; ++i) {
        rt_emit_store(e, RT_F32, least, own->sides[i].most, lanes->column, NULL);
        rt_emit_store(e, RT_F32, zero, own->sides[i].sums, lanes->column, NULL);
    }
    rt_emit_store(e, RT_F32, zero, own->losses, lanes->column, NULL);
    emit_counts(lanes, state);
}

void relation_begin_queries(attention_block *block, relation_state *state) {
    for (int i = 0; i < 2; ++i) {
        relation_side *side = &state->sides[i];
        attention_block own = relation_block(block, side);
        attention_emit_transpose(&own, attention_query(&side->unit, side->queries, block->first),
                                 rt_emit_i64(block->unit->build->e, side->unit.facts->width),
                                 side->across);
    }
    attention_emit_lanes(block, emit_beginning, state);
}

void relation_emit_scores(const attention_block *block, relation_state *state) {
    for (int i = 0; i < 2; ++i) {
        relation_side *side = &state->sides[i];
        attention_block own = relation_block(block, side);
        attention_emit_scores(&own, side->keys, side->across, side->strips);
        attention_emit_masks(&own, side->strips);
    }
}

/* ---- losses */

static LLVMValueRef load_score(const attention_lanes *lanes, const relation_side *side,
                               LLVMValueRef row, unsigned number) {
    const attention_unit *unit = lanes->block->unit;
    LLVMValueRef at = attention_strip_at(lanes, row, number);
    return rt_emit_load(unit->build->e, RT_F32, side->strips, at, unit->lanes, NULL);
}

static LLVMValueRef is_hidden(rt_emitter *e, LLVMValueRef score) {
    return is_equal(e, score, real(e, score, -INFINITY));
}

LLVMValueRef relation_difference(const attention_lanes *lanes, const relation_state *state,
                                 LLVMValueRef row, unsigned number) {
    rt_emitter *e = lanes->block->unit->build->e;
    const relation_side *own = &state->sides[OWN], *target = &state->sides[TARGET];
    LLVMValueRef s = load_score(lanes, own, row, number);
    LLVMValueRef t = load_score(lanes, target, row, number), zero = real(e, s, 0);
    LLVMValueRef wanted = mul(e, t, real(e, t, target->unit.facts->scale));
    LLVMValueRef difference = sub(e, mul(e, s, real(e, s, own->unit.facts->scale)), wanted);
    return where(e, is_hidden(e, s), zero, difference);
}

static LLVMValueRef square_step(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef sum,
                                void *state) {
    rt_emitter *e = lanes->block->unit->build->e;
    for (unsigned i = 0; i < KEY_STEP; ++i) {
        LLVMValueRef difference = relation_difference(lanes, state, row, i);
        sum = mul_add(e, difference, difference, sum);
    }
    return sum;
}

/* Scores become final, and the largest is found. */
static LLVMValueRef maximum_step(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef most,
                                 void *state) {
    const relation_side *side = state;
    rt_emitter *e = lanes->block->unit->build->e;
    for (unsigned i = 0; i < KEY_STEP; ++i) {
        LLVMValueRef score = load_score(lanes, side, row, i);
        LLVMValueRef scaled = mul(e, score, real(e, score, side->unit.facts->scale));
        score = where(e, is_hidden(e, score), score, scaled);
        rt_emit_store(e, RT_F32, score, side->strips, attention_strip_at(lanes, row, i), NULL);
        most = where(e, is_less(e, most, score), score, most);
    }
    return most;
}

static LLVMValueRef sum_step(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef sum,
                             void *state) {
    const relation_side *side = state;
    rt_emitter *e = lanes->block->unit->build->e;
    for (unsigned i = 0; i < KEY_STEP; ++i) {
        LLVMValueRef score = load_score(lanes, side, row, i);
        sum = add(e, sum, rt_emit_exp_falling(e, sub(e, score, side->shift)));
    }
    return sum;
}

/* e^(t - shift) (t - s) */
static LLVMValueRef excess_step(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef sum,
                                void *state) {
    const relation_state *own = state;
    const relation_side *target = &own->sides[TARGET];
    rt_emitter *e = lanes->block->unit->build->e;
    for (unsigned i = 0; i < KEY_STEP; ++i) {
        LLVMValueRef s = load_score(lanes, &own->sides[OWN], row, i);
        LLVMValueRef t = load_score(lanes, target, row, i);
        LLVMValueRef weight = rt_emit_exp_falling(e, sub(e, t, target->shift));
        LLVMValueRef excess = where(e, is_hidden(e, t), real(e, t, 0), sub(e, t, s));
        sum = mul_add(e, weight, excess, sum);
    }
    return sum;
}

/* Largest score and sum of the side go on over a block; returns what sums so far shrink by. */
static LLVMValueRef emit_side_sums(const attention_lanes *lanes, relation_side *side) {
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef before = rt_emit_load(e, RT_F32, side->most, lanes->column, unit->lanes, NULL);
    LLVMValueRef sum = rt_emit_load(e, RT_F32, side->sums, lanes->column, unit->lanes, NULL);
    LLVMValueRef most = attention_emit_pass(lanes, maximum_step, before, side);
    side->shift = where(e, is_hidden(e, most), real(e, most, 0), most);
    LLVMValueRef factor = rt_emit_exp_falling(e, sub(e, before, side->shift));
    sum = attention_emit_pass(lanes, sum_step, mul(e, sum, factor), side);
    rt_emit_store(e, RT_F32, most, side->most, lanes->column, NULL);
    rt_emit_store(e, RT_F32, sum, side->sums, lanes->column, NULL);
    return factor;
}

static void emit_block_losses(const attention_lanes *lanes, void *state) {
    relation_state *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef loss = rt_emit_load(e, RT_F32, own->losses, lanes->column, unit->lanes, NULL);
    if (own->facts->is_divergence) {
        emit_side_sums(lanes, &own->sides[OWN]);
        LLVMValueRef factor = emit_side_sums(lanes, &own->sides[TARGET]);
        loss = attention_emit_pass(lanes, excess_step, mul(e, loss, factor), own);
    } else {
        loss = attention_emit_pass(lanes, square_step, loss, own);
    }
    rt_emit_store(e, RT_F32, loss, own->losses, lanes->column, NULL);
}

static void emit_key_block(attention_block *block, void *state) {
    relation_emit_scores(block, state);
    attention_emit_lanes(block, emit_block_losses, state);
}

/* Sums become log-sum-exps, and with them the divergence is whole: of a query without a key 0. */
static void emit_end(const attention_lanes *lanes, void *state) {
    const relation_state *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef loss = rt_emit_load(e, RT_F32, own->losses, lanes->column, unit->lanes, NULL);
    LLVMValueRef lse[2], sum = NULL;
    for (int i = 0; i < 2; ++i) {
        const relation_side *side = &own->sides[i];
        LLVMValueRef most = rt_emit_load(e, RT_F32, side->most, lanes->column, unit->lanes, NULL);
        sum = rt_emit_load(e, RT_F32, side->sums, lanes->column, unit->lanes, NULL);
        lse[i] = add(e, most, rt_emit_log(e, sum));
        rt_emit_store(e, RT_F32, lse[i], side->most, lanes->column, NULL);
    }
    LLVMValueRef whole = add(e, divide(e, loss, sum), sub(e, lse[OWN], lse[TARGET]));
    LLVMValueRef zero = real(e, loss, 0);
    rt_emit_store(e, RT_F32, where(e, is_equal(e, sum, zero), zero, whole), own->losses,
                  lanes->column, NULL);
}

void relation_emit_losses(attention_block *block, relation_state *state) {
    attention_emit_key_blocks(block, emit_key_block, state);
    if (state->facts->is_divergence) attention_emit_lanes(block, emit_end, state);
}
