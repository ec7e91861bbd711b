// SPDX-License-Identifier: Apache-2.0
/* What a gradient rule sees, and the few words it is written in.
 *
 * A rule is vjp_<id> of the operator's row in ops.def, class RULE or LINEAR: given dy, the gradient
 * of the loss by the node's result, it builds the gradients by the operands. Its duties: begin with
 * the equation; ask wants(v, i) where building costs; give each gradient in the operand's shape or
 * in one that it broadcast to. Everything else is the driver's (differentiate.c): what is needed,
 * sums over broadcasts, several uses of a value, frozen operands. */
#ifndef RETORT_PASSES_VJP_H
#define RETORT_PASSES_VJP_H

#include "ir/builder.h"

typedef struct rt_vjp {
    rt_builder *b;
    rt_location location; /* of the forward node */
    rt_op op;
    const rt_attr *attrs;
    size_t in_count;
    const rt_value *in;    /* operands; RT_NO_VALUE where left out */
    const rt_value *out;   /* results */
    const rt_value *d;     /* gradients of the results; RT_NO_VALUE where none reaches one */
    rt_value dy;           /* d[0] */
    const bool *is_wanted; /* by operand */
    rt_value *given;       /* by operand: what the rule gave */
    bool has_failed;       /* after a diagnostic */
} rt_vjp;

typedef void (*rt_vjp_rule)(rt_vjp *v);

#define VJP_DECLARE_RULE(id) void vjp_##id(rt_vjp *v);
#define VJP_DECLARE_LINEAR(id) void vjp_##id(rt_vjp *v);
#define VJP_DECLARE_ZERO(id)
#define VJP_DECLARE_NONE(id)
#define OP(id, text, least, most, results, infer, vjp, lower) VJP_DECLARE_##vjp(id)
#include "ir/ops.def"
#undef VJP_DECLARE_RULE
#undef VJP_DECLARE_LINEAR
#undef VJP_DECLARE_ZERO
#undef VJP_DECLARE_NONE

/* Refuses with a diagnostic that names the node: never a silent zero. */
void rt_vjp_fail(rt_vjp *v, const char *text);

static inline bool wants(const rt_vjp *v, size_t operand) {
    return operand < v->in_count && v->is_wanted[operand];
}

static inline void give(rt_vjp *v, size_t operand, rt_value gradient) {
    if (wants(v, operand)) v->given[operand] = gradient;
}

static inline rt_attr vjp_attr(const rt_vjp *v, rt_attr_id attr) {
    return v->attrs[attr - rt_op_first_attr(v->op)];
}

static inline rt_type type_of(const rt_vjp *v, rt_value value) {
    return rt_builder_type(v->b, value);
}

static inline rt_value neg(rt_vjp *v, rt_value x) {
    return rt_build_neg(v->b, x);
}
static inline rt_value add(rt_vjp *v, rt_value x, rt_value y) {
    return rt_build_add(v->b, x, y);
}
static inline rt_value sub(rt_vjp *v, rt_value x, rt_value y) {
    return rt_build_sub(v->b, x, y);
}
static inline rt_value mul(rt_vjp *v, rt_value x, rt_value y) {
    return rt_build_mul(v->b, x, y);
}
static inline rt_value scale(rt_vjp *v, rt_value x, double factor) {
    return rt_build_scale(v->b, x, factor);
}
/* A scalar of x's element type. */
static inline rt_value scalar_like(rt_vjp *v, rt_value x, double value) {
    return rt_build_scalar(v->b, type_of(v, x).dtype, value);
}

#endif
