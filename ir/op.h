// SPDX-License-Identifier: Apache-2.0
/* ops.def expanded: identifiers and facts of operators and their attributes. */
#ifndef RETORT_IR_OP_H
#define RETORT_IR_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/dim.h"
#include "ir/tensor.h"

typedef enum rt_op {
#define OP(id, ...) RT_OP_##id,
#include "ir/ops.def"
    RT_OP_COUNT
} rt_op;

/* RT_ATTR_matmul_transpose_b and so on; consecutive within an operator. */
typedef enum rt_attr_id {
#define OP(...)
#define ATTR(op, name, kind, default) RT_ATTR_##op##_##name,
#include "ir/ops.def"
    RT_ATTR_COUNT
} rt_attr_id;

typedef enum rt_attr_kind {
    RT_ATTR_BOOL,
    RT_ATTR_INT,
    RT_ATTR_FLOAT,
    RT_ATTR_DTYPE,
    RT_ATTR_DIM,
    RT_ATTR_INTS,
    RT_ATTR_DIMS,
    RT_ATTR_TEXT,
    RT_ATTR_TENSOR,
    RT_ATTR_PARAMETER
} rt_attr_kind;

typedef enum rt_vjp_class { RT_VJP_RULE, RT_VJP_LINEAR, RT_VJP_ZERO, RT_VJP_NONE } rt_vjp_class;

typedef enum rt_lower_class {
    RT_LOWER_SOURCE,
    RT_LOWER_SCALAR,
    RT_LOWER_REDUCE,
    RT_LOWER_MOVE,
    RT_LOWER_VIEW,
    RT_LOWER_KERNEL,
    RT_LOWER_EXPAND
} rt_lower_class;

typedef struct rt_parameter {
    uint32_t index; /* into the module's parameters */
} rt_parameter;

/* The value of one attribute; which member holds is the attribute's kind. */
typedef struct rt_attr {
    union {
        int64_t integer; /* BOOL (0, 1), INT */
        double real;     /* FLOAT */
        rt_dtype dtype;
        rt_dim dim;
        const int64_t *ints;
        const rt_dim *dims;
        const char *text; /* interned by the module */
        const rt_tensor *tensor;
        rt_parameter parameter;
    };
    uint32_t count; /* of INTS and DIMS */
} rt_attr;

const char *rt_op_text(rt_op op);
bool rt_op_from_text(const char *text, size_t length, rt_op *op);
int rt_op_least_operands(rt_op op);
int rt_op_most_operands(rt_op op);
int rt_op_result_count(rt_op op);
rt_vjp_class rt_op_vjp_class(rt_op op);
rt_lower_class rt_op_lower_class(rt_op op);
bool rt_op_is_commutative(rt_op op);

int rt_op_attr_count(rt_op op);
rt_attr_id rt_op_first_attr(rt_op op);
const char *rt_attr_name(rt_attr_id attr);
rt_attr_kind rt_attr_kind_of(rt_attr_id attr);
rt_attr rt_attr_default(rt_attr_id attr);

/* By value: also of lists, tensors (type and bytes) and texts. */
bool rt_attr_equal(rt_attr_kind kind, const rt_attr *a, const rt_attr *b);

#endif
