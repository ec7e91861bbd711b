// SPDX-License-Identifier: Apache-2.0
/* AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019): with Adam's moments
 *
 *   w = w - rate decay w - rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon) */
#include "passes/training/update.h"

rt_value update_adamw(rt_update *u) {
    rt_builder *b = u->b;
    rt_moments moments = rt_update_moments(u);
    rt_value rate = rt_build_div(b, u->learning_rate, moments.correction);
    rt_value direction = rt_build_div(b, moments.m, moments.scale);
    return rt_build_sub(b, u->decayed, rt_build_mul(b, direction, rate));
}
