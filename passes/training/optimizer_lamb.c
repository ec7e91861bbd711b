// SPDX-License-Identifier: Apache-2.0
/* LAMB (You et al., "Large batch optimization for deep learning", 2020): with Adam's moments,
 * weight by weight
 *
 *   u = m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + epsilon) + decay w
 *   w = w - rate * ratio * u                     ratio = |w| / |u|
 *
 * The ratio is 1 where a norm is 0 and for vectors (what does not decay), as NVIDIA's form has it;
 * option trust_ratio bounds it, which the paper leaves open. */
#include <math.h>

#include "passes/training/update.h"

static rt_value norm(rt_builder *b, rt_value x) {
    return rt_build_sqrt(b, rt_build_sum_all(b, rt_build_mul(b, x, x)));
}

static rt_value trust_ratio(rt_update *u, rt_value direction) {
    rt_builder *b = u->b;
    const double *bounds = u->options->trust_ratio;
    rt_value one = rt_build_scalar(b, RT_F32, 1), zero = rt_build_scalar(b, RT_F32, 0);
    rt_value ours = norm(b, u->value), theirs = norm(b, direction);
    rt_value is_defined =
        rt_build_and(b, rt_build_less(b, zero, ours), rt_build_less(b, zero, theirs));
    rt_value ratio = rt_build_select(b, is_defined, rt_build_div(b, ours, theirs), one);
    if (bounds[0] > 0) ratio = rt_build_maximum(b, ratio, rt_build_scalar(b, RT_F32, bounds[0]));
    if (isfinite(bounds[1]))
        ratio = rt_build_minimum(b, ratio, rt_build_scalar(b, RT_F32, bounds[1]));
    return ratio;
}

rt_value update_lamb(rt_update *u) {
    rt_builder *b = u->b;
    rt_moments moments = rt_update_moments(u);
    rt_value mean = rt_build_div(b, moments.m, moments.correction);
    rt_value direction = rt_build_div(b, mean, moments.scale), rate = u->learning_rate;
    if (u->weight_decay > 0)
        direction = rt_build_add(b, direction, rt_build_scale(b, u->value, u->weight_decay));
    if (rt_module_parameter(b->module, u->weight)->is_decayed)
        rate = rt_build_mul(b, rate, trust_ratio(u, direction));
    return rt_build_sub(b, u->value, rt_build_mul(b, direction, rate));
}
