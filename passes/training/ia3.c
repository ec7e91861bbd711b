// SPDX-License-Identifier: Apache-2.0
/* IA3 (Liu et al., 2022): learned vectors scale keys, values (after their bias) and what the
 * feed-forward part's outer map reads; they begin at 1. Names and shapes are PEFT's: "<map>.ia3_l",
 * [outputs, 1] where a result is scaled, [1, inputs] where an input is. */
#include "passes/training/method.h"

static rt_parameter add_vector(rt_adaptation *a, rt_builder *b, const rt_linear *linear,
                               bool is_of_input) {
    int64_t size = is_of_input ? linear->inputs : linear->outputs;
    rt_added_parameter vector = {.name = rt_adaptation_name(a, linear->name, "ia3_l"),
                                 .rank = 2,
                                 .dims = {is_of_input ? 1 : size, is_of_input ? size : 1},
                                 .initial = RT_INITIAL_CONSTANT,
                                 .initial_value = 1};
    rt_pass_count(a->context, "maps adapted", 1);
    return rt_adaptation_add(a, &vector, b->location);
}

static rt_value flat(rt_builder *b, rt_parameter vector, int64_t size) {
    rt_dim dim = rt_module_constant_dim(b->module, size);
    return rt_build_reshape(b, rt_build_parameter(b, vector), &dim, 1);
}

static rt_value scaled(rt_adaptation *a, rt_builder *b, rt_value weight, rt_value vector) {
    return a->is_undoing ? rt_build_div(b, weight, vector) : rt_build_mul(b, weight, vector);
}

/* Rows of W, and b, where the result is scaled; columns of W where the input is. And back. */
static void merge(rt_adaptation *a, const rt_linear *linear, rt_parameter vector,
                  bool is_of_input) {
    if (!a->merge) return;
    rt_builder b = rt_builder_begin(a->merge);
    rt_value w = rt_build_parameter(&b, linear->weight);
    rt_adaptation_merge(a, linear->weight, scaled(a, &b, w, rt_build_parameter(&b, vector)));
    if (is_of_input || !rt_parameter_is(linear->bias)) return;
    rt_value bias = rt_build_parameter(&b, linear->bias);
    rt_adaptation_merge(a, linear->bias, scaled(a, &b, bias, flat(&b, vector, linear->outputs)));
}

static bool scale_input(rt_adaptation *a, rt_rewriter *r, const rt_linear *linear) {
    const rt_node_info *info = rt_graph_node(r->old, linear->matmul);
    rt_parameter vector = add_vector(a, &r->b, linear, true);
    if (!rt_parameter_is(vector)) return false;
    rt_value x =
        rt_build_mul(&r->b, rt_rewriter_mapped(r, linear->x), flat(&r->b, vector, linear->inputs));
    rt_value w = rt_rewriter_operand(r, linear->matmul, 1);
    rt_rewriter_set(r, info->first_result, rt_build_matmul(&r->b, x, w, false, true));
    merge(a, linear, vector, true);
    return true;
}

static bool scale_result(rt_adaptation *a, rt_rewriter *r, const rt_linear *linear, rt_node node) {
    rt_parameter vector = add_vector(a, &r->b, linear, false);
    if (!rt_parameter_is(vector) || !rt_rewriter_copy(r, node)) return false;
    rt_value y = rt_rewriter_mapped(r, linear->y);
    rt_rewriter_set(r, linear->y, rt_build_mul(&r->b, y, flat(&r->b, vector, linear->outputs)));
    merge(a, linear, vector, false);
    return true;
}

static bool scale(rt_rewriter *r, rt_node node) {
    rt_adaptation *a = r->user;
    rt_value result = rt_graph_node(r->old, node)->first_result;
    for (size_t i = 0; i < a->places.linear_count; ++i) {
        const rt_linear *linear = &a->places.linears[i];
        if (linear->layer < 0 || !a->has_layer[linear->layer]) continue;
        if (linear->role == RT_LINEAR_FFN_OUTPUT && rt_node_equal(linear->matmul, node))
            return scale_input(a, r, linear);
        bool is_scaled = linear->role == RT_LINEAR_KEY || linear->role == RT_LINEAR_VALUE;
        if (is_scaled && rt_value_equal(linear->y, result)) return scale_result(a, r, linear, node);
    }
    return false;
}

rt_status apply_ia3(rt_adaptation *a) {
    if (!a->places.layer_count)
        return rt_pass_fail_option(a->context, "method", RT_INVALID_ARGUMENT,
                                   "ia3 scales keys and values, but the model has no layer with "
                                   "attention");
    return rt_adaptation_rewrite(a, scale, a);
}
