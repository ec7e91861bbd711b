// SPDX-License-Identifier: Apache-2.0
/* Bottleneck adapters, A(x) = W_up f(W_down x + b_down) + b_up, behind frozen sublayers.
 *
 *   houlsby   (Houlsby et al., 2019) two per layer, on what a sublayer gives, before its residual
 *             sum:  h + A(h)  for h = drop(attention u) and h = drop(ffn u); norms train too
 *   pfeiffer  (Pfeiffer et al., 2020) one per layer, behind the feed-forward part, whose norm is
 *             used twice:  LN(h + A(LN(h + u)) + u)
 *
 * W_up begins at 0, so the model begins as it was. Some layers may have none, which is AdapterDrop
 * (Rueckle et al., 2021). Names are those of the adapters library: "<module>.adapters.task.
 * adapter_down.0.weight" and so on, where <module> holds the sublayer's last map. */
#include <string.h>

#include "passes/training/method.h"
#include "runtime/base/check.h"

typedef struct adapters {
    rt_adaptation *adaptation;
    int64_t bottleneck;
    const char *activation;
    rt_value (*function)(rt_builder *b, rt_value x);
    rt_value *places;          /* by layer and sublayer: what the adapter stands behind */
    const rt_linear **linears; /* its map */
    size_t count;
} adapters;

/* ---- functions */

static rt_value silu(rt_builder *b, rt_value x) {
    return rt_build_mul(b, x, rt_build_sigmoid(b, x));
}

static rt_value gelu(rt_builder *b, rt_value x) {
    return rt_build_gelu(b, x, false);
}

static const struct {
    const char *text;
    rt_value (*build)(rt_builder *b, rt_value x);
} functions[] = {{"relu", rt_build_relu}, {"gelu", gelu}, {"silu", silu}, {"tanh", rt_build_tanh}};

static rt_status read_options(adapters *s) {
    rt_pass_context *context = s->adaptation->context;
    s->bottleneck = 64;
    RT_TRY(rt_pass_option_integer(context, "bottleneck", 1, 65536, &s->bottleneck));
    s->activation = rt_pass_option_text(context, "activation", s->activation);
    for (size_t i = 0; i < RT_COUNT_OF(functions); ++i)
        if (strcmp(functions[i].text, s->activation) == 0) s->function = functions[i].build;
    if (s->function) return RT_OK;
    return rt_pass_fail_option(context, "activation", RT_INVALID_ARGUMENT,
                               "'activation' is %s but must be relu, gelu, silu or tanh",
                               s->activation);
}

/* ---- one adapter */

/* "bert.encoder.layer.0.output" of "bert.encoder.layer.0.output.dense" */
static const char *module_of(const adapters *s, const rt_linear *linear) {
    const char *dot = strrchr(linear->name, '.');
    if (!dot || strcmp(dot, ".dense") != 0) return linear->name;
    return rt_arena_copy_text(s->adaptation->context->scratch, linear->name,
                              (size_t)(dot - linear->name));
}

/* x W' + b of an added map. */
static rt_value add_map(adapters *s, rt_builder *b, rt_value x, const char *name,
                        const int64_t sizes[2], double spread) {
    rt_adaptation *a = s->adaptation;
    rt_added_parameter weight = {.name = rt_adaptation_name(a, name, "weight"),
                                 .rank = 2,
                                 .dims = {sizes[0], sizes[1]},
                                 .initial = spread > 0 ? RT_INITIAL_NORMAL : RT_INITIAL_ZEROS,
                                 .initial_value = spread,
                                 .is_decayed = true};
    rt_added_parameter bias = {.name = rt_adaptation_name(a, name, "bias"),
                               .rank = 1,
                               .dims = {sizes[0]},
                               .initial = RT_INITIAL_ZEROS};
    x = rt_build_matmul(b, x, rt_adaptation_build(a, b, &weight), false, true);
    return rt_build_add(b, x, rt_adaptation_build(a, b, &bias));
}

/* A(x) behind `linear`. */
static rt_value build_adapter(adapters *s, rt_builder *b, const rt_linear *linear, rt_value x) {
    rt_arena *scratch = s->adaptation->context->scratch;
    const char *module = module_of(s, linear);
    const char *down = rt_arena_format(scratch, "%s.adapters.task.adapter_down.0", module);
    const char *up = rt_arena_format(scratch, "%s.adapters.task.adapter_up", module);
    const int64_t narrow[2] = {s->bottleneck, linear->outputs};
    const int64_t wide[2] = {linear->outputs, s->bottleneck};
    if (!down || !up) return RT_NO_VALUE;
    b->location.name = rt_module_intern(b->module, module);
    x = s->function(b, add_map(s, b, x, down, narrow, 1e-3));
    rt_pass_count(s->adaptation->context, "adapters", 1);
    return add_map(s, b, x, up, wide, 0);
}

/* ---- places */

/* What a sublayer gives: its last map's result, dropped where that is. */
static rt_value sublayer_result(const rt_adaptation *a, const rt_linear *linear) {
    rt_node user = a->places.users[linear->y.index];
    bool is_dropped = rt_node_is(user) && rt_graph_node(a->graph, user)->op == RT_OP_dropout;
    return is_dropped ? rt_graph_result(a->graph, user, 0) : linear->y;
}

/* The norm behind the sublayer's residual sum; RT_NO_VALUE where there is none. */
static rt_value norm_behind(const rt_adaptation *a, const rt_linear *linear) {
    rt_node sum = a->places.users[sublayer_result(a, linear).index];
    if (!rt_node_is(sum) || rt_graph_node(a->graph, sum)->op != RT_OP_add) return RT_NO_VALUE;
    rt_node norm = a->places.users[rt_graph_result(a->graph, sum, 0).index];
    if (!rt_node_is(norm) || rt_graph_node(a->graph, norm)->op != RT_OP_layer_norm)
        return RT_NO_VALUE;
    return rt_graph_result(a->graph, norm, 0);
}

static void add_place(adapters *s, int64_t layer, rt_linear_role role,
                      rt_value (*find)(const rt_adaptation *, const rt_linear *)) {
    const rt_linear *linear = rt_places_linear(&s->adaptation->places, layer, role);
    rt_value place = linear ? find(s->adaptation, linear) : RT_NO_VALUE;
    if (!rt_value_is(place)) return;
    s->linears[s->count] = linear;
    s->places[s->count++] = place;
}

/* The index of the adapter behind what the node gives, or `count`. */
static size_t place_at(const adapters *s, const rt_graph *graph, rt_node node) {
    rt_value result = rt_graph_node(graph, node)->first_result;
    size_t i = 0;
    while (i < s->count && !rt_value_equal(s->places[i], result)) ++i;
    return i;
}

static bool begin_places(adapters *s) {
    size_t most = 2 * (size_t)s->adaptation->places.layer_count + 1;
    s->places = RT_NEW_ARRAY(s->adaptation->context->scratch, rt_value, most);
    s->linears = RT_NEW_ARRAY(s->adaptation->context->scratch, const rt_linear *, most);
    return s->places && s->linears;
}

/* ---- the two placements */

static bool add_behind_sublayer(rt_rewriter *r, rt_node node) {
    adapters *s = r->user;
    size_t i = place_at(s, r->old, node);
    if (i == s->count || !rt_rewriter_copy(r, node)) return false;
    rt_value h = rt_rewriter_mapped(r, s->places[i]);
    rt_value added = build_adapter(s, &r->b, s->linears[i], h);
    rt_rewriter_set(r, s->places[i], rt_build_add(&r->b, h, added));
    return true;
}

static bool add_behind_norm(rt_rewriter *r, rt_node node) {
    adapters *s = r->user;
    size_t i = place_at(s, r->old, node);
    if (i == s->count || !rt_rewriter_copy(r, node)) return false;
    const rt_node_info *info = rt_graph_node(r->old, node);
    rt_value operands[3], results[3];
    rt_value added =
        build_adapter(s, &r->b, s->linears[i], rt_rewriter_mapped(r, info->first_result));
    for (int k = 0; k < 3; ++k) operands[k] = rt_rewriter_operand(r, node, k);
    operands[0] = rt_build_add(&r->b, operands[0], added);
    if (!rt_build_results(&r->b, RT_OP_layer_norm, operands, info->operand_count, info->attrs,
                          results))
        return false;
    for (int k = 0; k < 3; ++k) rt_rewriter_set(r, rt_graph_result(r->old, node, k), results[k]);
    return true;
}

/* Some chosen layer has less places than its adapters need. */
static rt_status check_places(const adapters *s, size_t per_layer, const char *what) {
    const rt_adaptation *a = s->adaptation;
    size_t layers = 0;
    for (int64_t i = 0; i < a->places.layer_count; ++i) layers += a->has_layer[i];
    if (layers && s->count == layers * per_layer) return RT_OK;
    return rt_pass_fail_option(a->context, "method", RT_INVALID_ARGUMENT,
                               "%zu of %zu layers have no %s to put an adapter behind",
                               layers - s->count / per_layer, layers, what);
}

/* What scales and shifts a norm trains. */
static void train_norm(rt_adaptation *a, rt_node norm) {
    const rt_node_info *info = rt_graph_node(a->graph, norm);
    for (uint32_t i = 1; i < info->operand_count; ++i) {
        rt_value operand = info->operands[i];
        if (!rt_value_is(operand) || rt_graph_op(a->graph, operand) != RT_OP_parameter) continue;
        rt_node node = rt_graph_definition(a->graph, operand);
        rt_parameter parameter =
            rt_graph_attr(a->graph, node, RT_ATTR_parameter_parameter).parameter;
        rt_module_edit_parameter(a->module, parameter)->is_trainable = true;
    }
}

/* The paper trains every norm too; where only some layers are adapted, those behind adapters. */
static void train_norms(adapters *s) {
    rt_adaptation *a = s->adaptation;
    bool has_all = rt_pass_option_text(a->context, "layers", NULL) == NULL;
    for (size_t i = 0; i < rt_graph_node_count(a->graph) && has_all; ++i)
        if (rt_graph_node(a->graph, (rt_node){(uint32_t)i})->op == RT_OP_layer_norm)
            train_norm(a, (rt_node){(uint32_t)i});
    for (size_t i = 0; i < s->count && !has_all; ++i) {
        rt_value norm = norm_behind(a, s->linears[i]);
        if (rt_value_is(norm)) train_norm(a, rt_graph_definition(a->graph, norm));
    }
}

rt_status apply_houlsby(rt_adaptation *a) {
    adapters s = {.adaptation = a, .activation = "gelu"};
    RT_TRY(read_options(&s));
    if (!begin_places(&s)) return RT_OUT_OF_MEMORY;
    for (int64_t layer = 0; layer < a->places.layer_count; ++layer) {
        if (!a->has_layer[layer]) continue;
        add_place(&s, layer, RT_LINEAR_ATTENTION_OUTPUT, sublayer_result);
        add_place(&s, layer, RT_LINEAR_FFN_OUTPUT, sublayer_result);
    }
    RT_TRY(check_places(&s, 2, "attention and feed-forward part"));
    train_norms(&s);
    return rt_adaptation_rewrite(a, add_behind_sublayer, &s);
}

rt_status apply_pfeiffer(rt_adaptation *a) {
    adapters s = {.adaptation = a, .activation = "relu"};
    RT_TRY(read_options(&s));
    if (!begin_places(&s)) return RT_OUT_OF_MEMORY;
    for (int64_t layer = 0; layer < a->places.layer_count; ++layer)
        if (a->has_layer[layer]) add_place(&s, layer, RT_LINEAR_FFN_OUTPUT, norm_behind);
    RT_TRY(check_places(&s, 1, "norm behind their residual sum"));
    return rt_adaptation_rewrite(a, add_behind_norm, &s);
}
