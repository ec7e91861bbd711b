// SPDX-License-Identifier: Apache-2.0
/* Import rules: losses, and the optimisers of ONNX's training preview. */
#include "compiler/frontend/onnx_index.h"

/* ---- losses over scores [N, C, ..] and classes [N, ..] */

/* -log_prob at the class, times its weight; an ignored class has weight 0. */
static rt_value likelihood_loss(onnx_call *call, rt_value log_prob) {
    rt_value target = onnx_cast(call, onnx_input(call, 1), RT_I64), weight = onnx_input(call, 2);
    rt_type type = onnx_type(call, target), wide = type;
    rt_dtype dtype = onnx_type(call, log_prob).dtype;
    bool ignores = onnx_attribute(call, "ignore_index") != NULL;
    rt_value is_ignored = RT_NO_VALUE, zero = rt_build_scalar(call->b, dtype, 0);
    if (type.rank < 1 || type.rank + 1 > RT_MAX_RANK) return RT_NO_VALUE;
    if (ignores) {
        int64_t index = onnx_int(call, "ignore_index", 0);
        is_ignored = rt_build_equal(call->b, target, onnx_scalar_like(call, target, (double)index));
        target = rt_build_select(call->b, is_ignored, onnx_scalar_like(call, target, 0), target);
    }
    wide.rank = type.rank + 1;
    wide.dims[1] = onnx_dim(call, 1);
    for (int i = 1; i < type.rank; ++i) wide.dims[i + 1] = type.dims[i];
    rt_value at = onnx_reshape(call, target, wide.dims, wide.rank);
    rt_value picked = onnx_gather_elements(call, log_prob, at, 1);
    rt_value loss = rt_build_neg(call->b, onnx_reshape(call, picked, type.dims, type.rank));
    rt_value share = rt_value_is(weight)
                         ? rt_build_gather(call->b, weight, target, 0)
                         : onnx_broadcast_to(call, rt_build_scalar(call->b, dtype, 1), type);
    if (ignores) share = rt_build_select(call->b, is_ignored, zero, share);
    loss = rt_build_mul(call->b, loss, share);
    if (onnx_is_text(call, "reduction", "mean", "none")) return loss;
    rt_value sum = rt_build_sum_all(call->b, loss);
    if (onnx_is_text(call, "reduction", "mean", "sum")) return sum;
    return rt_build_div(call->b, sum, rt_build_sum_all(call->b, share));
}

void import_negative_log_likelihood_loss(onnx_call *call) {
    if (onnx_needs(call, 2)) onnx_set(call, 0, likelihood_loss(call, onnx_input(call, 0)));
}

void import_softmax_cross_entropy_loss(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    if (!onnx_needs(call, 2)) return;
    int rank = onnx_rank(call, x);
    if (rank < 2) {
        onnx_fail(call, "scores must have at least 2 dimensions");
        return;
    }
    rt_value rows = rt_build_log_softmax(call->b, onnx_swap(call, x, 1, rank - 1));
    rt_value log_prob = onnx_swap(call, rows, 1, rank - 1);
    onnx_set(call, 0, likelihood_loss(call, log_prob));
    onnx_set(call, 1, log_prob);
}

/* ---- optimisers: inputs R (rate), T (updates so far), then tensors, gradients and states, each
 * list in the same order; outputs the new tensors and states */

typedef struct update {
    rt_value x, g; /* g with norm_coefficient * x added */
    size_t count, index;
} update;

static bool read_update(onnx_call *call, size_t lists, size_t index, update *u) {
    if (call->input_count < 2 || (call->input_count - 2) % lists) {
        onnx_fail(call, "%zu inputs", call->input_count);
        return false;
    }
    u->count = (call->input_count - 2) / lists;
    u->index = index;
    if (index >= u->count || !onnx_needs(call, call->input_count)) return false;
    u->x = onnx_input(call, 2 + index);
    rt_value decay = rt_build_scale(call->b, u->x, onnx_float(call, "norm_coefficient", 0));
    u->g = rt_build_add(call->b, decay, onnx_input(call, 2 + u->count + index));
    return true;
}

static rt_value state(onnx_call *call, const update *u, size_t list) {
    return onnx_input(call, 2 + list * u->count + u->index);
}

static rt_value rate(onnx_call *call) {
    return onnx_reshape(call, onnx_input(call, 0), NULL, 0);
}

/* T in the element type of the rate. */
static rt_value updates_done(onnx_call *call) {
    rt_dtype dtype = onnx_type(call, onnx_input(call, 0)).dtype;
    return onnx_cast(call, onnx_reshape(call, onnx_input(call, 1), NULL, 0), dtype);
}

/* a x + b y */
static rt_value blend(onnx_call *call, double a, rt_value x, double b, rt_value y) {
    return rt_build_add(call->b, rt_build_scale(call->b, x, a), rt_build_scale(call->b, y, b));
}

/* h' = h + g^2; x' = x - r / (1 + T decay) g / (sqrt(h') + epsilon) */
void import_adagrad(onnx_call *call) {
    update u;
    rt_builder *b = call->b;
    for (size_t i = 0; read_update(call, 3, i, &u); ++i) {
        rt_value slowed =
            rt_build_scale(b, updates_done(call), onnx_float(call, "decay_factor", 0));
        slowed = rt_build_add(b, slowed, onnx_scalar_like(call, slowed, 1));
        rt_value h = rt_build_add(b, state(call, &u, 2), rt_build_mul(b, u.g, u.g));
        rt_value below = rt_build_add(b, rt_build_sqrt(b, h),
                                      onnx_scalar_like(call, h, onnx_float(call, "epsilon", 0)));
        rt_value step = rt_build_mul(b, rt_build_div(b, rate(call), slowed), u.g);
        onnx_set(call, i, rt_build_sub(b, u.x, rt_build_div(b, step, below)));
        onnx_set(call, u.count + i, h);
    }
}

/* The rate with Adam's bias correction, none before the first update. */
static rt_value corrected_rate(onnx_call *call, double alpha, double beta) {
    rt_builder *b = call->b;
    rt_value t = updates_done(call), one = onnx_scalar_like(call, t, 1);
    rt_value first = rt_build_sub(b, one, rt_build_pow(b, onnx_scalar_like(call, t, alpha), t));
    rt_value second = rt_build_sub(b, one, rt_build_pow(b, onnx_scalar_like(call, t, beta), t));
    rt_value corrected =
        rt_build_div(b, rt_build_mul(b, rate(call), rt_build_sqrt(b, second)), first);
    rt_value has_begun = rt_build_less(b, onnx_scalar_like(call, t, 0), t);
    return rt_build_select(b, has_begun, corrected, rate(call));
}

/* v' = alpha v + (1 - alpha) g; h' = beta h + (1 - beta) g^2; x' = x - r v' / (sqrt(h') + epsilon)
 */
void import_adam(onnx_call *call) {
    update u;
    rt_builder *b = call->b;
    double alpha = onnx_float(call, "alpha", 0.9f), beta = onnx_float(call, "beta", 0.999f);
    for (size_t i = 0; read_update(call, 4, i, &u); ++i) {
        rt_value v = blend(call, alpha, state(call, &u, 2), 1 - alpha, u.g);
        rt_value h = blend(call, beta, state(call, &u, 3), 1 - beta, rt_build_mul(b, u.g, u.g));
        double epsilon = onnx_float(call, "epsilon", 0);
        rt_value below = rt_build_add(b, rt_build_sqrt(b, h), onnx_scalar_like(call, h, epsilon));
        rt_value step = rt_build_mul(b, corrected_rate(call, alpha, beta), v);
        rt_value x = rt_build_sub(b, u.x, rt_build_div(b, step, below));
        double keeps = 1 - onnx_float(call, "norm_coefficient_post", 0);
        onnx_set(call, i, rt_build_scale(b, x, keeps));
        onnx_set(call, u.count + i, v);
        onnx_set(call, 2 * u.count + i, h);
    }
}

/* v' = alpha v + beta g (beta 1 at first); x' = x - r v', or x - r (g + alpha v') (Nesterov). */
void import_momentum(onnx_call *call) {
    update u;
    rt_builder *b = call->b;
    double alpha = onnx_float(call, "alpha", 0), beta = onnx_float(call, "beta", 0);
    for (size_t i = 0; read_update(call, 3, i, &u); ++i) {
        rt_value t = updates_done(call), zero = onnx_scalar_like(call, t, 0);
        rt_value share =
            rt_build_select(b, rt_build_less(b, zero, t), onnx_scalar_like(call, t, beta),
                            onnx_scalar_like(call, t, 1));
        rt_value v = rt_build_add(b, rt_build_scale(b, state(call, &u, 2), alpha),
                                  rt_build_mul(b, share, u.g));
        bool is_nesterov = onnx_is_text(call, "mode", "standard", "nesterov");
        rt_value way = is_nesterov ? rt_build_add(b, u.g, rt_build_scale(b, v, alpha)) : v;
        onnx_set(call, i, rt_build_sub(b, u.x, rt_build_mul(b, rate(call), way)));
        onnx_set(call, u.count + i, v);
    }
}
