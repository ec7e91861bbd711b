// SPDX-License-Identifier: Apache-2.0
/* Conversion between element types. Values in registers have compute types (16-bit floats are f32),
 * so a cast to a 16-bit float rounds in place: later operators of the same loop see what a store
 * and a load would have given them. */
#include <math.h>

#include "compiler/kernels/scalar_rules.h"

static LLVMTypeRef compute_type(const rt_scalar_build *b, rt_dtype dtype) {
    LLVMTypeRef type = dtype == RT_BOOL                      ? b->e->i1
                       : dtype == RT_F16 || dtype == RT_BF16 ? b->e->f32
                                                             : rt_emit_dtype(b->e, dtype);
    return rt_emit_vector_type(b->e, type, b->lanes);
}

/* A binary floating format: fraction bits, exponent of its smallest normal number, and the value
 * from which on numbers round to infinity. */
typedef struct format {
    int fraction_bits;
    int least_exponent;
    double overflow;
} format;
static const format f16_format = {10, -14, 65520};
static const format bf16_format = {7, -126, 0x1.ffp127};

/* x, of f64, to the nearest value of the format, ties to even. Adding and taking away a multiple of
 * the unit in the last place rounds: above the subnormals the unit is found from x's own exponent,
 * on the bits; below, it is fixed. */
static LLVMValueRef round_to(rt_emitter *e, LLVMValueRef x, format to) {
    int dropped = 52 - to.fraction_bits;
    LLVMTypeRef integers = rt_emit_vector_type(e, e->i64, rt_emit_lanes(x));
    LLVMValueRef bits = LLVMBuildBitCast(e->builder, x, integers, "");
    LLVMValueRef odd = LLVMBuildLShr(e->builder, bits, rt_emit_int_like(e, bits, dropped), "");
    odd = LLVMBuildAnd(e->builder, odd, rt_emit_int_like(e, bits, 1), "");
    bits = add(e, bits, add(e, odd, rt_emit_int_like(e, bits, ((int64_t)1 << (dropped - 1)) - 1)));
    bits = LLVMBuildAnd(e->builder, bits, rt_emit_int_like(e, bits, -((int64_t)1 << dropped)), "");
    LLVMValueRef y = LLVMBuildBitCast(e->builder, bits, LLVMTypeOf(x), "");
    LLVMValueRef unit = real(e, x, ldexp(1.5, 52 + to.least_exponent - to.fraction_bits));
    LLVMValueRef small = sub(e, add(e, x, unit), unit), size = apply(e, "llvm.fabs", x);
    y = where(e, is_less(e, size, real(e, x, ldexp(1, to.least_exponent))), small, y);
    LLVMValueRef over = mul(e, x, real(e, x, INFINITY));
    /* False for NaN too, which the bits may have turned into infinity: x times infinity keeps it.
     */
    return where(e, is_less(e, size, real(e, x, to.overflow)), y, over);
}

static LLVMValueRef to_float(rt_scalar_build *b, LLVMValueRef x, rt_dtype from, rt_dtype to) {
    LLVMTypeRef type = compute_type(b, to);
    if (from == RT_BOOL || (rt_dtype_is_integer(from) && !rt_dtype_is_signed(from)))
        x = LLVMBuildUIToFP(b->e->builder, x, type, "");
    else if (!rt_dtype_is_float(from))
        x = LLVMBuildSIToFP(b->e->builder, x, type, "");
    if (to == RT_F16 && from == RT_F64) x = round_to(b->e, x, f16_format);
    if (to == RT_BF16 && from == RT_F64) x = round_to(b->e, x, bf16_format);
    return LLVMBuildFPCast(b->e->builder, x, type, "");
}

/* Towards zero; what does not fit becomes the nearest value that does, NaN becomes 0. */
static LLVMValueRef truncated(rt_scalar_build *b, LLVMValueRef x, rt_dtype to) {
    LLVMTypeRef overloads[] = {compute_type(b, to), LLVMTypeOf(x)};
    const char *name = rt_dtype_is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat";
    return rt_emit_intrinsic(b->e, name, overloads, 2, &x, 1);
}

LLVMValueRef scalar_cast(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0];
    rt_dtype from = operand_dtype(b, 0), to = result_dtype(b);
    if (from == to) return x;
    if (rt_dtype_is_float(to)) return to_float(b, x, from, to);
    if (to == RT_BOOL) {
        LLVMValueRef zero = number(b->e, x, 0);
        return is_real(x) ? LLVMBuildFCmp(b->e->builder, LLVMRealUNE, x, zero, "")
                          : LLVMBuildICmp(b->e->builder, LLVMIntNE, x, zero, "");
    }
    if (is_real(x)) return truncated(b, x, to);
    return LLVMBuildIntCast2(b->e->builder, x, compute_type(b, to), rt_dtype_is_signed(from), "");
}
