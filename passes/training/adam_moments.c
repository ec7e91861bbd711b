// SPDX-License-Identifier: Apache-2.0
#include "passes/training/update.h"

rt_moments rt_update_moments(rt_update *u) {
    rt_builder *b = u->b;
    rt_value c1 = rt_update_input(u, "bias_correction1");
    rt_value c2 = rt_update_input(u, "bias_correction2");
    rt_value m = rt_update_average(u, "adam_m", u->options->betas[0], u->gradient);
    rt_value square = rt_build_mul(b, u->gradient, u->gradient);
    rt_value v = rt_update_average(u, "adam_v", u->options->betas[1], square);
    rt_value root = rt_build_div(b, rt_build_sqrt(b, v), rt_build_sqrt(b, c2));
    rt_value scale = rt_build_add(b, root, rt_build_scalar(b, RT_F32, u->options->epsilon));
    return (rt_moments){m, c1, scale};
}
