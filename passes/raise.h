// SPDX-License-Identifier: Apache-2.0
/* Between the files of the pass `raise`. Each rule looks at a node about to be built in the new
 * graph, operands already mapped, and either builds the single operator that stands for the pattern
 * ending there, or returns RT_NO_VALUE. */
#ifndef RETORT_PASSES_RAISE_H
#define RETORT_PASSES_RAISE_H

#include "ir/rewrite.h"

typedef struct rt_raise_root {
    rt_builder *b; /* into the new graph */
    rt_op op;      /* of the node */
    const rt_value *operands;
    size_t operand_count;
    const rt_node_info *node; /* in the old graph, for attributes */
} rt_raise_root;

rt_value rt_raise_layer_norm(const rt_raise_root *root);
rt_value rt_raise_gelu(const rt_raise_root *root);
rt_value rt_raise_attention(const rt_raise_root *root);

/* All of them, as a rule for rt_graph_rewrite; `user` is ignored. */
bool rt_raise_node(rt_rewriter *rewriter, rt_node node);

#endif
