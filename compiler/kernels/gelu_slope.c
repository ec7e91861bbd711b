// SPDX-License-Identifier: Apache-2.0
/* The derivative of GELU: Phi(x) + x phi(x), the normal distribution and its density. */
#include "compiler/kernels/scalar_rules.h"
#include "compiler/kernels/vector_math.h"
#include "runtime/base/check.h"

/* Phi(x) + x phi(x) = 1/2 + x p(x^2) / q(x^2) up to 5.8, from fit_polynomials.py. With rounding the
 * error is at most 3e-7; beyond 5.8 it is 0 or 1 to 1.2e-7. */
static const double p[] = {0.797884643,    -0.0438677929,   0.014611315,    -0.000186359277,
                           3.26033551e-05, -1.64743597e-07, 3.44245543e-09, -1.9179134e-11};
static const double q[] = {
    1, 0.278354406, 0.0360939465, 0.00283015356, 0.000141309269, 4.89228478e-06};
static const double limit = 5.8;

static LLVMValueRef polynomial(rt_emitter *e, LLVMValueRef x, const double *c, unsigned count) {
    LLVMValueRef sum = real(e, x, c[count - 1]);
    for (unsigned i = count - 1; i-- > 0;) sum = mul_add(e, sum, x, real(e, x, c[i]));
    return sum;
}

static LLVMValueRef quotient(rt_emitter *e, LLVMValueRef x) {
    x = where(e, is_less(e, real(e, x, limit), x), real(e, x, limit), x);
    x = where(e, is_less(e, x, real(e, x, -limit)), real(e, x, -limit), x);
    LLVMValueRef square = mul(e, x, x);
    LLVMValueRef above = mul(e, x, polynomial(e, square, p, RT_COUNT_OF(p)));
    LLVMValueRef below = polynomial(e, square, q, RT_COUNT_OF(q));
    return add(e, divide(e, above, below), real(e, x, 0.5));
}

static LLVMValueRef of_definition(rt_emitter *e, LLVMValueRef x) {
    LLVMValueRef half = real(e, x, 0.5), size = apply(e, "llvm.fabs", x);
    LLVMValueRef erf = rt_emit_erf(e, mul(e, x, real(e, x, 0.70710678118654752440)));
    LLVMValueRef bell = rt_emit_exp(e, mul(e, mul(e, x, x), real(e, x, -0.5)));
    LLVMValueRef density = mul(e, mul(e, x, bell), real(e, x, 0.39894228040143267794));
    /* Far out the density is 0, though x may be infinite. */
    density = where(e, is_less(e, real(e, x, 40), size), real(e, x, 0), density);
    return mul_add(e, erf, half, add(e, half, density));
}

LLVMValueRef scalar_gelu_slope(rt_scalar_build *b) {
    bool is_quotient = rt_optimizes(b->e->optimizations, RT_OPTIMIZE_gelu_slope) &&
                       LLVMGetTypeKind(rt_emit_element_type(b->operands[0])) == LLVMFloatTypeKind;
    return (is_quotient ? quotient : of_definition)(b->e, b->operands[0]);
}
