// SPDX-License-Identifier: Apache-2.0
/* Gradients of elementwise operators, in the order of ops.def. x and z are the operands, y the
 * result; every product is elementwise. */
#include "passes/vjp.h"

static const double sqrt_2_over_pi = 0.79788456080286535588;
static const double two_over_sqrt_pi = 1.12837916709551257390;
static const double one_over_sqrt_2_pi = 0.39894228040143267794;

/* y = -x:  dx = -dy */
void vjp_neg(rt_vjp *v) {
    give(v, 0, neg(v, v->dy));
}

/* y = |x|:  dx = dy sign(x) */
void vjp_abs(rt_vjp *v) {
    give(v, 0, mul(v, v->dy, rt_build_sign(v->b, v->in[0])));
}

/* y = e^x:  dx = dy y */
void vjp_exp(rt_vjp *v) {
    give(v, 0, mul(v, v->dy, v->out[0]));
}

/* y = ln x:  dx = dy / x */
void vjp_log(rt_vjp *v) {
    give(v, 0, rt_build_div(v->b, v->dy, v->in[0]));
}

/* y = sqrt(x):  dx = dy / (2 y) */
void vjp_sqrt(rt_vjp *v) {
    give(v, 0, rt_build_div(v->b, scale(v, v->dy, 0.5), v->out[0]));
}

/* y = x^(-1/2):  dx = -dy y^3 / 2 */
void vjp_rsqrt(rt_vjp *v) {
    rt_value cube = mul(v, mul(v, v->out[0], v->out[0]), v->out[0]);
    give(v, 0, mul(v, scale(v, v->dy, -0.5), cube));
}

/* y = 1 / x:  dx = -dy y^2 */
void vjp_reciprocal(rt_vjp *v) {
    give(v, 0, neg(v, mul(v, v->dy, mul(v, v->out[0], v->out[0]))));
}

/* y = sin x:  dx = dy cos x */
void vjp_sin(rt_vjp *v) {
    give(v, 0, mul(v, v->dy, rt_build_cos(v->b, v->in[0])));
}

/* y = cos x:  dx = -dy sin x */
void vjp_cos(rt_vjp *v) {
    give(v, 0, neg(v, mul(v, v->dy, rt_build_sin(v->b, v->in[0]))));
}

/* 1 - x^2 */
static rt_value one_minus_square(rt_vjp *v, rt_value x) {
    return sub(v, scalar_like(v, x, 1), mul(v, x, x));
}

/* y = tanh x:  dx = dy (1 - y^2) */
void vjp_tanh(rt_vjp *v) {
    give(v, 0, mul(v, v->dy, one_minus_square(v, v->out[0])));
}

/* y = 1 / (1 + e^-x):  dx = dy y (1 - y) */
void vjp_sigmoid(rt_vjp *v) {
    rt_value y = v->out[0];
    give(v, 0, mul(v, v->dy, mul(v, y, sub(v, scalar_like(v, y, 1), y))));
}

/* e^(-x^2 factor) */
static rt_value bell(rt_vjp *v, rt_value x, double factor) {
    return rt_build_exp(v->b, scale(v, mul(v, x, x), -factor));
}

/* y = erf x:  dx = dy 2 / sqrt(pi) e^(-x^2) */
void vjp_erf(rt_vjp *v) {
    give(v, 0, mul(v, v->dy, scale(v, bell(v, v->in[0], 1), two_over_sqrt_pi)));
}

/* y = x where x > 0, else 0:  dx = dy where x > 0, else 0 */
void vjp_relu(rt_vjp *v) {
    rt_value zero = scalar_like(v, v->in[0], 0);
    rt_value is_positive = rt_build_less(v->b, zero, v->in[0]);
    give(v, 0, rt_build_select(v->b, is_positive, v->dy, zero));
}

/* With u = sqrt(2 / pi) (x + 0.044715 x^3), t = tanh u:
 *   y' = (1 + t) / 2 + x (1 - t^2) sqrt(2 / pi) (1 + 3 * 0.044715 x^2) / 2 */
static rt_value gelu_tanh_slope(rt_vjp *v, rt_value x) {
    rt_value one = scalar_like(v, x, 1), square = mul(v, x, x);
    rt_value u = mul(v, x, add(v, scale(v, square, 0.044715), one));
    rt_value t = rt_build_tanh(v->b, scale(v, u, sqrt_2_over_pi));
    rt_value inner = add(v, scale(v, square, 3 * 0.044715), one);
    rt_value second = scale(v, mul(v, mul(v, x, one_minus_square(v, t)), inner), sqrt_2_over_pi);
    return scale(v, add(v, add(v, t, one), second), 0.5);
}

/* y = Phi(x) + x phi(x), the normal distribution and its density:  dx = dy (2 - x^2) phi(x) */
void vjp_gelu_slope(rt_vjp *v) {
    rt_value x = v->in[0], density = scale(v, bell(v, x, 0.5), one_over_sqrt_2_pi);
    rt_value factor = sub(v, scalar_like(v, x, 2), mul(v, x, x));
    give(v, 0, mul(v, v->dy, mul(v, factor, density)));
}

/* y = gelu(x):  dx = dy y' */
void vjp_gelu(rt_vjp *v) {
    bool is_tanh = vjp_attr(v, RT_ATTR_gelu_tanh_form).integer;
    rt_value slope = is_tanh ? gelu_tanh_slope(v, v->in[0]) : rt_build_gelu_slope(v->b, v->in[0]);
    give(v, 0, mul(v, v->dy, slope));
}

/* Between floating types:  dx = dy in x's type */
void vjp_cast(rt_vjp *v) {
    give(v, 0, rt_build_cast(v->b, v->dy, type_of(v, v->in[0]).dtype));
}

/* y = x + z:  dx = dy, dz = dy */
void vjp_add(rt_vjp *v) {
    give(v, 0, v->dy);
    give(v, 1, v->dy);
}

/* y = x - z:  dx = dy, dz = -dy */
void vjp_sub(rt_vjp *v) {
    give(v, 0, v->dy);
    if (wants(v, 1)) give(v, 1, neg(v, v->dy));
}

/* y = x z:  dx = dy z, dz = dy x */
void vjp_mul(rt_vjp *v) {
    if (wants(v, 0)) give(v, 0, mul(v, v->dy, v->in[1]));
    if (wants(v, 1)) give(v, 1, mul(v, v->dy, v->in[0]));
}

/* y = x / z:  dx = dy / z, dz = -dy y / z */
void vjp_div(rt_vjp *v) {
    rt_value dx = rt_build_div(v->b, v->dy, v->in[1]);
    give(v, 0, dx);
    if (wants(v, 1)) give(v, 1, neg(v, mul(v, dx, v->out[0])));
}

/* y = x^z:  dx = dy z x^(z - 1), 0 where z = 0;  dz = dy y ln x, 0 where x <= 0 */
void vjp_pow(rt_vjp *v) {
    rt_value x = v->in[0], z = v->in[1], zero = scalar_like(v, x, 0);
    if (wants(v, 0)) {
        rt_value power = rt_build_pow(v->b, x, sub(v, z, scalar_like(v, x, 1)));
        rt_value dx = mul(v, v->dy, mul(v, z, power));
        give(v, 0, rt_build_select(v->b, rt_build_equal(v->b, z, zero), zero, dx));
    }
    if (wants(v, 1)) {
        rt_value dz = mul(v, v->dy, mul(v, v->out[0], rt_build_log(v->b, x)));
        give(v, 1, rt_build_select(v->b, rt_build_less(v->b, zero, x), dz, zero));
    }
}

/* dy to the operand that was chosen. */
static void give_chosen(rt_vjp *v, rt_value chooses_first, size_t first, size_t second) {
    rt_value zero = scalar_like(v, v->dy, 0);
    if (wants(v, first)) give(v, first, rt_build_select(v->b, chooses_first, v->dy, zero));
    if (wants(v, second)) give(v, second, rt_build_select(v->b, chooses_first, zero, v->dy));
}

/* y = max(x, z):  dx = dy where x >= z, dz = dy where x < z */
void vjp_maximum(rt_vjp *v) {
    give_chosen(v, rt_build_less_equal(v->b, v->in[1], v->in[0]), 0, 1);
}

/* y = min(x, z):  dx = dy where x <= z, dz = dy where x > z */
void vjp_minimum(rt_vjp *v) {
    give_chosen(v, rt_build_less_equal(v->b, v->in[0], v->in[1]), 0, 1);
}

/* y = c ? x : z:  dx = c ? dy : 0, dz = c ? 0 : dy */
void vjp_select(rt_vjp *v) {
    give_chosen(v, v->in[0], 1, 2);
}

/* y = m x with m the mask over 1 - rate:  dx = m dy, the mask drawn again from its address */
void vjp_dropout(rt_vjp *v) {
    give(v, 0,
         rt_build_dropout(v->b, v->dy, v->in[1], v->in[2], vjp_attr(v, RT_ATTR_dropout_rate).real,
                          vjp_attr(v, RT_ATTR_dropout_site).integer));
}
