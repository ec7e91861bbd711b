// SPDX-License-Identifier: Apache-2.0
/* Type rules: the types of a node's results from its operands and attributes. */
#ifndef RETORT_IR_INFER_H
#define RETORT_IR_INFER_H

#include "ir/graph.h"

/* What a rule sees. It fills `results`, or calls rt_infer_fail and returns false. */
typedef struct rt_infer {
    rt_module *module;
    rt_op op;
    size_t operand_count;
    const rt_type *operands; /* of a left-out operand: is_present false, type unspecified */
    const bool *is_present;
    rt_attr *attrs; /* may be normalised in place: axes made non-negative */
    rt_type *results;
    rt_location location;
} rt_infer;

typedef bool (*rt_infer_rule)(rt_infer *infer);

/* Runs the operator's rule; operand counts are checked here. False after a diagnostic that names
 * operator, location and the shapes that do not fit. */
bool rt_infer_node(rt_infer *infer);

/* Diagnoses "<op>: <text>" at infer->location and returns false. */
bool rt_infer_fail(rt_infer *infer, const char *format, ...) RT_PRINTF(2, 3);

#endif
