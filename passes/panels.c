// SPDX-License-Identifier: Apache-2.0
/* panels: matmul(x, w) = matmul(x, pack_panels(w)) {panel_columns = N}, where w derives from
 * weights alone: the product then reads w as it is packed, and `hoist` packs it once.
 *
 * Of weights that are trained this pays where a step is computed many times for each update:
 * packing within the product reads w once and writes what stays in the cache, packing behind the
 * update writes it to far memory, from which the product reads it. Measured on BERT-base with 481
 * tokens a call and two threads: an update takes 63 ms more, each call 13 ms less, and panels of
 * both orientations take 680 MB.
 */
#include "passes/derived.h"
#include "passes/pass.h"

enum {
    LEAST_CALLS = 8, /* for each update */
    MOST_SURPLUS = 2 /* panels are at most so many times as wide as the matrix */
};

typedef struct panelling {
    rt_pass_context *context;
    const rt_graph *graph;
    const bool *is_derived; /* by value of `graph` */
    int64_t width, calls;
} panelling;

static bool is_suited(const panelling *p, rt_type w, bool is_transposed) {
    int64_t sizes[RT_MAX_RANK];
    if (w.rank != 2 || w.dtype != RT_F32 ||
        !rt_type_is_static(rt_module_dims(rt_graph_module(p->graph)), w, sizes, NULL))
        return false;
    int64_t inner = sizes[is_transposed ? 1 : 0], columns = sizes[is_transposed ? 0 : 1];
    return inner > 0 && (columns + p->width - 1) / p->width * p->width <= MOST_SURPLUS * columns;
}

static bool panel_node(rt_rewriter *rewriter, rt_node node) {
    panelling *p = rewriter->user;
    const rt_node_info *info = rt_graph_node(rewriter->old, node);
    if (info->op != RT_OP_matmul) return false;
    bool is_transposed = rt_graph_attr(p->graph, node, RT_ATTR_matmul_transpose_b).integer;
    rt_value x = info->operands[0], w = info->operands[1];
    if (rt_graph_attr(p->graph, node, RT_ATTR_matmul_transpose_a).integer ||
        rt_graph_attr(p->graph, node, RT_ATTR_matmul_panel_columns).integer ||
        !p->is_derived[w.index] || p->is_derived[x.index] ||
        !is_suited(p, rt_graph_type(p->graph, w), is_transposed))
        return false;
    rt_derivation derivation;
    if (!rt_derivation_of(p->graph, w, p->context->scratch, &derivation) ||
        !derivation.weight_count || (derivation.is_trained && p->calls < LEAST_CALLS))
        return false;
    rt_value y = rt_build_panel_matmul(&rewriter->b, rt_rewriter_mapped(rewriter, x),
                                       rt_rewriter_mapped(rewriter, w), is_transposed, p->width);
    rt_rewriter_set(rewriter, info->first_result, y);
    rt_pass_count(p->context, "products with panels", 1);
    return true;
}

/* Options: width (0: none), columns of a panel; calls (1), of steps for each update. */
rt_status rt_pass_panels(rt_pass_context *context, rt_module *module) {
    panelling p = {.context = context, .calls = 1};
    RT_TRY(rt_pass_option_integer(context, "width", 0, 1 << 20, &p.width));
    RT_TRY(rt_pass_option_integer(context, "calls", 1, INT64_MAX, &p.calls));
    for (size_t i = 0; p.width && i < rt_module_graph_count(module); ++i) {
        p.graph = rt_module_graph(module, i);
        p.is_derived = rt_derived_values(p.graph, context->scratch);
        if (!p.is_derived) return RT_OUT_OF_MEMORY;
        rt_graph *fresh = rt_graph_rewrite(rt_module_graph(module, i), panel_node, &p);
        rt_status status = rt_module_status(module);
        if (!fresh) return status == RT_OK ? RT_INTERNAL : status;
        rt_module_put_graph(module, fresh);
    }
    return RT_OK;
}
