// SPDX-License-Identifier: Apache-2.0
/* One sweep over what y needs, in order: activity moves from operands to floating results. */
#include "passes/activity.h"

static bool has_active_operand(const rt_activity *activity, const rt_node_info *info) {
    for (uint32_t i = 0; i < info->operand_count; ++i)
        if (rt_value_is(info->operands[i]) && activity->is_active[info->operands[i].index])
            return true;
    return false;
}

/* Marks the node's floating results; true where there is one. */
static bool mark_results(const rt_graph *graph, rt_node node, rt_activity *activity) {
    bool is_marked = false;
    for (int i = 0; i < rt_op_result_count(rt_graph_node(graph, node)->op); ++i) {
        rt_value result = rt_graph_result(graph, node, i);
        if (!rt_dtype_is_float(rt_graph_type(graph, result).dtype)) continue;
        activity->is_active[result.index] = is_marked = true;
    }
    return is_marked;
}

rt_status rt_activity_find(const rt_graph *graph, rt_value y, const rt_value *wrt, size_t count,
                           rt_arena *arena, rt_activity *activity) {
    rt_node *needed;
    size_t needed_count;
    *activity = (rt_activity){.is_active = RT_NEW_ARRAY(arena, bool, rt_graph_value_count(graph))};
    if (!activity->is_active) return RT_OUT_OF_MEMORY;
    if (!rt_graph_order_of(graph, &y, 1, arena, &needed, &needed_count))
        return rt_arena_failed(arena) ? RT_OUT_OF_MEMORY : RT_INVALID_ARGUMENT;
    activity->nodes = RT_NEW_ARRAY(arena, rt_node, needed_count);
    if (!activity->nodes) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; ++i)
        if (rt_dtype_is_float(rt_graph_type(graph, wrt[i]).dtype))
            activity->is_active[wrt[i].index] = true;
    for (size_t i = 0; i < needed_count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, needed[i]);
        if (rt_op_vjp_class(info->op) == RT_VJP_ZERO) continue;
        if (has_active_operand(activity, info) && mark_results(graph, needed[i], activity))
            activity->nodes[activity->node_count++] = needed[i];
    }
    return RT_OK;
}
