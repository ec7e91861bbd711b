// SPDX-License-Identifier: Apache-2.0
/* One expand_<op> per operator of class EXPAND, pasted from the table. Compositions of 16-bit
 * floats are computed in f32 and rounded once, at their results. */
#include "passes/expand.h"

#include "passes/expand_rules.h"
#include "passes/pass.h"
#include "runtime/base/check.h"

static const int64_t last_axis[] = {-1};

static rt_dtype wide_dtype(rt_dtype dtype) {
    return dtype == RT_F64 ? RT_F64 : RT_F32;
}

static rt_value widen(rt_builder *b, rt_value x) {
    if (!rt_value_is(x)) return x;
    return rt_build_cast(b, x, wide_dtype(rt_builder_type(b, x).dtype));
}

static void set_narrowed(rt_rewriter *rewriter, rt_node node, int index, rt_value value) {
    rt_value old = rt_graph_result(rewriter->old, node, index);
    rt_dtype dtype = rt_graph_type(rewriter->old, old).dtype;
    rt_rewriter_set(rewriter, old, rt_build_cast(&rewriter->b, value, dtype));
}

/* x - max(x) of each row: the exponentials that follow are at most 1. */
static rt_value shift_by_max(rt_builder *b, rt_value x) {
    return rt_build_sub(b, x, rt_build_reduce(b, RT_OP_reduce_max, x, last_axis, 1, true));
}

/* softmax(x) = exp(x - m) / sum exp(x - m) */
static bool expand_softmax(rt_rewriter *rewriter, rt_node node) {
    rt_builder *b = &rewriter->b;
    rt_value x = widen(b, rt_rewriter_operand(rewriter, node, 0));
    rt_value power = rt_build_exp(b, shift_by_max(b, x));
    rt_value inverse = rt_build_reciprocal(b, rt_build_sum_last(b, power, true));
    set_narrowed(rewriter, node, 0, rt_build_mul(b, power, inverse));
    return true;
}

/* log_softmax(x) = x - m - log sum exp(x - m) */
static bool expand_log_softmax(rt_rewriter *rewriter, rt_node node) {
    rt_builder *b = &rewriter->b;
    rt_value x = widen(b, rt_rewriter_operand(rewriter, node, 0));
    rt_value shifted = shift_by_max(b, x);
    rt_value sum = rt_build_sum_last(b, rt_build_exp(b, shifted), true);
    set_narrowed(rewriter, node, 0, rt_build_sub(b, shifted, rt_build_log(b, sum)));
    return true;
}

/* mu = mean(x), s = 1/sqrt(mean((x - mu)^2) + epsilon), y = (x - mu) s scale + bias */
static bool expand_layer_norm(rt_rewriter *rewriter, rt_node node) {
    rt_builder *b = &rewriter->b;
    double epsilon = rt_graph_attr(rewriter->old, node, RT_ATTR_layer_norm_epsilon).real;
    rt_value x = widen(b, rt_rewriter_operand(rewriter, node, 0));
    rt_value scale = widen(b, rt_rewriter_operand(rewriter, node, 1));
    rt_value bias = widen(b, rt_rewriter_operand(rewriter, node, 2));
    rt_value mean = rt_build_reduce_mean(b, x, last_axis, 1, true);
    rt_value centred = rt_build_sub(b, x, mean);
    rt_value square = rt_build_mul(b, centred, centred);
    rt_value variance = rt_build_reduce_mean(b, square, last_axis, 1, true);
    rt_value offset = rt_build_scalar(b, rt_builder_type(b, x).dtype, epsilon);
    rt_value inverse = rt_build_rsqrt(b, rt_build_add(b, variance, offset));
    rt_value y = rt_build_mul(b, centred, inverse);
    if (rt_value_is(scale)) y = rt_build_mul(b, y, scale);
    if (rt_value_is(bias)) y = rt_build_add(b, y, bias);
    set_narrowed(rewriter, node, 0, y);
    set_narrowed(rewriter, node, 1, mean);
    set_narrowed(rewriter, node, 2, inverse);
    return true;
}

static bool expand_stop_gradient(rt_rewriter *rewriter, rt_node node) {
    rt_rewriter_set(rewriter, rt_graph_result(rewriter->old, node, 0),
                    rt_rewriter_operand(rewriter, node, 0));
    return true;
}

/* ---- reductions */

/* Reduces the axes [first, last] of x away. A run that ends with the last axis goes one axis at a
 * time, so that each step is a sum over rows that workers can share. */
static rt_value reduce_run(rt_builder *b, rt_op op, rt_value x, int64_t first, int64_t last) {
    if (!rt_value_is(x)) return x;
    if (last < rt_builder_type(b, x).rank - 1) {
        int64_t axes[RT_MAX_RANK];
        for (int64_t axis = first; axis <= last; ++axis) axes[axis - first] = axis;
        return rt_build_reduce(b, op, x, axes, (size_t)(last - first + 1), false);
    }
    for (int64_t axis = last; axis >= first; --axis) x = rt_build_reduce(b, op, x, &axis, 1, false);
    return x;
}

static bool split_reduction(rt_rewriter *rewriter, rt_node node) {
    rt_builder *b = &rewriter->b;
    const rt_node_info *info = rt_graph_node(rewriter->old, node);
    rt_attr axes = info->attrs[0];
    int rank = rt_graph_type(rewriter->old, info->operands[0]).rank;
    bool is_run = axes.count && axes.ints[axes.count - 1] - axes.ints[0] + 1 == axes.count;
    bool is_trailing = axes.count && axes.ints[axes.count - 1] == rank - 1;
    if (is_run && (!is_trailing || axes.count == 1)) return false;
    rt_value x = rt_rewriter_operand(rewriter, node, 0);
    for (int64_t last = (int64_t)axes.count - 1; last >= 0;) {
        int64_t first = last;
        while (first > 0 && axes.ints[first - 1] == axes.ints[first] - 1) --first;
        x = reduce_run(b, info->op, x, axes.ints[first], axes.ints[last]);
        last = first - 1;
    }
    rt_value old = rt_graph_result(rewriter->old, node, 0);
    rt_type type = rt_graph_type(rewriter->old, old);
    rt_rewriter_set(rewriter, old, rt_build_reshape(b, x, type.dims, (size_t)type.rank));
    return true;
}

static bool keep(rt_rewriter *rewriter, rt_node node) {
    (void)rewriter, (void)node;
    return false;
}

#define RULE_OF_SOURCE(id) keep
#define RULE_OF_SCALAR(id) keep
#define RULE_OF_REDUCE(id) split_reduction
#define RULE_OF_MOVE(id) keep
#define RULE_OF_VIEW(id) keep
#define RULE_OF_KERNEL(id) keep
#define RULE_OF_EXPAND(id) expand_##id
static const rt_rewrite_rule rules[RT_OP_COUNT] = {
#define OP(id, text, least, most, results, infer, vjp, lower) [RT_OP_##id] = RULE_OF_##lower(id),
#include "ir/ops.def"
};

static bool expand_node(rt_rewriter *rewriter, rt_node node) {
    return rules[rt_graph_node(rewriter->old, node)->op](rewriter, node);
}

rt_graph *rt_expand_graph(rt_graph *graph) {
    return rt_graph_rewrite(graph, expand_node, NULL);
}

rt_status rt_pass_expand(rt_pass_context *context, rt_module *module) {
    return rt_pass_rewrite(context, module, expand_node, NULL);
}
