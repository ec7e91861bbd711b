// SPDX-License-Identifier: Apache-2.0
#include "tools/inspect/graph_work.h"

#include <string.h>

typedef struct work_node {
    const rt_graph *graph;
    rt_dim_table *dims;
    const rt_node_info *info;
    rt_type result;
} work_node;

static rt_type operand_type(const work_node *n, uint32_t index) {
    return rt_graph_type(n->graph, n->info->operands[index]);
}

/* 2 k for each element: k is the extent that is summed over. */
static rt_dim matmul_work(const work_node *n) {
    rt_type left = operand_type(n, 0);
    bool is_transposed = n->info->attrs[0].integer;
    rt_dim inner = left.dims[left.rank - (is_transposed && left.rank > 1 ? 2 : 1)];
    rt_dim work = rt_dim_multiply(n->dims, rt_type_elements(n->dims, n->result), inner);
    return rt_dim_multiply(n->dims, work, rt_dim_constant(n->dims, 2));
}

static rt_dim panel_product_work(const work_node *n) {
    rt_type left = operand_type(n, 0);
    rt_dim work =
        rt_dim_multiply(n->dims, rt_type_elements(n->dims, n->result), left.dims[left.rank - 1]);
    return rt_dim_multiply(n->dims, work, rt_dim_constant(n->dims, 2));
}

/* Scores and mixing: 4 S for each element of the result, where S is the longest row. */
static rt_dim attention_work(const work_node *n) {
    rt_dim longest = n->info->attrs[RT_ATTR_attention_longest - RT_ATTR_attention_heads].dim;
    rt_dim work = rt_dim_multiply(n->dims, rt_type_elements(n->dims, n->result), longest);
    return rt_dim_multiply(n->dims, work, rt_dim_constant(n->dims, 4));
}

/* Scores again, and four products of their kind. */
static rt_dim attention_gradient_work(const work_node *n) {
    rt_dim longest =
        n->info->attrs[RT_ATTR_attention_gradient_longest - RT_ATTR_attention_gradient_heads].dim;
    rt_dim work = rt_dim_multiply(n->dims, rt_type_elements(n->dims, n->result), longest);
    return rt_dim_multiply(n->dims, work, rt_dim_constant(n->dims, 10));
}

/* The scores of both sides. */
static rt_dim relation_products(const work_node *n, uint32_t first, int64_t gradients) {
    rt_dim longest =
        n->info->attrs[RT_ATTR_relation_loss_longest - RT_ATTR_relation_loss_heads].dim;
    rt_dim own = rt_type_elements(n->dims, operand_type(n, first));
    rt_dim both = rt_dim_add(n->dims, own, rt_type_elements(n->dims, operand_type(n, first + 2)));
    rt_dim more = rt_dim_multiply(n->dims, own, rt_dim_constant(n->dims, gradients));
    rt_dim work = rt_dim_multiply(n->dims, rt_dim_add(n->dims, both, more), longest);
    return rt_dim_multiply(n->dims, work, rt_dim_constant(n->dims, 2));
}

static rt_dim relation_loss_work(const work_node *n) {
    return relation_products(n, 0, 0);
}

/* Scores again, and two products of one side. */
static rt_dim relation_loss_gradient_work(const work_node *n) {
    return relation_products(n, 1, 2);
}

/* A product with the recurrent weights, [4H,H], for each token. */
static rt_dim recurrent_work(const work_node *n, uint32_t recurrent) {
    rt_dim weights = rt_type_elements(n->dims, operand_type(n, recurrent));
    rt_dim work = rt_dim_multiply(n->dims, n->result.dims[0], weights);
    return rt_dim_multiply(n->dims, work, rt_dim_constant(n->dims, 2));
}

static rt_dim lstm_work(const work_node *n) {
    return recurrent_work(n, 1);
}

static rt_dim lstm_gradient_work(const work_node *n) {
    return recurrent_work(n, 3);
}

static const struct {
    rt_op op;
    rt_dim (*work)(const work_node *n);
} workers[] = {
    {RT_OP_matmul, matmul_work},
    {RT_OP_matmul_integer, panel_product_work},
    {RT_OP_matmul_int4, panel_product_work},
    {RT_OP_attention, attention_work},
    {RT_OP_attention_gradient, attention_gradient_work},
    {RT_OP_relation_loss, relation_loss_work},
    {RT_OP_relation_loss_gradient, relation_loss_gradient_work},
    {RT_OP_lstm, lstm_work},
    {RT_OP_lstm_gradient, lstm_gradient_work},
};

rt_dim graph_node_work(rt_graph *graph, rt_node node) {
    rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    work_node n = {.graph = graph, .dims = dims, .info = rt_graph_node(graph, node)};
    n.result = rt_graph_type(graph, n.info->first_result);
    for (size_t w = 0; w < sizeof workers / sizeof *workers; ++w)
        if (workers[w].op == n.info->op) return workers[w].work(&n);
    return rt_dim_constant(dims, 0);
}

rt_dim graph_work(rt_graph *graph) {
    rt_arena arena = {0};
    rt_node *nodes;
    size_t count = 0;
    rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    rt_dim total = rt_dim_constant(dims, 0);
    if (!rt_graph_order(graph, &arena, &nodes, &count)) count = 0;
    for (size_t i = 0; i < count; ++i)
        total = rt_dim_add(dims, total, graph_node_work(graph, nodes[i]));
    rt_arena_deinit(&arena);
    return total;
}

int64_t graph_work_of_row(rt_graph *graph, int64_t tokens) {
    rt_arena arena = {0};
    rt_dim work = graph_work(graph);
    const rt_dim_table *dims = rt_module_dims(rt_graph_module(graph));
    size_t count = rt_dim_symbol_count(dims);
    int64_t *values = RT_NEW_ARRAY(&arena, int64_t, count + 1), result = -1;
    for (size_t i = 0; values && i < count; ++i)
        values[i] = strcmp(rt_dim_symbol_name(dims, (uint32_t)i), "B") == 0 ? 1 : tokens;
    for (size_t i = 0; values && i < rt_graph_input_count(graph); ++i) {
        rt_type type = rt_graph_type(graph, rt_graph_input(graph, i));
        uint32_t symbol;
        if (type.rank > 1 && rt_dim_is_symbol(dims, type.dims[0], &symbol)) values[symbol] = 1;
    }
    if (!values || !rt_dim_evaluate(dims, work, values, &result)) result = -1;
    rt_arena_deinit(&arena);
    return result;
}
