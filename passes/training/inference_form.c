// SPDX-License-Identifier: Apache-2.0
#include "passes/training/inference_form.h"

#include <string.h>

enum { ATTENTION_OPERANDS = 8, ATTENTION_EXAMPLES = 5, ATTENTION_ATTRS = 6 };
_Static_assert(RT_ATTR_attention_longest - RT_ATTR_attention_heads + 1 == ATTENTION_ATTRS,
               "attributes of attention");

/* dropout(x, ..) = x */
static bool drop_dropout(rt_rewriter *rewriter, rt_node node) {
    rt_rewriter_set(rewriter, rt_graph_result(rewriter->old, node, 0),
                    rt_rewriter_operand(rewriter, node, 0));
    return true;
}

static bool drop_attention_dropout(rt_rewriter *rewriter, rt_node node) {
    const rt_node_info *info = rt_graph_node(rewriter->old, node);
    rt_value operands[ATTENTION_OPERANDS], results[2];
    rt_attr attrs[ATTENTION_ATTRS];
    memcpy(attrs, info->attrs, sizeof attrs);
    if (attrs[RT_ATTR_attention_dropout - RT_ATTR_attention_heads].real == 0) return false;
    attrs[RT_ATTR_attention_dropout - RT_ATTR_attention_heads].real = 0;
    attrs[RT_ATTR_attention_site - RT_ATTR_attention_heads].integer = 0;
    for (int i = 0; i < ATTENTION_OPERANDS; ++i)
        operands[i] = rt_rewriter_operand(rewriter, node, i);
    operands[ATTENTION_EXAMPLES] = RT_NO_VALUE;
    if (!rt_build_results(&rewriter->b, RT_OP_attention, operands, ATTENTION_OPERANDS, attrs,
                          results))
        return false;
    for (int i = 0; i < 2; ++i)
        rt_rewriter_set(rewriter, rt_graph_result(rewriter->old, node, i), results[i]);
    return true;
}

bool rt_rewrite_without_dropout(rt_rewriter *rewriter, rt_node node) {
    rt_op op = rt_graph_node(rewriter->old, node)->op;
    if (op == RT_OP_dropout) return drop_dropout(rewriter, node);
    if (op == RT_OP_attention) return drop_attention_dropout(rewriter, node);
    return false;
}
