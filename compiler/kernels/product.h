// SPDX-License-Identifier: Apache-2.0
/* Small matrix products and transposes as functions inside the compiled module, one per element
 * type, added when first used. Each element of a product is one chain of multiply-adds over the
 * inner index in ascending order, whatever the other sizes are: its bits do not depend on how rows
 * or columns are split or batched. Strides are in elements, all sizes i64, and may be zero. */
#ifndef RETORT_COMPILER_KERNELS_PRODUCT_H
#define RETORT_COMPILER_KERNELS_PRODUCT_H

#include "compiler/codegen/emitter.h"

/* c[i][j] = (adds ? c[i][j] : 0) + sum_k a[i][k] b[k][j] */
typedef struct rt_product {
    rt_dtype dtype;
    LLVMValueRef a, a_row, a_inner;    /* a[i][k] stands at i * a_row + k * a_inner */
    LLVMValueRef b, b_inner, b_column; /* b_column NULL: 1, which computes in vectors */
    LLVMValueRef c, c_row;             /* columns of c are contiguous */
    LLVMValueRef rows, columns, inner;
    LLVMValueRef adds; /* i1; NULL: false */
} rt_product;
void rt_emit_product(rt_emitter *e, const rt_product *product);

/* to[j][i] = from[i][j] for f32. The rows of `to` are written up to the next multiple of
 * RT_TRANSPOSE_PAD columns, with copies of the last row of `from`, and `to` has that many rows more
 * than needed: it holds round_up(columns) rows of `to_row` >= round_up(rows). `rows` is above 0. */
enum { RT_TRANSPOSE_PAD = 16 };
typedef struct rt_transpose_job {
    LLVMValueRef from, from_row, rows, columns;
    LLVMValueRef to, to_row;
} rt_transpose_job;
void rt_emit_transpose(rt_emitter *e, const rt_transpose_job *job);

#endif
