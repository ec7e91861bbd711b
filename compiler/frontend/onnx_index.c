// SPDX-License-Identifier: Apache-2.0
/* Import rules: indexing. The graph gathers and scatter-adds along one axis; every other form
 * becomes arithmetic on row-major positions. */
#include <string.h>

#include "compiler/frontend/onnx_index.h"

static rt_value dim_value(onnx_call *call, rt_dim dim) {
    return rt_build_dim(call->b, dim);
}

static rt_value add_scaled(onnx_call *call, rt_value sum, rt_value index, rt_dim stride) {
    rt_value step = rt_build_mul(call->b, index, dim_value(call, stride));
    return rt_value_is(sum) ? rt_build_add(call->b, sum, step) : step;
}

/* ---- Pad */

/* Where element i of the padded axis comes from, i64[size]; `n` is the axis without padding. */
static rt_value source_of_padding(onnx_call *call, const char *mode, rt_dim before, rt_dim size,
                                  rt_dim n) {
    rt_type line = rt_type_make(RT_I64, 1, &size);
    rt_value i = rt_build_sub(call->b, onnx_iota(call, line, 0), dim_value(call, before));
    rt_value last = dim_value(call, rt_dim_subtract(call->dims, n, onnx_dim(call, 1)));
    rt_value zero = rt_build_scalar_int(call->b, RT_I64, 0);
    if (strcmp(mode, "edge") == 0) {
        return rt_build_minimum(call->b, rt_build_maximum(call->b, i, zero), last);
    }
    if (strcmp(mode, "wrap") == 0) {
        rt_attr attr = {.integer = false};
        return rt_build(call->b, RT_OP_mod, (rt_value[]){i, dim_value(call, n)}, 2, &attr);
    }
    /* Mirrored once at either end, without repeating the last element: n - 1 - |n - 1 - |i||. */
    rt_value folded = rt_build_sub(call->b, last, rt_build_abs(call->b, i));
    return rt_build_sub(call->b, last, rt_build_abs(call->b, folded));
}

/* A negative pad cuts. */
static rt_value cut_sides(onnx_call *call, rt_value x, int axis, rt_dim *before, rt_dim *after) {
    rt_dim zero = onnx_dim(call, 0), whole = onnx_type(call, x).dims[axis];
    bool cuts_before = rt_dim_is_negative(call->dims, *before);
    bool cuts_after = rt_dim_is_negative(call->dims, *after);
    if (!cuts_before && !cuts_after) return x;
    rt_dim start = cuts_before ? rt_dim_subtract(call->dims, zero, *before) : zero;
    rt_dim size = cuts_after ? rt_dim_add(call->dims, whole, *after) : whole;
    size = rt_dim_subtract(call->dims, size, start);
    if (cuts_before) *before = zero;
    if (cuts_after) *after = zero;
    return rt_build_slice(call->b, x, axis, start, size, 1);
}

static rt_value pad_axis(onnx_call *call, rt_value x, int axis, rt_dim before, rt_dim after,
                         double value) {
    const char *mode = onnx_text(call, "mode", "constant");
    if (!rt_value_is(x) || (!before.index && !after.index)) return x;
    x = cut_sides(call, x, axis, &before, &after);
    if (strcmp(mode, "constant") == 0) return rt_build_pad(call->b, x, axis, before, after, value);
    if (!rt_value_is(x)) return x;
    rt_dim n = onnx_type(call, x).dims[axis];
    rt_dim size = rt_dim_add(call->dims, n, rt_dim_add(call->dims, before, after));
    return rt_build_gather(call->b, x, source_of_padding(call, mode, before, size, n), axis);
}

void import_pad(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    const rt_dim *pads = NULL;
    const int64_t *axes = NULL, *given;
    size_t pad_count = 0, axis_count;
    double value = onnx_float(call, "value", 0);
    if (!onnx_needs(call, 1)) return;
    int rank = onnx_rank(call, x);
    if (call->version >= 11) {
        if (!onnx_known_dims(call, 1, &pads, &pad_count)) return;
        if (onnx_has(call, 2) && !onnx_known_real(call, 2, &value)) return;
    } else if (onnx_ints(call, "pads", &given, &pad_count)) {
        rt_dim *dims = RT_NEW_ARRAY(call->arena, rt_dim, pad_count);
        for (size_t i = 0; dims && i < pad_count; ++i) dims[i] = onnx_dim(call, given[i]);
        pads = dims;
    }
    axis_count = (size_t)rank;
    if (onnx_has(call, 3) && !onnx_known_ints(call, 3, &axes, &axis_count)) return;
    if (!pads || pad_count != 2 * axis_count || axis_count > (size_t)rank) {
        onnx_fail(call, "%zu pads for %zu axes", pad_count, axis_count);
        return;
    }
    for (size_t i = 0; i < axis_count; ++i) {
        int axis;
        if (!onnx_axis(call, axes ? axes[i] : (int64_t)i, rank, &axis)) return;
        x = pad_axis(call, x, axis, pads[i], pads[axis_count + i], value);
    }
    onnx_set(call, 0, x);
}

/* ---- Gather */

/* One known position is a slice: that is how later passes see "the first token of each row". */
static bool gather_one(onnx_call *call, rt_value x, int axis, rt_value *result) {
    const rt_known *known = rt_known_find(call->known, onnx_input(call, 1));
    rt_type type = onnx_type(call, x);
    if (!known || known->count != 1 || known->rank > 0) return false;
    rt_dim index = known->elements[0], dims[RT_MAX_RANK];
    int rank = 0;
    if (rt_dim_is_negative(call->dims, index)) {
        index = rt_dim_add(call->dims, index, type.dims[axis]);
    }
    for (int i = 0; i < type.rank; ++i) {
        if (i != axis) dims[rank++] = type.dims[i];
    }
    rt_value row = rt_build_slice(call->b, x, axis, index, onnx_dim(call, 1), 1);
    *result = onnx_reshape(call, row, dims, rank);
    return true;
}

void import_gather(onnx_call *call) {
    rt_value x = onnx_input(call, 0), indices = onnx_input(call, 1), result;
    int axis;
    if (!onnx_needs(call, 2)) return;
    if (!onnx_axis(call, onnx_int(call, "axis", 0), onnx_rank(call, x), &axis)) return;
    if (!gather_one(call, x, axis, &result)) {
        result = rt_build_gather(call->b, x, indices, axis);
    }
    onnx_set(call, 0, result);
}

/* Row-major positions in a tensor of `data`'s shape: the element's own index in every dimension but
 * `axis`, where `indices` says it. */
static rt_value element_positions(onnx_call *call, rt_type data, rt_value indices, int axis) {
    rt_type type = onnx_type(call, indices);
    rt_value sum = RT_NO_VALUE;
    rt_dim stride = onnx_dim(call, 1);
    for (int i = data.rank - 1; i >= 0; --i) {
        rt_value index =
            i == axis ? onnx_wrap_indices(call, indices, data.dims[i]) : onnx_iota(call, type, i);
        sum = add_scaled(call, sum, index, stride);
        stride = rt_dim_multiply(call->dims, stride, data.dims[i]);
    }
    return sum;
}

rt_value onnx_gather_elements(onnx_call *call, rt_value x, rt_value indices, int axis) {
    return onnx_take(call, x, element_positions(call, onnx_type(call, x), indices, axis));
}

static bool check_elements(onnx_call *call, size_t inputs, int *axis) {
    if (!onnx_needs(call, inputs)) return false;
    int rank = onnx_rank(call, onnx_input(call, 0));
    if (rank == onnx_rank(call, onnx_input(call, 1)) && rank > 0) {
        return onnx_axis(call, onnx_int(call, "axis", 0), rank, axis);
    }
    onnx_fail(call, "data and indices must have the same number of dimensions");
    return false;
}

void import_gather_elements(onnx_call *call) {
    int axis;
    if (!check_elements(call, 2, &axis)) return;
    onnx_set(call, 0, onnx_gather_elements(call, onnx_input(call, 0), onnx_input(call, 1), axis));
}

/* indices [batch.., outer.., depth] into data [batch.., depth dimensions, inner..]: the row of
 * data, seen as [rows, inner..], for each index tuple. */
static bool tuple_positions(onnx_call *call, int batch, rt_value *positions, int *depth) {
    rt_type data = onnx_type(call, onnx_input(call, 0));
    rt_value indices = onnx_input(call, 1);
    rt_type type = onnx_type(call, indices);
    int64_t size = 0;
    if (type.rank < 1 || !rt_dim_is_constant(call->dims, type.dims[type.rank - 1], &size) ||
        batch < 0 || size < 0 || batch + size > data.rank || batch >= type.rank) {
        onnx_fail(call, "indices %s do not fit data %s",
                  rt_type_text(call->dims, type, call->arena),
                  rt_type_text(call->dims, data, call->arena));
        return false;
    }
    rt_type tuples = rt_type_make(RT_I64, type.rank - 1, type.dims);
    rt_value sum = RT_NO_VALUE;
    rt_dim stride = onnx_dim(call, 1);
    *depth = (int)size;
    for (int i = batch + (int)size - 1; i >= 0; --i) {
        rt_value index;
        if (i < batch) {
            index = onnx_iota(call, tuples, i);
        } else {
            index = onnx_part(call, indices, type.rank - 1, i - batch, 1);
            index = onnx_reshape(call, index, tuples.dims, tuples.rank);
            index = onnx_wrap_indices(call, index, data.dims[i]);
        }
        sum = add_scaled(call, sum, index, stride);
        stride = rt_dim_multiply(call->dims, stride, data.dims[i]);
    }
    if (!rt_value_is(sum)) {
        sum = onnx_broadcast_to(call, rt_build_scalar_int(call->b, RT_I64, 0), tuples);
    }
    *positions = sum;
    return true;
}

/* `x` with its first `count` dimensions made one. */
static rt_value join_leading(onnx_call *call, rt_value x, int count) {
    rt_type type = onnx_type(call, x);
    rt_dim dims[RT_MAX_RANK + 1] = {onnx_product(call, type.dims, 0, count)};
    for (int i = count; i < type.rank; ++i) dims[1 + i - count] = type.dims[i];
    return onnx_reshape(call, x, dims, 1 + type.rank - count);
}

void import_gather_nd(onnx_call *call) {
    rt_value positions;
    int depth, batch = (int)onnx_int(call, "batch_dims", 0);
    if (!onnx_needs(call, 2) || !tuple_positions(call, batch, &positions, &depth)) return;
    rt_value rows = join_leading(call, onnx_input(call, 0), batch + depth);
    onnx_set(call, 0, rt_build_gather(call->b, rows, positions, 0));
}

/* ---- Scatter */

/* How updates combine with what they meet. */
typedef enum combine { REPLACE, ADD, MULTIPLY, MAXIMUM, MINIMUM } combine;

static bool read_combine(onnx_call *call, combine *how) {
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *given = onnx_text(call, "reduction", "none");
    for (int i = 0; i < 5; ++i) {
        if (strcmp(given, names[i]) != 0) continue;
        *how = (combine)i;
        return true;
    }
    onnx_fail(call, "reduction '%s' is not supported", given);
    return false;
}

/* The number that changes nothing. */
static rt_value neutral(onnx_call *call, combine how, rt_value like) {
    static const int64_t none[1];
    if (how == MULTIPLY) return onnx_scalar_like(call, like, 1);
    /* The extreme of nothing is the least or the largest value of the type. */
    rt_dtype dtype = onnx_type(call, like).dtype;
    rt_value empty = onnx_constant(call, dtype, 1, (const int64_t[]){0}, none);
    rt_op op = how == MAXIMUM ? RT_OP_reduce_max : RT_OP_reduce_min;
    return rt_build_reduce(call->b, op, empty, (const int64_t[]){0}, 1, false);
}

/* For products and extremes the graph has no scatter: every row of data meets every update, and
 * those that are not its own are replaced by the neutral number. data [R, D..], positions [U],
 * updates [U, D..]. */
static rt_value scatter_by_pairs(onnx_call *call, rt_value data, rt_value positions,
                                 rt_value updates, combine how) {
    rt_type rows = onnx_type(call, data), type = onnx_type(call, updates), pairs = rows;
    rt_dim one = onnx_dim(call, 1), mask_dims[RT_MAX_RANK];
    if (rows.rank + 1 > RT_MAX_RANK) {
        onnx_fail(call, "more than %d dimensions", RT_MAX_RANK);
        return RT_NO_VALUE;
    }
    pairs.rank = rows.rank + 1;
    pairs.dims[1] = type.dims[0];
    for (int i = 1; i < rows.rank; ++i) pairs.dims[i + 1] = rows.dims[i];
    rt_type square = rt_type_make(RT_I64, 2, pairs.dims);
    rt_value is_own = rt_build_equal(call->b, onnx_iota(call, square, 0), positions);
    for (int i = 0; i < pairs.rank; ++i) mask_dims[i] = i < 2 ? pairs.dims[i] : one;
    is_own = onnx_reshape(call, is_own, mask_dims, pairs.rank);
    rt_value met = rt_build_select(call->b, is_own, updates, neutral(call, how, data));
    met = onnx_broadcast_to(call, met, pairs);
    rt_op op = how == MULTIPLY  ? RT_OP_reduce_prod
               : how == MAXIMUM ? RT_OP_reduce_max
                                : RT_OP_reduce_min;
    rt_value all = rt_build_reduce(call->b, op, met, (const int64_t[]){1}, 1, false);
    return how == MULTIPLY  ? rt_build_mul(call->b, data, all)
           : how == MAXIMUM ? rt_build_maximum(call->b, data, all)
                            : rt_build_minimum(call->b, data, all);
}

/* data [R, D..] with updates [U, D..] at rows positions [U]. Replacing takes the sum of the updates
 * where there is one: ONNX leaves open which of several updates of one element stays. */
static rt_value scatter_rows(onnx_call *call, rt_value data, rt_value positions, rt_value updates,
                             combine how) {
    if (!rt_value_is(data) || !rt_value_is(updates)) return RT_NO_VALUE;
    rt_type rows = onnx_type(call, data);
    bool is_bool = rows.dtype == RT_BOOL;
    if (is_bool) updates = onnx_cast(call, updates, RT_I32);
    if (how >= MULTIPLY) return scatter_by_pairs(call, data, positions, updates, how);
    rt_value sums = rt_build_scatter_add(call->b, positions, updates, rows.dims[0]);
    if (how == ADD) return rt_build_add(call->b, data, sums);
    rt_type type = onnx_type(call, positions);
    rt_value ones = onnx_broadcast_to(call, rt_build_scalar_int(call->b, RT_I32, 1), type);
    rt_value counts = rt_build_scatter_add(call->b, positions, ones, rows.dims[0]);
    rt_value is_met = rt_build_less(call->b, rt_build_scalar_int(call->b, RT_I32, 0), counts);
    is_met = onnx_align(call, is_met, 0, rows.rank);
    return rt_build_select(call->b, is_met, is_bool ? onnx_cast(call, sums, RT_BOOL) : sums, data);
}

void import_scatter_elements(onnx_call *call) {
    combine how;
    int axis;
    if (!check_elements(call, 3, &axis) || !read_combine(call, &how)) return;
    rt_value x = onnx_input(call, 0), indices = onnx_input(call, 1);
    rt_type type = onnx_type(call, x), count = onnx_type(call, indices);
    rt_value positions = element_positions(call, type, indices, axis);
    rt_value data = join_leading(call, x, type.rank);
    positions = join_leading(call, positions, count.rank);
    rt_value updates = join_leading(call, onnx_input(call, 2), count.rank);
    rt_value result = scatter_rows(call, data, positions, updates, how);
    onnx_set(call, 0, onnx_reshape(call, result, type.dims, type.rank));
}

void import_scatter_nd(onnx_call *call) {
    rt_value positions;
    combine how;
    int depth;
    if (!onnx_needs(call, 3) || !read_combine(call, &how)) return;
    if (!tuple_positions(call, 0, &positions, &depth)) return;
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    int outer = onnx_rank(call, positions);
    rt_value data = join_leading(call, x, depth);
    positions = join_leading(call, positions, outer);
    rt_value updates = join_leading(call, onnx_input(call, 2), outer);
    rt_value result = scatter_rows(call, data, positions, updates, how);
    onnx_set(call, 0, onnx_reshape(call, result, type.dims, type.rank));
}

/* A cache [batch, .., size, ..] with an update at write_indices[batch] along `axis`: element i of
 * the axis comes from the update where 0 <= i - start < its size. */
void import_tensor_scatter(onnx_call *call) {
    rt_value cache = onnx_input(call, 0), update = onnx_input(call, 1);
    int axis;
    if (!onnx_needs(call, 2)) return;
    rt_type type = onnx_type(call, cache);
    if (!onnx_axis(call, onnx_int(call, "axis", -2), type.rank, &axis)) return;
    rt_value start = rt_build_scalar_int(call->b, RT_I64, 0);
    if (onnx_has(call, 2)) {
        start = onnx_align(call, onnx_cast(call, onnx_input(call, 2), RT_I64), 0, type.rank);
    }
    rt_dim size = onnx_type(call, update).dims[axis];
    rt_value from = rt_build_sub(call->b, onnx_iota(call, type, axis), start);
    if (onnx_is_text(call, "mode", "linear", "circular")) {
        rt_attr attr = {.integer = false};
        rt_value whole = dim_value(call, type.dims[axis]);
        from = rt_build(call->b, RT_OP_mod, (rt_value[]){from, whole}, 2, &attr);
    }
    rt_value zero = rt_build_scalar_int(call->b, RT_I64, 0);
    rt_value last = dim_value(call, rt_dim_subtract(call->dims, size, onnx_dim(call, 1)));
    rt_value is_new = rt_build_and(call->b, rt_build_less_equal(call->b, zero, from),
                                   rt_build_less_equal(call->b, from, last));
    rt_value inside = rt_build_minimum(call->b, rt_build_maximum(call->b, from, zero), last);
    rt_value moved = onnx_gather_elements(call, update, inside, axis);
    onnx_set(call, 0, rt_build_select(call->b, is_new, moved, cache));
}

/* ---- others */

/* One number, of any type; a size where it is an integer. */
static bool one_hot_depth(onnx_call *call, rt_dim *depth) {
    const rt_dim *dims;
    size_t count;
    double real;
    if (rt_dtype_is_float(onnx_type(call, onnx_input(call, 1)).dtype)) {
        if (!onnx_known_real(call, 1, &real)) return false;
        bool is_size = real >= 0 && real < 1e15;
        if (!is_size) onnx_fail(call, "depth %g", real);
        if (is_size) *depth = onnx_dim(call, (int64_t)real);
        return is_size;
    }
    if (!onnx_known_dims(call, 1, &dims, &count)) return false;
    if (count != 1) onnx_fail(call, "depth must be one number");
    if (count == 1) *depth = dims[0];
    return count == 1;
}

/* values[1] where the position along the new axis is the index, else values[0]. */
void import_one_hot(onnx_call *call) {
    rt_value indices = onnx_input(call, 0), values = onnx_input(call, 2);
    rt_dim depth;
    int axis;
    if (!onnx_needs(call, 3) || !one_hot_depth(call, &depth)) return;
    rt_type type = onnx_type(call, indices), wide = type, narrow = type;
    wide.rank = narrow.rank = type.rank + 1;
    if (wide.rank > RT_MAX_RANK) {
        onnx_fail(call, "more than %d dimensions", RT_MAX_RANK);
        return;
    }
    if (!onnx_axis(call, onnx_int(call, "axis", -1), wide.rank, &axis)) return;
    for (int i = wide.rank - 1; i > axis; --i) wide.dims[i] = narrow.dims[i] = type.dims[i - 1];
    wide.dims[axis] = depth;
    narrow.dims[axis] = onnx_dim(call, 1);
    indices = onnx_reshape(call, onnx_wrap_indices(call, indices, depth), narrow.dims, narrow.rank);
    rt_value is_hot = rt_build_equal(call->b, onnx_iota(call, wide, axis), indices);
    rt_value off = onnx_reshape(call, onnx_part(call, values, 0, 0, 1), NULL, 0);
    rt_value on = onnx_reshape(call, onnx_part(call, values, 0, 1, 1), NULL, 0);
    onnx_set(call, 0, rt_build_select(call->b, is_hot, on, off));
}

/* The elements whose condition holds: their number must be known. */
void import_compress(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    const int64_t *keeps;
    size_t count;
    int axis = 0;
    if (!onnx_needs(call, 2) || !onnx_known_ints(call, 1, &keeps, &count)) return;
    rt_type type = onnx_type(call, x);
    if (onnx_attribute(call, "axis")) {
        if (!onnx_axis(call, onnx_int(call, "axis", 0), type.rank, &axis)) return;
    } else {
        x = join_leading(call, x, type.rank);
    }
    int64_t *kept = RT_NEW_ARRAY(call->arena, int64_t, count), size = 0;
    if (!kept) return;
    for (size_t i = 0; i < count; ++i) {
        if (keeps[i]) kept[size++] = (int64_t)i;
    }
    rt_value indices = onnx_constant(call, RT_I64, 1, &size, kept);
    onnx_set(call, 0, rt_build_gather(call->b, x, indices, axis));
}

/* The first lengths[b] elements along the time axis in reverse, the others as they are. */
void import_reverse_sequence(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    int time, batch;
    if (!onnx_needs(call, 2)) return;
    rt_type type = onnx_type(call, x), lengths_type = type;
    if (!onnx_axis(call, onnx_int(call, "time_axis", 0), type.rank, &time) ||
        !onnx_axis(call, onnx_int(call, "batch_axis", 1), type.rank, &batch)) {
        return;
    }
    for (int i = 0; i < type.rank; ++i) {
        if (i != batch) lengths_type.dims[i] = onnx_dim(call, 1);
    }
    rt_value lengths = onnx_cast(call, onnx_input(call, 1), RT_I64);
    lengths = onnx_reshape(call, lengths, lengths_type.dims, type.rank);
    rt_value i = onnx_iota(call, type, time), one = rt_build_scalar_int(call->b, RT_I64, 1);
    rt_value mirrored = rt_build_sub(call->b, rt_build_sub(call->b, lengths, one), i);
    rt_value from = rt_build_select(call->b, rt_build_less(call->b, i, lengths), mirrored, i);
    onnx_set(call, 0, onnx_gather_elements(call, x, from, time));
}
