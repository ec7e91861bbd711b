// SPDX-License-Identifier: Apache-2.0
/* Which values carry a gradient: those that a value of `wrt` reaches through operators that have
 * one, and that `y` needs. What is frozen, below the lowest trained parameter, or beside the way to
 * the loss is not among them, so no gradient is built for it. */
#ifndef RETORT_PASSES_ACTIVITY_H
#define RETORT_PASSES_ACTIVITY_H

#include "ir/graph.h"

typedef struct rt_activity {
    rt_node *nodes; /* those with an active result and an active operand, operands first */
    size_t node_count;
    bool *is_active; /* by value */
} rt_activity;

/* Arrays are in `arena`. RT_OUT_OF_MEMORY, or RT_INVALID_ARGUMENT where the graph has a cycle. */
RT_MUST_CHECK rt_status rt_activity_find(const rt_graph *graph, rt_value y, const rt_value *wrt,
                                         size_t count, rt_arena *arena, rt_activity *activity);

#endif
