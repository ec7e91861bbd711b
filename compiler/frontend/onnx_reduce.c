// SPDX-License-Identifier: Apache-2.0
/* Import rules: reductions over axes, positions of extremes. */
#include <math.h>

#include "compiler/frontend/onnx_call.h"

/* The axes of a reduction: an attribute, or from the version named an input. */
typedef struct reduction {
    rt_value x;
    int64_t axes[RT_MAX_RANK];
    size_t count;
    bool keeps;
} reduction;

/* False after a diagnostic. Without axes all are reduced, or none where the node says so. */
static bool read_reduction(onnx_call *call, int input_since, reduction *r) {
    const int64_t *axes;
    size_t count = 0;
    *r = (reduction){.x = onnx_input(call, 0), .keeps = onnx_int(call, "keepdims", 1) != 0};
    if (!onnx_needs(call, 1)) return false;
    int rank = onnx_rank(call, r->x);
    if (call->version >= input_since) {
        if (onnx_has(call, 1) && !onnx_known_ints(call, 1, &axes, &count)) return false;
    } else if (!onnx_ints(call, "axes", &axes, &count)) {
        count = 0;
    }
    if (count > (size_t)rank) {
        onnx_fail(call, "%zu axes for %d dimensions", count, rank);
        return false;
    }
    for (size_t i = 0; i < count; ++i) {
        int axis;
        if (!onnx_axis(call, axes[i], rank, &axis)) return false;
        r->axes[r->count++] = axis;
    }
    if (!count && !onnx_int(call, "noop_with_empty_axes", 0)) {
        for (int i = 0; i < rank; ++i) r->axes[r->count++] = i;
    }
    return true;
}

static rt_value reduce(onnx_call *call, const reduction *r, rt_op op, rt_value x) {
    return rt_build_reduce(call->b, op, x, r->axes, r->count, r->keeps);
}

static void import_plain(onnx_call *call, int input_since, rt_op op) {
    reduction r;
    if (!read_reduction(call, input_since, &r)) return;
    bool is_bool = onnx_type(call, r.x).dtype == RT_BOOL;
    rt_value result = reduce(call, &r, op, is_bool ? onnx_cast(call, r.x, RT_U8) : r.x);
    onnx_set(call, 0, is_bool ? onnx_cast(call, result, RT_BOOL) : result);
}

void import_reduce_sum(onnx_call *call) {
    import_plain(call, 13, RT_OP_reduce_sum);
}
void import_reduce_max(onnx_call *call) {
    import_plain(call, 18, RT_OP_reduce_max);
}
void import_reduce_min(onnx_call *call) {
    import_plain(call, 18, RT_OP_reduce_min);
}
void import_reduce_prod(onnx_call *call) {
    import_plain(call, 18, RT_OP_reduce_prod);
}

void import_reduce_mean(onnx_call *call) {
    reduction r;
    if (!read_reduction(call, 18, &r)) return;
    onnx_set(call, 0, rt_build_reduce_mean(call->b, r.x, r.axes, r.count, r.keeps));
}

/* sum |x| */
void import_reduce_l1(onnx_call *call) {
    reduction r;
    if (!read_reduction(call, 18, &r)) return;
    onnx_set(call, 0, reduce(call, &r, RT_OP_reduce_sum, rt_build_abs(call->b, r.x)));
}

static rt_value sum_of_squares(onnx_call *call, const reduction *r) {
    return reduce(call, r, RT_OP_reduce_sum, rt_build_mul(call->b, r->x, r->x));
}

void import_reduce_sum_square(onnx_call *call) {
    reduction r;
    if (read_reduction(call, 18, &r)) onnx_set(call, 0, sum_of_squares(call, &r));
}

/* Roots and logarithms of integers are taken in f64 and cast back. */
static rt_value in_float(onnx_call *call, rt_value x, rt_value (*build)(rt_builder *, rt_value)) {
    rt_dtype dtype = onnx_type(call, x).dtype;
    if (!rt_value_is(x) || rt_dtype_is_float(dtype)) return build(call->b, x);
    return onnx_cast(call, build(call->b, onnx_cast(call, x, RT_F64)), dtype);
}

void import_reduce_l2(onnx_call *call) {
    reduction r;
    if (!read_reduction(call, 18, &r)) return;
    onnx_set(call, 0, in_float(call, sum_of_squares(call, &r), rt_build_sqrt));
}

void import_reduce_log_sum(onnx_call *call) {
    reduction r;
    if (!read_reduction(call, 18, &r)) return;
    onnx_set(call, 0, in_float(call, reduce(call, &r, RT_OP_reduce_sum, r.x), rt_build_log));
}

/* m + log sum e^(x - m) with m the largest x, or 0 where that is infinite. */
void import_reduce_log_sum_exp(onnx_call *call) {
    reduction r;
    if (!read_reduction(call, 18, &r)) return;
    rt_dtype dtype = onnx_type(call, r.x).dtype;
    rt_value x = rt_dtype_is_float(dtype) ? r.x : onnx_cast(call, r.x, RT_F64);
    rt_value most = rt_build_reduce(call->b, RT_OP_reduce_max, x, r.axes, r.count, true);
    rt_value zero = onnx_scalar_like(call, x, 0);
    most = rt_build_select(call->b, rt_build_is_inf(call->b, most), zero, most);
    rt_value powers = rt_build_exp(call->b, rt_build_sub(call->b, x, most));
    rt_value log = rt_build_log(call->b, reduce(call, &r, RT_OP_reduce_sum, powers));
    rt_type type = onnx_type(call, log);
    rt_value shift = onnx_reshape(call, most, type.dims, type.rank);
    onnx_set(call, 0, onnx_cast(call, rt_build_add(call->b, log, shift), dtype));
}

/* ---- positions */

static rt_value argmax(onnx_call *call, rt_value x, int axis, bool keeps) {
    rt_attr attrs[2] = {{.integer = axis}, {.integer = keeps}};
    return rt_build(call->b, RT_OP_argmax, &x, 1, attrs);
}

/* The first position by itself; the last is the first of the axis reversed, counted from its end.
 */
static void import_position(onnx_call *call, bool wants_least) {
    rt_value x = onnx_input(call, 0);
    int axis;
    bool keeps = onnx_int(call, "keepdims", 1) != 0;
    if (!onnx_needs(call, 1)) return;
    if (!onnx_axis(call, onnx_int(call, "axis", 0), onnx_rank(call, x), &axis)) return;
    rt_type type = onnx_type(call, x);
    if (wants_least && !rt_dtype_is_float(type.dtype)) x = onnx_cast(call, x, RT_I64);
    if (wants_least) x = rt_build_neg(call->b, x);
    if (!onnx_int(call, "select_last_index", 0)) {
        onnx_set(call, 0, argmax(call, x, axis, keeps));
        return;
    }
    rt_dim last = rt_dim_subtract(call->dims, type.dims[axis], onnx_dim(call, 1));
    rt_value reversed = rt_build_slice(call->b, x, axis, last, type.dims[axis], -1);
    rt_value from_end = argmax(call, reversed, axis, keeps);
    onnx_set(call, 0, rt_build_sub(call->b, rt_build_dim(call->b, last), from_end));
}

void import_argmax(onnx_call *call) {
    import_position(call, false);
}

void import_argmin(onnx_call *call) {
    import_position(call, true);
}

/* The k largest by rank: element i has rank #{j : x_j > x_i, or x_j = x_i and j < i}, and output p
 * takes the element of rank p. Ranks come from comparing all pairs of an axis, which is meant for
 * the short axes of text models. */
static rt_value pair_ranks(onnx_call *call, rt_value x, bool largest) {
    rt_type type = onnx_type(call, x);
    int last = type.rank - 1;
    rt_type rows = type, columns = type, pairs = type;
    rows.rank = columns.rank = pairs.rank = type.rank + 1;
    rows.dims[last + 1] = columns.dims[last] = onnx_dim(call, 1);
    columns.dims[last + 1] = pairs.dims[last + 1] = type.dims[last];
    rt_value own = onnx_reshape(call, x, rows.dims, rows.rank);
    rt_value other = onnx_reshape(call, x, columns.dims, columns.rank);
    rt_value is_before =
        largest ? rt_build_less(call->b, own, other) : rt_build_less(call->b, other, own);
    rt_value is_earlier =
        rt_build_less(call->b, onnx_iota(call, pairs, last + 1), onnx_iota(call, pairs, last));
    rt_value is_tied = rt_build_and(call->b, rt_build_equal(call->b, own, other), is_earlier);
    rt_value counts = onnx_cast(call, rt_build_or(call->b, is_before, is_tied), RT_I64);
    return rt_build_sum_last(call->b, counts, false);
}

/* positions[.., p] = sum over i of i * (rank_i = p) */
static rt_value positions_of_ranks(onnx_call *call, rt_value ranks, int64_t k) {
    if (!rt_value_is(ranks)) return ranks; /* already diagnosed */
    rt_type type = onnx_type(call, ranks);
    int last = type.rank - 1;
    rt_type rows = type, pairs = type;
    rows.rank = pairs.rank = type.rank + 1;
    rows.dims[last + 1] = pairs.dims[last + 1] = type.dims[last];
    rows.dims[last] = onnx_dim(call, 1);
    pairs.dims[last] = onnx_dim(call, k);
    rt_value own = onnx_reshape(call, ranks, rows.dims, rows.rank);
    rt_value is_chosen = rt_build_equal(call->b, own, onnx_iota(call, pairs, last));
    rt_value index = onnx_iota(call, pairs, last + 1);
    rt_value zero = rt_build_scalar_int(call->b, RT_I64, 0);
    rt_value chosen = rt_build_select(call->b, is_chosen, index, zero);
    return rt_build_sum_last(call->b, chosen, false);
}

/* x at `positions` along the last axis. */
static rt_value take_last(onnx_call *call, rt_value x, rt_value positions) {
    if (!rt_value_is(positions)) return positions; /* already diagnosed */
    rt_type type = onnx_type(call, positions), source = onnx_type(call, x);
    int last = type.rank - 1;
    rt_value linear = positions;
    rt_dim stride = source.dims[last];
    for (int i = last - 1; i >= 0; --i) {
        rt_value row =
            rt_build_mul(call->b, onnx_iota(call, type, i), rt_build_dim(call->b, stride));
        linear = rt_build_add(call->b, linear, row);
        stride = rt_dim_multiply(call->dims, stride, source.dims[i]);
    }
    return onnx_take(call, x, linear);
}

void import_topk(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    int64_t k = onnx_int(call, "k", 0), size;
    int axis;
    if (!onnx_needs(call, 1)) return;
    if (call->version >= 10 && !onnx_known_int(call, 1, &k)) return;
    rt_type type = onnx_type(call, x);
    if (!onnx_axis(call, onnx_int(call, "axis", -1), type.rank, &axis)) return;
    bool is_too_many = rt_dim_is_constant(call->dims, type.dims[axis], &size) && k > size;
    if (k < 0 || is_too_many || type.rank + 1 > RT_MAX_RANK) {
        onnx_fail(call, "%lld largest elements of %s", (long long)k,
                  rt_type_text(call->dims, type, call->arena));
        return;
    }
    rt_value turned = onnx_swap(call, x, axis, type.rank - 1);
    rt_value ranks = pair_ranks(call, turned, onnx_int(call, "largest", 1) != 0);
    rt_value positions = positions_of_ranks(call, ranks, k);
    rt_value values = take_last(call, turned, positions);
    onnx_set(call, 0, onnx_swap(call, values, axis, type.rank - 1));
    onnx_set(call, 1, onnx_swap(call, positions, axis, type.rank - 1));
}
