// SPDX-License-Identifier: Apache-2.0
/* Elementwise operators of one operand, and the sources that are computed element by element. */
#include <math.h>

#include "compiler/kernels/philox.h"
#include <string.h>

#include "compiler/kernels/scalar_rules.h"
#include "compiler/kernels/vector_math.h"

/* ---- floating types: one function each */

#define FUNCTION(id)                               \
    LLVMValueRef scalar_##id(rt_scalar_build *b) { \
        return rt_emit_##id(b->e, b->operands[0]); \
    }
FUNCTION(exp)
FUNCTION(log)
FUNCTION(sqrt)
FUNCTION(rsqrt)
FUNCTION(sin)
FUNCTION(cos)
FUNCTION(tanh)
FUNCTION(sigmoid)
FUNCTION(erf)

#define INTRINSIC(id, name)                        \
    LLVMValueRef scalar_##id(rt_scalar_build *b) { \
        return apply(b->e, name, b->operands[0]);  \
    }
INTRINSIC(floor, "llvm.floor")
INTRINSIC(ceil, "llvm.ceil")

/* 32-bit ARM before its version 8 has no instruction that rounds. */
static bool has_rounding(const rt_emitter *e) {
    const char *triple = e->target->triple;
    return strncmp(triple, "armv", 4) != 0 && strncmp(triple, "thumb", 5) != 0;
}

/* To even, as every addition rounds: below 2^p, where p are the bits of a fraction, |x| + 2^p has
 * no place for a fraction. The sign comes back, of zeros too. */
LLVMValueRef scalar_round(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0];
    if (has_rounding(b->e)) return apply(b->e, "llvm.roundeven", x);
    bool is_double = LLVMGetTypeKind(rt_emit_element_type(x)) == LLVMDoubleTypeKind;
    LLVMValueRef large = real(b->e, x, is_double ? 0x1p52 : 0x1p23);
    LLVMValueRef size = apply(b->e, "llvm.fabs", x);
    LLVMTypeRef type = LLVMTypeOf(x);
    LLVMValueRef arguments[] = {sub(b->e, add(b->e, size, large), large), x};
    LLVMValueRef y = rt_emit_intrinsic(b->e, "llvm.copysign", &type, 1, arguments, 2);
    return where(b->e, is_less(b->e, size, large), y, x);
}

LLVMValueRef scalar_reciprocal(rt_scalar_build *b) {
    return divide(b->e, real(b->e, b->operands[0], 1), b->operands[0]);
}

LLVMValueRef scalar_gelu(rt_scalar_build *b) {
    bool is_tanh = rt_graph_attr(b->graph, b->node, RT_ATTR_gelu_tanh_form).integer;
    return rt_emit_gelu(b->e, b->operands[0], is_tanh);
}

LLVMValueRef scalar_is_nan(rt_scalar_build *b) {
    return LLVMBuildFCmp(b->e->builder, LLVMRealUNO, b->operands[0], b->operands[0], "");
}

LLVMValueRef scalar_is_inf(rt_scalar_build *b) {
    LLVMValueRef size = apply(b->e, "llvm.fabs", b->operands[0]);
    return is_equal(b->e, size, real(b->e, size, INFINITY));
}

/* ---- floating types and integers; `not` on bool */

LLVMValueRef scalar_not(rt_scalar_build *b) {
    return LLVMBuildNot(b->e->builder, b->operands[0], "");
}

LLVMValueRef scalar_neg(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0];
    return is_real(x) ? LLVMBuildFNeg(b->e->builder, x, "") : LLVMBuildNeg(b->e->builder, x, "");
}

static LLVMValueRef is_below_zero(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0];
    return is_less_of(b->e, operand_dtype(b, 0), x, number(b->e, x, 0));
}

LLVMValueRef scalar_abs(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0];
    if (is_real(x)) return apply(b->e, "llvm.fabs", x);
    return where(b->e, is_below_zero(b), LLVMBuildNeg(b->e->builder, x, ""), x);
}

/* 0 for NaN. */
LLVMValueRef scalar_sign(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0], zero = number(b->e, x, 0);
    LLVMValueRef is_above = is_less_of(b->e, operand_dtype(b, 0), zero, x);
    LLVMValueRef positive = where(b->e, is_above, number(b->e, x, 1), zero);
    return where(b->e, is_below_zero(b), number(b->e, x, -1), positive);
}

/* NaN stays NaN. */
LLVMValueRef scalar_relu(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0];
    return where(b->e, is_below_zero(b), number(b->e, x, 0), x);
}

/* ---- computed from where the element stands */

LLVMValueRef scalar_dim(rt_scalar_build *b) {
    rt_dim size = rt_graph_attr(b->graph, b->node, RT_ATTR_dim_size).dim;
    return rt_emit_splat(b->e, b->size(b, size), b->lanes);
}

LLVMValueRef scalar_iota(rt_scalar_build *b) {
    int axis = (int)rt_graph_attr(b->graph, b->node, RT_ATTR_iota_axis).integer;
    LLVMValueRef index = b->index(b, axis);
    LLVMTypeRef type = rt_emit_dtype(b->e, result_dtype(b));
    switch (result_dtype(b)) {
    case RT_F16:
    case RT_BF16: type = b->e->f32; break;
    case RT_BOOL:
        return LLVMBuildICmp(b->e->builder, LLVMIntNE, index, rt_emit_int_like(b->e, index, 0), "");
    default: break;
    }
    type = rt_emit_vector_type(b->e, type, b->lanes);
    if (rt_dtype_is_float(result_dtype(b))) return LLVMBuildSIToFP(b->e->builder, index, type, "");
    return LLVMBuildIntCast2(b->e->builder, index, type, true, "");
}

static LLVMValueRef first_lane(rt_scalar_build *b, LLVMValueRef value) {
    if (rt_emit_lanes(value) == 1) return value;
    return LLVMBuildExtractElement(b->e->builder, value, rt_emit_i64(b->e, 0), "");
}

static LLVMValueRef first_word(rt_scalar_build *b, LLVMValueRef value) {
    return LLVMBuildIntCast2(b->e->builder, first_lane(b, value), b->e->i32, true, "");
}

LLVMValueRef scalar_dropout(rt_scalar_build *b) {
    double rate = rt_graph_attr(b->graph, b->node, RT_ATTR_dropout_rate).real;
    LLVMValueRef x = b->operands[0];
    if (rate <= 0) return x;
    rt_draw draw = {.example = first_word(b, b->operands[1]),
                    .position = first_word(b, b->operands[2]),
                    .site = LLVMBuildTrunc(b->e->builder, b->site, b->e->i32, ""),
                    .seed = b->seed,
                    .step = b->step};
    LLVMValueRef kept = rt_emit_kept(b->e, &draw, first_lane(b, b->column), b->lanes, rate);
    return where(b->e, kept, mul(b->e, x, real(b->e, x, 1 / (1 - rate))), real(b->e, x, 0));
}
