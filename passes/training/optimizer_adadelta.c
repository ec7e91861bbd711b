// SPDX-License-Identifier: Apache-2.0
/* AdaDelta (Zeiler, "ADADELTA: an adaptive learning rate method", 2012):
 *
 *   s = rho s + (1 - rho) g^2          d = sqrt(u + epsilon) / sqrt(s + epsilon) * g
 *   u = rho u + (1 - rho) d^2          w = w - rate d
 *
 * The paper has no rate: it is 1 there. */
#include "passes/training/update.h"

static rt_value root(rt_update *u, rt_value mean) {
    rt_value epsilon = rt_build_scalar(u->b, RT_F32, u->options->epsilon);
    return rt_build_sqrt(u->b, rt_build_add(u->b, mean, epsilon));
}

rt_value update_adadelta(rt_update *u) {
    rt_builder *b = u->b;
    double rho = u->options->rho;
    rt_value square = rt_build_mul(b, u->gradient, u->gradient);
    rt_value gradients = rt_update_average(u, "adadelta_gradient", rho, square);
    rt_parameter state = rt_update_state(u, "adadelta_change");
    if (!rt_parameter_is(state)) return RT_NO_VALUE;
    rt_value changes = root(u, rt_build_parameter(b, state));
    rt_value change = rt_build_mul(b, rt_build_div(b, changes, root(u, gradients)), u->gradient);
    rt_update_average(u, "adadelta_change", rho, rt_build_mul(b, change, change));
    return rt_build_sub(b, u->decayed, rt_build_mul(b, change, u->learning_rate));
}
