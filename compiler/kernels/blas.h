// SPDX-License-Identifier: Apache-2.0
/* Calls of OpenBLAS from emitted code. */
#ifndef RETORT_COMPILER_KERNELS_BLAS_H
#define RETORT_COMPILER_KERNELS_BLAS_H

#include "compiler/codegen/emitter.h"

/* c = a b, or c += a b where `adds`, for row-major f32 matrices after the flags; sizes and leading
 * dimensions are i64 and may be 0 (an inner size of 0 gives zeros). */
typedef struct rt_sgemm {
    bool transpose_a, transpose_b;
    LLVMValueRef rows, columns, inner;
    LLVMValueRef a, a_stride, b, b_stride, c, c_stride;
    bool adds;
} rt_sgemm;
void rt_emit_sgemm(rt_emitter *e, const rt_sgemm *product);

#endif
