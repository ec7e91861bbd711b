// SPDX-License-Identifier: Apache-2.0
/* prune: what nobody needs goes. Assignments to gradients of weights that do not train are dropped,
 * with them the nodes that only they needed; then parameters that no graph reads or assigns. A
 * weight also stays where a gradient or state that stays belongs to it. */
#include <string.h>

#include "passes/pass.h"

static bool is_wanted(const rt_module *module, const rt_output *output) {
    if (!rt_parameter_is(output->parameter)) return true;
    const rt_parameter_info *info = rt_module_parameter(module, output->parameter);
    return info->kind != RT_PARAMETER_GRADIENT ||
           rt_module_parameter(module, info->of)->is_trainable;
}

static rt_status drop_assigns(rt_pass_context *context, rt_graph *graph) {
    const rt_module *module = rt_graph_module(graph);
    size_t count = rt_graph_output_count(graph);
    rt_output *outputs = RT_NEW_ARRAY(context->scratch, rt_output, count);
    if (!outputs) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; ++i) outputs[i] = *rt_graph_output(graph, i);
    rt_graph_clear_outputs(graph);
    for (size_t i = 0; i < count; ++i) {
        if (!is_wanted(module, &outputs[i])) {
            rt_pass_count(context, "gradients dropped", 1);
        } else if (rt_parameter_is(outputs[i].parameter)) {
            rt_graph_add_assign(graph, outputs[i].parameter, outputs[i].value);
        } else {
            rt_graph_add_output(graph, outputs[i].name, outputs[i].value);
        }
    }
    return RT_OK;
}

static rt_status mark_used(rt_pass_context *context, const rt_graph *graph, bool *is_used) {
    rt_node *nodes;
    size_t count;
    if (!rt_graph_order(graph, context->scratch, &nodes, &count)) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *node = rt_graph_node(graph, nodes[i]);
        for (int a = 0; a < rt_op_attr_count(node->op); ++a) {
            rt_attr_id id = (rt_attr_id)(rt_op_first_attr(node->op) + a);
            if (rt_attr_kind_of(id) != RT_ATTR_PARAMETER) continue;
            is_used[node->attrs[a].parameter.index] = true;
        }
    }
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        rt_parameter parameter = rt_graph_output(graph, i)->parameter;
        if (rt_parameter_is(parameter)) is_used[parameter.index] = true;
    }
    return RT_OK;
}

rt_status rt_pass_prune(rt_pass_context *context, rt_module *module) {
    size_t parameters = rt_module_parameter_count(module);
    bool *is_used = RT_NEW_ARRAY(context->scratch, bool, parameters);
    if (!is_used) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        RT_TRY(drop_assigns(context, rt_module_graph(module, i)));
        RT_TRY(mark_used(context, rt_module_graph(module, i), is_used));
    }
    for (uint32_t i = 0; i < parameters; ++i) {
        rt_parameter of = rt_module_parameter(module, (rt_parameter){i})->of;
        if (is_used[i] && rt_parameter_is(of)) is_used[of.index] = true;
    }
    rt_module_keep_parameters(module, is_used);
    rt_pass_count(context, "parameters dropped",
                  (int64_t)parameters - (int64_t)rt_module_parameter_count(module));
    return rt_pass_rewrite(context, module, NULL, NULL);
}
