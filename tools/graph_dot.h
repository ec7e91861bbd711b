// SPDX-License-Identifier: Apache-2.0
/* A graph in DOT, the language of Graphviz: `dot -Tsvg`. Reading only; there is no way back. */
#ifndef RETORT_TOOLS_GRAPH_DOT_H
#define RETORT_TOOLS_GRAPH_DOT_H

#include "ir/graph.h"

/* Live nodes with their types; those of one layer or module of the model stand in one box. In
 * `arena`, NULL where there is no memory. */
const char *graph_dot_text(const rt_graph *graph, rt_arena *arena);

#endif
