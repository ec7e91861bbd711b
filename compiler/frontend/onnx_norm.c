// SPDX-License-Identifier: Apache-2.0
/* Import rules: normalisation. */
#include "compiler/frontend/onnx_call.h"

/* x over its axes from `axis` on as rows: [.., C]; `type` keeps the shape to go back to. */
static rt_value as_rows(onnx_call *call, rt_value x, int axis) {
    rt_type type = onnx_type(call, x);
    rt_dim dims[RT_MAX_RANK];
    for (int i = 0; i < axis; ++i) dims[i] = type.dims[i];
    dims[axis] = onnx_product(call, type.dims, axis, type.rank);
    return onnx_reshape(call, x, dims, axis + 1);
}

/* A scale of the normalised axes as a vector, where it is that; else RT_NO_VALUE. */
static rt_value as_vector(onnx_call *call, rt_value scale, rt_type x, int axis) {
    if (!rt_value_is(scale)) return scale;
    rt_dim size = onnx_product(call, x.dims, axis, x.rank);
    rt_type type = onnx_type(call, scale);
    rt_dim own = onnx_product(call, type.dims, 0, type.rank);
    return rt_dim_equal(own, size) ? onnx_reshape(call, scale, &size, 1) : RT_NO_VALUE;
}

/* A statistic per row, [.., 1], in the shape ONNX gives it: 1 for every normalised axis. */
static rt_value as_statistic(onnx_call *call, rt_value statistic, rt_type x, int axis) {
    rt_dim dims[RT_MAX_RANK];
    for (int i = 0; i < x.rank; ++i) dims[i] = i < axis ? x.dims[i] : onnx_dim(call, 1);
    return onnx_reshape(call, statistic, dims, x.rank);
}

/* 16-bit values are normalised in f32, as stash_type asks for. */
static rt_value widened(onnx_call *call, rt_value x) {
    rt_dtype dtype = onnx_type(call, x).dtype;
    bool is_half = dtype == RT_F16 || dtype == RT_BF16;
    return is_half && onnx_int(call, "stash_type", 1) == 1 ? onnx_cast(call, x, RT_F32) : x;
}

void import_layer_normalization(onnx_call *call) {
    rt_value x = onnx_input(call, 0), statistics[2];
    int axis;
    if (!onnx_needs(call, 1)) return;
    rt_type type = onnx_type(call, x);
    if (!onnx_axis(call, onnx_int(call, "axis", -1), type.rank, &axis)) return;
    rt_value rows = as_rows(call, widened(call, x), axis);
    rt_dtype wide = onnx_type(call, rows).dtype;
    double epsilon = onnx_float(call, "epsilon", 1e-5);
    rt_value scale = as_vector(call, onnx_input(call, 1), type, axis);
    rt_value bias = as_vector(call, onnx_input(call, 2), type, axis);
    bool is_fused =
        (rt_value_is(scale) || !onnx_has(call, 1)) && (rt_value_is(bias) || !onnx_has(call, 2));
    rt_value none = RT_NO_VALUE;
    rt_value y =
        rt_build_layer_norm(call->b, rows, is_fused ? onnx_cast(call, scale, wide) : none,
                            is_fused ? onnx_cast(call, bias, wide) : none, epsilon, statistics);
    y = onnx_cast(call, onnx_reshape(call, y, type.dims, type.rank), type.dtype);
    if (!is_fused && onnx_has(call, 1)) y = rt_build_mul(call->b, y, onnx_input(call, 1));
    if (!is_fused && onnx_has(call, 2)) y = rt_build_add(call->b, y, onnx_input(call, 2));
    onnx_set(call, 0, y);
    onnx_set(call, 1, as_statistic(call, statistics[0], type, axis));
    onnx_set(call, 2, as_statistic(call, statistics[1], type, axis));
}

/* x / sqrt(mean x^2 + epsilon) * scale */
void import_rms_normalization(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    int axis;
    if (!onnx_needs(call, 2)) return;
    rt_type type = onnx_type(call, x);
    if (!onnx_axis(call, onnx_int(call, "axis", -1), type.rank, &axis)) return;
    rt_value rows = as_rows(call, widened(call, x), axis);
    rt_value square = onnx_mean(call, rt_build_mul(call->b, rows, rows), axis);
    rt_value epsilon = onnx_scalar_like(call, rows, onnx_float(call, "epsilon", 1e-5));
    rt_value inverse = rt_build_rsqrt(call->b, rt_build_add(call->b, square, epsilon));
    rt_value y = rt_build_mul(call->b, rows, inverse);
    y = onnx_cast(call, onnx_reshape(call, y, type.dims, type.rank), type.dtype);
    onnx_set(call, 0, rt_build_mul(call->b, y, onnx_input(call, 1)));
}

/* onnxruntime: layer_norm(input + skip + bias); outputs y, mean, 1/sigma, the sum. */
void import_skip_layer_normalization(onnx_call *call) {
    rt_value statistics[2];
    if (!onnx_needs(call, 3)) return;
    rt_value sum = rt_build_add(call->b, onnx_input(call, 0), onnx_input(call, 1));
    if (onnx_has(call, 4)) sum = rt_build_add(call->b, sum, onnx_input(call, 4));
    rt_value y = rt_build_layer_norm(call->b, sum, onnx_input(call, 2), onnx_input(call, 3),
                                     onnx_float(call, "epsilon", 1e-12), statistics);
    onnx_set(call, 0, y);
    onnx_set(call, 1, statistics[0]);
    onnx_set(call, 2, statistics[1]);
    onnx_set(call, 3, sum);
}

/* ---- per channel, x [N, C, ..] */

static rt_value per_channel(onnx_call *call, rt_value vector, rt_type x) {
    return x.rank > 1 ? onnx_align(call, onnx_cast(call, vector, x.dtype), 1, x.rank) : vector;
}

/* (x - mean) / sqrt(variance + epsilon) * scale + bias, each [C]. */
void import_batch_normalization(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    if (!onnx_needs(call, 5)) return;
    if (onnx_int(call, "training_mode", 0) || onnx_wants(call, 1)) {
        onnx_fail(call, "training_mode is not supported; export the model for inference");
        return;
    }
    rt_type type = onnx_type(call, x);
    rt_value variance = onnx_input(call, 4);
    rt_value epsilon = onnx_scalar_like(call, variance, onnx_float(call, "epsilon", 1e-5));
    rt_value inverse = rt_build_rsqrt(call->b, rt_build_add(call->b, variance, epsilon));
    rt_value centred = rt_build_sub(call->b, x, per_channel(call, onnx_input(call, 3), type));
    rt_value y = rt_build_mul(call->b, centred, per_channel(call, inverse, type));
    y = rt_build_mul(call->b, y, per_channel(call, onnx_input(call, 1), type));
    onnx_set(call, 0, rt_build_add(call->b, y, per_channel(call, onnx_input(call, 2), type)));
}

/* layer_norm over everything behind the first `lead` dimensions of x, in x's shape. */
static rt_value normalise_rest(onnx_call *call, rt_value x, const rt_dim *lead, int count) {
    rt_type type = onnx_type(call, x);
    rt_dim dims[RT_MAX_RANK], elements = onnx_product(call, type.dims, 0, type.rank);
    for (int i = 0; i < count; ++i) dims[i] = lead[i];
    if (!rt_value_is(x) ||
        !rt_dim_divide(call->dims, elements, onnx_product(call, lead, 0, count), &dims[count])) {
        onnx_fail(call, "its groups do not divide %s", rt_type_text(call->dims, type, call->arena));
        return RT_NO_VALUE;
    }
    rt_value rows = onnx_reshape(call, x, dims, count + 1);
    rt_value y = rt_build_layer_norm(call->b, rows, RT_NO_VALUE, RT_NO_VALUE,
                                     onnx_float(call, "epsilon", 1e-5), NULL);
    return onnx_reshape(call, y, type.dims, type.rank);
}

static void import_grouped(onnx_call *call, rt_dim groups) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    if (!onnx_needs(call, 3) || type.rank < 2) return;
    rt_value y = widened(call, x);
    y = normalise_rest(call, y, (rt_dim[]){type.dims[0], groups}, 2);
    y = onnx_cast(call, y, type.dtype);
    y = rt_build_mul(call->b, y, per_channel(call, onnx_input(call, 1), type));
    onnx_set(call, 0, rt_build_add(call->b, y, per_channel(call, onnx_input(call, 2), type)));
}

void import_instance_normalization(onnx_call *call) {
    rt_type type = onnx_type(call, onnx_input(call, 0));
    import_grouped(call, type.rank > 1 ? type.dims[1] : onnx_dim(call, 1));
}

void import_group_normalization(onnx_call *call) {
    import_grouped(call, onnx_dim(call, onnx_int(call, "num_groups", 1)));
}

/* (x - mean) / (sqrt(variance) + 1e-9) over `axes`. */
void import_mean_variance_normalization(onnx_call *call) {
    static const int64_t usual[] = {0, 2, 3};
    const int64_t *axes = usual;
    size_t count = 3;
    rt_value x = onnx_input(call, 0);
    if (!onnx_needs(call, 1)) return;
    onnx_ints(call, "axes", &axes, &count);
    rt_value mean = rt_build_reduce_mean(call->b, x, axes, count, true);
    rt_value centred = rt_build_sub(call->b, x, mean);
    rt_value square = rt_build_mul(call->b, centred, centred);
    rt_value deviation =
        rt_build_sqrt(call->b, rt_build_reduce_mean(call->b, square, axes, count, true));
    rt_value below = rt_build_add(call->b, deviation, onnx_scalar_like(call, x, 1e-9));
    onnx_set(call, 0, rt_build_div(call->b, centred, below));
}

/* x / |x|_p along one axis; a row of zeros stays zero. */
void import_lp_normalization(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    int axis;
    if (!onnx_needs(call, 1)) return;
    if (!onnx_axis(call, onnx_int(call, "axis", -1), onnx_rank(call, x), &axis)) return;
    bool is_first = onnx_int(call, "p", 2) == 1;
    rt_value each = is_first ? rt_build_abs(call->b, x) : rt_build_mul(call->b, x, x);
    rt_value norm = onnx_reduce(call, RT_OP_reduce_sum, each, axis);
    if (!is_first) norm = rt_build_sqrt(call->b, norm);
    rt_value zero = onnx_scalar_like(call, x, 0), one = onnx_scalar_like(call, x, 1);
    rt_value safe = rt_build_select(call->b, rt_build_equal(call->b, norm, zero), one, norm);
    onnx_set(call, 0, rt_build_div(call->b, x, safe));
}
