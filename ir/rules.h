// SPDX-License-Identifier: Apache-2.0
/* Rewrite rules applied as each node is born (builder.c) and again by the pass `simplify`.
 *
 * Whoever adds a rule: state its equation above it; it must shrink the graph or move toward the one
 * written form (constants right, transposes into matmul flags), keep the type, and have a test in
 * tests/passes/simplify that shows it firing and not firing. A rule never changes a rounding. */
#ifndef RETORT_IR_RULES_H
#define RETORT_IR_RULES_H

#include "ir/builder.h"

/* A node about to be born: its types are inferred, nothing is appended yet. Rules return the value
 * that stands for the only result, or RT_NO_VALUE where no rule applies. */
typedef struct rt_birth {
    rt_builder *b;
    rt_op op;
    const rt_value *operands;
    size_t operand_count;
    const rt_attr *attrs;
    rt_type type; /* of result 0 */
} rt_birth;

rt_value rt_rule_algebra(const rt_birth *birth);
rt_value rt_rule_movement(const rt_birth *birth);
rt_value rt_rule_indexing(const rt_birth *birth);

/* True where every element of `value` is one known number, also behind a broadcast or reshape. */
bool rt_value_is_splat(const rt_graph *graph, rt_value value, double *number);

/* The tensor of a `constant` node, else NULL. */
const rt_tensor *rt_value_constant(const rt_graph *graph, rt_value value);

#endif
