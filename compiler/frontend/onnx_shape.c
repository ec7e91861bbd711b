// SPDX-License-Identifier: Apache-2.0
/* Import rules: shapes, constants and movement without indices. Shapes that are computed by nodes
 * are read as dimensions (known_dims.h). */
#include <math.h>
#include <string.h>

#include "compiler/frontend/onnx_call.h"
#include "ir/rules.h"

/* ---- sizes as values */

void import_shape(onnx_call *call) {
    if (!onnx_needs(call, 1)) return;
    rt_type type = onnx_type(call, onnx_input(call, 0));
    int64_t start = onnx_int(call, "start", 0), end = onnx_int(call, "end", type.rank);
    if (start < 0) start += type.rank;
    if (end < 0) end += type.rank;
    start = start < 0 ? 0 : start > type.rank ? type.rank : start;
    end = end < start ? start : end > type.rank ? type.rank : end;
    onnx_set(call, 0, onnx_dims_vector(call, type.dims + start, (size_t)(end - start)));
}

void import_size(onnx_call *call) {
    if (!onnx_needs(call, 1)) return;
    rt_type type = onnx_type(call, onnx_input(call, 0));
    onnx_set(call, 0, rt_build_dim(call->b, onnx_product(call, type.dims, 0, type.rank)));
}

void import_identity(onnx_call *call) {
    onnx_set(call, 0, onnx_input(call, 0));
}

/* ---- constants */

static rt_value constant_of_attribute(onnx_call *call, const rt_onnx_attribute *attribute) {
    int64_t count = (int64_t)attribute->count;
    switch (attribute->kind) {
    case RT_ONNX_ATTRIBUTE_TENSOR:
        return onnx_tensor_value(call, attribute->tensors, call->node->outputs[0]);
    case RT_ONNX_ATTRIBUTE_FLOAT: return rt_build_scalar(call->b, RT_F32, attribute->real);
    case RT_ONNX_ATTRIBUTE_INT: return rt_build_scalar_int(call->b, RT_I64, attribute->integer);
    case RT_ONNX_ATTRIBUTE_FLOATS: return onnx_constant(call, RT_F32, 1, &count, attribute->reals);
    case RT_ONNX_ATTRIBUTE_INTS: return onnx_constant(call, RT_I64, 1, &count, attribute->integers);
    default: onnx_fail(call, "'%s' is not supported", attribute->name); return RT_NO_VALUE;
    }
}

void import_constant(onnx_call *call) {
    static const char *const names[] = {"value",         "value_float", "value_int",
                                        "value_floats",  "value_ints",  "value_string",
                                        "value_strings", "sparse_value"};
    if (call->output_count < 1) return;
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        const rt_onnx_attribute *attribute = onnx_attribute(call, names[i]);
        if (!attribute) continue;
        onnx_set(call, 0, constant_of_attribute(call, attribute));
        return;
    }
    onnx_fail(call, "has no value");
}

static bool known_shape(onnx_call *call, size_t index, rt_type *shape) {
    const rt_dim *dims;
    size_t count;
    if (!onnx_known_dims(call, index, &dims, &count)) return false;
    if (count > RT_MAX_RANK) {
        onnx_fail(call, "%zu dimensions; at most %d are supported", count, RT_MAX_RANK);
        return false;
    }
    *shape = rt_type_make(RT_F32, (int)count, dims);
    return true;
}

void import_constant_of_shape(onnx_call *call) {
    rt_type shape;
    const rt_onnx_attribute *value = onnx_attribute(call, "value");
    if (!known_shape(call, 0, &shape)) return;
    rt_value fill = value && value->kind == RT_ONNX_ATTRIBUTE_TENSOR && value->tensors->count == 1
                        ? onnx_tensor_value(call, value->tensors, call->node->outputs[0])
                        : rt_build_scalar(call->b, RT_F32, 0);
    fill = onnx_reshape(call, fill, NULL, 0);
    onnx_set(call, 0, onnx_broadcast_to(call, fill, shape));
}

/* start + i * delta for i below (limit - start) / delta, rounded up. */
static bool range_size(onnx_call *call, rt_dim *size) {
    rt_value limits[3] = {onnx_input(call, 0), onnx_input(call, 1), onnx_input(call, 2)};
    int64_t span, step;
    if (!onnx_needs(call, 3)) return false;
    if (rt_dtype_is_float(onnx_type(call, limits[0]).dtype)) {
        double start, limit, delta;
        if (!onnx_known_real(call, 0, &start) || !onnx_known_real(call, 1, &limit) ||
            !onnx_known_real(call, 2, &delta)) {
            return false;
        }
        double count = ceil((limit - start) / delta);
        *size = onnx_dim(call, count > 0 && count < 1e15 ? (int64_t)count : 0);
        return true;
    }
    const rt_dim *start, *limit, *delta;
    size_t count;
    if (!onnx_known_dims(call, 0, &start, &count) || count != 1) return false;
    if (!onnx_known_dims(call, 1, &limit, &count) || count != 1) return false;
    if (!onnx_known_dims(call, 2, &delta, &count) || count != 1) return false;
    rt_dim distance = rt_dim_subtract(call->dims, limit[0], start[0]);
    if (rt_dim_is_constant(call->dims, delta[0], &step) &&
        rt_dim_is_constant(call->dims, distance, &span) && step != 0) {
        int64_t whole = span / step + ((span % step != 0) && (span > 0) == (step > 0));
        *size = onnx_dim(call, whole > 0 ? whole : 0);
        return true;
    }
    if (delta[0].index && rt_dim_divide(call->dims, distance, delta[0], size)) return true;
    onnx_fail(call, "the number of elements is not a polynomial in the sizes of the inputs");
    return false;
}

void import_range(onnx_call *call) {
    rt_dim size;
    if (!range_size(call, &size)) return;
    rt_value start = onnx_reshape(call, onnx_input(call, 0), NULL, 0);
    rt_value delta = onnx_reshape(call, onnx_input(call, 2), NULL, 0);
    rt_dtype dtype = onnx_type(call, start).dtype;
    rt_value index = rt_build_iota(call->b, dtype, 0, rt_type_make(dtype, 1, &size));
    onnx_set(call, 0, rt_build_add(call->b, rt_build_mul(call->b, index, delta), start));
}

void import_eye_like(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    rt_dtype dtype = type.dtype;
    if (!onnx_needs(call, 1)) return;
    if (onnx_attribute(call, "dtype") && !onnx_dtype(call, onnx_int(call, "dtype", 0), &dtype)) {
        return;
    }
    rt_value offset = rt_build_scalar_int(call->b, RT_I64, onnx_int(call, "k", 0));
    rt_value diagonal = rt_build_add(call->b, onnx_iota(call, type, 0), offset);
    rt_value is_one = rt_build_equal(call->b, onnx_iota(call, type, 1), diagonal);
    onnx_set(call, 0, onnx_cast(call, is_one, dtype));
}

/* ---- reshaping */

/* The dimension that -1 stands for: all elements over the others, equal factors taken away first.
 */
static bool deduce_dimension(onnx_call *call, rt_type x, const rt_dim *others, int count,
                             rt_dim *deduced) {
    bool is_used[RT_MAX_RANK] = {false};
    rt_dim divisor = onnx_dim(call, 1), rest = divisor;
    for (int i = 0; i < count; ++i) {
        int match = 0;
        while (match < x.rank && (is_used[match] || !rt_dim_equal(x.dims[match], others[i]))) {
            ++match;
        }
        if (match < x.rank) {
            is_used[match] = true;
        } else {
            divisor = rt_dim_multiply(call->dims, divisor, others[i]);
        }
    }
    for (int i = 0; i < x.rank; ++i) {
        if (!is_used[i]) rest = rt_dim_multiply(call->dims, rest, x.dims[i]);
    }
    return rt_dim_divide(call->dims, rest, divisor, deduced);
}

static bool is_constant(const onnx_call *call, rt_dim dim, int64_t wanted) {
    int64_t value;
    return rt_dim_is_constant(call->dims, dim, &value) && value == wanted;
}

void import_reshape(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x), shape;
    rt_dim others[RT_MAX_RANK];
    int other_count = 0, open = -1;
    if (!onnx_needs(call, 2) || !known_shape(call, 1, &shape)) return;
    for (int i = 0; i < shape.rank; ++i) {
        bool keeps = is_constant(call, shape.dims[i], 0) && !onnx_int(call, "allowzero", 0);
        if (keeps && i < type.rank) shape.dims[i] = type.dims[i];
        if (is_constant(call, shape.dims[i], -1)) {
            open = i;
        } else {
            others[other_count++] = shape.dims[i];
        }
    }
    if (open >= 0 && !deduce_dimension(call, type, others, other_count, &shape.dims[open])) {
        onnx_fail(call, "the open dimension of %s does not follow from %s",
                  rt_type_text(call->dims, shape, call->arena),
                  rt_type_text(call->dims, type, call->arena));
        return;
    }
    onnx_set(call, 0, onnx_reshape(call, x, shape.dims, shape.rank));
}

void import_flatten(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    int64_t axis = onnx_int(call, "axis", 1);
    if (axis < 0) axis += type.rank;
    if (axis < 0 || axis > type.rank) {
        onnx_fail(call, "axis %lld is out of range for %d dimensions", (long long)axis, type.rank);
        return;
    }
    rt_dim dims[2] = {onnx_product(call, type.dims, 0, (int)axis),
                      onnx_product(call, type.dims, (int)axis, type.rank)};
    onnx_set(call, 0, onnx_reshape(call, x, dims, 2));
}

void import_squeeze(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    bool is_dropped[RT_MAX_RANK] = {false};
    const int64_t *axes;
    size_t count = 0;
    if (!onnx_needs(call, 1)) return;
    bool is_given = onnx_has(call, 1) || onnx_attribute(call, "axes");
    if (is_given && !onnx_list(call, 1, "axes", &axes, &count)) return;
    for (size_t i = 0; i < count; ++i) {
        int axis;
        if (!onnx_axis(call, axes[i], type.rank, &axis)) return;
        is_dropped[axis] = true;
    }
    rt_dim dims[RT_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < type.rank; ++i) {
        bool is_one = is_constant(call, type.dims[i], 1);
        if (!is_given) is_dropped[i] = is_one;
        if (is_dropped[i] && !is_one) {
            onnx_fail(call, "dimension %d of %s is not 1", i,
                      rt_type_text(call->dims, type, call->arena));
            return;
        }
        if (!is_dropped[i]) dims[rank++] = type.dims[i];
    }
    onnx_set(call, 0, onnx_reshape(call, x, dims, rank));
}

void import_unsqueeze(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    bool is_new[RT_MAX_RANK] = {false};
    const int64_t *axes;
    size_t count = 0;
    if (!onnx_needs(call, 1) || !onnx_list(call, 1, "axes", &axes, &count)) return;
    int rank = type.rank + (int)count;
    if (count > RT_MAX_RANK || rank > RT_MAX_RANK) {
        onnx_fail(call, "more than %d dimensions", RT_MAX_RANK);
        return;
    }
    for (size_t i = 0; i < count; ++i) {
        int axis;
        if (!onnx_axis(call, axes[i], rank, &axis)) return;
        is_new[axis] = true;
    }
    rt_dim dims[RT_MAX_RANK];
    for (int i = 0, from = 0; i < rank; ++i) {
        bool is_old = !is_new[i] && from < type.rank;
        dims[i] = is_old ? type.dims[from++] : onnx_dim(call, 1);
    }
    onnx_set(call, 0, onnx_reshape(call, x, dims, rank));
}

/* ---- moving */

void import_transpose(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    int64_t reversed[RT_MAX_RANK];
    const int64_t *permutation = reversed;
    if (!onnx_needs(call, 1)) return;
    size_t rank = (size_t)onnx_rank(call, x);
    for (size_t i = 0; i < rank; ++i) reversed[i] = (int64_t)(rank - 1 - i);
    onnx_ints(call, "perm", &permutation, &rank);
    onnx_set(call, 0, rt_build_transpose(call->b, x, permutation, rank));
}

void import_concat(onnx_call *call) {
    if (!call->input_count || !onnx_needs(call, call->input_count)) return;
    int64_t axis = onnx_int(call, "axis", 0);
    onnx_set(call, 0, rt_build_concat(call->b, call->inputs, call->input_count, axis));
}

/* Sizes of the parts: given, or equal ones of which the last may be smaller. */
static bool split_sizes(onnx_call *call, rt_dim whole, const rt_dim **sizes) {
    const int64_t *given;
    size_t count = call->output_count;
    rt_dim *parts = RT_NEW_ARRAY(call->arena, rt_dim, count);
    int64_t total;
    *sizes = parts;
    if (!parts || !count) return false;
    if (onnx_has(call, 1)) {
        if (!onnx_known_dims(call, 1, sizes, &count)) return false;
        if (count != call->output_count)
            onnx_fail(call, "%zu sizes for %zu outputs", count, call->output_count);
        return count == call->output_count;
    }
    if (onnx_ints(call, "split", &given, &count)) {
        if (count != call->output_count) {
            onnx_fail(call, "%zu sizes for %zu outputs", count, call->output_count);
            return false;
        }
        for (size_t i = 0; i < count; ++i) parts[i] = onnx_dim(call, given[i]);
        return true;
    }
    if (!rt_dim_is_constant(call->dims, whole, &total)) {
        rt_dim part;
        if (!rt_dim_divide(call->dims, whole, onnx_dim(call, (int64_t)count), &part)) {
            onnx_fail(call, "%s does not divide by %zu",
                      rt_dim_text(call->dims, whole, call->arena), count);
            return false;
        }
        for (size_t i = 0; i < count; ++i) parts[i] = part;
        return true;
    }
    int64_t size = (total + (int64_t)count - 1) / (int64_t)count;
    for (size_t i = 0; i < count; ++i) {
        int64_t left = total - (int64_t)i * size;
        parts[i] = onnx_dim(call, left < 0 ? 0 : left < size ? left : size);
    }
    return true;
}

void import_split(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    const rt_dim *sizes;
    int axis;
    if (!onnx_needs(call, 1)) return;
    if (!onnx_axis(call, onnx_int(call, "axis", 0), type.rank, &axis)) return;
    if (!split_sizes(call, type.dims[axis], &sizes)) return;
    rt_dim start = onnx_dim(call, 0);
    for (size_t i = 0; i < call->output_count; ++i) {
        onnx_set(call, i, rt_build_slice(call->b, x, axis, start, sizes[i], 1));
        start = rt_dim_add(call->dims, start, sizes[i]);
    }
}

/* A bound of a slice, counted from the start and held within [low, high]. Constants far outside
 * mean "to the end". What is not known to be outside is taken to be inside: a run with another
 * length then fails instead of giving a shorter result. */
static rt_dim slice_bound(onnx_call *call, rt_dim bound, rt_dim whole, int64_t low, int64_t high) {
    enum { FAR = INT32_MAX };
    int64_t value = 0;
    bool is_known = rt_dim_is_constant(call->dims, bound, &value);
    rt_dim first = onnx_dim(call, low);
    rt_dim last = rt_dim_add(call->dims, whole, onnx_dim(call, high));
    if (is_known && value >= FAR) return last;
    if (is_known && value <= -FAR) return first;
    if (rt_dim_is_negative(call->dims, bound)) bound = rt_dim_add(call->dims, bound, whole);
    if (rt_dim_is_positive(call->dims, rt_dim_subtract(call->dims, bound, last))) return last;
    if (rt_dim_is_negative(call->dims, rt_dim_subtract(call->dims, bound, first))) return first;
    return bound;
}

/* ceil((end - start) / step), not below 0. */
static bool slice_size(onnx_call *call, rt_dim start, rt_dim end, int64_t step, rt_dim *size) {
    rt_dim distance = rt_dim_subtract(call->dims, end, start);
    int64_t span;
    if (rt_dim_is_constant(call->dims, distance, &span)) {
        int64_t whole = span / step + ((span % step != 0) && (span > 0) == (step > 0));
        *size = onnx_dim(call, whole > 0 ? whole : 0);
        return true;
    }
    if (rt_dim_divide(call->dims, distance, onnx_dim(call, step), size)) return true;
    onnx_fail(call, "%s elements with step %lld: the size is not a polynomial",
              rt_dim_text(call->dims, distance, call->arena), (long long)step);
    return false;
}

static rt_value slice_axis(onnx_call *call, rt_value x, int axis, const rt_dim bounds[2],
                           int64_t step) {
    rt_dim size, whole = onnx_type(call, x).dims[axis];
    if (step == 0) {
        onnx_fail(call, "step 0");
        return RT_NO_VALUE;
    }
    int64_t shift = step < 0 ? -1 : 0;
    rt_dim start = slice_bound(call, bounds[0], whole, 0, shift);
    rt_dim end = slice_bound(call, bounds[1], whole, shift, shift);
    if (!slice_size(call, start, end, step, &size)) return RT_NO_VALUE;
    if (is_constant(call, size, 0)) start = onnx_dim(call, 0);
    return rt_build_slice(call->b, x, axis, start, size, step);
}

void import_slice(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    const rt_dim *bounds[2] = {NULL, NULL};
    const int64_t *axes = NULL, *steps = NULL, *given;
    size_t count = 0, axis_count = 0, step_count = 0;
    static const char *const names[2] = {"starts", "ends"};
    if (!onnx_needs(call, 1)) return;
    for (size_t k = 0; k < 2; ++k) {
        if (call->version >= 10) {
            if (!onnx_known_dims(call, k + 1, &bounds[k], &count)) return;
            continue;
        }
        if (!onnx_ints(call, names[k], &given, &count)) count = 0;
        rt_dim *dims = RT_NEW_ARRAY(call->arena, rt_dim, count);
        for (size_t i = 0; dims && i < count; ++i) dims[i] = onnx_dim(call, given[i]);
        bounds[k] = dims;
    }
    bool has_axes = onnx_has(call, 3) || onnx_attribute(call, "axes");
    if (has_axes && !onnx_list(call, 3, "axes", &axes, &axis_count)) return;
    if (onnx_has(call, 4) && !onnx_known_ints(call, 4, &steps, &step_count)) return;
    int rank = onnx_rank(call, x);
    if (count > (size_t)rank || (axes && axis_count < count) || (steps && step_count < count)) {
        onnx_fail(call, "bounds, axes and steps do not agree");
        return;
    }
    for (size_t i = 0; i < count && rt_value_is(x); ++i) {
        int axis;
        if (!onnx_axis(call, axes ? axes[i] : (int64_t)i, rank, &axis)) return;
        x = slice_axis(call, x, axis, (rt_dim[]){bounds[0][i], bounds[1][i]}, steps ? steps[i] : 1);
    }
    onnx_set(call, 0, x);
}

/* Both shapes broadcast against each other. */
void import_expand(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_type shape, both;
    if (!onnx_needs(call, 2) || !known_shape(call, 1, &shape)) return;
    if (!rt_type_broadcast(call->dims, shape, onnx_type(call, x), &both)) {
        onnx_fail(call, "%s does not broadcast with shape %s",
                  rt_type_text(call->dims, onnx_type(call, x), call->arena),
                  rt_type_text(call->dims, shape, call->arena));
        return;
    }
    onnx_set(call, 0, onnx_broadcast_to(call, x, both));
}

/* Each axis in turn: [before, 1, size, after] is broadcast to [before, repeats, size, after]. */
void import_tile(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    const rt_dim *repeats;
    size_t count;
    if (!onnx_needs(call, 2) || !onnx_known_dims(call, 1, &repeats, &count)) return;
    if (count != (size_t)type.rank) {
        onnx_fail(call, "%zu repeats for %d dimensions", count, type.rank);
        return;
    }
    for (int i = 0; i < type.rank; ++i) {
        if (is_constant(call, repeats[i], 1)) continue;
        rt_dim dims[4] = {onnx_product(call, type.dims, 0, i), onnx_dim(call, 1), type.dims[i],
                          onnx_product(call, type.dims, i + 1, type.rank)};
        x = onnx_reshape(call, x, dims, 4);
        dims[1] = repeats[i];
        x = onnx_broadcast_to(call, x, rt_type_make(type.dtype, 4, dims));
        type.dims[i] = rt_dim_multiply(call->dims, type.dims[i], repeats[i]);
        x = onnx_reshape(call, x, type.dims, type.rank);
    }
    onnx_set(call, 0, x);
}

/* Keeps the triangle where column - row >= k (upper) or <= k (lower). */
void import_trilu(onnx_call *call) {
    rt_value x = onnx_input(call, 0), k = rt_build_scalar_int(call->b, RT_I64, 0);
    rt_type type = onnx_type(call, x);
    if (!onnx_needs(call, 1) || type.rank < 2) return;
    if (onnx_has(call, 1)) k = onnx_reshape(call, onnx_input(call, 1), NULL, 0);
    rt_type square = rt_type_make(RT_I64, 2, type.dims + type.rank - 2);
    rt_value column = onnx_iota(call, square, 1);
    rt_value limit = rt_build_add(call->b, onnx_iota(call, square, 0), k);
    rt_value is_kept = onnx_int(call, "upper", 1) ? rt_build_less_equal(call->b, limit, column)
                                                  : rt_build_less_equal(call->b, column, limit);
    rt_value zero = onnx_scalar_like(call, x, 0);
    onnx_set(call, 0, rt_build_select(call->b, is_kept, x, zero));
}

/* ---- channels and blocks, x [N, C, H, W] */

static void import_blocks(onnx_call *call, const rt_dim *split, const int64_t *permutation,
                          const rt_dim *merged) {
    rt_value x = onnx_reshape(call, onnx_input(call, 0), split, 6);
    if (rt_value_is(x)) x = rt_build_transpose(call->b, x, permutation, 6);
    onnx_set(call, 0, onnx_reshape(call, x, merged, 4));
}

void import_depth_to_space(onnx_call *call) {
    static const int64_t dcr[] = {0, 3, 4, 1, 5, 2}, crd[] = {0, 1, 4, 2, 5, 3};
    rt_type x = onnx_type(call, onnx_input(call, 0));
    rt_dim size = onnx_dim(call, onnx_int(call, "blocksize", 1)), channels;
    rt_dim area = rt_dim_multiply(call->dims, size, size);
    if (!onnx_needs(call, 1)) return;
    if (x.rank != 4 || !rt_dim_divide(call->dims, x.dims[1], area, &channels)) {
        onnx_fail(call, "blocks do not divide the channels");
        return;
    }
    bool is_crd = onnx_is_text(call, "mode", "DCR", "CRD");
    rt_dim split[6] = {
        x.dims[0], is_crd ? channels : size, size, is_crd ? size : channels, x.dims[2], x.dims[3]};
    rt_dim merged[4] = {x.dims[0], channels, rt_dim_multiply(call->dims, x.dims[2], size),
                        rt_dim_multiply(call->dims, x.dims[3], size)};
    import_blocks(call, split, is_crd ? crd : dcr, merged);
}

void import_space_to_depth(onnx_call *call) {
    static const int64_t permutation[] = {0, 3, 5, 1, 2, 4};
    rt_type x = onnx_type(call, onnx_input(call, 0));
    rt_dim size = onnx_dim(call, onnx_int(call, "blocksize", 1)), height, width;
    if (!onnx_needs(call, 1)) return;
    if (x.rank != 4 || !rt_dim_divide(call->dims, x.dims[2], size, &height) ||
        !rt_dim_divide(call->dims, x.dims[3], size, &width)) {
        onnx_fail(call, "blocks do not divide height and width");
        return;
    }
    rt_dim split[6] = {x.dims[0], x.dims[1], height, size, width, size};
    rt_dim area = rt_dim_multiply(call->dims, size, size);
    rt_dim merged[4] = {x.dims[0], rt_dim_multiply(call->dims, x.dims[1], area), height, width};
    import_blocks(call, split, permutation, merged);
}

/* ---- branches */

/* Where the condition is known the branch is imported in place; else both are computed, which is
 * the same because operators have no effects, and one is selected. */
void import_if(onnx_call *call) {
    const rt_onnx_attribute *branches[2] = {onnx_attribute(call, "then_branch"),
                                            onnx_attribute(call, "else_branch")};
    rt_value *results[2];
    double truth;
    rt_value condition = onnx_reshape(call, onnx_input(call, 0), NULL, 0);
    bool is_known = onnx_needs(call, 1) && rt_value_is(condition) &&
                    rt_value_is_splat(call->b->graph, condition, &truth);
    for (int i = 0; i < 2; ++i) {
        const rt_onnx_attribute *branch = branches[i];
        if (!branch || branch->kind != RT_ONNX_ATTRIBUTE_GRAPH ||
            branch->graphs->output_count != call->output_count) {
            onnx_fail(call, "%s is missing or does not fit", i ? "else_branch" : "then_branch");
            return;
        }
        if (is_known && (truth != 0) != (i == 0)) continue;
        results[i] = RT_NEW_ARRAY(call->arena, rt_value, call->output_count);
        if (!results[i] || !onnx_import_subgraph(call, branch->graphs, NULL, 0, results[i])) return;
    }
    for (size_t k = 0; k < call->output_count; ++k) {
        if (is_known) {
            onnx_set(call, k, results[truth != 0 ? 0 : 1][k]);
            continue;
        }
        rt_type a = onnx_type(call, results[0][k]), b = onnx_type(call, results[1][k]);
        if (!rt_type_equal(a, b)) {
            onnx_fail(call, "its branches give %s and %s for '%s'",
                      rt_type_text(call->dims, a, call->arena),
                      rt_type_text(call->dims, b, call->arena), call->node->outputs[k]);
            return;
        }
        onnx_set(call, k, rt_build_select(call->b, condition, results[0][k], results[1][k]));
    }
}
