// SPDX-License-Identifier: Apache-2.0
/* What the rules of elementwise operators share. A rule is scalar_<id> of the operator's row in
 * ops.def; scalar.c finds it there. */
#ifndef RETORT_COMPILER_KERNELS_SCALAR_RULES_H
#define RETORT_COMPILER_KERNELS_SCALAR_RULES_H

#include "compiler/kernels/arithmetic.h"
#include "compiler/kernels/kernel.h"

#define SCALAR_RULE_SOURCE(id)
#define SCALAR_RULE_SCALAR(id) LLVMValueRef scalar_##id(rt_scalar_build *b);
#define SCALAR_RULE_REDUCE(id)
#define SCALAR_RULE_MOVE(id)
#define SCALAR_RULE_VIEW(id)
#define SCALAR_RULE_KERNEL(id)
#define SCALAR_RULE_EXPAND(id)
#define OP(id, text, least, most, results, infer, vjp, lower) SCALAR_RULE_##lower(id)
#include "ir/ops.def"

static inline rt_dtype operand_dtype(const rt_scalar_build *b, uint32_t operand) {
    return rt_graph_type(b->graph, rt_graph_node(b->graph, b->node)->operands[operand]).dtype;
}

static inline rt_dtype result_dtype(const rt_scalar_build *b) {
    return rt_graph_type(b->graph, rt_graph_result(b->graph, b->node, 0)).dtype;
}

/* a < b; integers by the sign of `dtype`, floats ordered. */
static inline LLVMValueRef is_less_of(rt_emitter *e, rt_dtype dtype, LLVMValueRef a,
                                      LLVMValueRef b) {
    if (rt_dtype_is_float(dtype)) return is_less(e, a, b);
    return LLVMBuildICmp(e->builder, rt_dtype_is_signed(dtype) ? LLVMIntSLT : LLVMIntULT, a, b, "");
}

/* A number of the compute type of `like`, float or integer. */
static inline LLVMValueRef number(rt_emitter *e, LLVMValueRef like, int value) {
    return is_real(like) ? rt_emit_real_like(e, like, value) : rt_emit_int_like(e, like, value);
}

#endif
