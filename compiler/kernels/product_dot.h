// SPDX-License-Identifier: Apache-2.0
/* The innermost step of integer products: each sum grows by the product of four bytes of a row of a
 * with four of the same rows of b, four numbers of 8 bits or two of 16, b's being i8. No
 * instruction that saturates is used: sums are exact modulo 2^32. */
#ifndef RETORT_COMPILER_KERNELS_PRODUCT_DOT_H
#define RETORT_COMPILER_KERNELS_PRODUCT_DOT_H

#include "compiler/codegen/emitter.h"

typedef enum rt_dot {
    RT_DOT_fma,      /* of floats: not made here */
    RT_DOT_multiply, /* by multiplications and additions of 32 bits: any type, any target */
    RT_DOT_pmaddwd,  /* a of i16; x86, any vectors */
    RT_DOT_vpdpbusd, /* a of u8; x86 with avx512vnni or avxvnni */
    RT_DOT_sdot,     /* a of i8; aarch64 with dotprod */
    RT_DOT_wasm_dot  /* a of i16; wasm with simd128 */
} rt_dot;

/* Numbers of a and b in a step. */
unsigned rt_dot_group(rt_dtype a);

/* b's bytes, <lanes * group x i8>, as rt_emit_dot takes them: done once for all rows of a. */
LLVMValueRef rt_emit_dot_operand(rt_emitter *e, rt_dot dot, LLVMValueRef b);

/* sum (<lanes x i32>) + a b; a is the 32 bits of one row. */
LLVMValueRef rt_emit_dot(rt_emitter *e, rt_dot dot, rt_dtype a_dtype, LLVMValueRef a,
                         LLVMValueRef b, LLVMValueRef sum);

#endif
