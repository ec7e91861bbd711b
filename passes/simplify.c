// SPDX-License-Identifier: Apache-2.0
/* simplify: every live node is built again, so that the rules applied at a node's birth (fold,
 * normalise, merge; ir/rules_*.c) also see what later changes made possible. Inputs stay, dead
 * nodes go. One application may make another possible: repeated until nothing shrinks. */
#include "passes/pass.h"

enum { MAX_ROUNDS = 8 };

/* Live nodes of all graphs; false where memory ran out. */
static bool count_live(rt_pass_context *context, const rt_module *module, size_t *sum) {
    *sum = 0;
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        rt_node *nodes;
        size_t count;
        if (!rt_graph_order(rt_module_graph(module, i), context->scratch, &nodes, &count)) {
            return false;
        }
        *sum += count;
    }
    return true;
}

rt_status rt_pass_simplify(rt_pass_context *context, rt_module *module) {
    size_t before, after;
    if (!count_live(context, module, &before)) return RT_OUT_OF_MEMORY;
    for (int round = 0; round < MAX_ROUNDS; ++round) {
        RT_TRY(rt_pass_rewrite(context, module, NULL, NULL));
        if (!count_live(context, module, &after)) return RT_OUT_OF_MEMORY;
        rt_pass_count(context, "nodes saved", (int64_t)before - (int64_t)after);
        if (after >= before) break;
        before = after;
    }
    return RT_OK;
}
