// SPDX-License-Identifier: Apache-2.0
/* LayerNorm as exporters before opset 17 write it:
 *     d = x - mean(x);  y = d / sqrt(mean(d * d) + epsilon);  y * scale + bias
 * raised in three steps, each of which stands alone. */
#include "ir/rules.h"
#include "ir/match.h"
#include "passes/raise.h"

/* d = x - mean(x) over the last axis. */
static bool match_centred(const rt_graph *graph, rt_value value, rt_value *x) {
    rt_value operands[2], averaged;
    if (!rt_match(graph, value, RT_OP_sub, operands, 2) ||
        !rt_match_mean_last(graph, operands[1], &averaged) ||
        !rt_value_equal(averaged, operands[0]))
        return false;
    *x = operands[0];
    return true;
}

/* mean(d * d) + epsilon. */
static bool match_variance(const rt_graph *graph, rt_value value, rt_value centred,
                           double *epsilon) {
    rt_value mean, square, factors[2];
    return rt_match_with_number(graph, value, RT_OP_add, &mean, epsilon) &&
           rt_match_mean_last(graph, mean, &square) &&
           rt_match(graph, square, RT_OP_mul, factors, 2) && rt_value_equal(factors[0], centred) &&
           rt_value_equal(factors[1], centred);
}

/* d / sqrt(variance), or d * rsqrt(variance), or d * (1 / sqrt(variance)). */
static rt_value raise_normalised(const rt_raise_root *root) {
    const rt_graph *graph = root->b->graph;
    rt_value x, inner, variance;
    double epsilon;
    for (int d = 0; d < (root->op == RT_OP_mul ? 2 : 1); ++d) {
        rt_value centred = root->operands[d], other = root->operands[1 - d];
        bool has_root = root->op == RT_OP_div
                            ? rt_match(graph, other, RT_OP_sqrt, &variance, 1)
                            : rt_match(graph, other, RT_OP_rsqrt, &variance, 1) ||
                                  (rt_match(graph, other, RT_OP_reciprocal, &inner, 1) &&
                                   rt_match(graph, inner, RT_OP_sqrt, &variance, 1));
        if (has_root && match_centred(graph, centred, &x) &&
            match_variance(graph, variance, centred, &epsilon))
            return rt_build_layer_norm(root->b, x, RT_NO_VALUE, RT_NO_VALUE, epsilon, NULL);
    }
    return RT_NO_VALUE;
}

/* The layer_norm node whose y is `value`, where it has exactly `count` operands. */
static const rt_node_info *match_layer_norm(const rt_graph *graph, rt_value value, uint32_t count) {
    const rt_node_info *node = rt_graph_node(graph, rt_graph_definition(graph, value));
    return node->op == RT_OP_layer_norm && node->operand_count == count &&
                   rt_value_equal(node->first_result, value)
               ? node
               : NULL;
}

/* A vector as long as the rows of `x`. */
static bool fits_rows(const rt_graph *graph, rt_value vector, rt_value x) {
    rt_type row = rt_graph_type(graph, x), type = rt_graph_type(graph, vector);
    return type.rank == 1 && rt_dim_equal(type.dims[0], row.dims[row.rank - 1]);
}

/* layer_norm(x) * scale, and layer_norm(x, scale) + bias. */
static rt_value raise_affine(const rt_raise_root *root, uint32_t operand_count) {
    for (int i = 0; i < 2; ++i) {
        const rt_node_info *norm =
            match_layer_norm(root->b->graph, root->operands[i], operand_count);
        rt_value vector = root->operands[1 - i];
        if (!norm || !fits_rows(root->b->graph, vector, norm->operands[0])) continue;
        rt_value scale = operand_count == 1 ? vector : norm->operands[1];
        rt_value bias = operand_count == 1 ? RT_NO_VALUE : vector;
        return rt_build_layer_norm(root->b, norm->operands[0], scale, bias, norm->attrs[0].real,
                                   NULL);
    }
    return RT_NO_VALUE;
}

rt_value rt_raise_layer_norm(const rt_raise_root *root) {
    if (root->op != RT_OP_div && root->op != RT_OP_mul && root->op != RT_OP_add) return RT_NO_VALUE;
    if (root->op == RT_OP_add) return raise_affine(root, 2);
    rt_value normalised = raise_normalised(root);
    if (rt_value_is(normalised) || root->op == RT_OP_div) return normalised;
    return raise_affine(root, 1);
}
