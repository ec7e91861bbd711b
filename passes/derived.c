// SPDX-License-Identifier: Apache-2.0
#include "passes/derived.h"

#include <string.h>

bool rt_graph_assigns(const rt_graph *graph, rt_parameter parameter) {
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i)
        if (rt_graph_output(graph, i)->parameter.index == parameter.index) return true;
    return false;
}

bool rt_module_assigns(const rt_module *module, rt_parameter parameter) {
    for (size_t i = 0; i < rt_module_graph_count(module); ++i)
        if (rt_graph_assigns(rt_module_graph(module, i), parameter)) return true;
    return false;
}

static bool is_weight_of(const rt_graph *graph, const rt_node_info *info) {
    rt_parameter parameter =
        info->attrs[RT_ATTR_parameter_parameter - rt_op_first_attr(RT_OP_parameter)].parameter;
    const rt_parameter_info *facts = rt_module_parameter(rt_graph_module(graph), parameter);
    return facts->kind == RT_PARAMETER_WEIGHT && !rt_graph_assigns(graph, parameter);
}

static bool is_draw(rt_op op) {
    for (int i = 0; i < rt_op_attr_count(op); ++i)
        if (strcmp(rt_attr_name(rt_op_first_attr(op) + (rt_attr_id)i), "site") == 0) return true;
    return false;
}

/* Sizes among the attributes may be those of a batch though the result's are not. */
static bool has_symbols(const rt_graph *graph, const rt_node_info *info) {
    const rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    for (int i = 0; i < rt_op_attr_count(info->op); ++i)
        if (rt_attr_kind_of(rt_op_first_attr(info->op) + (rt_attr_id)i) == RT_ATTR_DIM &&
            !rt_dim_is_constant(dims, info->attrs[i].dim, NULL))
            return true;
    return false;
}

static bool is_derived(const rt_graph *graph, const rt_node_info *info, const bool *marks) {
    const rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    if (info->op == RT_OP_parameter) return is_weight_of(graph, info);
    if (info->op == RT_OP_input || is_draw(info->op) || has_symbols(graph, info) ||
        rt_op_result_count(info->op) != 1 ||
        !rt_type_is_static(dims, rt_graph_type(graph, info->first_result), NULL, NULL))
        return false;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        if (rt_value_is(info->operands[i]) && !marks[info->operands[i].index]) return false;
    return true;
}

bool *rt_derived_values(const rt_graph *graph, rt_arena *arena) {
    rt_node *nodes;
    size_t count;
    bool *marks = RT_NEW_ARRAY(arena, bool, rt_graph_value_count(graph) + 1);
    if (!marks || !rt_graph_order(graph, arena, &nodes, &count)) return NULL;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, nodes[i]);
        marks[info->first_result.index] = is_derived(graph, info, marks);
    }
    return marks;
}

bool rt_derivation_of(const rt_graph *graph, rt_value value, rt_arena *arena,
                      rt_derivation *derivation) {
    *derivation = (rt_derivation){0};
    if (!rt_graph_order_of(graph, &value, 1, arena, &derivation->nodes, &derivation->node_count))
        return false;
    derivation->weights = RT_NEW_ARRAY(arena, rt_parameter, derivation->node_count + 1);
    for (size_t i = 0; derivation->weights && i < derivation->node_count; ++i) {
        rt_node node = derivation->nodes[i];
        if (rt_graph_node(graph, node)->op != RT_OP_parameter) continue;
        rt_parameter weight = rt_graph_attr(graph, node, RT_ATTR_parameter_parameter).parameter;
        derivation->weights[derivation->weight_count++] = weight; /* one node each: merged */
        derivation->is_trained |= rt_module_assigns(rt_graph_module(graph), weight);
    }
    return derivation->weights != NULL;
}
