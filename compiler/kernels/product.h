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

/* Columns of the product's widest strip: where many rows meet one b, b is best cut into panels of
 * so many columns, each packed so that its rows follow each other. At most RT_PRODUCT_MAX_PANEL. */
enum { RT_PRODUCT_MAX_PANEL = 64 };
int64_t rt_product_panel(const rt_emitter *e, rt_dtype dtype);
/* The same before anything is emitted. */
int64_t rt_product_panel_on(const rt_target *target, rt_dtype dtype);

/* How the target multiplies integers of 8 bits best (ops.def, matmul_integer). */
typedef struct rt_integer_product {
    rt_dtype dtype; /* of a: u8, i8 or i16 */
    int64_t width;  /* columns of a panel */
} rt_integer_product;
rt_integer_product rt_integer_product_on(const rt_target *target);

/* Columns that rt_emit_product computes at once: a width without ragged ends. At most
 * RT_PRODUCT_MAX_STRIP, which is not the bound of panels. */
enum { RT_PRODUCT_MAX_STRIP = 64 };
int64_t rt_product_strip(const rt_emitter *e, rt_dtype dtype);

/* to[i][j] = from[i][j] for f32, in rows of `width` columns, a multiple of RT_TRANSPOSE_PAD, of
 * which those from `columns` on become 0. */
typedef struct rt_copy_job {
    LLVMValueRef from, from_row, rows, columns;
    LLVMValueRef to;
    int64_t width;
} rt_copy_job;
void rt_emit_copy(rt_emitter *e, const rt_copy_job *job);

/* to[j][i] = from[i][j] for f32, in whole vectors: `to` has its rows and their number rounded up to
 * the target's lanes, of which RT_TRANSPOSE_PAD is a multiple. The surplus of each row is filled
 * with copies of the last row of `from`, the surplus rows with zeros. `rows` is above 0. */
enum { RT_TRANSPOSE_PAD = 16 };
typedef struct rt_transpose_job {
    LLVMValueRef from, from_row, rows, columns;
    LLVMValueRef to, to_row;
} rt_transpose_job;
void rt_emit_transpose(rt_emitter *e, const rt_transpose_job *job);

#endif
