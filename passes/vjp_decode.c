// SPDX-License-Identifier: Apache-2.0
/* Gradients of rows decoded by a table: operators that make the decoded rows again. */
#include "passes/vjp.h"

static rt_value or_zeros(rt_vjp *v, rt_value value, rt_value like) {
    return rt_value_is(value) ? value : rt_build_zeros(v->b, type_of(v, like));
}

static void give_decoder(rt_vjp *v, const rt_value *gradients) {
    for (size_t i = 0; i < 3; ++i) give(v, i, gradients[i]);
}

/* z = x table' + bias, s = ln sum e^z, own = z[label]:
 *   dz = ds softmax(z) + (d_own at the label), dx = dz table, d_table = dz' x, d_bias = sum dz */
void vjp_decode_scores(rt_vjp *v) {
    rt_value gradients[3];
    if (rt_value_is(v->d[2])) {
        rt_vjp_fail(v, "the largest score of decode_scores has no gradient");
        return;
    }
    const rt_value operands[7] = {or_zeros(v, v->d[0], v->out[0]),
                                  or_zeros(v, v->d[1], v->out[1]),
                                  v->in[0],
                                  v->in[1],
                                  v->in[2],
                                  v->in[3],
                                  v->out[0]};
    if (rt_build_results(v->b, RT_OP_decode_scores_gradient, operands, 7, v->attrs, gradients))
        give_decoder(v, gradients);
}

/* dz = scale d (softmax(scale z) - softmax(scale z*)), and on as above */
void vjp_decode_divergence(rt_vjp *v) {
    rt_value gradients[3];
    if (rt_value_is(v->d[1]) || rt_value_is(v->d[2]) || wants(v, 3) || wants(v, 4) || wants(v, 5)) {
        rt_vjp_fail(v, "only the divergence of decode_divergence has a gradient, and not by its "
                       "goal");
        return;
    }
    const rt_value operands[9] = {v->dy,    v->in[0], v->in[1],  v->in[2], v->in[3],
                                  v->in[4], v->in[5], v->out[1], v->out[2]};
    if (rt_build_results(v->b, RT_OP_decode_divergence_gradient, operands, 9, v->attrs, gradients))
        give_decoder(v, gradients);
}
