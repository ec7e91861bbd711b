// SPDX-License-Identifier: Apache-2.0
/* The text form, out. The grammar is in ir/README.md; print, parse, print is the identity. */
#ifndef RETORT_IR_PRINT_H
#define RETORT_IR_PRINT_H

#include "ir/graph.h"

/* A whole module, or one graph; a string in `arena`, NULL where there is no memory. Live nodes
 * only, in topological order, values numbered in that order. */
const char *rt_print_module(const rt_module *module, rt_arena *arena);
const char *rt_print_graph(const rt_graph *graph, rt_arena *arena);

/* The nodes as the text form has them, one per line below the graph's heading: inputs first, then
 * what outputs need. Values are numbered in this order. In `arena`; false as rt_graph_order. */
bool rt_print_order(const rt_graph *graph, rt_arena *arena, rt_node **nodes, size_t *count);

/* One node as it stands in the text form, for messages. */
const char *rt_print_node(const rt_graph *graph, rt_node node, rt_arena *arena);

#endif
