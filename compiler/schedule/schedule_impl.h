// SPDX-License-Identifier: Apache-2.0
/* What the steps of scheduling hand to each other. */
#ifndef RETORT_COMPILER_SCHEDULE_SCHEDULE_IMPL_H
#define RETORT_COMPILER_SCHEDULE_SCHEDULE_IMPL_H

#include "compiler/schedule/schedule.h"

/* Finds p + k assigned to parameter p, where k is made by a kernel that can add to memory and
 * nothing else reads p, k or the sum: such a sum costs nothing. By value, in `arena`: sums[k] is
 * the sum's value, RT_NO_VALUE elsewhere; NULL without memory. */
rt_value *rt_find_sums_in_place(const rt_graph *graph, rt_optimizations optimizations,
                                rt_arena *arena);

/* Makes the groups (unordered) of the live nodes. */
RT_MUST_CHECK rt_status rt_group_nodes(rt_graph *graph, rt_arena *arena, rt_schedule *schedule,
                                       rt_error *error);

/* Decides phases, what is kept and what is computed again, in one row group. */
void rt_plan_rows(rt_group *group);

/* Fills inputs and outputs of a group from its members. */
bool rt_group_list_values(const rt_graph *graph, rt_group *group, rt_arena *arena);

/* Appends a node that copies `value`: a `broadcast` to the shape it has. RT_NO_VALUE without
 * memory. */
rt_value rt_append_copy(rt_graph *graph, rt_value value);

/* A group of one flat member: a stored copy. */
bool rt_group_make_copy(const rt_graph *graph, rt_node node, rt_group *group, rt_arena *arena);

/* Sorts the groups so that operands come first, parameters are read before they are assigned, and
 * little memory is alive. Decides which assignments can write in place, adds copies for others. */
RT_MUST_CHECK rt_status rt_order_groups(rt_schedule *schedule, rt_arena *arena, rt_error *error);

/* Gives every stored value its place. */
RT_MUST_CHECK rt_status rt_place_values(rt_schedule *schedule, rt_arena *arena, rt_error *error);

#endif
