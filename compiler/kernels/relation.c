// SPDX-License-Identifier: Apache-2.0
/* Losses between scores: of each query over its keys, block by block, then of the unit's queries
 * lane by lane. A divergence is, with the running sums e_t = sum e^t and e_s, sum e^t (t - s) / e_t
 * - log e_t + log e_s. */
#include "compiler/kernels/relation.h"

enum { LOSS = 0 };

rt_dim relation_loss_scratch(const rt_graph *graph, rt_node node) {
    relation_facts f = relation_describe(graph, node);
    return relation_scratch_bytes(graph, &f, ATTENTION_QUERIES);
}

rt_dim relation_loss_flops(const rt_graph *graph, rt_node node) {
    return relation_products(graph, node, 1, 0);
}

typedef struct forward {
    relation_state relation;
    LLVMValueRef totals; /* one per lane, over the unit's blocks of queries */
} forward;

static void emit_zero(const attention_unit *unit, LLVMValueRef numbers) {
    rt_emitter *e = unit->build->e;
    emit_zero_bytes(e, numbers, rt_emit_i64(e, (int64_t)ATTENTION_QUERIES * 4));
}

static void emit_total(const attention_lanes *lanes, void *state) {
    const forward *own = state;
    const attention_unit *unit = lanes->block->unit;
    rt_emitter *e = unit->build->e;
    LLVMValueRef at = lanes->column;
    LLVMValueRef total = rt_emit_load(e, RT_F32, own->totals, at, unit->lanes, NULL);
    LLVMValueRef loss = rt_emit_load(e, RT_F32, own->relation.losses, at, unit->lanes, NULL);
    LLVMValueRef counts = rt_emit_load(e, RT_F32, own->relation.counts, at, unit->lanes, NULL);
    LLVMValueRef zero = real(e, loss, 0);
    loss = where(e, is_equal(e, counts, zero), zero, loss);
    rt_emit_store(e, RT_F32, add(e, total, loss), own->totals, at, NULL);
}

static void emit_queries(attention_block *block, void *state) {
    forward *own = state;
    relation_begin_queries(block, &own->relation);
    relation_emit_losses(block, &own->relation);
    attention_emit_lanes(block, emit_total, own);
}

/* The sum over the lanes. */
static LLVMValueRef emit_sum(const attention_unit *unit, LLVMValueRef totals) {
    rt_emitter *e = unit->build->e;
    LLVMValueRef sum = NULL;
    for (int64_t at = 0; at < unit->panel; at += unit->lanes) {
        LLVMValueRef part = rt_emit_load(e, RT_F32, totals, rt_emit_i64(e, at), unit->lanes, NULL);
        sum = sum ? add(e, sum, part) : part;
    }
    return rt_emit_reduce_lanes(e, sum, RT_LANES_SUM);
}

static void emit_unit(attention_unit *unit, void *state) {
    rt_emitter *e = unit->build->e;
    forward own = {.relation = relation_begin(unit, state),
                   .totals = attention_take(unit, ATTENTION_QUERIES)};
    emit_zero(unit, own.totals);
    rt_branch branch = rt_emit_if_begin(e, attention_has_tokens(unit), "tokens");
    relation_copy_keys(unit, &own.relation);
    attention_emit_query_blocks(unit, emit_queries, &own);
    rt_emit_if_end(e, &branch);
    rt_emit_store(e, RT_F32, emit_sum(unit, own.totals), unit->build->results[LOSS],
                  attention_unit_at(unit), NULL);
}

void emit_relation_loss(rt_kernel_build *build) {
    relation_facts facts = relation_describe(build->graph, build->node);
    attention_emit_all_units(build, &facts.sides[0], emit_unit, &facts);
}
