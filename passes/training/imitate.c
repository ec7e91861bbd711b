// SPDX-License-Identifier: Apache-2.0
/* imitate: trains a model as it will be held in fewer bits (quantisation-aware training).
 *
 *   graph=NAME          of the model (default: student); a module without it is left alone
 *   precision=P         of its weights: a name of passes/precisions.def (default: f32, which
 * changes nothing) group=N             rows of int4 that share a scale (32) width=N,
 * integer_width=N   columns of panels, by which the pass `quantize` will choose (16)
 *
 * Products and looked up rows become those of values that are rounded as `quantize` will round
 * them; gradients pass as if they were not. */
#include <string.h>

#include "passes/pass.h"
#include "passes/weight_places.h"

typedef struct imitating {
    rt_pass_context *context;
    rt_weight_reader reader;
    rt_precision precision;
    rt_quantize_form form;
} imitating;

static bool imitate_node(rt_rewriter *rewriter, rt_node node) {
    imitating *m = rewriter->user;
    rt_weight_place found;
    if (!rt_weight_reader_find(&m->reader, node, &found)) return false;
    rt_value weights = rt_rewriter_mapped(rewriter, found.weights);
    rt_value other = rt_rewriter_mapped(rewriter, found.other);
    rt_value y =
        found.is_table
            ? rt_build_fake_quantized_gather(&rewriter->b, weights, other, m->precision)
            : rt_build_fake_quantized_matmul(&rewriter->b, other, weights, found.is_transposed,
                                             m->precision, m->form.group);
    rt_rewriter_set(rewriter, rt_graph_node(rewriter->old, node)->first_result, y);
    rt_pass_count(m->context, found.is_table ? "rounded tables" : "rounded products", 1);
    return true;
}

rt_status rt_pass_imitate(rt_pass_context *context, rt_module *module) {
    imitating m = {.context = context, .form = {.width = 16, .integer_width = 16, .group = 32}};
    const char *precision = rt_pass_option_text(context, "precision", "f32");
    rt_graph *graph =
        rt_module_find_graph(module, rt_pass_option_text(context, "graph", "student"));
    if (!rt_precision_from_text(precision, strlen(precision), &m.precision))
        return rt_pass_fail_option(context, "precision", RT_INVALID_ARGUMENT,
                                   "there is no precision '%s'; there are %s", precision,
                                   rt_precision_names());
    RT_TRY(rt_pass_option_integer(context, "width", 1, 1 << 20, &m.form.width));
    RT_TRY(rt_pass_option_integer(context, "integer_width", 1, 1 << 20, &m.form.integer_width));
    RT_TRY(rt_pass_option_integer(context, "group", 16, 1 << 20, &m.form.group));
    if (!graph || m.precision == RT_PRECISION_F32) return RT_OK;
    if (!rt_weight_reader_begin(&m.reader, graph, &m.form, context->scratch))
        return RT_OUT_OF_MEMORY;
    rt_graph *fresh = rt_graph_rewrite(graph, imitate_node, &m);
    rt_status status = rt_module_status(module);
    if (!fresh) return status == RT_OK ? RT_INTERNAL : status;
    rt_module_put_graph(module, fresh);
    return RT_OK;
}
