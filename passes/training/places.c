// SPDX-License-Identifier: Apache-2.0
#include "passes/training/places.h"

#include <string.h>

#include "runtime/base/check.h"

static const char *const role_texts[RT_LINEAR_ROLE_COUNT] = {
    "query", "key", "value", "attention_output", "ffn_inner", "ffn_output", "other"};

const char *rt_linear_role_text(rt_linear_role role) {
    return role_texts[role];
}

typedef struct finder {
    const rt_graph *graph;
    rt_arena *arena;
    rt_places *places;
    rt_node *nodes; /* live, in order */
    size_t node_count;
    uint32_t *depths; /* by value: attentions on the way to it */
} finder;

/* ---- uses and depths */

static bool find_users(finder *f) {
    size_t values = rt_graph_value_count(f->graph);
    uint32_t *uses = rt_graph_use_counts(f->graph, f->arena);
    rt_node *users = RT_NEW_ARRAY(f->arena, rt_node, values + 1);
    if (!uses || !users) return false;
    for (size_t i = 0; i < values; ++i) users[i] = RT_NO_NODE;
    for (size_t i = 0; i < f->node_count; ++i) {
        const rt_node_info *info = rt_graph_node(f->graph, f->nodes[i]);
        for (uint32_t j = 0; j < info->operand_count; ++j) {
            rt_value operand = info->operands[j];
            if (rt_value_is(operand) && uses[operand.index] == 1)
                users[operand.index] = f->nodes[i];
        }
    }
    f->places->users = users;
    return true;
}

static bool find_depths(finder *f) {
    f->depths = RT_NEW_ARRAY(f->arena, uint32_t, rt_graph_value_count(f->graph) + 1);
    if (!f->depths) return false;
    for (size_t i = 0; i < f->node_count; ++i) {
        const rt_node_info *info = rt_graph_node(f->graph, f->nodes[i]);
        uint32_t depth = 0;
        for (uint32_t j = 0; j < info->operand_count; ++j) {
            rt_value operand = info->operands[j];
            if (rt_value_is(operand) && f->depths[operand.index] > depth)
                depth = f->depths[operand.index];
        }
        depth += info->op == RT_OP_attention;
        for (int r = 0; r < rt_op_result_count(info->op); ++r)
            f->depths[rt_graph_result(f->graph, f->nodes[i], r).index] = depth;
    }
    return true;
}

/* ---- linear maps */

static rt_parameter parameter_of(const rt_graph *graph, rt_value value, int rank) {
    if (rt_graph_op(graph, value) != RT_OP_parameter || rt_graph_type(graph, value).rank != rank)
        return RT_NO_PARAMETER;
    rt_node node = rt_graph_definition(graph, value);
    return rt_graph_attr(graph, node, RT_ATTR_parameter_parameter).parameter;
}

static const char *name_of(finder *f, rt_parameter weight) {
    static const char ending[] = ".weight";
    const char *name = rt_module_parameter(rt_graph_module(f->graph), weight)->name;
    size_t length = strlen(name), size = sizeof ending - 1;
    if (length > size && strcmp(name + length - size, ending) == 0) length -= size;
    return rt_arena_copy_text(f->arena, name, length);
}

/* Takes in the bias that alone reads y, where one does. */
static void take_bias(finder *f, rt_linear *linear) {
    rt_node user = f->places->users[linear->y.index];
    if (!rt_node_is(user)) return;
    const rt_node_info *info = rt_graph_node(f->graph, user);
    if (info->op != RT_OP_add) return;
    rt_value other = info->operands[rt_value_equal(info->operands[0], linear->y)];
    linear->bias = parameter_of(f->graph, other, 1);
    if (rt_parameter_is(linear->bias)) linear->y = info->first_result;
}

/* matmul(x, parameter, false, true) */
static bool read_linear(finder *f, rt_node node, rt_linear *linear) {
    const rt_node_info *info = rt_graph_node(f->graph, node);
    if (info->op != RT_OP_matmul ||
        rt_graph_attr(f->graph, node, RT_ATTR_matmul_transpose_a).integer ||
        !rt_graph_attr(f->graph, node, RT_ATTR_matmul_transpose_b).integer)
        return false;
    rt_parameter weight = parameter_of(f->graph, info->operands[1], 2);
    if (!rt_parameter_is(weight)) return false;
    const rt_dim_table *dims = rt_module_dims(rt_graph_module(f->graph));
    rt_type type = rt_graph_type(f->graph, info->operands[1]);
    *linear = (rt_linear){.name = name_of(f, weight),
                          .role = RT_LINEAR_OTHER,
                          .layer = -1,
                          .matmul = node,
                          .x = info->operands[0],
                          .y = info->first_result,
                          .weight = weight,
                          .bias = RT_NO_PARAMETER};
    if (!rt_dim_is_constant(dims, type.dims[0], &linear->outputs) ||
        !rt_dim_is_constant(dims, type.dims[1], &linear->inputs))
        return false;
    take_bias(f, linear);
    return linear->name != NULL;
}

static bool find_linears(finder *f) {
    f->places->linears = RT_NEW_ARRAY(f->arena, rt_linear, f->node_count + 1);
    f->places->attentions = RT_NEW_ARRAY(f->arena, rt_node, f->node_count + 1);
    if (!f->places->linears || !f->places->attentions) return false;
    for (size_t i = 0; i < f->node_count; ++i) {
        rt_linear *next = &f->places->linears[f->places->linear_count];
        f->places->linear_count += read_linear(f, f->nodes[i], next);
        if (rt_graph_node(f->graph, f->nodes[i])->op == RT_OP_attention)
            f->places->attentions[f->places->layer_count++] = f->nodes[i];
    }
    return true;
}

/* ---- roles */

static rt_linear *linear_of(const rt_places *places, rt_value y) {
    for (size_t i = 0; i < places->linear_count; ++i)
        if (rt_value_equal(places->linears[i].y, y)) return &places->linears[i];
    return NULL;
}

static rt_linear *linear_reading(const rt_places *places, rt_value x) {
    for (size_t i = 0; i < places->linear_count; ++i)
        if (rt_value_equal(places->linears[i].x, x)) return &places->linears[i];
    return NULL;
}

static void set_role(rt_linear *linear, rt_linear_role role, int64_t layer) {
    if (!linear || linear->role != RT_LINEAR_OTHER) return;
    linear->role = role;
    linear->layer = layer;
}

static void find_attention_roles(finder *f, int64_t layer) {
    static const rt_linear_role roles[] = {RT_LINEAR_QUERY, RT_LINEAR_KEY, RT_LINEAR_VALUE};
    const rt_node_info *info = rt_graph_node(f->graph, f->places->attentions[layer]);
    for (int i = 0; i < 3; ++i) set_role(linear_of(f->places, info->operands[i]), roles[i], layer);
    set_role(linear_reading(f->places, info->first_result), RT_LINEAR_ATTENTION_OUTPUT, layer);
}

static bool has_rows_of(const finder *f, rt_value x, rt_value tokens) {
    rt_type a = rt_graph_type(f->graph, x), b = rt_graph_type(f->graph, tokens);
    return a.rank == b.rank && rt_dim_equal(a.dims[0], b.dims[0]);
}

/* A map of tokens whose result is read by a function of one operand, and that by another map. */
static void find_ffn_roles(finder *f, rt_linear *inner) {
    rt_node function = f->places->users[inner->y.index];
    if (inner->role != RT_LINEAR_OTHER || f->depths[inner->y.index] == 0 || !rt_node_is(function))
        return;
    const rt_node_info *info = rt_graph_node(f->graph, function);
    int64_t layer = (int64_t)f->depths[inner->y.index] - 1;
    if (rt_op_lower_class(info->op) != RT_LOWER_SCALAR || info->operand_count != 1) return;
    rt_linear *outer = linear_reading(f->places, info->first_result);
    rt_value tokens = rt_graph_node(f->graph, f->places->attentions[layer])->operands[0];
    if (!outer || !has_rows_of(f, inner->x, tokens)) return;
    set_role(inner, RT_LINEAR_FFN_INNER, layer);
    set_role(outer, RT_LINEAR_FFN_OUTPUT, layer);
}

bool rt_places_find(const rt_graph *graph, rt_arena *arena, rt_places *places) {
    finder f = {.graph = graph, .arena = arena, .places = places};
    *places = (rt_places){0};
    if (!rt_graph_order(graph, arena, &f.nodes, &f.node_count) || !find_users(&f) ||
        !find_depths(&f) || !find_linears(&f))
        return false;
    for (int64_t i = 0; i < places->layer_count; ++i) find_attention_roles(&f, i);
    for (size_t i = 0; i < places->linear_count; ++i) find_ffn_roles(&f, &places->linears[i]);
    return true;
}

const rt_linear *rt_places_linear(const rt_places *places, int64_t layer, rt_linear_role role) {
    for (size_t i = 0; i < places->linear_count; ++i)
        if (places->linears[i].layer == layer && places->linears[i].role == role)
            return &places->linears[i];
    return NULL;
}

const rt_linear *rt_places_linear_of(const rt_places *places, rt_value y) {
    return linear_of(places, y);
}
