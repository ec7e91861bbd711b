// SPDX-License-Identifier: Apache-2.0
/* Import rules: activation functions, softmax, dropout. */
#include <math.h>

#include "compiler/frontend/onnx_call.h"

static rt_value scalar(onnx_call *call, rt_value like, double value) {
    return onnx_scalar_like(call, like, value);
}

void import_relu(onnx_call *call) {
    onnx_set(call, 0, rt_build_relu(call->b, onnx_input(call, 0)));
}

void import_sigmoid(onnx_call *call) {
    onnx_set(call, 0, rt_build_sigmoid(call->b, onnx_input(call, 0)));
}

void import_gelu(onnx_call *call) {
    bool tanh_form = onnx_is_text(call, "approximate", "none", "tanh");
    onnx_set(call, 0, rt_build_gelu(call->b, onnx_input(call, 0), tanh_form));
}

/* The tanh form, with an optional bias. */
void import_fast_gelu(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    if (onnx_has(call, 1)) x = rt_build_add(call->b, x, onnx_input(call, 1));
    onnx_set(call, 0, rt_build_gelu(call->b, x, true));
}

void import_bias_gelu(onnx_call *call) {
    rt_value x = rt_build_add(call->b, onnx_input(call, 0), onnx_input(call, 1));
    onnx_set(call, 0, rt_build_gelu(call->b, x, false));
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|): never overflows. */
static rt_value softplus(onnx_call *call, rt_value x) {
    rt_value small = rt_build_exp(call->b, rt_build_neg(call->b, rt_build_abs(call->b, x)));
    rt_value log = rt_build_log(call->b, rt_build_add(call->b, small, scalar(call, x, 1)));
    return rt_build_add(call->b, rt_build_relu(call->b, x), log);
}

void import_softplus(onnx_call *call) {
    onnx_set(call, 0, softplus(call, onnx_input(call, 0)));
}

/* x / (1 + |x|) */
void import_softsign(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_value below = rt_build_add(call->b, rt_build_abs(call->b, x), scalar(call, x, 1));
    onnx_set(call, 0, rt_build_div(call->b, x, below));
}

/* x sigmoid(alpha x) */
static rt_value swish(onnx_call *call, rt_value x) {
    rt_value scaled = rt_build_scale(call->b, x, onnx_float(call, "alpha", 1));
    return rt_build_mul(call->b, x, rt_build_sigmoid(call->b, scaled));
}

void import_swish(onnx_call *call) {
    onnx_set(call, 0, swish(call, onnx_input(call, 0)));
}

void import_swiglu(onnx_call *call) {
    if (!onnx_needs(call, 2)) return;
    onnx_set(call, 0, rt_build_mul(call->b, swish(call, onnx_input(call, 0)), onnx_input(call, 1)));
}

/* x tanh(softplus(x)) */
void import_mish(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    onnx_set(call, 0, rt_build_mul(call->b, x, rt_build_tanh(call->b, softplus(call, x))));
}

/* `positive` where x >= 0, else `negative`. */
static rt_value by_sign(onnx_call *call, rt_value x, rt_value positive, rt_value negative) {
    rt_value is_negative = rt_build_less(call->b, x, scalar(call, x, 0));
    return rt_build_select(call->b, is_negative, negative, positive);
}

void import_leaky_relu(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_value slope = rt_build_scale(call->b, x, onnx_float(call, "alpha", 0.01));
    onnx_set(call, 0, by_sign(call, x, x, slope));
}

/* Before version 7 a slope per channel stands in a vector that aligns at axis 1. */
void import_prelu(onnx_call *call) {
    rt_value x = onnx_input(call, 0), slope = onnx_input(call, 1);
    if (!onnx_needs(call, 2)) return;
    rt_type type = onnx_type(call, x), slopes = onnx_type(call, slope);
    bool is_channel = slopes.rank == 1 && type.rank > 2 && call->version < 7;
    if (is_channel) slope = onnx_align(call, slope, 1, type.rank);
    onnx_set(call, 0, by_sign(call, x, x, rt_build_mul(call->b, x, slope)));
}

/* factor * (e^(x / divisor) - 1), of min(x, 0) so that it stays finite. */
static rt_value exponential(onnx_call *call, rt_value x, double factor, double divisor) {
    rt_value low = rt_build_minimum(call->b, x, scalar(call, x, 0));
    rt_value power = rt_build_exp(call->b, rt_build_scale(call->b, low, 1 / divisor));
    return rt_build_scale(call->b, rt_build_sub(call->b, power, scalar(call, x, 1)), factor);
}

void import_elu(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    onnx_set(call, 0, by_sign(call, x, x, exponential(call, x, onnx_float(call, "alpha", 1), 1)));
}

void import_celu(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    double alpha = onnx_float(call, "alpha", 1);
    onnx_set(call, 0, by_sign(call, x, x, exponential(call, x, alpha, alpha)));
}

/* Constants of Klambauer et al., "Self-normalizing neural networks", 2017, as ONNX rounds them. */
void import_selu(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    double alpha = onnx_float(call, "alpha", 1.67326319217681884765625);
    double gamma = onnx_float(call, "gamma", 1.05070102214813232421875);
    rt_value y = by_sign(call, x, x, exponential(call, x, alpha, 1));
    onnx_set(call, 0, rt_build_scale(call->b, y, gamma));
}

void import_thresholded_relu(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_value limit = scalar(call, x, onnx_float(call, "alpha", 1));
    rt_value is_above = rt_build_less(call->b, limit, x);
    onnx_set(call, 0, rt_build_select(call->b, is_above, x, scalar(call, x, 0)));
}

/* max(0, min(1, alpha x + beta)) */
static rt_value hard_sigmoid(onnx_call *call, rt_value x, double alpha, double beta) {
    rt_value line = rt_build_add(call->b, rt_build_scale(call->b, x, alpha), scalar(call, x, beta));
    return rt_build_relu(call->b, rt_build_minimum(call->b, line, scalar(call, x, 1)));
}

void import_hard_sigmoid(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    double alpha = onnx_float(call, "alpha", 0.2), beta = onnx_float(call, "beta", 0.5);
    onnx_set(call, 0, hard_sigmoid(call, x, alpha, beta));
}

void import_hard_swish(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    onnx_set(call, 0, rt_build_mul(call->b, x, hard_sigmoid(call, x, 1.0 / 6, 0.5)));
}

/* x + bias below -lambd, x - bias above lambd, else 0. */
void import_shrink(onnx_call *call) {
    rt_value x = onnx_input(call, 0), zero = scalar(call, x, 0);
    double limit = onnx_float(call, "lambd", 0.5), bias = onnx_float(call, "bias", 0);
    rt_value is_below = rt_build_less(call->b, x, scalar(call, x, -limit));
    rt_value is_above = rt_build_less(call->b, scalar(call, x, limit), x);
    rt_value low = rt_build_add(call->b, x, scalar(call, x, bias));
    rt_value high = rt_build_sub(call->b, x, scalar(call, x, bias));
    rt_value outer = rt_build_select(call->b, is_above, high, zero);
    onnx_set(call, 0, rt_build_select(call->b, is_below, low, outer));
}

/* ---- along one axis */

/* From version 13 on along `axis` (-1); before, over everything from `axis` (1) on. */
static void import_along_axis(onnx_call *call, rt_value (*build)(rt_builder *, rt_value)) {
    rt_value x = onnx_input(call, 0);
    rt_type type = onnx_type(call, x);
    int axis;
    if (!onnx_axis(call, onnx_int(call, "axis", call->version >= 13 ? -1 : 1), type.rank, &axis)) {
        return;
    }
    if (call->version >= 13) {
        rt_value turned = onnx_swap(call, x, axis, type.rank - 1);
        onnx_set(call, 0, onnx_swap(call, build(call->b, turned), axis, type.rank - 1));
        return;
    }
    rt_dim rows[2] = {onnx_product(call, type.dims, 0, axis),
                      onnx_product(call, type.dims, axis, type.rank)};
    bool is_last = axis == type.rank - 1;
    rt_value y = build(call->b, is_last ? x : onnx_reshape(call, x, rows, 2));
    onnx_set(call, 0, onnx_reshape(call, y, type.dims, type.rank));
}

void import_softmax(onnx_call *call) {
    import_along_axis(call, rt_build_softmax);
}

void import_log_softmax(onnx_call *call) {
    import_along_axis(call, rt_build_log_softmax);
}

/* 1 at the first largest element of a row, else 0. */
static rt_value build_hardmax(rt_builder *b, rt_value x) {
    if (!rt_value_is(x)) return x;
    rt_type type = rt_builder_type(b, x);
    rt_attr attrs[2] = {{.integer = type.rank - 1}, {.integer = true}};
    rt_value best = rt_build(b, RT_OP_argmax, &x, 1, attrs);
    rt_value column = rt_build_iota(b, RT_I64, type.rank - 1, type);
    return rt_build_cast(b, rt_build_equal(b, column, best), type.dtype);
}

void import_hardmax(onnx_call *call) {
    import_along_axis(call, build_hardmax);
}

/* The identity when a model runs; a model that trains is differentiated here, not in ONNX. */
void import_dropout(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    double ratio = onnx_float(call, "ratio", 0.5), training = 0;
    if (call->version >= 12) {
        if (onnx_has(call, 1) && onnx_has(call, 2) && !onnx_known_real(call, 1, &ratio)) return;
        if (onnx_has(call, 2) && !onnx_known_real(call, 2, &training)) return;
    } else if (call->version < 7) {
        training = onnx_int(call, "is_test", 0) ? 0 : 1;
    }
    if (training != 0 && ratio != 0) {
        onnx_fail(call, "training_mode is not supported; export the model for inference");
        return;
    }
    onnx_set(call, 0, x);
    if (!onnx_wants(call, 1)) return;
    rt_dtype mask = call->version >= 10 ? RT_BOOL : onnx_type(call, x).dtype;
    rt_value ones = rt_build_scalar(call->b, mask, 1);
    onnx_set(call, 1, onnx_broadcast_to(call, ones, onnx_type(call, x)));
}
