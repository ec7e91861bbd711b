// SPDX-License-Identifier: Apache-2.0
#include "ir/match.h"

#include <math.h>

#include "ir/rules.h"

bool rt_match(const rt_graph *graph, rt_value value, rt_op op, rt_value *operands, size_t count) {
    if (!rt_value_is(value)) return false;
    const rt_node_info *node = rt_graph_node(graph, rt_graph_definition(graph, value));
    if (node->op != op || node->operand_count != count ||
        !rt_value_equal(node->first_result, value))
        return false;
    for (size_t i = 0; i < count; ++i) operands[i] = node->operands[i];
    return true;
}

bool rt_match_with_number(const rt_graph *graph, rt_value value, rt_op op, rt_value *other,
                          double *number) {
    rt_value operands[2];
    if (!rt_match(graph, value, op, operands, 2)) return false;
    for (int i = 0; i < 2; ++i)
        if (rt_value_is_splat(graph, operands[1 - i], number)) {
            *other = operands[i];
            return true;
        }
    return false;
}

bool rt_match_scaled(const rt_graph *graph, rt_value value, rt_value *other, double *number) {
    rt_value operands[2];
    if (rt_match_with_number(graph, value, RT_OP_mul, other, number)) return true;
    if (!rt_match(graph, value, RT_OP_div, operands, 2) ||
        !rt_value_is_splat(graph, operands[1], number) || *number == 0)
        return false;
    *other = operands[0];
    *number = 1 / *number;
    return true;
}

/* The sum over the last axis, kept; and its length where it is constant. */
static bool match_sum_last(const rt_graph *graph, rt_value value, rt_value *x, double *length) {
    if (!rt_match(graph, value, RT_OP_reduce_sum, x, 1)) return false;
    rt_node node = rt_graph_definition(graph, value);
    rt_attr axes = rt_graph_attr(graph, node, RT_ATTR_reduce_sum_axes);
    rt_type type = rt_graph_type(graph, *x);
    int64_t size;
    *length = 0;
    if (type.rank &&
        rt_dim_is_constant(rt_module_dims(rt_graph_module(graph)), type.dims[type.rank - 1], &size))
        *length = (double)size;
    return axes.count == 1 && axes.ints[0] == type.rank - 1 &&
           rt_graph_attr(graph, node, RT_ATTR_reduce_sum_keep_dims).integer;
}

bool rt_match_mean_last(const rt_graph *graph, rt_value value, rt_value *x) {
    rt_value sum;
    double factor, length;
    return rt_match_scaled(graph, value, &sum, &factor) && match_sum_last(graph, sum, x, &length) &&
           rt_match_is_near(factor * length, 1);
}

static bool collect(const rt_graph *graph, rt_value value, rt_value *factors, size_t most,
                    size_t *count, double *number) {
    rt_value operands[2], other;
    double factor;
    if (rt_value_is_splat(graph, value, &factor)) {
        *number *= factor;
        return true;
    }
    if (rt_match_scaled(graph, value, &other, &factor)) {
        *number *= factor;
        return collect(graph, other, factors, most, count, number);
    }
    if (rt_match(graph, value, RT_OP_mul, operands, 2))
        return collect(graph, operands[0], factors, most, count, number) &&
               collect(graph, operands[1], factors, most, count, number);
    if (*count == most) return false;
    factors[(*count)++] = value;
    return true;
}

bool rt_match_product(const rt_graph *graph, rt_value value, rt_value *factors, size_t most,
                      size_t *count, double *number) {
    *count = 0;
    *number = 1;
    return collect(graph, value, factors, most, count, number);
}

bool rt_match_is_near(double number, double wanted) {
    return fabs(number - wanted) <= 1e-6 * fabs(wanted);
}

bool rt_match_same_but_units(const rt_graph *graph, rt_value a, rt_value b) {
    rt_type types[2] = {rt_graph_type(graph, a), rt_graph_type(graph, b)};
    rt_dim kept[2][RT_MAX_RANK];
    int counts[2] = {0, 0};
    for (int t = 0; t < 2; ++t)
        for (int i = 0; i < types[t].rank; ++i) {
            int64_t size;
            if (rt_dim_is_constant(rt_module_dims(rt_graph_module(graph)), types[t].dims[i],
                                   &size) &&
                size == 1)
                continue;
            kept[t][counts[t]++] = types[t].dims[i];
        }
    for (int i = 0; i < counts[0] && counts[0] == counts[1]; ++i)
        if (!rt_dim_equal(kept[0][i], kept[1][i])) return false;
    return counts[0] == counts[1];
}

rt_value rt_match_skip_unit_axes(const rt_graph *graph, rt_value value) {
    rt_value inner;
    while (rt_match(graph, value, RT_OP_reshape, &inner, 1) &&
           rt_match_same_but_units(graph, value, inner))
        value = inner;
    return value;
}
