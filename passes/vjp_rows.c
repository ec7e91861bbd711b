// SPDX-License-Identifier: Apache-2.0
/* Gradients of operators over rows: along the last axis, and over packed rows. <.> is the mean and
 * sum(.) the sum along the last axis. */
#include "passes/vjp.h"

static rt_value mean_last(rt_vjp *v, rt_value x) {
    const int64_t last = -1;
    return rt_build_reduce_mean(v->b, x, &last, 1, true);
}

/* y = softmax(x):  dx = y (dy - sum(dy y)) */
void vjp_softmax(rt_vjp *v) {
    rt_value y = v->out[0];
    rt_value total = rt_build_sum_last(v->b, mul(v, v->dy, y), true);
    give(v, 0, mul(v, y, sub(v, v->dy, total)));
}

/* y = x - ln sum(e^x):  dx = dy - e^y sum(dy) */
void vjp_log_softmax(rt_vjp *v) {
    rt_value total = rt_build_sum_last(v->b, v->dy, true);
    give(v, 0, sub(v, v->dy, mul(v, rt_build_exp(v->b, v->out[0]), total)));
}

/* The part of layer_norm's dx that comes through mean and r = 1 / sigma, where they are read
 * themselves: d_mean / C - d_r r^2 xhat / C. RT_NO_VALUE where neither is. */
static rt_value through_statistics(rt_vjp *v, rt_value xhat) {
    rt_value r = v->out[2], dx = RT_NO_VALUE;
    if (rt_value_is(v->d[2])) dx = neg(v, mul(v, mul(v, v->d[2], mul(v, r, r)), xhat));
    if (rt_value_is(v->d[1])) dx = rt_value_is(dx) ? add(v, dx, v->d[1]) : v->d[1];
    if (!rt_value_is(dx)) return dx;
    rt_type x = type_of(v, v->in[0]);
    rt_value size = rt_build_dim_as(v->b, x.dims[x.rank - 1], x.dtype);
    return rt_build_div(v->b, dx, size);
}

/* xhat = (x - mean) r, y = scale xhat + bias, g = scale dy:
 *   dx = r (g - <g> - xhat <g xhat>), d_scale = dy xhat and d_bias = dy summed over the rows */
void vjp_layer_norm(rt_vjp *v) {
    rt_value r = v->out[2];
    rt_value xhat = mul(v, sub(v, v->in[0], v->out[1]), r);
    if (wants(v, 0)) {
        rt_value dx = through_statistics(v, xhat);
        if (rt_value_is(v->dy)) {
            bool is_scaled = v->in_count > 1 && rt_value_is(v->in[1]);
            rt_value g = is_scaled ? mul(v, v->dy, v->in[1]) : v->dy;
            rt_value along = mul(v, xhat, mean_last(v, mul(v, g, xhat)));
            rt_value direct = mul(v, sub(v, sub(v, g, mean_last(v, g)), along), r);
            dx = rt_value_is(dx) ? add(v, dx, direct) : direct;
        }
        give(v, 0, dx);
    }
    if (!rt_value_is(v->dy)) return;
    if (wants(v, 1)) give(v, 1, mul(v, v->dy, xhat));
    give(v, 2, v->dy);
}

/* y_b = sum of x_t over row b:  dx_t = dy of t's row */
void vjp_segment_sum(rt_vjp *v) {
    give(v, 0, rt_build_segment_repeat(v->b, v->dy, v->in[1], type_of(v, v->in[0]).dims[0]));
}

/* y_t = x of t's row:  dx_b = sum of dy_t over row b */
void vjp_segment_repeat(rt_vjp *v) {
    give(v, 0, rt_build_segment_sum(v->b, v->dy, v->in[1]));
}

/* y_t = x_{t-1}:  dx_t = dy_{t+1}, in each row */
void vjp_shift_rows(rt_vjp *v) {
    bool is_reverse = vjp_attr(v, RT_ATTR_shift_rows_reverse).integer;
    give(v, 0, rt_build_shift_rows(v->b, v->dy, v->in[1], !is_reverse));
}

_Static_assert((int)RT_ATTR_attention_longest - (int)RT_ATTR_attention_heads ==
                   (int)RT_ATTR_attention_gradient_longest - (int)RT_ATTR_attention_gradient_heads,
               "attention_gradient takes the attributes of attention as they are");

/* P = softmax(scale Q K'), O = drop(P) V: probabilities are made again from Q, K and lse, the mask
 * from its address; the equations are attention_gradient's. */
void vjp_attention(rt_vjp *v) {
    if (rt_value_is(v->d[1])) {
        rt_vjp_fail(v, "the log-sum-exp of attention has no gradient");
        return;
    }
    rt_value operands[11] = {v->dy, v->in[0], v->in[1], v->in[2], v->out[0], v->out[1]};
    for (size_t i = 3; i < v->in_count; ++i) operands[3 + i] = v->in[i];
    rt_value gradients[3];
    if (!rt_build_results(v->b, RT_OP_attention_gradient, operands, v->in_count + 3, v->attrs,
                          gradients))
        return;
    for (size_t i = 0; i < 3; ++i) give(v, i, gradients[i]);
}

_Static_assert((int)RT_ATTR_relation_loss_longest - (int)RT_ATTR_relation_loss_heads ==
                   (int)RT_ATTR_relation_loss_gradient_longest -
                       (int)RT_ATTR_relation_loss_gradient_heads,
               "relation_loss_gradient begins with the attributes of relation_loss");
enum { RELATION_ATTRS = RT_ATTR_relation_loss_longest - RT_ATTR_relation_loss_heads + 1 };

/* The scores of each side are made again from queries and keys; the equations are
 * relation_loss_gradient's. */
void vjp_relation_loss(rt_vjp *v) {
    rt_value operands[8] = {v->dy}, gradients[2];
    rt_attr attrs[RELATION_ATTRS + 1];
    for (size_t i = 0; i < v->in_count; ++i) operands[1 + i] = v->in[i];
    for (size_t i = 0; i < RELATION_ATTRS; ++i) attrs[i] = v->attrs[i];
    for (size_t side = 0; side < 2; ++side) {
        if (!wants(v, 2 * side) && !wants(v, 2 * side + 1)) continue;
        attrs[RELATION_ATTRS] = (rt_attr){.integer = side == 1};
        if (!rt_build_results(v->b, RT_OP_relation_loss_gradient, operands, v->in_count + 1, attrs,
                              gradients))
            return;
        for (size_t i = 0; i < 2; ++i) give(v, 2 * side + i, gradients[i]);
    }
}

/* With a_t the pre-activations: da from lstm_gradient; the recurrent matrix met h_{t-1} at token t:
 *   dR = sum_t da_t h_{t-1}' */
void vjp_lstm(rt_vjp *v) {
    if (rt_value_is(v->d[1]) || rt_value_is(v->d[2])) {
        rt_vjp_fail(v, "the cell states and gates of lstm have no gradient");
        return;
    }
    rt_attr reverse = vjp_attr(v, RT_ATTR_lstm_reverse);
    const rt_value operands[5] = {v->dy, v->out[1], v->out[2], v->in[1], v->in[2]};
    rt_value da = rt_build(v->b, RT_OP_lstm_gradient, operands, 5, &reverse);
    give(v, 0, da);
    if (wants(v, 1)) {
        rt_value before = rt_build_shift_rows(v->b, v->out[0], v->in[2], reverse.integer);
        give(v, 1, rt_build_matmul(v->b, da, before, true, false));
    }
}
