// SPDX-License-Identifier: Apache-2.0
/* quantize: of products with weights and of rows looked up in tables of weights, the weights get
 * fewer bits: matmul(x, w) = the product by bf16, f16, int8 or int4 panels, gather(w, i) = rows of
 * a narrow table, widened. Weights that some graph assigns stay: what trains is not rounded. */
#include "passes/quantize.h"

#include <string.h>

#include "ir/name_pattern.h"
#include "passes/pass.h"
#include "passes/weight_places.h"

/* "PATTERN=PRECISION" of the option `layers`. */
typedef struct rule {
    const char *pattern;
    rt_precision precision;
} rule;

typedef struct quantizing {
    rt_pass_context *context;
    rt_arena *scratch;
    rt_weight_reader reader;
    rt_quantize_form form;
    rt_precision precision;
    rule *rules;
    bool *is_used; /* by rule */
    size_t rule_count;
} quantizing;

/* ---- rewriting */

static rt_precision precision_of(quantizing *q, const char *name) {
    rt_precision precision = q->precision;
    for (size_t i = 0; i < q->rule_count; ++i)
        if (rt_name_pattern_matches(q->rules[i].pattern, name)) {
            precision = q->rules[i].precision;
            q->is_used[i] = true;
        }
    return precision;
}

static bool quantize_node(rt_rewriter *rewriter, rt_node node) {
    quantizing *q = rewriter->user;
    rt_builder *b = &rewriter->b;
    rt_weight_place found;
    if (!rt_weight_reader_find(&q->reader, node, &found)) return false;
    rt_precision precision = precision_of(q, found.parameter->name);
    if (precision == RT_PRECISION_F32) return false;
    rt_value weights = rt_rewriter_mapped(rewriter, found.weights);
    rt_value other = rt_rewriter_mapped(rewriter, found.other);
    rt_value y = found.is_table ? rt_build_quantized_gather(b, weights, other, precision)
                                : rt_build_quantized_matmul(b, other, weights, found.is_transposed,
                                                            precision, &q->form);
    rt_rewriter_set(rewriter, rt_graph_node(rewriter->old, node)->first_result, y);
    rt_pass_count(q->context, found.is_table ? "narrow tables" : "narrow products", 1);
    return true;
}

/* ---- options */

static rt_status read_precision(rt_pass_context *context, const char *key, const char *text,
                                size_t length, rt_precision *precision) {
    if (rt_precision_from_text(text, length, precision)) return RT_OK;
    return rt_pass_fail_option(context, key, RT_INVALID_ARGUMENT,
                               "there is no precision '%.*s'; there are %s", (int)length, text,
                               rt_precision_names());
}

static rt_status read_rule(quantizing *q, const char *text, size_t length, rule *result) {
    rt_error error;
    const char *copy = rt_arena_copy_text(q->scratch, text, length);
    const char *equals = copy ? strrchr(copy, '=') : NULL;
    if (!copy) return RT_OUT_OF_MEMORY;
    if (!equals || equals == copy)
        return rt_pass_fail_option(q->context, "layers", RT_INVALID_ARGUMENT,
                                   "'%s' is not of the form PATTERN=PRECISION", copy);
    result->pattern = rt_arena_copy_text(q->scratch, copy, (size_t)(equals - copy));
    if (!result->pattern) return RT_OUT_OF_MEMORY;
    if (rt_name_pattern_check(result->pattern, &error) != RT_OK)
        return rt_pass_fail_option(q->context, "layers", RT_INVALID_ARGUMENT, "'%s': %s",
                                   result->pattern, error.text);
    return read_precision(q->context, "layers", equals + 1, strlen(equals + 1), &result->precision);
}

static rt_status read_rules(quantizing *q) {
    const char *text = rt_pass_option_text(q->context, "layers", "");
    size_t most = 1;
    for (const char *at = text; *at; ++at) most += *at == ';';
    q->rules = RT_NEW_ARRAY(q->scratch, rule, most);
    q->is_used = RT_NEW_ARRAY(q->scratch, bool, most);
    if (!q->rules || !q->is_used) return RT_OUT_OF_MEMORY;
    while (*text) {
        size_t length = strcspn(text, ";");
        if (length) RT_TRY(read_rule(q, text, length, &q->rules[q->rule_count++]));
        text += length + (text[length] != 0);
    }
    return RT_OK;
}

static rt_status read_form(quantizing *q) {
    const char *activations = rt_pass_option_text(q->context, "activations", "u8");
    static const rt_dtype dtypes[] = {RT_U8, RT_I8, RT_I16};
    q->form = (rt_quantize_form){.width = 16, .integer_width = 16, .group = 32};
    RT_TRY(rt_pass_option_integer(q->context, "width", 1, 1 << 20, &q->form.width));
    RT_TRY(rt_pass_option_integer(q->context, "integer_width", 1, 1 << 20, &q->form.integer_width));
    RT_TRY(rt_pass_option_integer(q->context, "group", 16, 1 << 20, &q->form.group));
    if (q->form.group & (q->form.group - 1))
        return rt_pass_fail_option(q->context, "group", RT_INVALID_ARGUMENT,
                                   "a group of %lld rows is not a power of two",
                                   (long long)q->form.group);
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; ++i)
        if (!strcmp(activations, rt_dtype_text(dtypes[i]))) {
            q->form.activations = dtypes[i];
            return RT_OK;
        }
    return rt_pass_fail_option(q->context, "activations", RT_INVALID_ARGUMENT,
                               "activations of '%s'; there are u8, i8, i16", activations);
}

static rt_status check_rules(const quantizing *q) {
    for (size_t i = 0; i < q->rule_count; ++i)
        if (!q->is_used[i])
            return rt_pass_fail_option(q->context, "layers", RT_INVALID_ARGUMENT,
                                       "'%s' names no weight of a product or a table",
                                       q->rules[i].pattern);
    return RT_OK;
}

/* Options: precision (f32), of what no rule names; layers, rules "PATTERN=PRECISION" with ';'
 * between them, of which the last that matches a weight's name counts; group (32), rows of int4
 * that share a scale; width and integer_width (16), columns of panels, and activations (u8), as the
 * target's kernels want them. */
rt_status rt_pass_quantize(rt_pass_context *context, rt_module *module) {
    quantizing q = {.context = context, .scratch = context->scratch};
    const char *precision = rt_pass_option_text(context, "precision", "f32");
    RT_TRY(read_precision(context, "precision", precision, strlen(precision), &q.precision));
    RT_TRY(read_form(&q));
    RT_TRY(read_rules(&q));
    if (q.precision == RT_PRECISION_F32 && !q.rule_count) return RT_OK;
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        if (!rt_weight_reader_begin(&q.reader, rt_module_graph(module, i), &q.form, q.scratch))
            return RT_OUT_OF_MEMORY;
        rt_graph *fresh = rt_graph_rewrite(rt_module_graph(module, i), quantize_node, &q);
        rt_status status = rt_module_status(module);
        if (!fresh) return status == RT_OK ? RT_INTERNAL : status;
        rt_module_put_graph(module, fresh);
    }
    return check_rules(&q);
}
