// SPDX-License-Identifier: Apache-2.0
#include "ir/rewrite.h"

#include "runtime/base/check.h"

rt_value rt_rewriter_mapped(const rt_rewriter *rewriter, rt_value old) {
    return rt_value_is(old) ? rewriter->map[old.index] : RT_NO_VALUE;
}

rt_value rt_rewriter_operand(const rt_rewriter *rewriter, rt_node node, int index) {
    const rt_node_info *info = rt_graph_node(rewriter->old, node);
    return (uint32_t)index < info->operand_count
               ? rt_rewriter_mapped(rewriter, info->operands[index])
               : RT_NO_VALUE;
}

void rt_rewriter_set(rt_rewriter *rewriter, rt_value old, rt_value fresh) {
    rewriter->map[old.index] = fresh;
}

/* Builds `node` again with mapped operands. False where the module failed. */
static bool copy_node(rt_rewriter *rewriter, rt_node node, rt_arena *scratch) {
    const rt_node_info *info = rt_graph_node(rewriter->old, node);
    rt_value results[4], *operands = RT_NEW_ARRAY(scratch, rt_value, info->operand_count + 1);
    if (!operands) return false;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        operands[i] = rt_rewriter_mapped(rewriter, info->operands[i]);
    if (!rt_build_results(&rewriter->b, info->op, operands, info->operand_count, info->attrs,
                          results))
        return false;
    for (int i = 0; i < rt_op_result_count(info->op); ++i)
        rt_rewriter_set(rewriter, rt_graph_result(rewriter->old, node, i), results[i]);
    return true;
}

bool rt_rewriter_copy(rt_rewriter *rewriter, rt_node node) {
    rt_arena scratch = {0};
    bool is_built = copy_node(rewriter, node, &scratch);
    rt_arena_deinit(&scratch);
    return is_built;
}

static rt_value *new_map(const rt_graph *graph, rt_arena *scratch) {
    size_t count = rt_graph_value_count(graph);
    rt_value *map = RT_NEW_ARRAY(scratch, rt_value, count + 1);
    for (size_t i = 0; map && i < count; ++i) map[i] = RT_NO_VALUE;
    return map;
}

static bool is_input(const rt_graph *graph, rt_node node) {
    return rt_graph_node(graph, node)->op == RT_OP_input;
}

static bool rewrite_nodes(rt_rewriter *rewriter, rt_rewrite_rule rule, rt_arena *scratch) {
    rt_node *nodes;
    size_t count;
    if (!rt_graph_order(rewriter->old, scratch, &nodes, &count)) return false;
    for (size_t i = 0; i < count; ++i) {
        if (is_input(rewriter->old, nodes[i])) continue;
        rewriter->b.location = rt_graph_node(rewriter->old, nodes[i])->location;
        if (rule && rule(rewriter, nodes[i])) continue;
        if (!copy_node(rewriter, nodes[i], scratch)) return false;
    }
    return true;
}

static bool rewrite_inputs(rt_rewriter *rewriter, rt_arena *scratch) {
    for (size_t i = 0; i < rt_graph_input_count(rewriter->old); ++i) {
        rt_node node = rt_graph_definition(rewriter->old, rt_graph_input(rewriter->old, i));
        rewriter->b.location = rt_graph_node(rewriter->old, node)->location;
        if (!copy_node(rewriter, node, scratch)) return false;
    }
    return true;
}

rt_graph *rt_graph_rewrite(rt_graph *graph, rt_rewrite_rule rule, void *user) {
    return rt_graph_rewrite_as(graph, rt_graph_name(graph), rule, user);
}

rt_graph *rt_graph_rewrite_as(rt_graph *graph, const char *name, rt_rewrite_rule rule, void *user) {
    rt_arena scratch = {0};
    rt_graph *fresh = rt_graph_create(rt_graph_module(graph), name);
    rt_rewriter rewriter = {.old = graph, .map = new_map(graph, &scratch), .user = user};
    bool is_done = fresh && rewriter.map;
    if (is_done) {
        rewriter.b = rt_builder_begin(fresh);
        is_done = rewrite_inputs(&rewriter, &scratch) && rewrite_nodes(&rewriter, rule, &scratch);
    }
    for (size_t i = 0; is_done && i < rt_graph_output_count(graph); ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        rt_value value = rt_rewriter_mapped(&rewriter, output->value);
        if (rt_parameter_is(output->parameter))
            rt_graph_add_assign(fresh, output->parameter, value);
        else
            rt_graph_add_output(fresh, output->name, value);
        is_done = rt_value_is(value);
    }
    rt_arena_deinit(&scratch);
    return is_done ? fresh : NULL;
}

bool rt_build_inline(rt_builder *b, const rt_graph *callee, const rt_value *arguments,
                     rt_value *results) {
    rt_arena scratch = {0};
    rt_rewriter rewriter = {.old = callee, .b = *b, .map = new_map(callee, &scratch)};
    bool is_done = rewriter.map != NULL;
    for (size_t i = 0; is_done && i < rt_graph_input_count(callee); ++i)
        rt_rewriter_set(&rewriter, rt_graph_input(callee, i), arguments[i]);
    is_done = is_done && rewrite_nodes(&rewriter, NULL, &scratch);
    for (size_t i = 0; is_done && i < rt_graph_output_count(callee); ++i)
        results[i] = rt_rewriter_mapped(&rewriter, rt_graph_output(callee, i)->value);
    rt_arena_deinit(&scratch);
    return is_done;
}
