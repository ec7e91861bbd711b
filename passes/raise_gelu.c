// SPDX-License-Identifier: Apache-2.0
/* GELU (Hendrycks and Gimpel, 2016) in its two written forms, whatever the order of the factors:
 *     x * 0.5 * (1 + erf(x / sqrt 2))
 *     x * 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) */
#include "ir/match.h"
#include "passes/raise.h"

static const double ROOT_HALF = 0.70710678118654752440;
static const double ROOT_TWO_OVER_PI = 0.79788456080286535588;

/* number * x^3 as a product of three, or by pow. */
static bool match_cube(const rt_graph *graph, rt_value value, rt_value x, double number) {
    rt_value factors[3], base;
    double found, exponent;
    size_t count;
    if (!rt_match_product(graph, value, factors, 3, &count, &found) ||
        !rt_match_is_near(found, number))
        return false;
    if (count == 1)
        return rt_match_with_number(graph, factors[0], RT_OP_pow, &base, &exponent) &&
               exponent == 3 && rt_value_equal(base, x);
    return count == 3 && rt_value_equal(factors[0], x) && rt_value_equal(factors[1], x) &&
           rt_value_equal(factors[2], x);
}

/* x + 0.044715 x^3, or x * (1 + 0.044715 x^2). */
static bool match_tanh_polynomial(const rt_graph *graph, rt_value value, rt_value x) {
    rt_value terms[2];
    if (!rt_match(graph, value, RT_OP_add, terms, 2)) return false;
    for (int i = 0; i < 2; ++i)
        if (rt_value_equal(terms[i], x) && match_cube(graph, terms[1 - i], x, 0.044715))
            return true;
    return false;
}

/* Is `gate` the 1 + erf(…) or 1 + tanh(…) of x? */
static bool match_gate(const rt_graph *graph, rt_value gate, rt_value x, bool *is_tanh) {
    rt_value function, argument, inner;
    double number;
    if (!rt_match_with_number(graph, gate, RT_OP_add, &function, &number) || number != 1)
        return false;
    if (rt_match(graph, function, RT_OP_erf, &argument, 1)) {
        *is_tanh = false;
        return rt_match_scaled(graph, argument, &inner, &number) && rt_value_equal(inner, x) &&
               rt_match_is_near(number, ROOT_HALF);
    }
    *is_tanh = true;
    return rt_match(graph, function, RT_OP_tanh, &argument, 1) &&
           rt_match_scaled(graph, argument, &inner, &number) &&
           rt_match_is_near(number, ROOT_TWO_OVER_PI) && match_tanh_polynomial(graph, inner, x);
}

rt_value rt_raise_gelu(const rt_raise_root *root) {
    const rt_graph *graph = root->b->graph;
    rt_value factors[3], both[2];
    double number = 1, part;
    size_t count = 0, more;
    bool is_tanh;
    if (root->op != RT_OP_mul) return RT_NO_VALUE;
    for (int i = 0; i < 2; ++i) {
        if (!rt_match_product(graph, root->operands[i], factors, 3, &more, &part) ||
            count + more > 2)
            return RT_NO_VALUE;
        for (size_t f = 0; f < more; ++f) both[count++] = factors[f];
        number *= part;
    }
    if (count != 2 || number != 0.5) return RT_NO_VALUE;
    for (int i = 0; i < 2; ++i)
        if (match_gate(graph, both[1 - i], both[i], &is_tanh))
            return rt_build_gelu(root->b, both[i], is_tanh);
    return RT_NO_VALUE;
}
