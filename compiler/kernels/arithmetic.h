// SPDX-License-Identifier: Apache-2.0
/* Short names for the arithmetic that formulas are written in. Operands are scalars or vectors of
 * one type; float or integer instructions follow from it. Included by the emitters alone. */
#ifndef RETORT_COMPILER_KERNELS_ARITHMETIC_H
#define RETORT_COMPILER_KERNELS_ARITHMETIC_H

#include "compiler/codegen/emitter.h"

static inline bool is_real(LLVMValueRef value) {
    LLVMTypeKind kind = LLVMGetTypeKind(rt_emit_element_type(value));
    return kind == LLVMFloatTypeKind || kind == LLVMDoubleTypeKind;
}

static inline LLVMValueRef real(rt_emitter *e, LLVMValueRef like, double value) {
    return rt_emit_real_like(e, like, value);
}

static inline LLVMValueRef add(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return is_real(a) ? LLVMBuildFAdd(e->builder, a, b, "") : LLVMBuildAdd(e->builder, a, b, "");
}

static inline LLVMValueRef sub(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return is_real(a) ? LLVMBuildFSub(e->builder, a, b, "") : LLVMBuildSub(e->builder, a, b, "");
}

static inline LLVMValueRef mul(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return is_real(a) ? LLVMBuildFMul(e->builder, a, b, "") : LLVMBuildMul(e->builder, a, b, "");
}

static inline LLVMValueRef divide(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildFDiv(e->builder, a, b, "");
}

static inline LLVMValueRef mul_add(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
    return rt_emit_fma(e, a, b, c);
}

static inline LLVMValueRef where(rt_emitter *e, LLVMValueRef condition, LLVMValueRef a,
                                 LLVMValueRef b) {
    return LLVMBuildSelect(e->builder, condition, a, b, "");
}

/* Ordered comparisons: false where an operand is NaN. */
static inline LLVMValueRef is_less(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildFCmp(e->builder, LLVMRealOLT, a, b, "");
}

static inline LLVMValueRef is_at_most(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildFCmp(e->builder, LLVMRealOLE, a, b, "");
}

static inline LLVMValueRef is_equal(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return is_real(a) ? LLVMBuildFCmp(e->builder, LLVMRealOEQ, a, b, "")
                      : LLVMBuildICmp(e->builder, LLVMIntEQ, a, b, "");
}

/* An intrinsic of one operand, overloaded on its type. */
static inline LLVMValueRef apply(rt_emitter *e, const char *name, LLVMValueRef x) {
    LLVMTypeRef type = LLVMTypeOf(x);
    return rt_emit_intrinsic(e, name, &type, 1, &x, 1);
}

#endif
