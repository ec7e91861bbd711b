// SPDX-License-Identifier: Apache-2.0
/* What the schedule asks about an elementwise operator besides its class in ops.def. */
#ifndef RETORT_COMPILER_SCHEDULE_TRAITS_H
#define RETORT_COMPILER_SCHEDULE_TRAITS_H

#include "ir/op.h"

/* Work per element in units of an addition. */
unsigned rt_op_cost(rt_op op);

/* The result depends on where an element stands, not only on the operands. */
bool rt_op_uses_index(rt_op op);

/* The operand has one element per row of the result (the result's shape without its last
 * dimension) instead of being broadcast. */
bool rt_op_operand_is_per_row(rt_op op, int index);

/* The operator's kernel can add its result to what is in memory. */
bool rt_op_can_accumulate(rt_op op);

/* Fused: a node that a loop over elements can compute. */
bool rt_op_is_elementwise(rt_op op);

#endif
