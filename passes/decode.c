// SPDX-License-Identifier: Apache-2.0
/* decode: losses over a vocabulary without its logits in memory. With z = x table' + bias [N,V],
 * and label(y) the y of each row's label (a selection by comparison with it): sum
 * label(log_softmax(z))            = sum (own - log_sum_exp)      } results of max(z) <= sum
 * label(z)               = largest <= own               } decode_scores sum e^g (g - log_softmax(s
 * z)), g = log_softmax(s z*)  = sum decode_divergence(z, z*) {scale = s} and gather(x table' +
 * bias, rows) = gather(x, rows) table' + bias on the way, as decoding some rows again costs less
 * than keeping all.
 *
 * Products are made once more for the gradient; so only large vocabularies are worth it. */
#include "ir/match.h"
#include "ir/rules.h"
#include "passes/pass.h"

typedef struct decoding {
    rt_pass_context *context;
    const rt_graph *graph;
    int64_t least, chunk;
} decoding;

/* What decodes a value: values of the old graph. */
typedef struct decoder {
    rt_value x, rows; /* rows of x that are read, or RT_NO_VALUE */
    rt_value table, bias;
    double scale;
} decoder;

/* ---- patterns */

static bool has_both_orders(const rt_graph *graph, rt_value value, rt_op op, rt_value *operands,
                            int order) {
    rt_value found[2];
    if (!rt_match(graph, value, op, found, 2)) return false;
    operands[0] = found[order], operands[1] = found[1 - order];
    return true;
}

static bool is_product(const decoding *d, rt_value value, decoder *found) {
    rt_value operands[2];
    if (!rt_match(d->graph, value, RT_OP_matmul, operands, 2)) return false;
    rt_node node = rt_graph_definition(d->graph, value);
    rt_type x = rt_graph_type(d->graph, operands[0]), table = rt_graph_type(d->graph, operands[1]);
    int64_t columns;
    found->x = operands[0], found->table = operands[1];
    return rt_graph_attr(d->graph, node, RT_ATTR_matmul_transpose_b).integer &&
           !rt_graph_attr(d->graph, node, RT_ATTR_matmul_transpose_a).integer && x.rank == 2 &&
           table.rank == 2 && x.dtype == RT_F32 &&
           rt_dim_is_constant(rt_module_dims(rt_graph_module(d->graph)), table.dims[0], &columns) &&
           columns >= d->least;
}

/* [gather](x table' + bias) [* scale] */
static bool is_decoded(const decoding *d, rt_value value, decoder *found) {
    rt_value operands[2];
    *found = (decoder){.rows = RT_NO_VALUE, .scale = 1};
    double scale;
    if (rt_match_with_number(d->graph, value, RT_OP_mul, &operands[0], &scale)) {
        value = operands[0];
        found->scale = scale;
    }
    if (rt_match(d->graph, value, RT_OP_gather, operands, 2) &&
        rt_graph_type(d->graph, operands[1]).rank == 1 &&
        rt_graph_attr(d->graph, rt_graph_definition(d->graph, value), RT_ATTR_gather_axis)
                .integer == 0) {
        value = operands[0];
        found->rows = operands[1];
    }
    for (int order = 0; order < 2; ++order)
        if (has_both_orders(d->graph, value, RT_OP_add, operands, order) &&
            rt_graph_type(d->graph, operands[1]).rank == 1 && is_product(d, operands[0], found)) {
            found->bias = operands[1];
            return true;
        }
    return false;
}

/* select(iota == label, x, 0) */
static bool is_pick(const decoding *d, rt_value value, rt_value *x, rt_value *labels) {
    rt_value parts[3], sides[2];
    double zero;
    if (!rt_match(d->graph, value, RT_OP_select, parts, 3) ||
        !rt_value_is_splat(d->graph, parts[2], &zero) || zero != 0)
        return false;
    *x = parts[1];
    for (int order = 0; order < 2; ++order) {
        if (!has_both_orders(d->graph, parts[0], RT_OP_equal, sides, order)) return false;
        rt_node iota = rt_graph_definition(d->graph, sides[0]);
        if (rt_graph_op(d->graph, sides[0]) != RT_OP_iota ||
            rt_graph_attr(d->graph, iota, RT_ATTR_iota_axis).integer != 1)
            continue;
        *labels = rt_match_skip_unit_axes(d->graph, sides[1]);
        rt_type type = rt_graph_type(d->graph, *labels);
        return type.rank == 1 && type.dtype == RT_I32;
    }
    return false;
}

/* The reduction of a matrix over its last axis alone, or over both. */
static bool is_reduction(const decoding *d, rt_value value, rt_op op, rt_value *x,
                         bool *is_of_all) {
    if (!rt_match(d->graph, value, op, x, 1)) return false;
    const rt_attr *attrs = rt_graph_node(d->graph, rt_graph_definition(d->graph, value))->attrs;
    bool keeps = attrs[1].integer, is_matrix = rt_graph_type(d->graph, *x).rank == 2;
    *is_of_all = attrs[0].count == 2;
    return is_matrix && !keeps && (*is_of_all || (attrs[0].count == 1 && attrs[0].ints[0] == 1));
}

/* ---- building */

static rt_value rows_of(rt_rewriter *r, const decoder *found) {
    rt_value x = rt_rewriter_mapped(r, found->x);
    if (!rt_value_is(found->rows)) return x;
    return rt_build_gather(&r->b, x, rt_rewriter_mapped(r, found->rows), 0);
}

static bool build_scores(decoding *d, rt_rewriter *r, const decoder *found, rt_value labels,
                         rt_value *results) {
    const rt_value operands[4] = {rows_of(r, found), rt_rewriter_mapped(r, found->table),
                                  rt_rewriter_mapped(r, found->bias),
                                  rt_rewriter_mapped(r, labels)};
    const rt_attr attrs[1] = {{.integer = d->chunk}};
    return rt_build_results(&r->b, RT_OP_decode_scores, operands, 4, attrs, results);
}

static bool set_reduced(decoding *d, rt_rewriter *r, rt_node node, rt_value rows, bool is_of_all) {
    rt_value old = rt_graph_result(d->graph, node, 0);
    rt_rewriter_set(r, old, is_of_all ? rt_build_sum_all(&r->b, rows) : rows);
    rt_pass_count(d->context, "losses decoded in chunks", 1);
    return true;
}

/* sum label(log_softmax(z)) */
static bool fuse_entropy(decoding *d, rt_rewriter *r, rt_node node) {
    rt_value picked, logs, z, labels, results[3];
    decoder found;
    bool is_of_all;
    if (!is_reduction(d, rt_graph_result(d->graph, node, 0), RT_OP_reduce_sum, &picked,
                      &is_of_all) ||
        !is_pick(d, picked, &logs, &labels) ||
        !rt_match(d->graph, logs, RT_OP_log_softmax, &z, 1) || !is_decoded(d, z, &found) ||
        found.scale != 1 || !build_scores(d, r, &found, labels, results))
        return false;
    return set_reduced(d, r, node, rt_build_sub(&r->b, results[1], results[0]), is_of_all);
}

/* max(z) <= sum label(z) */
static bool fuse_comparison(decoding *d, rt_rewriter *r, rt_node node) {
    rt_value sides[2], z, picked, same, labels, results[3];
    decoder found;
    bool is_of_all[2];
    if (!rt_match(d->graph, rt_graph_result(d->graph, node, 0), RT_OP_less_equal, sides, 2) ||
        !is_reduction(d, sides[0], RT_OP_reduce_max, &z, &is_of_all[0]) || is_of_all[0] ||
        !is_reduction(d, sides[1], RT_OP_reduce_sum, &picked, &is_of_all[1]) || is_of_all[1] ||
        !is_pick(d, picked, &same, &labels) || !rt_value_equal(z, same) ||
        !is_decoded(d, z, &found) || found.scale != 1 ||
        !build_scores(d, r, &found, labels, results))
        return false;
    return set_reduced(d, r, node, rt_build_less_equal(&r->b, results[2], results[1]), false);
}

/* sum e^g (g - l) with g and l log_softmax of decoded rows */
static bool is_divergence(const decoding *d, rt_value excess, decoder *ours, decoder *goal) {
    rt_value factors[2], logs, difference[2], z[2];
    for (int order = 0; order < 2; ++order)
        if (has_both_orders(d->graph, excess, RT_OP_mul, factors, order) &&
            rt_match(d->graph, factors[0], RT_OP_exp, &logs, 1) &&
            rt_match(d->graph, factors[1], RT_OP_sub, difference, 2) &&
            rt_value_equal(difference[0], logs) &&
            rt_match(d->graph, difference[0], RT_OP_log_softmax, &z[0], 1) &&
            rt_match(d->graph, difference[1], RT_OP_log_softmax, &z[1], 1))
            return is_decoded(d, z[0], goal) && is_decoded(d, z[1], ours) &&
                   goal->scale == ours->scale;
    return false;
}

static bool fuse_divergence(decoding *d, rt_rewriter *r, rt_node node) {
    rt_value excess, results[3];
    decoder ours, goal;
    bool is_of_all;
    if (!is_reduction(d, rt_graph_result(d->graph, node, 0), RT_OP_reduce_sum, &excess,
                      &is_of_all) ||
        !is_divergence(d, excess, &ours, &goal))
        return false;
    const rt_value operands[6] = {
        rows_of(r, &ours), rt_rewriter_mapped(r, ours.table), rt_rewriter_mapped(r, ours.bias),
        rows_of(r, &goal), rt_rewriter_mapped(r, goal.table), rt_rewriter_mapped(r, goal.bias)};
    const rt_attr attrs[2] = {{.real = ours.scale}, {.integer = d->chunk}};
    if (!rt_build_results(&r->b, RT_OP_decode_divergence, operands, 6, attrs, results))
        return false;
    return set_reduced(d, r, node, results[0], is_of_all);
}

static bool decode_node(rt_rewriter *r, rt_node node) {
    decoding *d = r->user;
    rt_op op = rt_graph_node(r->old, node)->op;
    if (op == RT_OP_less_equal) return fuse_comparison(d, r, node);
    if (op != RT_OP_reduce_sum) return false;
    return fuse_entropy(d, r, node) || fuse_divergence(d, r, node);
}

/* Options: least (4096), rows of a table that is decoded in chunks; chunk (4096), columns at once.
 */
rt_status rt_pass_decode(rt_pass_context *context, rt_module *module) {
    decoding d = {.context = context, .least = 4096, .chunk = 4096};
    RT_TRY(rt_pass_option_integer(context, "least", 1, INT64_MAX, &d.least));
    RT_TRY(rt_pass_option_integer(context, "chunk", 1, 1 << 20, &d.chunk));
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        d.graph = rt_module_graph(module, i);
        rt_graph *fresh = rt_graph_rewrite(rt_module_graph(module, i), decode_node, &d);
        rt_status status = rt_module_status(module);
        if (!fresh) return status == RT_OK ? RT_INTERNAL : status;
        rt_module_put_graph(module, fresh);
    }
    return RT_OK;
}
