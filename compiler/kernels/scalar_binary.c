// SPDX-License-Identifier: Apache-2.0
/* Elementwise operators of two and three operands. Integers wrap to their width. */
#include "compiler/kernels/scalar_rules.h"
#include "compiler/kernels/vector_math.h"

LLVMValueRef scalar_add(rt_scalar_build *b) {
    return add(b->e, b->operands[0], b->operands[1]);
}

LLVMValueRef scalar_sub(rt_scalar_build *b) {
    return sub(b->e, b->operands[0], b->operands[1]);
}

LLVMValueRef scalar_mul(rt_scalar_build *b) {
    return mul(b->e, b->operands[0], b->operands[1]);
}

/* ---- division and remainder of integers: no divisor may reach the instruction that traps */

typedef struct division {
    LLVMValueRef quotient, remainder;
} division;

/* Towards zero; x / 0 = x mod 0 = 0. The division by -1 is a negation, which wraps. */
static division divide_integers(rt_scalar_build *b) {
    rt_emitter *e = b->e;
    LLVMValueRef x = b->operands[0], y = b->operands[1], zero = rt_emit_int_like(e, y, 0);
    bool is_signed = rt_dtype_is_signed(operand_dtype(b, 0));
    LLVMValueRef is_zero = is_equal(e, y, zero), is_special = is_zero;
    if (is_signed) {
        LLVMValueRef is_minus_one = is_equal(e, y, rt_emit_int_like(e, y, -1));
        is_special = LLVMBuildOr(e->builder, is_zero, is_minus_one, "");
    }
    LLVMValueRef divisor = where(e, is_special, rt_emit_int_like(e, y, 1), y);
    LLVMValueRef quotient = is_signed ? LLVMBuildSDiv(e->builder, x, divisor, "")
                                      : LLVMBuildUDiv(e->builder, x, divisor, "");
    LLVMValueRef remainder = sub(e, x, mul(e, quotient, divisor));
    if (is_signed) quotient = where(e, is_special, LLVMBuildNeg(e->builder, x, ""), quotient);
    return (division){where(e, is_zero, zero, quotient), remainder};
}

LLVMValueRef scalar_div(rt_scalar_build *b) {
    if (is_real(b->operands[0])) return divide(b->e, b->operands[0], b->operands[1]);
    return divide_integers(b).quotient;
}

/* The upper and the lower half of an f64's digits (Veltkamp). */
static LLVMValueRef upper_half(rt_emitter *e, LLVMValueRef x) {
    LLVMValueRef big = mul(e, x, real(e, x, 0x1p27 + 1));
    return sub(e, big, sub(e, big, x));
}

/* x - a b in f64 with one rounding; without a fused instruction from the exact product (Dekker). */
static LLVMValueRef minus_product(rt_emitter *e, LLVMValueRef x, LLVMValueRef a, LLVMValueRef b) {
    if (e->target->has_fma) return mul_add(e, sub(e, real(e, x, 0), a), b, x);
    LLVMValueRef product = mul(e, a, b);
    LLVMValueRef a_high = upper_half(e, a), a_low = sub(e, a, a_high);
    LLVMValueRef b_high = upper_half(e, b), b_low = sub(e, b, b_high);
    LLVMValueRef rest = sub(e, mul(e, a_high, b_high), product);
    rest = add(e, add(e, rest, mul(e, a_high, b_low)), mul(e, a_low, b_high));
    rest = add(e, rest, mul(e, a_low, b_low));
    return sub(e, sub(e, x, product), rest);
}

/* x - trunc(x / y) y in f64 with the sign of x, exact while the quotient is below 2^53. Rounding
 * may leave the quotient one off, which shows in the remainder. */
static LLVMValueRef real_remainder(rt_emitter *e, LLVMValueRef x, LLVMValueRef y) {
    LLVMTypeRef original = LLVMTypeOf(x);
    LLVMTypeRef wide = rt_emit_vector_type(e, e->f64, rt_emit_lanes(x));
    x = LLVMBuildFPCast(e->builder, x, wide, "");
    y = apply(e, "llvm.fabs", LLVMBuildFPCast(e->builder, y, wide, ""));
    LLVMValueRef zero = real(e, x, 0), size = apply(e, "llvm.fabs", x);
    LLVMValueRef quotient = apply(e, "llvm.floor", divide(e, size, y));
    LLVMValueRef left = minus_product(e, size, quotient, y);
    left = where(e, is_less(e, left, zero), add(e, left, y), left);
    left = where(e, is_at_most(e, y, left), sub(e, left, y), left);
    /* An infinite divisor leaves x as it is. */
    left = where(e, is_equal(e, quotient, zero), size, left);
    left = where(e, is_less(e, x, zero), sub(e, zero, left), left);
    return LLVMBuildFPCast(e->builder, left, original, "");
}

LLVMValueRef scalar_mod(rt_scalar_build *b) {
    rt_emitter *e = b->e;
    LLVMValueRef x = b->operands[0], y = b->operands[1], zero = number(e, x, 0);
    rt_dtype dtype = operand_dtype(b, 0);
    LLVMValueRef left = is_real(x) ? real_remainder(e, x, y) : divide_integers(b).remainder;
    bool is_truncated = rt_graph_attr(b->graph, b->node, RT_ATTR_mod_truncated).integer;
    if (is_truncated || !(is_real(x) || rt_dtype_is_signed(dtype))) return left;
    /* The divisor's sign: a remainder of the other sign moves up or down by one divisor. */
    LLVMValueRef differs = LLVMBuildXor(e->builder, is_less_of(e, dtype, left, zero),
                                        is_less_of(e, dtype, y, zero), "");
    LLVMValueRef is_zero = is_equal(e, left, zero);
    LLVMValueRef moves =
        LLVMBuildAnd(e->builder, differs, LLVMBuildNot(e->builder, is_zero, ""), "");
    return where(e, moves, add(e, left, y), left);
}

/* ---- powers */

/* Repeated squaring over the bits of the exponent; one below 0 gives the truncated 1 / x^-y. */
static LLVMValueRef integer_power(rt_scalar_build *b) {
    rt_emitter *e = b->e;
    LLVMValueRef x = b->operands[0], y = b->operands[1];
    LLVMValueRef zero = rt_emit_int_like(e, x, 0), one = rt_emit_int_like(e, x, 1);
    unsigned bits = LLVMGetIntTypeWidth(rt_emit_element_type(x));
    rt_loop loop =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), rt_emit_i64(e, bits), rt_emit_i64(e, 1), "bit");
    LLVMValueRef result = rt_emit_loop_carry(e, &loop, one);
    LLVMValueRef square = rt_emit_loop_carry(e, &loop, x);
    LLVMValueRef exponent = rt_emit_loop_carry(e, &loop, y);
    LLVMValueRef is_odd = is_equal(e, LLVMBuildAnd(e->builder, exponent, one, ""), one);
    rt_emit_loop_next(e, &loop, result, where(e, is_odd, mul(e, result, square), result));
    rt_emit_loop_next(e, &loop, square, mul(e, square, square));
    rt_emit_loop_next(e, &loop, exponent, LLVMBuildLShr(e->builder, exponent, one, ""));
    rt_emit_loop_end(e, &loop);
    if (!rt_dtype_is_signed(operand_dtype(b, 0))) return result;
    LLVMValueRef minus_one = rt_emit_int_like(e, x, -1);
    LLVMValueRef is_even = is_equal(e, LLVMBuildAnd(e->builder, y, one, ""), zero);
    LLVMValueRef inverse = where(e, is_equal(e, x, one), one, zero);
    inverse = where(e, is_equal(e, x, minus_one), where(e, is_even, one, minus_one), inverse);
    return where(e, LLVMBuildICmp(e->builder, LLVMIntSLT, y, zero, ""), inverse, result);
}

LLVMValueRef scalar_pow(rt_scalar_build *b) {
    if (!is_real(b->operands[0])) return integer_power(b);
    return rt_emit_pow(b->e, b->operands[0], b->operands[1]);
}

/* ---- comparison and choice; maximum and minimum are NaN where either is */

static LLVMValueRef chosen_or_nan(rt_scalar_build *b, LLVMValueRef first_wins) {
    rt_emitter *e = b->e;
    LLVMValueRef x = b->operands[0], y = b->operands[1];
    if (is_real(x)) {
        LLVMValueRef is_nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, x, x, "");
        first_wins = LLVMBuildOr(e->builder, first_wins, is_nan, "");
    }
    return where(e, first_wins, x, y);
}

LLVMValueRef scalar_maximum(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0], y = b->operands[1];
    return chosen_or_nan(b, is_less_of(b->e, operand_dtype(b, 0), y, x));
}

LLVMValueRef scalar_minimum(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0], y = b->operands[1];
    return chosen_or_nan(b, is_less_of(b->e, operand_dtype(b, 0), x, y));
}

LLVMValueRef scalar_equal(rt_scalar_build *b) {
    return is_equal(b->e, b->operands[0], b->operands[1]);
}

LLVMValueRef scalar_less(rt_scalar_build *b) {
    return is_less_of(b->e, operand_dtype(b, 0), b->operands[0], b->operands[1]);
}

LLVMValueRef scalar_less_equal(rt_scalar_build *b) {
    LLVMValueRef x = b->operands[0], y = b->operands[1];
    if (is_real(x)) return is_at_most(b->e, x, y);
    return LLVMBuildNot(b->e->builder, is_less_of(b->e, operand_dtype(b, 0), y, x), "");
}

LLVMValueRef scalar_and(rt_scalar_build *b) {
    return LLVMBuildAnd(b->e->builder, b->operands[0], b->operands[1], "");
}

LLVMValueRef scalar_or(rt_scalar_build *b) {
    return LLVMBuildOr(b->e->builder, b->operands[0], b->operands[1], "");
}

LLVMValueRef scalar_xor(rt_scalar_build *b) {
    return LLVMBuildXor(b->e->builder, b->operands[0], b->operands[1], "");
}

LLVMValueRef scalar_select(rt_scalar_build *b) {
    return where(b->e, b->operands[0], b->operands[1], b->operands[2]);
}
