// SPDX-License-Identifier: Apache-2.0
/* Elementary functions as emitted polynomials, on scalars and vectors of f32 and f64: no call, no
 * branch, no table in memory, the same bits on every target that fuses multiply and add.
 *
 * Coefficients come from fit_polynomials.py. The errors stated for f32 hold for all inputs there
 * are, in units of the last place of the result (tests/unit/test_vector_math.c tries every one of
 * them); a target that does not fuse may make errors a third larger. NaN gives NaN, and results
 * below the smallest normal number may become 0. */
#ifndef RETORT_COMPILER_KERNELS_VECTOR_MATH_H
#define RETORT_COMPILER_KERNELS_VECTOR_MATH_H

#include "compiler/codegen/emitter.h"

LLVMValueRef rt_emit_exp(rt_emitter *e, LLVMValueRef x); /* f32 1 ulp, f64 2 */
/* For softmax: x <= 0 (or NaN); cheaper. f32 2 ulp, f64 as rt_emit_exp. */
LLVMValueRef rt_emit_exp_falling(rt_emitter *e, LLVMValueRef x);
LLVMValueRef rt_emit_log(rt_emitter *e, LLVMValueRef x);     /* f32 1.2 ulp, f64 2 */
LLVMValueRef rt_emit_tanh(rt_emitter *e, LLVMValueRef x);    /* f32 5.8 ulp, f64 4 */
LLVMValueRef rt_emit_erf(rt_emitter *e, LLVMValueRef x);     /* f32 5.6 ulp, f64 4 */
LLVMValueRef rt_emit_sigmoid(rt_emitter *e, LLVMValueRef x); /* f32 2.5 ulp, f64 4 */
LLVMValueRef rt_emit_sqrt(rt_emitter *e, LLVMValueRef x);    /* correctly rounded */
LLVMValueRef rt_emit_rsqrt(rt_emitter *e, LLVMValueRef x);   /* f32 1 ulp, f64 1.5 */
/* |x| <= 2^20: f32 0.6 ulp, f64 absolute error 4e-16. */
LLVMValueRef rt_emit_sin(rt_emitter *e, LLVMValueRef x);
LLVMValueRef rt_emit_cos(rt_emitter *e, LLVMValueRef x);
/* As C's pow: f32 0.6 ulp, f64 relative error 1e-16 |y log x|. */
LLVMValueRef rt_emit_pow(rt_emitter *e, LLVMValueRef x, LLVMValueRef y);

/* x * Phi(x). Errors in f32: 1e-6 absolute below 0, 2.5 ulp above; `tanh_form` of its own formula.
 */
LLVMValueRef rt_emit_gelu(rt_emitter *e, LLVMValueRef x, bool tanh_form);

#endif
