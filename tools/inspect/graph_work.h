// SPDX-License-Identifier: Apache-2.0
/* What running a graph once takes: the operations of its products. */
#ifndef RETORT_TOOLS_INSPECT_GRAPH_WORK_H
#define RETORT_TOOLS_INSPECT_GRAPH_WORK_H

#include "ir/graph.h"

/* Multiplications and additions of matmul, attention and lstm nodes and their gradients as a number
 * of the graph's symbols; everything else is small beside them. */
rt_dim graph_work(rt_graph *graph);
/* The share of one node. */
rt_dim graph_node_work(rt_graph *graph, rt_node node);

/* The same for one row of `tokens` tokens, -1 where it is not known: symbols that are the first of
 * several dimensions of an input count batches and are 1, as is B; the others are `tokens`. */
int64_t graph_work_of_row(rt_graph *graph, int64_t tokens);

#endif
