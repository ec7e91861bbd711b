// SPDX-License-Identifier: Apache-2.0
#include "tools/index_limit.h"

#include "ir/match.h"

static rt_value skip_views(const rt_graph *graph, rt_value value) {
    rt_value inner;
    while (rt_match(graph, value, RT_OP_cast, &inner, 1) ||
           rt_match(graph, value, RT_OP_reshape, &inner, 1))
        value = inner;
    return value;
}

/* Size of the axis that a gather picks from; 0 where that is a symbol. */
static int64_t axis_size(const rt_graph *graph, rt_node node) {
    const rt_node_info *info = rt_graph_node(graph, node);
    rt_type type = rt_graph_type(graph, info->operands[0]);
    int64_t axis = rt_graph_attr(graph, node, RT_ATTR_gather_axis).integer, size = 0;
    if (axis < 0) axis += type.rank;
    bool is_known =
        rt_dim_is_constant(rt_module_dims(rt_graph_module(graph)), type.dims[axis], &size);
    return is_known ? size : 0;
}

int64_t index_limit(const rt_graph *graph, rt_value input) {
    rt_arena arena = {0};
    rt_node *nodes;
    size_t count = 0;
    int64_t limit = 0;
    if (!rt_graph_order(graph, &arena, &nodes, &count)) count = 0;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, nodes[i]);
        if (info->op != RT_OP_gather ||
            !rt_value_equal(skip_views(graph, info->operands[1]), input))
            continue;
        int64_t size = axis_size(graph, nodes[i]);
        if (size && (!limit || size < limit)) limit = size;
    }
    rt_arena_deinit(&arena);
    return limit;
}
