// SPDX-License-Identifier: Apache-2.0
/* Prefix tuning (Li and Liang, 2021), in its flat form: in each layer every row of the batch has P
 * keys and values more than tokens, which train; they are never masked and ask nothing:
 *     K = [prefix K; K],  V = [prefix V; V]
 * The table is PEFT's: "prompt_encoder.embedding.weight" [P, 2 layers width], a virtual token's
 * keys and values of layer i in columns 2i and 2i + 1 times width.
 *
 * `position_offset` moves the tokens' positions up, as libraries do whose prefixes are cached keys.
 */
#include <string.h>

#include "passes/training/method.h"
#include "passes/training/virtual_tokens.h"

enum { KEY = 1, VALUE, OFFSETS, KEY_MASK, EXAMPLES, QUERY_OFFSETS, QUERY_POSITIONS, OPERANDS };

typedef struct prefix {
    rt_adaptation *adaptation;
    int64_t count, position_offset, width;
    int64_t layers; /* that have one */
    rt_parameter table;
    bool *is_position; /* by old value: made of position_ids alone, elementwise */
} prefix;

/* ---- positions */

static bool is_position(const prefix *p, const rt_node_info *info) {
    bool is_one = false;
    if (rt_op_lower_class(info->op) != RT_LOWER_SCALAR) return false;
    for (uint32_t i = 0; i < info->operand_count; ++i)
        is_one =
            is_one || (rt_value_is(info->operands[i]) && p->is_position[info->operands[i].index]);
    return is_one;
}

static rt_status find_positions(prefix *p) {
    const rt_graph *graph = p->adaptation->graph;
    rt_arena *scratch = p->adaptation->context->scratch;
    rt_node *nodes;
    size_t count;
    p->is_position = RT_NEW_ARRAY(scratch, bool, rt_graph_value_count(graph) + 1);
    if (!p->is_position || !rt_graph_order(graph, scratch, &nodes, &count)) return RT_OUT_OF_MEMORY;
    rt_value input = rt_graph_find_input(graph, "position_ids");
    if (rt_value_is(input)) p->is_position[input.index] = true;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, nodes[i]);
        if (is_position(p, info)) p->is_position[info->first_result.index] = true;
    }
    return RT_OK;
}

/* gather(table of positions, positions) */
static bool move_positions(const prefix *p, rt_rewriter *r, rt_node node) {
    const rt_node_info *info = rt_graph_node(r->old, node);
    if (p->position_offset == 0 || !p->is_position[info->operands[1].index]) return false;
    rt_value offset = rt_build_scalar_int(&r->b, RT_I32, p->position_offset);
    rt_value at = rt_build_add(&r->b, rt_rewriter_operand(r, node, 1), offset);
    rt_rewriter_set(r, info->first_result,
                    rt_build_gather(&r->b, rt_rewriter_operand(r, node, 0), at, 0));
    return true;
}

/* ---- keys and values */

/* Columns of the table, as [P, width]. */
static rt_value prefix_of(const prefix *p, rt_builder *b, int64_t column) {
    rt_value table = rt_build_parameter(b, p->table);
    return rt_build_slice(b, table, 1, rt_module_constant_dim(b->module, column * p->width),
                          rt_module_constant_dim(b->module, p->width), 1);
}

static rt_value unmasked(rt_builder *b, rt_dim count) {
    return rt_build_broadcast(b, rt_build_scalar_int(b, RT_I32, 1), &count, 1);
}

static bool prefix_attention(const prefix *p, rt_rewriter *r, rt_node node, int64_t index) {
    const rt_node_info *info = rt_graph_node(r->old, node);
    rt_builder *b = &r->b;
    rt_dim_table *dims = rt_module_dims(b->module);
    rt_value operands[OPERANDS], results[2];
    rt_attr attrs[RT_ATTR_attention_longest - RT_ATTR_attention_heads + 1];
    rt_attr *longest = &attrs[RT_ATTR_attention_longest - RT_ATTR_attention_heads];
    memcpy(attrs, info->attrs, sizeof attrs);
    for (int i = 0; i < OPERANDS; ++i) operands[i] = rt_rewriter_operand(r, node, i);
    rt_virtual_tokens v = rt_build_virtual_tokens(
        b, operands[OFFSETS], rt_builder_type(b, operands[KEY]).dims[0], p->count, 0);
    if (!rt_value_is(operands[QUERY_OFFSETS])) operands[QUERY_OFFSETS] = operands[OFFSETS];
    operands[OFFSETS] = v.offsets;
    operands[KEY] = rt_build_with_virtual(b, &v, prefix_of(p, b, 2 * index), operands[KEY]);
    operands[VALUE] = rt_build_with_virtual(b, &v, prefix_of(p, b, 2 * index + 1), operands[VALUE]);
    if (rt_value_is(operands[KEY_MASK]))
        operands[KEY_MASK] = rt_build_with_virtual(b, &v, unmasked(b, v.count), operands[KEY_MASK]);
    longest->dim = rt_dim_add(dims, longest->dim, v.count);
    if (!rt_build_results(b, RT_OP_attention, operands, OPERANDS, attrs, results)) return false;
    for (int i = 0; i < 2; ++i) rt_rewriter_set(r, rt_graph_result(r->old, node, i), results[i]);
    rt_pass_count(p->adaptation->context, "layers with a prefix", 1);
    return true;
}

static bool add_prefix(rt_rewriter *r, rt_node node) {
    const prefix *p = r->user;
    const rt_adaptation *a = p->adaptation;
    rt_op op = rt_graph_node(r->old, node)->op;
    if (op == RT_OP_gather) return move_positions(p, r, node);
    if (op != RT_OP_attention) return false;
    int64_t layer = 0, index = 0;
    for (; !rt_node_equal(a->places.attentions[layer], node); ++layer) index += a->has_layer[layer];
    return a->has_layer[layer] && prefix_attention(p, r, node, index);
}

/* ---- the whole */

static rt_status check_layers(prefix *p) {
    rt_adaptation *a = p->adaptation;
    const rt_dim_table *dims = rt_module_dims(a->module);
    for (int64_t i = 0; i < a->places.layer_count; ++i) {
        const rt_node_info *info = rt_graph_node(a->graph, a->places.attentions[i]);
        int64_t width;
        bool is_causal =
            rt_graph_attr(a->graph, a->places.attentions[i], RT_ATTR_attention_causal).integer;
        if (!a->has_layer[i]) continue;
        if (is_causal ||
            !rt_dim_is_constant(dims, rt_graph_type(a->graph, info->operands[KEY]).dims[1], &width))
            return rt_pass_fail_option(a->context, "method", RT_UNSUPPORTED,
                                       "a prefix needs attention that sees all of a row");
        if (p->layers++ && width != p->width)
            return rt_pass_fail_option(a->context, "method", RT_UNSUPPORTED,
                                       "a prefix needs layers of one width");
        p->width = width;
    }
    if (p->layers) return RT_OK;
    return rt_pass_fail_option(a->context, "method", RT_INVALID_ARGUMENT,
                               "a prefix stands before keys and values, but the model has no layer "
                               "with attention");
}

rt_status apply_prefix(rt_adaptation *a) {
    prefix p = {.adaptation = a, .count = 20};
    RT_TRY(rt_pass_option_integer(a->context, "virtual_tokens", 1, 65536, &p.count));
    RT_TRY(rt_pass_option_integer(a->context, "position_offset", 0, 65536, &p.position_offset));
    RT_TRY(check_layers(&p));
    RT_TRY(find_positions(&p));
    rt_added_parameter table = {.name = "prompt_encoder.embedding.weight",
                                .rank = 2,
                                .dims = {p.count, 2 * p.layers * p.width},
                                .initial = RT_INITIAL_NORMAL,
                                .initial_value = 0.02};
    p.table = rt_adaptation_add(a, &table, (rt_location){.name = "prompt_encoder"});
    return rt_adaptation_rewrite(a, add_prefix, &p);
}
