// SPDX-License-Identifier: Apache-2.0
/* Gradients of reductions and running sums. */
#include "passes/vjp.h"

/* A reduction's result, or its gradient, with the reduced axes back as 1. */
static rt_value with_axes(rt_vjp *v, rt_value reduced, rt_attr axes) {
    rt_type type = type_of(v, v->in[0]);
    for (uint32_t i = 0; i < axes.count; ++i)
        type.dims[axes.ints[i]] = rt_module_constant_dim(v->b->module, 1);
    return rt_build_reshape(v->b, reduced, type.dims, (size_t)type.rank);
}

/* y = sum x:  dx = dy along the axes */
void vjp_reduce_sum(rt_vjp *v) {
    rt_type type = type_of(v, v->in[0]);
    rt_value dy = v->dy;
    if (type_of(v, dy).rank > 0) dy = with_axes(v, dy, vjp_attr(v, RT_ATTR_reduce_sum_axes));
    give(v, 0, rt_build_broadcast(v->b, dy, type.dims, (size_t)type.rank));
}

/* y = max x or min x, m = 1 where x = y:  dx = m dy / sum m, shared where several are equal */
static void give_to_extremes(rt_vjp *v, rt_attr axes) {
    rt_value is_chosen = rt_build_equal(v->b, v->in[0], with_axes(v, v->out[0], axes));
    rt_value m = rt_build_cast(v->b, is_chosen, type_of(v, v->in[0]).dtype);
    rt_value count = rt_build_reduce_sum(v->b, m, axes.ints, axes.count, true);
    give(v, 0, mul(v, m, rt_build_div(v->b, with_axes(v, v->dy, axes), count)));
}

void vjp_reduce_max(rt_vjp *v) {
    give_to_extremes(v, vjp_attr(v, RT_ATTR_reduce_max_axes));
}

void vjp_reduce_min(rt_vjp *v) {
    give_to_extremes(v, vjp_attr(v, RT_ATTR_reduce_min_axes));
}

/* y_i = sum_{j <= i} x_j:  dx_j = sum_{i >= j} dy_i, the running sum from the other end */
void vjp_cumsum(rt_vjp *v) {
    rt_attr attrs[] = {vjp_attr(v, RT_ATTR_cumsum_axis), vjp_attr(v, RT_ATTR_cumsum_exclusive),
                       vjp_attr(v, RT_ATTR_cumsum_reverse)};
    attrs[2].integer = !attrs[2].integer;
    give(v, 0, rt_build(v->b, RT_OP_cumsum, &v->dy, 1, attrs));
}
