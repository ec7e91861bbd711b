// SPDX-License-Identifier: Apache-2.0
/* Rewriting by rebuilding: the usual way to write a pass.
 *
 * The live nodes of a graph are visited in order and built again into a fresh graph, so folding and
 * merging happen on the way. A rule may build something else in a node's place: it looks at the old
 * graph, builds into the new one with mapped operands, sets the results, and returns true. */
#ifndef RETORT_IR_REWRITE_H
#define RETORT_IR_REWRITE_H

#include "ir/builder.h"

typedef struct rt_rewriter {
    const rt_graph *old;
    rt_builder b;  /* into the new graph; location is set to the old node's */
    rt_value *map; /* old value -> new value, RT_NO_VALUE where not built yet */
    void *user;
} rt_rewriter;

typedef bool (*rt_rewrite_rule)(rt_rewriter *rewriter, rt_node node);

/* The new value of an old one (RT_NO_VALUE of RT_NO_VALUE). */
rt_value rt_rewriter_mapped(const rt_rewriter *rewriter, rt_value old);
/* New value of operand `index` of old node `node`. */
rt_value rt_rewriter_operand(const rt_rewriter *rewriter, rt_node node, int index);
void rt_rewriter_set(rt_rewriter *rewriter, rt_value old, rt_value fresh);

/* Builds old node `node` again with mapped operands and sets its results, for a rule that adds to
 * them. False where the module failed. */
bool rt_rewriter_copy(rt_rewriter *rewriter, rt_node node);

/* Rebuilds `graph` under `rule` (NULL: copies) and returns the new graph, not yet in the module;
 * all inputs are kept, in order, also unused ones. NULL where the module failed. */
rt_graph *rt_graph_rewrite(rt_graph *graph, rt_rewrite_rule rule, void *user);
/* The same as a graph of another name, beside the first. */
rt_graph *rt_graph_rewrite_as(rt_graph *graph, const char *name, rt_rewrite_rule rule, void *user);

/* Builds the live nodes of `callee` into b's graph: input i of callee stands for arguments[i];
 * fills results[i] with the value of callee's output i (assignments included). Both graphs are of
 * one module. */
bool rt_build_inline(rt_builder *b, const rt_graph *callee, const rt_value *arguments,
                     rt_value *results);

#endif
