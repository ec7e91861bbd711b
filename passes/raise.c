// SPDX-License-Identifier: Apache-2.0
/* The pass `raise`: what exporters write as many small operators becomes LayerNorm, GELU and
 * attention again, so that everything behind it (gradients, packed rows, kernels) sees one
 * operator. Nodes inside a pattern that something else reads stay; the others die with their last
 * use. */
#include "passes/raise.h"

#include "passes/pass.h"

bool rt_raise_node(rt_rewriter *rewriter, rt_node node) {
    static rt_value (*const rules[])(const rt_raise_root *) = {rt_raise_layer_norm, rt_raise_gelu,
                                                               rt_raise_attention};
    const rt_node_info *info = rt_graph_node(rewriter->old, node);
    rt_value operands[3];
    if (info->operand_count < 1 || info->operand_count > 3 || rt_op_result_count(info->op) != 1)
        return false;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        operands[i] = rt_rewriter_operand(rewriter, node, (int)i);
    rt_raise_root root = {&rewriter->b, info->op, operands, info->operand_count, info};
    for (size_t r = 0; r < sizeof rules / sizeof *rules; ++r) {
        rt_value raised = rules[r](&root);
        if (!rt_value_is(raised)) continue;
        rt_rewriter_set(rewriter, rt_graph_result(rewriter->old, node, 0), raised);
        return true;
    }
    return false;
}

rt_status rt_pass_raise(rt_pass_context *context, rt_module *module) {
    return rt_pass_rewrite(context, module, rt_raise_node, NULL);
}
