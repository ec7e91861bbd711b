// SPDX-License-Identifier: Apache-2.0
/* Gradients of what moves elements: each moves them back. All are linear. */
#include "passes/vjp.h"

/* y = x under another shape:  dx = dy under x's */
void vjp_reshape(rt_vjp *v) {
    rt_type type = type_of(v, v->in[0]);
    give(v, 0, rt_build_reshape(v->b, v->dy, type.dims, (size_t)type.rank));
}

/* dx = dy under the inverse permutation */
void vjp_transpose(rt_vjp *v) {
    rt_attr permutation = vjp_attr(v, RT_ATTR_transpose_permutation);
    int64_t inverse[RT_MAX_RANK];
    for (uint32_t i = 0; i < permutation.count; ++i) inverse[permutation.ints[i]] = i;
    give(v, 0, rt_build_transpose(v->b, v->dy, inverse, permutation.count));
}

/* dx = dy, summed over what was repeated (by the driver, as for every broadcast) */
void vjp_broadcast(rt_vjp *v) {
    give(v, 0, v->dy);
}

/* y = [x0, x1, ..]:  dx_k = the k-th part of dy */
void vjp_concat(rt_vjp *v) {
    rt_dim_table *table = rt_module_dims(v->b->module);
    int64_t axis = vjp_attr(v, RT_ATTR_concat_axis).integer;
    rt_dim first = rt_dim_constant(table, 0);
    for (size_t k = 0; k < v->in_count; ++k) {
        rt_dim size = type_of(v, v->in[k]).dims[axis];
        if (wants(v, k)) give(v, k, rt_build_slice(v->b, v->dy, axis, first, size, 1));
        first = rt_dim_add(table, first, size);
    }
}

/* The adjoint of taking `indices` (of rank r) along `axis` of x: their r dimensions move to the
 * front of dy, the parts are added up by index, and the summed dimension moves back to `axis`. */
static rt_value scatter_along(rt_vjp *v, rt_value indices, int64_t axis) {
    int64_t to_front[RT_MAX_RANK], back[RT_MAX_RANK];
    int r = type_of(v, indices).rank, rank = type_of(v, v->dy).rank;
    rt_type x = type_of(v, v->in[0]);
    for (int i = 0; i < rank; ++i) to_front[i] = i < r ? axis + i : i < r + axis ? i - r : i;
    for (int i = 0; i < x.rank; ++i) back[i] = i < axis ? i + 1 : i == axis ? 0 : i;
    rt_value updates = rt_build_transpose(v->b, v->dy, to_front, (size_t)rank);
    rt_value sums = rt_build_scatter_add(v->b, indices, updates, x.dims[axis]);
    return rt_build_transpose(v->b, sums, back, (size_t)x.rank);
}

/* start + step * [0, size) */
static rt_value slice_indices(rt_vjp *v, rt_dim start, rt_dim size, int64_t step) {
    rt_type type = rt_type_make(RT_I64, 1, &size);
    rt_value steps =
        mul(v, rt_build_iota(v->b, RT_I64, 0, type), rt_build_scalar_int(v->b, RT_I64, step));
    return add(v, steps, rt_build_dim(v->b, start));
}

/* y_i = x_{start + i step}:  dx = dy between zeros, or added up at its places for other steps */
void vjp_slice(rt_vjp *v) {
    rt_dim_table *table = rt_module_dims(v->b->module);
    int64_t axis = vjp_attr(v, RT_ATTR_slice_axis).integer;
    int64_t step = vjp_attr(v, RT_ATTR_slice_step).integer;
    rt_dim start = vjp_attr(v, RT_ATTR_slice_start).dim;
    rt_dim size = vjp_attr(v, RT_ATTR_slice_size).dim;
    if (step == 1) {
        rt_dim whole = type_of(v, v->in[0]).dims[axis];
        rt_dim after = rt_dim_subtract(table, rt_dim_subtract(table, whole, start), size);
        give(v, 0, rt_build_pad(v->b, v->dy, axis, start, after, 0));
    } else {
        give(v, 0, scatter_along(v, slice_indices(v, start, size, step), axis));
    }
}

/* y = x between constants:  dx = the part of dy where x stands */
void vjp_pad(rt_vjp *v) {
    int64_t axis = vjp_attr(v, RT_ATTR_pad_axis).integer;
    rt_dim before = vjp_attr(v, RT_ATTR_pad_before).dim;
    rt_dim size = type_of(v, v->in[0]).dims[axis];
    give(v, 0, rt_build_slice(v->b, v->dy, axis, before, size, 1));
}

/* y_i = x_{index_i}:  dx_j = sum of dy_i over the i with index_i = j */
void vjp_gather(rt_vjp *v) {
    give(v, 0, scatter_along(v, v->in[1], vjp_attr(v, RT_ATTR_gather_axis).integer));
}

/* y_j = sum of x_i over the i with index_i = j:  dx_i = dy_{index_i} */
void vjp_scatter_add(rt_vjp *v) {
    give(v, 1, rt_build_gather(v->b, v->dy, v->in[0], 0));
}
