// SPDX-License-Identifier: Apache-2.0
/* fold: a product of looked-up rows becomes a look-up of products:
 *     matmul(gather(table, ids), w) + b = gather(matmul(table, w) + b, ids)
 * where table, w and b derive from weights alone. What is behind the table is then the same in
 * every call, so `hoist` computes it once: a row of results for each row of the table, which
 * replaces the product and takes the table's memory times the ratio of their widths. The same sums
 * in the same order, so exact up to how a product of other sizes rounds.
 *
 * Two tables that are read by the same ids and put side by side count as one. */
#include "passes/derived.h"
#include "passes/pass.h"
#include "runtime/base/dtype.h"
#include "runtime/base/words.h"

/* gather(table, ids), both in the new graph; `table` is RT_NO_VALUE where a value is none. */
typedef struct looked_up {
    rt_value table, ids;
    bool has_product; /* a product was moved into the table */
} looked_up;

typedef struct folding {
    rt_pass_context *context;
    const rt_graph *graph;
    const bool *is_derived; /* by value of `graph` */
    looked_up *found;       /* by value of `graph` */
    int64_t products;
} folding;

static bool is_found(const folding *f, rt_value value) {
    return rt_value_is(value) && rt_value_is(f->found[value.index].table);
}

static void find_gather(folding *f, const rt_rewriter *r, const rt_node_info *info) {
    rt_value table = info->operands[0], ids = info->operands[1];
    if (info->attrs[0].integer != 0 || !f->is_derived[table.index] || f->is_derived[ids.index] ||
        rt_graph_type(f->graph, table).rank != 2 || rt_graph_type(f->graph, ids).rank != 1)
        return;
    f->found[info->first_result.index] =
        (looked_up){.table = rt_rewriter_mapped(r, table), .ids = rt_rewriter_mapped(r, ids)};
}

/* Rows times a matrix. */
static bool fold_product(folding *f, rt_rewriter *r, const rt_node_info *info, rt_node node) {
    rt_value x = info->operands[0], w = info->operands[1];
    if (!is_found(f, x) || !f->is_derived[w.index] || rt_graph_type(f->graph, w).rank != 2 ||
        rt_graph_attr(f->graph, node, RT_ATTR_matmul_transpose_a).integer ||
        rt_graph_attr(f->graph, node, RT_ATTR_matmul_panel_columns).integer)
        return false;
    looked_up from = f->found[x.index];
    bool is_transposed = rt_graph_attr(f->graph, node, RT_ATTR_matmul_transpose_b).integer;
    rt_value table =
        rt_build_matmul(&r->b, from.table, rt_rewriter_mapped(r, w), false, is_transposed);
    f->found[info->first_result.index] = (looked_up){table, from.ids, true};
    ++f->products;
    return true;
}

/* A vector added to each row, or a table's rows scaled by one: the other operand has no rows. */
static bool fold_vector(folding *f, rt_rewriter *r, const rt_node_info *info) {
    int side = is_found(f, info->operands[0]) ? 0 : 1;
    rt_value x = info->operands[side], vector = info->operands[1 - side];
    if (!is_found(f, x) || !f->found[x.index].has_product || !f->is_derived[vector.index] ||
        rt_graph_type(f->graph, vector).rank > 1)
        return false;
    looked_up from = f->found[x.index];
    rt_value operands[2] = {from.table, from.table};
    operands[1 - side] = rt_rewriter_mapped(r, vector);
    rt_value table = rt_build(&r->b, info->op, operands, 2, info->attrs);
    f->found[info->first_result.index] = (looked_up){table, from.ids, true};
    return true;
}

/* Tables side by side: only noted, so that no table is made where no product reads it. */
static void find_concat(folding *f, rt_rewriter *r, const rt_node_info *info) {
    enum { MOST_TABLES = 4 };
    rt_value tables[MOST_TABLES];
    if (info->attrs[0].integer != 1 || info->operand_count > MOST_TABLES) return;
    for (uint32_t i = 0; i < info->operand_count; ++i) {
        rt_value part = info->operands[i];
        if (!is_found(f, part)) return;
        const looked_up *first = &f->found[info->operands[0].index], *this = &f->found[part.index];
        if (!rt_value_equal(first->ids, this->ids)) return;
        tables[i] = this->table;
    }
    rt_value ids = f->found[info->operands[0].index].ids;
    f->found[info->first_result.index] =
        (looked_up){.table = rt_build_concat(&r->b, tables, info->operand_count, 1), .ids = ids};
}

static bool fold_node(rt_rewriter *rewriter, rt_node node) {
    folding *f = rewriter->user;
    const rt_node_info *info = rt_graph_node(rewriter->old, node);
    bool is_folded = false;
    if (info->op == RT_OP_gather) find_gather(f, rewriter, info);
    if (info->op == RT_OP_concat) find_concat(f, rewriter, info);
    if (info->op == RT_OP_matmul) is_folded = fold_product(f, rewriter, info, node);
    if (info->op == RT_OP_add) is_folded = fold_vector(f, rewriter, info);
    if (!is_folded) return false;
    looked_up now = f->found[info->first_result.index];
    rt_rewriter_set(rewriter, info->first_result,
                    rt_build_gather(&rewriter->b, now.table, now.ids, 0));
    return true;
}

/* Bytes of what is looked up behind a product. */
static int64_t table_bytes(const rt_graph *graph, rt_arena *arena) {
    rt_node *nodes;
    size_t count;
    int64_t sum = 0, elements;
    const bool *is_derived = rt_derived_values(graph, arena);
    if (!is_derived || !rt_graph_order(graph, arena, &nodes, &count)) return 0;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, nodes[i]);
        rt_value table = info->op == RT_OP_gather ? info->operands[0] : RT_NO_VALUE;
        if (!rt_value_is(table) || !is_derived[table.index] ||
            rt_op_lower_class(rt_graph_op(graph, table)) == RT_LOWER_SOURCE)
            continue;
        rt_type type = rt_graph_type(graph, table);
        if (rt_type_is_static(rt_module_dims(rt_graph_module(graph)), type, NULL, &elements))
            sum += elements * (int64_t)rt_dtype_bytes(type.dtype);
    }
    return sum;
}

static rt_status fold_graph(rt_pass_context *context, rt_module *module, rt_graph *graph) {
    folding f = {.context = context, .graph = graph};
    size_t values = rt_graph_value_count(graph) + 1;
    f.is_derived = rt_derived_values(graph, context->scratch);
    f.found = RT_NEW_ARRAY(context->scratch, looked_up, values);
    if (!f.is_derived || !f.found) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < values; ++i) f.found[i].table = RT_NO_VALUE;
    rt_graph *fresh = rt_graph_rewrite(graph, fold_node, &f);
    rt_status status = rt_module_status(module);
    if (!fresh) return status == RT_OK ? RT_INTERNAL : status;
    if (!f.products)
        return rt_pass_fail_option(context, "graph", RT_INVALID_DATA,
                                   "in graph '%s' no product reads looked-up rows alone",
                                   rt_graph_name(graph));
    rt_module_put_graph(module, fresh);
    int64_t bytes = table_bytes(fresh, context->scratch);
    rt_pass_count(context, "products folded", f.products);
    rt_pass_count(context, "bytes of tables", bytes);
    rt_pass_note_option(context, "graph", "graph '%s' looks up %lld product%s, in tables of %s",
                        rt_graph_name(fresh), (long long)f.products, f.products == 1 ? "" : "s",
                        rt_words_bytes((uint64_t)bytes, context->scratch));
    return RT_OK;
}

/* Option: graph, the one in which products are folded; none without it. */
rt_status rt_pass_fold(rt_pass_context *context, rt_module *module) {
    const char *name = rt_pass_option_text(context, "graph", NULL);
    if (!name) return RT_OK;
    rt_graph *graph = rt_module_find_graph(module, name);
    if (!graph)
        return rt_pass_fail_option(context, "graph", RT_NOT_FOUND, "there is no graph '%s'", name);
    return fold_graph(context, module, graph);
}
