// SPDX-License-Identifier: Apache-2.0
/* Inputs of a graph that are numbers of rows of a table, as token ids are. */
#ifndef RETORT_TOOLS_INDEX_LIMIT_H
#define RETORT_TOOLS_INDEX_LIMIT_H

#include "ir/graph.h"

/* Size of the smallest axis that `input` picks from by `gather`, directly or through casts and
 * reshapes: what it holds must be below, and not below its negative. 0 where nothing is known. */
int64_t index_limit(const rt_graph *graph, rt_value input);

#endif
