// SPDX-License-Identifier: Apache-2.0
/* With g the gradient of the unit's loss, P and Q the softmax of targets t and own scores s, D
 * their divergence at the query: squares:    ds = 2 g (s - t),  dt = 2 g (t - s) divergence: ds = g
 * (Q - P),    dt = g P (log P - log Q - D) d_q_i = scale sum_j ds_ij k_j,  d_k_j = scale sum_i
 * ds_ij q_i for the queries and keys that count. Scores are computed again, block by block. */
#include "compiler/kernels/relation.h"

#include <math.h>

#include "compiler/kernels/vector_math.h"

enum { D_LOSS = 0, D_QUERY = 0, D_KEY = 1, OWN = 0, TARGET = 1 };

static int64_t copy_numbers(const relation_facts *f) {
    return f->sides[f->own].padded_head_size * ATTENTION_QUERIES;
}

rt_dim relation_loss_gradient_scratch(const rt_graph *graph, rt_node node) {
    relation_facts f = relation_describe(graph, node);
    return relation_scratch_bytes(graph, &f, copy_numbers(&f));
}

rt_dim relation_loss_gradient_flops(const rt_graph *graph, rt_node node) {
    relation_facts f = relation_describe(graph, node);
    return relation_products(graph, node, f.is_divergence ? 2 : 1, 2);
}

typedef struct backward {
    relation_state relation;
    LLVMValueRef queries_copy;
    attention_rows queries;    /* of the block */
    LLVMValueRef d_loss;       /* of the unit, times the side's scale */
    LLVMValueRef factor, loss; /* of the lanes */
    LLVMValueRef log_sums[2];
} backward;

/* log P or log Q: the score less its log-sum-exp. */
static LLVMValueRef log_probability(const attention_lanes *lanes, const backward *own, int side,
                                    LLVMValueRef at) {
    const attention_unit *unit = lanes->block->unit;
    const relation_side *s = &own->relation.sides[side];
    rt_emitter *e = unit->build->e;
    LLVMValueRef score = rt_emit_load(e, RT_F32, s->strips, at, unit->lanes, NULL);
    LLVMValueRef minus = LLVMBuildFNeg(e->builder, own->log_sums[side], "");
    return mul_add(e, score, real(e, score, s->unit.facts->scale), minus);
}

static LLVMValueRef divergence_gradient(const attention_lanes *lanes, const backward *own,
                                        LLVMValueRef at) {
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef mark =
        rt_emit_load(e, RT_F32, own->relation.sides[OWN].strips, at, unit->lanes, NULL);
    LLVMValueRef q = log_probability(lanes, own, OWN, at);
    LLVMValueRef p = log_probability(lanes, own, TARGET, at), gradient;
    LLVMValueRef weight = rt_emit_exp_falling(e, p);
    if (own->relation.facts->own == TARGET)
        gradient = mul(e, weight, sub(e, sub(e, p, q), own->loss));
    else
        gradient = sub(e, rt_emit_exp_falling(e, q), weight);
    LLVMValueRef is_hidden = is_equal(e, mark, real(e, mark, -INFINITY));
    return where(e, is_hidden, real(e, mark, 0), gradient);
}

static LLVMValueRef square_gradient(const attention_lanes *lanes, const backward *own,
                                    LLVMValueRef row, unsigned number) {
    rt_emitter *e = lanes->block->unit->build->e;
    LLVMValueRef difference = relation_difference(lanes, &own->relation, row, number);
    double sign = own->relation.facts->own == TARGET ? -2 : 2;
    return mul(e, difference, real(e, difference, sign));
}

static LLVMValueRef gradient_step(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef sum,
                                  void *state) {
    const backward *own = state;
    const relation_facts *facts = own->relation.facts;
    rt_emitter *e = lanes->block->unit->build->e;
    for (unsigned i = 0; i < KEY_STEP; ++i) {
        LLVMValueRef at = attention_strip_at(lanes, row, i);
        LLVMValueRef gradient = facts->is_divergence ? divergence_gradient(lanes, own, at)
                                                     : square_gradient(lanes, own, row, i);
        rt_emit_store(e, RT_F32, mul(e, gradient, own->factor),
                      own->relation.sides[facts->own].strips, at, NULL);
    }
    return sum;
}

static void emit_gradients(const attention_lanes *lanes, void *state) {
    backward *own = state;
    const relation_state *relation = &own->relation;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef at = lanes->column;
    LLVMValueRef counts = rt_emit_load(e, RT_F32, relation->counts, at, unit->lanes, NULL);
    own->factor = mul(e, counts, rt_emit_splat(e, own->d_loss, unit->lanes));
    if (relation->facts->is_divergence) {
        own->loss = rt_emit_load(e, RT_F32, relation->losses, at, unit->lanes, NULL);
        for (int i = 0; i < 2; ++i)
            own->log_sums[i] =
                rt_emit_load(e, RT_F32, relation->sides[i].most, at, unit->lanes, NULL);
    }
    attention_emit_pass(lanes, gradient_step, rt_emit_i64(e, 0), own);
}

static void emit_keys(attention_block *block, void *state) {
    backward *own = state;
    relation_side *side = &own->relation.sides[own->relation.facts->own];
    LLVMValueRef *results = block->unit->build->results;
    relation_emit_scores(block, &own->relation);
    attention_emit_lanes(block, emit_gradients, own);
    attention_block of_side = relation_block(block, side);
    attention_emit_key_gradient(&of_side, side->strips, own->queries, results[D_KEY]);
    attention_emit_query_gradient(&of_side, side->strips, side->keys, results[D_QUERY]);
}

static void emit_queries(attention_block *block, void *state) {
    backward *own = state;
    relation_side *side = &own->relation.sides[own->relation.facts->own];
    own->queries =
        attention_emit_copy(&side->unit, attention_query(&side->unit, side->queries, block->first),
                            block->count, own->queries_copy);
    relation_begin_queries(block, &own->relation);
    if (own->relation.facts->is_divergence) relation_emit_losses(block, &own->relation);
    attention_emit_key_blocks(block, emit_keys, own);
}

static void emit_unit(attention_unit *unit, void *state) {
    rt_kernel_build *build = unit->build;
    rt_emitter *e = build->e;
    const relation_facts *facts = state;
    backward own = {.relation = relation_begin(unit, facts),
                    .queries_copy = attention_take(unit, copy_numbers(facts))};
    relation_copy_keys(unit, &own.relation);
    LLVMValueRef d_loss =
        rt_emit_load(e, RT_F32, build->operands[D_LOSS], attention_unit_at(unit), 1, NULL);
    own.d_loss = mul(e, d_loss, real(e, d_loss, facts->sides[facts->own].scale));
    attention_emit_query_blocks(unit, emit_queries, &own);
}

void emit_relation_loss_gradient(rt_kernel_build *build) {
    relation_facts facts = relation_describe(build->graph, build->node);
    attention_emit_units(build, &facts.sides[0], emit_unit, &facts);
}
