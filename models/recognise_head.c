// SPDX-License-Identifier: Apache-2.0
/* What stands above an encoder: poolers and classifiers. */
#include "ir/rules.h"
#include "models/recognise_internal.h"

/* The state of each row's first token, [batch, H] of [batch, sequence, H]. */
static bool as_first_token(const rt_recogniser *r, rt_value value, rt_value *hidden) {
    rt_value operands[2];
    double index;
    value = rt_match_skip_unit_axes(r->graph, value);
    rt_node node = rt_graph_definition(r->graph, value);
    if (rt_match(r->graph, value, RT_OP_slice, hidden, 1))
        return rt_graph_attr(r->graph, node, RT_ATTR_slice_axis).integer == 1 &&
               rt_recogniser_size(r, rt_graph_attr(r->graph, node, RT_ATTR_slice_start).dim) == 0 &&
               rt_recogniser_size(r, rt_graph_attr(r->graph, node, RT_ATTR_slice_size).dim) == 1;
    if (!rt_match(r->graph, value, RT_OP_gather, operands, 2)) return false;
    *hidden = operands[0];
    return rt_graph_attr(r->graph, node, RT_ATTR_gather_axis).integer == 1 &&
           rt_value_is_splat(r->graph, operands[1], &index) && index == 0;
}

/* The sum over the tokens of a row: reduce_sum over axis 1 of [batch, sequence, ..]. */
static bool as_token_sum(const rt_recogniser *r, rt_value value, rt_value *x) {
    value = rt_match_skip_unit_axes(r->graph, value);
    if (!rt_match(r->graph, value, RT_OP_reduce_sum, x, 1)) return false;
    rt_attr axes =
        rt_graph_attr(r->graph, rt_graph_definition(r->graph, value), RT_ATTR_reduce_sum_axes);
    return axes.count == 1 && axes.ints[0] == 1;
}

static bool is_input_mask(const rt_recogniser *r, rt_value value, rt_value *mask) {
    rt_value inner;
    while (rt_match(r->graph, value, RT_OP_cast, &inner, 1) ||
           rt_match(r->graph, value, RT_OP_reshape, &inner, 1) ||
           rt_match(r->graph, value, RT_OP_broadcast, &inner, 1))
        value = inner;
    *mask = value;
    return rt_graph_op(r->graph, value) == RT_OP_input;
}

/* The number of real tokens of a row, perhaps kept away from 0. */
static bool is_length(const rt_recogniser *r, rt_value value, rt_value *mask) {
    rt_value other, counted;
    double least;
    value = rt_match_skip_unit_axes(r->graph, value);
    if (rt_match_with_number(r->graph, value, RT_OP_maximum, &other, &least)) value = other;
    return as_token_sum(r, value, &counted) && is_input_mask(r, counted, mask);
}

/* sum_t mask_t h_t / sum_t mask_t. */
static bool as_mean(rt_recogniser *r, rt_value value, rt_value *hidden) {
    rt_value quotient[2], masked, factors[2], counted, summed;
    if (!rt_match(r->graph, value, RT_OP_div, quotient, 2) ||
        !is_length(r, quotient[1], &counted) || !as_token_sum(r, quotient[0], &masked) ||
        !rt_match(r->graph, masked, RT_OP_mul, factors, 2))
        return false;
    int mask = is_input_mask(r, factors[0], &summed) ? 0 : 1;
    *hidden = factors[1 - mask];
    return is_input_mask(r, factors[mask], &summed) && rt_value_equal(counted, summed) &&
           rt_recogniser_set_mask(r, summed);
}

/* act(linear(first token)); the parameters are kept as those of `module`. */
static bool as_dense(rt_recogniser *r, rt_value value, rt_op op, rt_model_module module,
                     rt_value *hidden) {
    rt_value dense, first;
    return rt_match(r->graph, value, op, &dense, 1) &&
           rt_recognise_linear(r, dense, module, -1, &first) && as_first_token(r, first, hidden);
}

/* How positions are counted tells BERT's pooler from the first map of RoBERTa's head; that is known
 * when the encoder below was seen. */
static void name_dense(rt_recogniser *r, size_t since) {
    rt_recognition below = rt_recognition_nothing(r->found->arena);
    below.config = r->found->config;
    rt_recogniser look = {.graph = r->graph, .found = &below, .hidden = r->hidden};
    if (!rt_recognise_encoder(&look, r->hidden)) return;
    bool has_own_head =
        below.config.family == RT_FAMILY_roberta || below.config.family == RT_FAMILY_roberta_pre;
    for (size_t i = since; i < r->found->count && has_own_head; ++i) {
        if (r->found->items[i].module == RT_MODULE_pooler)
            r->found->items[i].module = RT_MODULE_head_dense;
    }
    r->found->has_pooler = !has_own_head;
}

/* What the classifier's map reads. */
static bool recognise_pooled(rt_recogniser *r, rt_value pooled, rt_pooling *pooling) {
    size_t count = r->found->count;
    *pooling = RT_POOLING_POOLER;
    if (as_dense(r, pooled, RT_OP_tanh, RT_MODULE_pooler, &r->hidden)) {
        name_dense(r, count);
        return true;
    }
    r->found->count = count;
    if (as_dense(r, pooled, RT_OP_relu, RT_MODULE_head_dense, &r->hidden)) return true;
    r->found->count = count;
    *pooling = RT_POOLING_FIRST;
    if (as_first_token(r, pooled, &r->hidden)) return true;
    *pooling = RT_POOLING_MEAN;
    return as_mean(r, pooled, &r->hidden);
}

bool rt_recognise_head(rt_recogniser *r, rt_value output) {
    rt_type type = rt_graph_type(r->graph, output);
    rt_value pooled;
    rt_pooling pooling;
    size_t count = r->found->count;
    if (rt_recognise_linear(r, output, RT_MODULE_head_output, -1, &pooled) &&
        recognise_pooled(r, pooled, &pooling)) {
        r->found->config.label_count = rt_recogniser_size(r, type.dims[1]);
        r->found->config.is_regression = r->found->config.label_count == 1;
        r->found->config.pooling = pooling;
        r->found->logits = output;
        r->found->pooled = r->found->has_pooler ? pooled : RT_NO_VALUE;
        return true;
    }
    r->found->count = count;
    r->hidden = RT_NO_VALUE;
    if (as_dense(r, output, RT_OP_tanh, RT_MODULE_pooler, &r->hidden)) {
        r->found->has_pooler = true;
        r->found->pooled = output;
        return true;
    }
    r->found->count = count;
    r->hidden = RT_NO_VALUE;
    return false;
}
