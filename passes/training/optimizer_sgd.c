// SPDX-License-Identifier: Apache-2.0
/* Gradient descent, with Polyak's momentum where it is not 0:  v = momentum v + g,  w = w - rate v.
 */
#include "passes/training/update.h"

rt_value update_sgd(rt_update *u) {
    rt_builder *b = u->b;
    rt_value direction = u->gradient;
    if (u->options->momentum > 0) {
        rt_parameter state = rt_update_state(u, "momentum");
        rt_value old = rt_build_scale(b, rt_build_parameter(b, state), u->options->momentum);
        direction = rt_build_add(b, old, direction);
        rt_update_assign(u, state, direction);
    }
    return rt_build_sub(b, u->decayed, rt_build_mul(b, direction, u->learning_rate));
}
