// SPDX-License-Identifier: Apache-2.0
/* The type of a value: element type and shape. Passed by value. */
#ifndef RETORT_IR_TYPE_H
#define RETORT_IR_TYPE_H

#include "ir/dim.h"
#include "runtime/base/dtype.h"

enum { RT_MAX_RANK = 8 };

typedef struct rt_type {
    rt_dtype dtype;
    int rank;
    rt_dim dims[RT_MAX_RANK]; /* entries from rank on are dimension 0 */
} rt_type;

rt_type rt_type_scalar(rt_dtype dtype);
rt_type rt_type_make(rt_dtype dtype, int rank, const rt_dim *dims);
rt_type rt_type_with_dtype(rt_type type, rt_dtype dtype);
bool rt_type_equal(rt_type a, rt_type b);
bool rt_type_same_shape(rt_type a, rt_type b);

/* Number of elements, as a dimension. */
rt_dim rt_type_elements(rt_dim_table *table, rt_type type);

/* All dimensions constant: fills sizes[rank] (may be NULL) and the element count (may be NULL). */
bool rt_type_is_static(const rt_dim_table *table, rt_type type, int64_t *sizes, int64_t *elements);

/* NumPy broadcasting of two shapes (trailing dimensions equal, or one of them 1): false where they
 * do not fit. The dtype of the result is a's. */
bool rt_type_broadcast(const rt_dim_table *table, rt_type a, rt_type b, rt_type *result);

/* "f32[B,128,768]", in `arena`. */
const char *rt_type_text(const rt_dim_table *table, rt_type type, rt_arena *arena);

#endif
