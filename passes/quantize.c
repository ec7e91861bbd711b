// SPDX-License-Identifier: Apache-2.0
/* quantize: of products with weights and of rows looked up in tables of weights, the weights get
 * fewer bits: matmul(x, w) = the product by bf16, f16, int8 or int4 panels, gather(w, i) = rows of
 * a narrow table, widened. Weights that some graph assigns stay: what trains is not rounded. */
#include "passes/quantize.h"

#include <string.h>

#include "ir/name_pattern.h"
#include "passes/derived.h"
#include "passes/pass.h"

enum {
    LEAST_TABLE = 4096, /* elements of a table that is worth it */
    MOST_SURPLUS = 2    /* panels are at most so many times as wide as the matrix */
};

/* "PATTERN=PRECISION" of the option `layers`. */
typedef struct rule {
    const char *pattern;
    rt_precision precision;
} rule;

typedef struct quantizing {
    rt_pass_context *context;
    rt_arena *scratch;
    const rt_graph *graph;
    const bool *is_derived; /* by value of `graph` */
    rt_quantize_form form;
    rt_precision precision;
    rule *rules;
    bool *is_used; /* by rule */
    size_t rule_count;
} quantizing;

/* ---- where weights are read */

/* A node that reads `weights`, a value that derives from weights alone, of constant sizes. */
typedef struct place {
    rt_value weights, other; /* x of a product, indices of a lookup */
    bool is_table, is_transposed;
    const rt_parameter_info *parameter; /* the first that the weights are made of */
    int64_t elements;
} place;

static bool has_panels(const rt_quantize_form *form, int64_t inner, int64_t columns) {
    int64_t width = form->width > form->integer_width ? form->width : form->integer_width;
    return inner > 0 && (columns + width - 1) / width * width <= MOST_SURPLUS * columns;
}

static bool is_product(const quantizing *q, rt_node node, place *found) {
    const rt_node_info *info = rt_graph_node(q->graph, node);
    if (info->op != RT_OP_matmul ||
        rt_graph_attr(q->graph, node, RT_ATTR_matmul_transpose_a).integer ||
        rt_graph_attr(q->graph, node, RT_ATTR_matmul_panel_columns).integer)
        return false;
    bool is_transposed = rt_graph_attr(q->graph, node, RT_ATTR_matmul_transpose_b).integer;
    *found = (place){
        .other = info->operands[0], .weights = info->operands[1], .is_transposed = is_transposed};
    return true;
}

static bool is_lookup(const quantizing *q, rt_node node, place *found) {
    const rt_node_info *info = rt_graph_node(q->graph, node);
    if (info->op != RT_OP_gather || rt_graph_attr(q->graph, node, RT_ATTR_gather_axis).integer)
        return false;
    *found = (place){.weights = info->operands[0], .other = info->operands[1], .is_table = true};
    return true;
}

static bool is_suited(const quantizing *q, place *found) {
    int64_t sizes[RT_MAX_RANK];
    rt_type type = rt_graph_type(q->graph, found->weights);
    const rt_module *module = rt_graph_module(q->graph);
    rt_derivation derivation;
    if (!q->is_derived[found->weights.index] || q->is_derived[found->other.index] ||
        type.rank != 2 || type.dtype != RT_F32 ||
        !rt_type_is_static(rt_module_dims(module), type, sizes, &found->elements))
        return false;
    bool is_turned = found->is_transposed;
    if (found->is_table ? found->elements < LEAST_TABLE
                        : !has_panels(&q->form, sizes[is_turned ? 1 : 0], sizes[is_turned ? 0 : 1]))
        return false;
    if (!rt_derivation_of(q->graph, found->weights, q->scratch, &derivation) ||
        !derivation.weight_count || derivation.is_trained)
        return false;
    found->parameter = rt_module_parameter(module, derivation.weights[0]);
    return true;
}

static bool find_place(const quantizing *q, rt_node node, place *found) {
    return (is_product(q, node, found) || is_lookup(q, node, found)) && is_suited(q, found);
}

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
    place found;
    if (!find_place(q, node, &found)) return false;
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

static bool enter_graph(quantizing *q, const rt_graph *graph) {
    q->graph = graph;
    q->is_derived = rt_derived_values(graph, q->scratch);
    return q->is_derived != NULL;
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
        if (!enter_graph(&q, rt_module_graph(module, i))) return RT_OUT_OF_MEMORY;
        rt_graph *fresh = rt_graph_rewrite(rt_module_graph(module, i), quantize_node, &q);
        rt_status status = rt_module_status(module);
        if (!fresh) return status == RT_OK ? RT_INTERNAL : status;
        rt_module_put_graph(module, fresh);
    }
    return check_rules(&q);
}

/* ---- what there is */

static bool is_known(const rt_quantizable *weights, size_t count, const char *name) {
    for (size_t i = 0; i < count; ++i)
        if (!strcmp(weights[i].name, name)) return true;
    return false;
}

bool rt_quantizable_weights(const rt_module *module, const rt_quantize_form *form, rt_arena *arena,
                            rt_quantizable **weights, size_t *count) {
    size_t capacity = 0;
    quantizing q = {.scratch = arena, .form = *form};
    *weights = NULL;
    *count = 0;
    for (size_t g = 0; g < rt_module_graph_count(module); ++g) {
        rt_node *nodes;
        size_t node_count;
        const rt_graph *graph = rt_module_graph(module, g);
        if (!enter_graph(&q, graph) || !rt_graph_order(graph, arena, &nodes, &node_count))
            return false;
        for (size_t i = 0; i < node_count; ++i) {
            place found;
            if (!find_place(&q, nodes[i], &found) ||
                is_known(*weights, *count, found.parameter->name))
                continue;
            rt_quantizable *grown =
                rt_arena_grow(arena, *weights, &capacity, *count + 1, sizeof **weights);
            if (!grown) return false;
            *weights = grown;
            grown[(*count)++] =
                (rt_quantizable){found.parameter->name, found.elements, found.is_table};
        }
    }
    return true;
}
