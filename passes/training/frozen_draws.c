// SPDX-License-Identifier: Apache-2.0
#include "passes/training/frozen_draws.h"

#include "passes/training/inference_form.h"

static bool is_trained_parameter(const rt_graph *graph, rt_node node, const bool *trains) {
    if (rt_graph_node(graph, node)->op != RT_OP_parameter) return false;
    return trains[rt_graph_attr(graph, node, RT_ATTR_parameter_parameter).parameter.index];
}

/* By value: whether a trained parameter is above it. NULL where memory ran out. */
static bool *find_reached(const rt_graph *graph, const bool *trains, rt_arena *arena) {
    rt_node *nodes;
    size_t count;
    bool *is_reached = RT_NEW_ARRAY(arena, bool, rt_graph_value_count(graph) + 1);
    if (!is_reached || !rt_graph_order(graph, arena, &nodes, &count)) return NULL;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, nodes[i]);
        bool reaches = is_trained_parameter(graph, nodes[i], trains);
        for (uint32_t j = 0; j < info->operand_count; ++j) {
            rt_value operand = info->operands[j];
            reaches = reaches || (rt_value_is(operand) && is_reached[operand.index]);
        }
        for (int r = 0; r < rt_op_result_count(info->op); ++r)
            is_reached[rt_graph_result(graph, nodes[i], r).index] = reaches;
    }
    return is_reached;
}

typedef struct frozen_part {
    const bool *is_reached; /* by value */
    int64_t first_kept_site;
} frozen_part;

static bool drop_frozen(rt_rewriter *rewriter, rt_node node) {
    const frozen_part *part = rewriter->user;
    const rt_node_info *info = rt_graph_node(rewriter->old, node);
    bool is_kept =
        info->op == RT_OP_dropout &&
        rt_graph_attr(rewriter->old, node, RT_ATTR_dropout_site).integer >= part->first_kept_site;
    if (is_kept || part->is_reached[info->first_result.index]) return false;
    return rt_rewrite_without_dropout(rewriter, node);
}

rt_graph *rt_graph_without_frozen_draws(rt_graph *graph, const char *name, const bool *trains,
                                        int64_t first_kept_site, rt_arena *scratch) {
    frozen_part part = {find_reached(graph, trains, scratch), first_kept_site};
    return part.is_reached ? rt_graph_rewrite_as(graph, name, drop_frozen, &part) : NULL;
}
