// SPDX-License-Identifier: Apache-2.0
/* AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019).
 *
 *   m = beta1 m + (1 - beta1) g                  v = beta2 v + (1 - beta2) g^2
 *   w = w - rate / c1 * m / (sqrt(v) / sqrt(c2) + epsilon)
 *
 * c1 = 1 - beta1^t and c2 = 1 - beta2^t of step t = 1, 2, .. are the inputs `bias_correction1` and
 * `bias_correction2`, computed in double by who runs the update: in f32 the differences would lose
 * most of their digits. */
#include "passes/training/update.h"

/* beta x + (1 - beta) y, assigned to the state. */
static rt_value moving_average(rt_update *u, const char *kind, double beta, rt_value y) {
    rt_parameter state = rt_update_state(u, kind);
    rt_value old = rt_build_scale(u->b, rt_build_parameter(u->b, state), beta);
    rt_value average = rt_build_add(u->b, old, rt_build_scale(u->b, y, 1 - beta));
    rt_update_assign(u, state, average);
    return average;
}

rt_value update_adamw(rt_update *u) {
    rt_builder *b = u->b;
    rt_value c1 = rt_update_input(u, "bias_correction1");
    rt_value c2 = rt_update_input(u, "bias_correction2");
    rt_value m = moving_average(u, "adam_m", u->options->beta1, u->gradient);
    rt_value square = rt_build_mul(b, u->gradient, u->gradient);
    rt_value v = moving_average(u, "adam_v", u->options->beta2, square);
    rt_value root = rt_build_div(b, rt_build_sqrt(b, v), rt_build_sqrt(b, c2));
    rt_value slope = rt_build_add(b, root, rt_build_scalar(b, RT_F32, u->options->epsilon));
    rt_value rate = rt_build_div(b, u->learning_rate, c1);
    return rt_build_sub(b, u->decayed, rt_build_mul(b, rt_build_div(b, m, slope), rate));
}
