// SPDX-License-Identifier: Apache-2.0
/* Type rules of contraction, movement and indexing. */
#include <string.h>

#include "ir/infer_impl.h"
#include "runtime/base/sizes.h"

/* ---- products by panels */

/* Whether panels of such a shape, [P,..,width], are those of `columns` columns. */
static bool has_columns(rt_infer *infer, rt_type panels, int64_t width, int64_t columns) {
    int64_t count;
    return rt_dim_is_constant(infer_dims(infer), panels.dims[0], &count) && width > 0 &&
           columns > 0 && (columns - 1) / width + 1 == count;
}

static bool fail_panels(rt_infer *infer, rt_type panels, int64_t columns) {
    return rt_infer_fail(infer, "%s are not the panels of %lld columns",
                         infer_type_text(infer, panels), (long long)columns);
}

static void set_product(rt_infer *infer, rt_dtype dtype, int64_t columns) {
    rt_type a = infer->operands[0];
    infer->results[0] = a;
    infer->results[0].dtype = dtype;
    infer->results[0].dims[a.rank - 1] = rt_dim_constant(infer_dims(infer), columns);
}

/* The constant last dimension of panels; 0 where there is none. */
static int64_t last_size(rt_infer *infer, rt_type panels) {
    int64_t width;
    return rt_dim_is_constant(infer_dims(infer), panels.dims[2], &width) ? width : 0;
}

static bool is_widened(rt_dtype a, rt_dtype b) {
    return a == RT_F32 && (b == RT_BF16 || b == RT_F16);
}

/* b is [P,K,width]: N columns take P panels. */
static bool infer_panel_product(rt_infer *infer) {
    rt_type a = infer->operands[0], b = infer->operands[1];
    int64_t columns = infer->attrs[2].integer;
    if (a.rank < 2 || b.rank != 3 || a.dtype == RT_BOOL ||
        (a.dtype != b.dtype && !is_widened(a.dtype, b.dtype)) ||
        !rt_dim_equal(a.dims[a.rank - 1], b.dims[1]))
        return rt_infer_fail(infer, "%s and %s are not a matrix and the panels of another",
                             infer_type_text(infer, a), infer_type_text(infer, b));
    if (infer->attrs[0].integer || infer->attrs[1].integer)
        return rt_infer_fail(infer, "a product with panels takes no transposes");
    if (!has_columns(infer, b, last_size(infer, b), columns)) return fail_panels(infer, b, columns);
    set_product(infer, a.dtype, columns);
    return true;
}

/* Whether `whole` is `part` times `factor`. */
static bool is_multiple(rt_infer *infer, rt_dim whole, rt_dim part, int64_t factor) {
    rt_dim_table *dims = infer_dims(infer);
    return rt_dim_equal(whole, rt_dim_multiply(dims, part, rt_dim_constant(dims, factor)));
}

bool infer_matmul_integer(rt_infer *infer) {
    rt_type a = infer->operands[0], b = infer->operands[1];
    int64_t columns = infer->attrs[0].integer;
    int64_t group = a.dtype == RT_I16 ? 2 : a.dtype == RT_I8 || a.dtype == RT_U8 ? 4 : 0;
    if (a.rank < 2 || b.rank != 3 || !group || b.dtype != RT_I8 ||
        !is_multiple(infer, a.dims[a.rank - 1], b.dims[1], group))
        return rt_infer_fail(infer,
                             "%s and %s are not a matrix of u8, i8 or i16 and the i8 panels of "
                             "another in its groups",
                             infer_type_text(infer, a), infer_type_text(infer, b));
    int64_t size = last_size(infer, b);
    if (size % group || !has_columns(infer, b, size / group, columns))
        return fail_panels(infer, b, columns);
    set_product(infer, RT_I32, columns);
    return true;
}

/* Rows that share a scale. */
static bool is_scale_group(rt_infer *infer, rt_type b, rt_type scales) {
    int64_t pairs, groups;
    if (!rt_dim_is_constant(infer_dims(infer), b.dims[1], &pairs) ||
        !rt_dim_is_constant(infer_dims(infer), scales.dims[1], &groups))
        return false;
    int64_t rows = groups ? 2 * pairs / groups : 0;
    return (!pairs && !groups) ||
           (rows >= 16 && !(rows & (rows - 1)) && rows * groups == 2 * pairs);
}

bool infer_matmul_int4(rt_infer *infer) {
    rt_type a = infer->operands[0], b = infer->operands[1], scales = infer->operands[2];
    int64_t columns = infer->attrs[0].integer;
    if (a.rank < 2 || b.rank != 3 || a.dtype != RT_F32 || b.dtype != RT_U8 ||
        !is_multiple(infer, a.dims[a.rank - 1], b.dims[1], 2))
        return rt_infer_fail(infer, "%s and %s are not an f32 matrix and the u8 panels of pairs",
                             infer_type_text(infer, a), infer_type_text(infer, b));
    if (!has_columns(infer, b, last_size(infer, b), columns)) return fail_panels(infer, b, columns);
    bool is_float = scales.dtype == RT_F32 || is_widened(RT_F32, scales.dtype);
    if (scales.rank != 3 || !is_float || !rt_dim_equal(scales.dims[0], b.dims[0]) ||
        !rt_dim_equal(scales.dims[2], b.dims[2]) || !is_scale_group(infer, b, scales))
        return rt_infer_fail(infer,
                             "%s are not scales of %s for groups of 16, 32, 64 .. rows of each "
                             "column",
                             infer_type_text(infer, scales), infer_type_text(infer, b));
    set_product(infer, RT_F32, columns);
    return true;
}

bool infer_pack_panels(rt_infer *infer) {
    rt_type x = infer->operands[0];
    rt_dim_table *dims = infer_dims(infer);
    int64_t width = infer->attrs[0].integer, group = infer->attrs[2].integer, columns, rows;
    bool is_transposed = infer->attrs[1].integer;
    if (x.rank != 2 || x.dtype == RT_BOOL ||
        !rt_dim_is_constant(dims, x.dims[is_transposed ? 0 : 1], &columns))
        return rt_infer_fail(infer, "%s is not a matrix with a constant number of columns",
                             infer_type_text(infer, x));
    if (width <= 0 || width > INT32_MAX || group <= 0 || group > 64)
        return rt_infer_fail(infer, "panels of %lld columns in groups of %lld", (long long)width,
                             (long long)group);
    rt_dim inner = x.dims[is_transposed ? 1 : 0];
    if (group > 1) {
        if (!rt_dim_is_constant(dims, inner, &rows) || rows % group)
            return rt_infer_fail(infer, "the rows of %s do not come in groups of %lld",
                                 infer_type_text(infer, x), (long long)group);
        inner = rt_dim_constant(dims, rows / group);
    }
    rt_dim panels = rt_dim_constant(dims, columns ? (columns - 1) / width + 1 : 0);
    infer->results[0] = (rt_type){
        .dtype = x.dtype, .rank = 3, .dims = {panels, inner, rt_dim_constant(dims, width * group)}};
    return true;
}

bool infer_matmul(rt_infer *infer) {
    if (infer->attrs[2].integer != 0) return infer_panel_product(infer);
    rt_type a = infer->operands[0], b = infer->operands[1];
    if (a.rank < 2 || b.rank < 2 || a.dtype != b.dtype || a.dtype == RT_BOOL)
        return rt_infer_fail(infer, "%s and %s are not two matrices of one element type",
                             infer_type_text(infer, a), infer_type_text(infer, b));
    bool transpose_a = infer->attrs[0].integer, transpose_b = infer->attrs[1].integer;
    rt_dim m = a.dims[a.rank - (transpose_a ? 1 : 2)], k = a.dims[a.rank - (transpose_a ? 2 : 1)];
    rt_dim l = b.dims[b.rank - (transpose_b ? 1 : 2)], n = b.dims[b.rank - (transpose_b ? 2 : 1)];
    if (!rt_dim_equal(k, l))
        return rt_infer_fail(infer, "inner dimensions differ: %s of %s%s and %s of %s%s",
                             infer_dim_text(infer, k), infer_type_text(infer, a),
                             transpose_a ? " transposed" : "", infer_dim_text(infer, l),
                             infer_type_text(infer, b), transpose_b ? " transposed" : "");
    rt_type batch_a = rt_type_make(a.dtype, a.rank - 2, a.dims);
    rt_type batch_b = rt_type_make(b.dtype, b.rank - 2, b.dims), result;
    if (!rt_type_broadcast(infer_dims(infer), batch_a, batch_b, &result))
        return rt_infer_fail(infer, "leading dimensions of %s and %s do not broadcast",
                             infer_type_text(infer, a), infer_type_text(infer, b));
    result.dims[result.rank++] = m;
    result.dims[result.rank++] = n;
    infer->results[0] = result;
    return true;
}

static bool declared_shape(rt_infer *infer, const rt_attr *shape, rt_type *type) {
    if (shape->count > RT_MAX_RANK)
        return rt_infer_fail(infer, "rank %u; at most %d is supported", shape->count, RT_MAX_RANK);
    *type = rt_type_make(infer->operands[0].dtype, (int)shape->count, shape->dims);
    return true;
}

bool infer_reshape(rt_infer *infer) {
    rt_dim_table *dims = infer_dims(infer);
    if (!declared_shape(infer, &infer->attrs[0], &infer->results[0])) return false;
    if (!rt_dim_equal(rt_type_elements(dims, infer->operands[0]),
                      rt_type_elements(dims, infer->results[0])))
        return rt_infer_fail(infer, "%s and %s have different numbers of elements",
                             infer_type_text(infer, infer->operands[0]),
                             infer_type_text(infer, infer->results[0]));
    return true;
}

bool infer_transpose(rt_infer *infer) {
    rt_type x = infer->operands[0];
    bool is_used[RT_MAX_RANK] = {false};
    if ((int)infer->attrs[0].count != x.rank)
        return rt_infer_fail(infer, "permutation of %u axes for %s", infer->attrs[0].count,
                             infer_type_text(infer, x));
    infer->results[0] = x;
    for (int i = 0; i < x.rank; ++i) {
        int64_t axis = infer->attrs[0].ints[i];
        if (axis < 0 || axis >= x.rank || is_used[axis])
            return rt_infer_fail(infer, "the permutation names axis %lld twice or out of range",
                                 (long long)axis);
        is_used[axis] = true;
        infer->results[0].dims[i] = x.dims[axis];
    }
    return true;
}

bool infer_broadcast(rt_infer *infer) {
    rt_type shape, both;
    if (!declared_shape(infer, &infer->attrs[0], &shape)) return false;
    if (!rt_type_broadcast(infer_dims(infer), shape, infer->operands[0], &both) ||
        !rt_type_same_shape(both, shape))
        return rt_infer_fail(infer, "%s does not broadcast to %s",
                             infer_type_text(infer, infer->operands[0]),
                             infer_type_text(infer, shape));
    infer->results[0] = shape;
    return true;
}

bool infer_concat(rt_infer *infer) {
    rt_type result = infer->operands[0];
    int64_t *axis = infer_int_attr(infer, 0);
    if (!infer_axis(infer, result.rank, axis)) return false;
    for (size_t i = 1; i < infer->operand_count; ++i) {
        rt_type part = infer->operands[i], aligned = part;
        if (part.rank == result.rank) aligned.dims[*axis] = result.dims[*axis];
        if (!rt_type_equal(aligned, result))
            return rt_infer_fail(infer, "%s does not fit %s along axis %lld",
                                 infer_type_text(infer, part),
                                 infer_type_text(infer, infer->operands[0]), (long long)*axis);
        result.dims[*axis] = rt_dim_add(infer_dims(infer), result.dims[*axis], part.dims[*axis]);
    }
    infer->results[0] = result;
    return true;
}

bool infer_slice(rt_infer *infer) {
    rt_dim_table *dims = infer_dims(infer);
    rt_type x = infer->operands[0];
    int64_t *axis = infer_int_attr(infer, 0), step = infer->attrs[3].integer;
    if (!infer_axis(infer, x.rank, axis)) return false;
    if (step == 0) return rt_infer_fail(infer, "step 0");
    int64_t start, size, whole;
    bool has_start = rt_dim_is_constant(dims, infer->attrs[1].dim, &start);
    bool has_size = rt_dim_is_constant(dims, infer->attrs[2].dim, &size);
    bool is_known = has_start && has_size && rt_dim_is_constant(dims, x.dims[*axis], &whole);
    if ((has_size && size < 0) || (has_start && start < 0))
        return rt_infer_fail(infer, "start and size must not be negative");
    if (is_known && size > 0) {
        int64_t last;
        bool fits = rt_int64_multiply(size - 1, step, &last) && rt_int64_add(start, last, &last);
        if (!fits || start >= whole || last < 0 || last >= whole)
            return rt_infer_fail(infer, "%lld elements from %lld by %lld leave %s along axis %lld",
                                 (long long)size, (long long)start, (long long)step,
                                 infer_type_text(infer, x), (long long)*axis);
    }
    infer->results[0] = x;
    infer->results[0].dims[*axis] = infer->attrs[2].dim;
    return true;
}

bool infer_pad(rt_infer *infer) {
    rt_dim_table *dims = infer_dims(infer);
    rt_type x = infer->operands[0];
    int64_t *axis = infer_int_attr(infer, 0);
    if (!infer_axis(infer, x.rank, axis)) return false;
    rt_dim sides = rt_dim_add(dims, infer->attrs[1].dim, infer->attrs[2].dim);
    infer->results[0] = x;
    infer->results[0].dims[*axis] = rt_dim_add(dims, x.dims[*axis], sides);
    int64_t size;
    if (rt_dim_is_constant(dims, infer->results[0].dims[*axis], &size) && size < 0)
        return rt_infer_fail(infer, "takes more from %s along axis %lld than there is",
                             infer_type_text(infer, x), (long long)*axis);
    return true;
}

/* ---- indexing */

static bool is_index(rt_dtype dtype) {
    return dtype == RT_I32 || dtype == RT_I64;
}

bool infer_gather(rt_infer *infer) {
    rt_type x = infer->operands[0], indices = infer->operands[1];
    int64_t *axis = infer_int_attr(infer, 0);
    if (!is_index(indices.dtype))
        return rt_infer_fail(infer, "indices are %s; i32 or i64 is needed",
                             rt_dtype_text(indices.dtype));
    if (!infer_axis(infer, x.rank, axis)) return false;
    if (x.rank - 1 + indices.rank > RT_MAX_RANK)
        return rt_infer_fail(infer, "the result's rank is over %d", RT_MAX_RANK);
    rt_type result = {.dtype = x.dtype};
    for (int i = 0; i < *axis; ++i) result.dims[result.rank++] = x.dims[i];
    for (int i = 0; i < indices.rank; ++i) result.dims[result.rank++] = indices.dims[i];
    for (int i = (int)*axis + 1; i < x.rank; ++i) result.dims[result.rank++] = x.dims[i];
    infer->results[0] = result;
    return true;
}

bool infer_scatter_add(rt_infer *infer) {
    rt_type indices = infer->operands[0], updates = infer->operands[1];
    if (!is_index(indices.dtype))
        return rt_infer_fail(infer, "indices are %s; i32 or i64 is needed",
                             rt_dtype_text(indices.dtype));
    rt_type lead = rt_type_make(
        indices.dtype, updates.rank < indices.rank ? updates.rank : indices.rank, updates.dims);
    if (!rt_type_same_shape(lead, indices))
        return rt_infer_fail(infer, "updates %s do not start with the shape of indices %s",
                             infer_type_text(infer, updates), infer_type_text(infer, indices));
    rt_type result = {.dtype = updates.dtype, .rank = 1, .dims = {infer->attrs[0].dim}};
    for (int i = indices.rank; i < updates.rank; ++i) result.dims[result.rank++] = updates.dims[i];
    infer->results[0] = result;
    return true;
}
