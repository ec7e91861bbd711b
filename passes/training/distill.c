// SPDX-License-Identifier: Apache-2.0
/* distil: from a model, and perhaps a teacher, to the graphs of a training program.
 *
 *   student=NAME     graph of the model, with output "logits" f32[B,C] (default: student)
 *   teacher=NAME     graph of the teacher, with output "logits" (default: teacher where there is
 *                    one); it reads the student's inputs of the same names
 *   terms=TERMS      the loss (passes/training/loss_terms.h; default: hard)
 *   regression=true  labels are numbers, C is 1
 *   classes=2 0 1    the teacher's class for each of the student's, where their orders differ
 *
 * Makes, over the model's inputs and `labels` (i32[B], of a regression f32[B]):
 *   step      outputs "loss", and each term unweighted under its kind ("soft", "soft.2" …)
 *   evaluate  without dropout: outputs "logits" and the "loss" of the labels alone
 *   predict   without dropout and labels: outputs "logits", and of classes "probabilities" f32[B,C]
 * and takes the student's and the teacher's graph out of the module. A module without a graph for
 * the student is left alone: its steps are written already. */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"
#include "passes/training/inference_form.h"
#include "passes/training/loss_terms.h"

enum { MAX_CLASSES = 1024 };

typedef struct distiller {
    rt_pass_context *context;
    rt_module *module;
    rt_graph *student, *teacher; /* teacher may be NULL */
    rt_loss_term terms[RT_MAX_LOSS_TERMS];
    size_t term_count;
    bool is_regression;
    const char *classes; /* "" where the orders are the same */
} distiller;

/* ---- options */

static rt_status find_model(distiller *d, const char *key, const char *usual, rt_graph **graph) {
    const char *name = rt_pass_option_text(d->context, key, NULL);
    *graph = rt_module_find_graph(d->module, name ? name : usual);
    if (!*graph && !name) return RT_OK;
    if (!*graph) return rt_pass_fail(d->context, RT_NOT_FOUND, "there is no graph '%s'", name);
    rt_value logits = rt_graph_find_output(*graph, "logits");
    if (!rt_value_is(logits) || rt_graph_type(*graph, logits).rank != 2)
        return rt_pass_fail(d->context, RT_INVALID_DATA,
                            "graph '%s' has no output 'logits' of rank 2", rt_graph_name(*graph));
    return RT_OK;
}

static rt_status check_classes(distiller *d) {
    rt_type ours = rt_graph_type(d->student, rt_graph_find_output(d->student, "logits"));
    int64_t classes;
    if (!rt_dim_is_constant(rt_module_dims(d->module), ours.dims[1], &classes))
        return rt_pass_fail(d->context, RT_INVALID_DATA, "the number of classes is not constant");
    if (d->is_regression && classes != 1)
        return rt_pass_fail(d->context, RT_INVALID_DATA,
                            "a regression gives one number, but the logits have %lld columns",
                            (long long)classes);
    if (!d->teacher || *d->classes) return RT_OK;
    rt_type theirs = rt_graph_type(d->teacher, rt_graph_find_output(d->teacher, "logits"));
    if (rt_dim_equal(ours.dims[1], theirs.dims[1])) return RT_OK;
    const rt_dim_table *dims = rt_module_dims(d->module);
    return rt_pass_fail(d->context, RT_INVALID_DATA,
                        "the teacher's logits have %s columns, the student's %s",
                        rt_dim_text(dims, theirs.dims[1], d->context->scratch),
                        rt_dim_text(dims, ours.dims[1], d->context->scratch));
}

static rt_status read_options(distiller *d) {
    rt_error error;
    RT_TRY(find_model(d, "student", "student", &d->student));
    if (!d->student) return RT_OK;
    RT_TRY(find_model(d, "teacher", "teacher", &d->teacher));
    RT_TRY(rt_pass_option_flag(d->context, "regression", &d->is_regression));
    const char *terms = rt_pass_option_text(d->context, "terms", "hard");
    if (rt_loss_terms_parse(terms, d->terms, &d->term_count, &error) != RT_OK)
        return rt_pass_fail(d->context, RT_INVALID_ARGUMENT, "in option terms, %s", error.text);
    for (size_t i = 0; i < d->term_count; ++i) {
        if (d->terms[i].kind == RT_LOSS_HARD || d->teacher) continue;
        return rt_pass_fail(d->context, RT_INVALID_ARGUMENT, "a %s term needs a teacher's graph",
                            rt_loss_kind_text(d->terms[i].kind));
    }
    d->classes = rt_pass_option_text(d->context, "classes", "");
    return check_classes(d);
}

/* ---- models in a new graph */

static const char *input_name(const rt_graph *graph, size_t index) {
    rt_node node = rt_graph_definition(graph, rt_graph_input(graph, index));
    return rt_graph_attr(graph, node, RT_ATTR_input_name).text;
}

/* The input of that name and type in the graph under construction, made where it is not there. */
static rt_value shared_input(distiller *d, rt_builder *b, const rt_graph *model, size_t index) {
    const char *name = input_name(model, index);
    rt_type type = rt_graph_type(model, rt_graph_input(model, index));
    rt_value input = rt_graph_find_input(b->graph, name);
    if (!rt_value_is(input)) {
        const rt_attr *attrs =
            rt_graph_node(model, rt_graph_definition(model, rt_graph_input(model, index)))->attrs;
        return rt_build(b, RT_OP_input, NULL, 0, attrs);
    }
    rt_type have = rt_graph_type(b->graph, input);
    if (rt_type_equal(have, type)) return input;
    const rt_dim_table *dims = rt_module_dims(d->module);
    (void)rt_pass_fail(d->context, RT_INVALID_DATA,
                       "input '%s' is %s in graph '%s', but %s in the student", name,
                       rt_type_text(dims, type, d->context->scratch), rt_graph_name(model),
                       rt_type_text(dims, have, d->context->scratch));
    return RT_NO_VALUE;
}

/* Builds the model and returns its logits. */
static rt_value inline_logits(distiller *d, rt_builder *b, const rt_graph *model) {
    size_t inputs = rt_graph_input_count(model), outputs = rt_graph_output_count(model);
    rt_value *arguments = RT_NEW_ARRAY(d->context->scratch, rt_value, inputs);
    rt_value *results = RT_NEW_ARRAY(d->context->scratch, rt_value, outputs);
    if (!arguments || !results) return RT_NO_VALUE;
    for (size_t i = 0; i < inputs; ++i) {
        arguments[i] = shared_input(d, b, model, i);
        if (!rt_value_is(arguments[i])) return RT_NO_VALUE;
    }
    if (!rt_build_inline(b, model, arguments, results)) return RT_NO_VALUE;
    for (size_t i = 0; i < outputs; ++i) {
        if (strcmp(rt_graph_output(model, i)->name, "logits") == 0) return results[i];
    }
    return RT_NO_VALUE;
}

static rt_value add_labels(const distiller *d, rt_builder *b, rt_value logits) {
    rt_type type = rt_builder_type(b, logits);
    rt_dtype dtype = d->is_regression ? RT_F32 : RT_I32;
    return rt_build_input(b, "labels", rt_type_make(dtype, 1, type.dims));
}

/* The teacher's columns in the student's order. */
static rt_value reorder_classes(distiller *d, rt_builder *b, rt_value logits) {
    if (!*d->classes) return logits;
    rt_value columns[MAX_CLASSES];
    size_t count = 0;
    rt_dim one = rt_module_constant_dim(d->module, 1);
    rt_type type = rt_builder_type(b, logits);
    int64_t theirs = -1;
    rt_dim_is_constant(rt_module_dims(d->module), type.dims[1], &theirs);
    for (const char *at = d->classes; *at; at += strspn(at, " ")) {
        char *end;
        long index = strtol(at, &end, 10);
        if (end == at || (*end && *end != ' ') || index < 0 || index >= theirs ||
            count == MAX_CLASSES) {
            (void)rt_pass_fail(d->context, RT_INVALID_ARGUMENT,
                               "option classes must name the teacher's classes from 0 to %lld, "
                               "separated by blanks, not '%s'",
                               (long long)theirs - 1, d->classes);
            return RT_NO_VALUE;
        }
        columns[count++] =
            rt_build_slice(b, logits, 1, rt_module_constant_dim(d->module, index), one, 1);
        at = end;
    }
    return rt_build_concat(b, columns, count, 1);
}

/* ---- the graphs */

static const char *term_name(const distiller *d, size_t index) {
    rt_loss_kind kind = d->terms[index].kind;
    int number = 1;
    for (size_t i = 0; i < index; ++i) number += d->terms[i].kind == kind;
    if (number == 1) return rt_loss_kind_text(kind);
    return rt_arena_format(d->context->scratch, "%s.%d", rt_loss_kind_text(kind), number);
}

/* The weighted sum of the terms; each is an output of its own too. */
static void add_losses(distiller *d, rt_builder *b, rt_value student, rt_value teacher,
                       rt_value labels) {
    rt_value terms[RT_MAX_LOSS_TERMS], total = RT_NO_VALUE;
    for (size_t i = 0; i < d->term_count; ++i) {
        b->location = (rt_location){.name = term_name(d, i)};
        terms[i] = rt_build_loss_term(b, &d->terms[i], student, teacher, labels);
        if (d->terms[i].weight == 0) continue;
        rt_value weighted = rt_build_scale(b, terms[i], d->terms[i].weight);
        total = rt_value_is(total) ? rt_build_add(b, total, weighted) : weighted;
    }
    if (rt_value_is(total)) rt_graph_add_output(b->graph, "loss", total);
    for (size_t i = 0; i < d->term_count; ++i)
        rt_graph_add_output(b->graph, term_name(d, i), terms[i]);
}

static rt_status finish(const distiller *d, const rt_graph *graph) {
    rt_status status = rt_module_status(d->module);
    if (status != RT_OK) return status;
    if (rt_diagnostics_failed(d->context->diagnostics)) return RT_INVALID_DATA;
    return graph ? RT_OK : RT_OUT_OF_MEMORY;
}

/* The teacher draws nothing and never trains, whatever its graph was made for. */
static rt_status build_step(distiller *d) {
    rt_graph *graph = rt_module_add_graph(d->module, "step");
    if (!graph) return RT_OUT_OF_MEMORY;
    rt_builder b = rt_builder_begin(graph);
    rt_value student = inline_logits(d, &b, d->student), teacher = RT_NO_VALUE;
    rt_graph *still =
        d->teacher ? rt_graph_rewrite(d->teacher, rt_rewrite_without_dropout, NULL) : NULL;
    if (still) teacher = reorder_classes(d, &b, inline_logits(d, &b, still));
    bool is_built = rt_value_is(student) && (!d->teacher || rt_value_is(teacher));
    if (is_built) add_losses(d, &b, student, teacher, add_labels(d, &b, student));
    RT_TRY(finish(d, graph));
    if (is_built && !rt_value_is(rt_graph_find_output(graph, "loss")))
        return rt_pass_fail(d->context, RT_INVALID_ARGUMENT, "no term has a weight above 0");
    return is_built ? RT_OK : RT_OUT_OF_MEMORY;
}

static rt_status build_inference(distiller *d, const rt_graph *still, const char *name,
                                 bool has_labels) {
    static const rt_loss_term hard = {.kind = RT_LOSS_HARD, .weight = 1, .temperature = 1};
    rt_graph *graph = rt_module_add_graph(d->module, name);
    if (!graph) return RT_OUT_OF_MEMORY;
    rt_builder b = rt_builder_begin(graph);
    rt_value logits = inline_logits(d, &b, still);
    rt_graph_add_output(graph, "logits", logits);
    if (has_labels) {
        rt_value labels = add_labels(d, &b, logits);
        rt_graph_add_output(graph, "loss",
                            rt_build_loss_term(&b, &hard, logits, RT_NO_VALUE, labels));
    } else if (!d->is_regression) {
        rt_graph_add_output(graph, "probabilities", rt_build_softmax(&b, logits));
    }
    return finish(d, graph);
}

/* What only a teacher was made for must not train. */
static void freeze_teacher(const distiller *d) {
    for (size_t i = 0; d->teacher && i < rt_graph_node_count(d->teacher); ++i) {
        rt_node node = {(uint32_t)i};
        if (rt_graph_node(d->teacher, node)->op != RT_OP_parameter) continue;
        rt_parameter parameter =
            rt_graph_attr(d->teacher, node, RT_ATTR_parameter_parameter).parameter;
        rt_module_edit_parameter(d->module, parameter)->is_trainable = false;
    }
}

rt_status rt_pass_distil(rt_pass_context *context, rt_module *module) {
    distiller d = {.context = context, .module = module};
    RT_TRY(read_options(&d));
    if (!d.student) return RT_OK;
    freeze_teacher(&d);
    RT_TRY(build_step(&d));
    rt_graph *still = rt_graph_rewrite(d.student, rt_rewrite_without_dropout, NULL);
    if (!still) return finish(&d, NULL);
    RT_TRY(build_inference(&d, still, "evaluate", true));
    RT_TRY(build_inference(&d, still, "predict", false));
    rt_pass_count(context, "loss terms", (int64_t)d.term_count);
    const char *teacher = d.teacher ? rt_graph_name(d.teacher) : NULL;
    rt_module_remove_graph(module, rt_graph_name(d.student));
    if (teacher) rt_module_remove_graph(module, teacher);
    return RT_OK;
}
