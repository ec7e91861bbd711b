// SPDX-License-Identifier: Apache-2.0
/* distil: from a model, and perhaps a teacher, to the graphs of a training program.
 *
 *   student=NAME     graph of the model, with output "logits" f32[B,C] (default: student)
 *   teacher=NAME     graph of the teacher (default: teacher where there is one); it reads the
 *                    student's inputs of the same names. Which outputs both need the terms say.
 *                    Graphs teacher.2, teacher.3 … teach with it: terms over logits see them as
 *                    one (passes/training/teaching.h)
 *   terms=TERMS      the loss (passes/training/loss_terms.h; default: hard)
 *   regression=true  labels are numbers, C is 1
 *   classes=2 0 1    the teacher's class for each of the student's, where their orders differ;
 *                    classes.2 … of the others
 *   unlabelled=skip  rows may have no label (a class of -1, a score that is no number): hard terms
 *                    are means over those that have one; unlabelled=teacher: they take the
 *                    teacher's most probable class, or its score
 *   masked=true      the logits are of tokens, f32[T,V], and the labels of some of them
 *   features=true    evaluate has one more output, "features" f32[B,..]: what the terms over states
 *                    compare of the student, at each row's first token, pair by pair
 *
 * Makes, over the model's inputs and, where a graph reads them, `labels` (i32[B], of a regression
 * f32[B]):
 *   step      outputs "loss", and each term unweighted under its name ("soft", "soft.2" …)
 *   evaluate  without dropout: outputs "logits" and the "loss" of the labels alone; where no term
 *             reads logits, the loss is that of the terms
 *   predict   without dropout and labels: outputs "logits", and of classes "probabilities" f32[B,C]
 * With masked=true the labels are `masked_labels` i32[M] of the tokens `masked_positions` i32[M],
 * which ascend. Then a term is the mean over the batch's masked tokens, or over all its tokens,
 * times `masked_share` or `token_share` f32[]: the batch's part of these in the update. evaluate
 * gives "loss" and "accuracy" f32[]; predict, which takes the positions, the "logits" f32[M,V]
 * there.
 *
 * The pass takes the student's and the teacher's graph out of the module. A module without a graph
 * for the student is left alone: its steps are written already. */
#include <stdlib.h>
#include <string.h>

#include "passes/pass.h"
#include "passes/training/feature_terms.h"
#include "passes/training/inference_form.h"
#include "passes/training/teaching.h"

enum { MAX_CLASSES = 1024, MAX_TEACHERS = 8 };

typedef enum unlabelled_rows {
    UNLABELLED_NONE,
    UNLABELLED_SKIP,
    UNLABELLED_TEACHER
} unlabelled_rows;

typedef struct distiller {
    rt_pass_context *context;
    rt_module *module;
    rt_graph *student, *teacher; /* teacher may be NULL */
    rt_graph *teachers[MAX_TEACHERS];
    const char *classes[MAX_TEACHERS]; /* by teacher; "" where the orders are the same */
    size_t teacher_count;
    unlabelled_rows unlabelled;
    rt_loss_term terms[RT_MAX_LOSS_TERMS];
    size_t term_count;
    bool is_regression, is_masked;
    bool reads_logits;   /* the loss does */
    bool shows_features; /* in evaluate */
} distiller;

/* ---- options */

static rt_status find_model(distiller *d, const char *key, const char *usual, rt_graph **graph) {
    const char *name = rt_pass_option_text(d->context, key, NULL);
    *graph = rt_module_find_graph(d->module, name ? name : usual);
    if (!*graph && name)
        return rt_pass_fail(d->context, RT_NOT_FOUND, "there is no graph '%s'", name);
    return RT_OK;
}

static rt_status check_logits(const distiller *d, const rt_graph *graph) {
    rt_value logits = rt_graph_find_output(graph, "logits");
    if (rt_value_is(logits) && rt_graph_type(graph, logits).rank == 2) return RT_OK;
    return rt_pass_fail(d->context, RT_INVALID_DATA, "graph '%s' has no output 'logits' of rank 2",
                        rt_graph_name(graph));
}

static rt_status check_columns(const distiller *d, size_t teacher, rt_type ours) {
    const rt_graph *graph = d->teachers[teacher];
    rt_type theirs = rt_graph_type(graph, rt_graph_find_output(graph, "logits"));
    if (*d->classes[teacher] || rt_dim_equal(ours.dims[1], theirs.dims[1])) return RT_OK;
    const rt_dim_table *dims = rt_module_dims(d->module);
    return rt_pass_fail(d->context, RT_INVALID_DATA,
                        "the teacher's logits have %s columns, the student's %s",
                        rt_dim_text(dims, theirs.dims[1], d->context->scratch),
                        rt_dim_text(dims, ours.dims[1], d->context->scratch));
}

static rt_status check_classes(const distiller *d, bool reads_teacher_logits) {
    rt_type ours = rt_graph_type(d->student, rt_graph_find_output(d->student, "logits"));
    int64_t classes;
    if (!rt_dim_is_constant(rt_module_dims(d->module), ours.dims[1], &classes))
        return rt_pass_fail(d->context, RT_INVALID_DATA, "the number of classes is not constant");
    if (d->is_regression && classes != 1)
        return rt_pass_fail(d->context, RT_INVALID_DATA,
                            "a regression gives one number, but the logits have %lld columns",
                            (long long)classes);
    for (size_t i = 0; reads_teacher_logits && i < d->teacher_count; ++i) {
        RT_TRY(check_logits(d, d->teachers[i]));
        RT_TRY(check_columns(d, i, ours));
    }
    return RT_OK;
}

static rt_status read_terms(distiller *d) {
    rt_error error;
    bool reads_teacher_logits = false;
    const char *text = rt_pass_option_text(d->context, "terms", "hard");
    if (rt_loss_terms_parse(text, d->context->scratch, d->terms, &d->term_count, &error) != RT_OK)
        return rt_pass_fail(d->context, RT_INVALID_ARGUMENT, "in option terms, %s", error.text);
    for (size_t i = 0; i < d->term_count; ++i) {
        bool is_hard = d->terms[i].kind == RT_LOSS_HARD;
        if (d->terms[i].is_of_masked && !d->is_masked)
            return rt_pass_fail(d->context, RT_INVALID_ARGUMENT,
                                "a term of masked tokens needs masked=true");
        d->terms[i].is_of_masked |= is_hard && d->is_masked;
        bool reads_logits = rt_loss_reads_logits(&d->terms[i]);
        d->reads_logits = d->reads_logits || reads_logits;
        reads_teacher_logits = reads_teacher_logits || (reads_logits && !is_hard);
        if (is_hard || d->teacher) continue;
        return rt_pass_fail(d->context, RT_INVALID_ARGUMENT, "a %s term needs a teacher's graph",
                            rt_loss_kind_text(d->terms[i].kind));
    }
    if (d->unlabelled == UNLABELLED_TEACHER && !d->teacher)
        return rt_pass_fail(d->context, RT_INVALID_ARGUMENT,
                            "option unlabelled is teacher, but there is no teacher's graph");
    reads_teacher_logits = reads_teacher_logits || d->unlabelled == UNLABELLED_TEACHER;
    return check_classes(d, reads_teacher_logits);
}

/* The teacher and those beside it, each with its classes. */
static rt_status find_teachers(distiller *d) {
    RT_TRY(find_model(d, "teacher", "teacher", &d->teacher));
    d->teachers[0] = d->teacher;
    d->classes[0] = rt_pass_option_text(d->context, "classes", "");
    for (d->teacher_count = d->teacher ? 1 : 0; d->teacher && d->teacher_count < MAX_TEACHERS;) {
        size_t number = d->teacher_count + 1;
        const char *name = rt_arena_format(d->context->scratch, "teacher.%zu", number);
        const char *key = rt_arena_format(d->context->scratch, "classes.%zu", number);
        rt_graph *graph = name && key ? rt_module_find_graph(d->module, name) : NULL;
        if (!graph) break;
        d->classes[d->teacher_count] = rt_pass_option_text(d->context, key, "");
        d->teachers[d->teacher_count++] = graph;
    }
    return RT_OK;
}

static rt_status read_unlabelled(distiller *d) {
    static const char *const words[] = {"none", "skip", "teacher"};
    const char *text = rt_pass_option_text(d->context, "unlabelled", "none");
    for (int i = 0; i < 3; ++i) {
        d->unlabelled = (unlabelled_rows)i;
        if (strcmp(words[i], text) == 0) return RT_OK;
    }
    return rt_pass_fail(d->context, RT_INVALID_ARGUMENT,
                        "option unlabelled is '%s' but must be none, skip or teacher", text);
}

static rt_status read_options(distiller *d) {
    RT_TRY(find_model(d, "student", "student", &d->student));
    if (!d->student) return RT_OK;
    RT_TRY(check_logits(d, d->student));
    RT_TRY(find_teachers(d));
    RT_TRY(read_unlabelled(d));
    RT_TRY(rt_pass_option_flag(d->context, "regression", &d->is_regression));
    RT_TRY(rt_pass_option_flag(d->context, "masked", &d->is_masked));
    RT_TRY(rt_pass_option_flag(d->context, "features", &d->shows_features));
    return read_terms(d);
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

/* Builds the model; false where something is wrong. */
static bool inline_model(distiller *d, rt_builder *b, const rt_graph *graph,
                         rt_inlined_model *model) {
    size_t inputs = rt_graph_input_count(graph), outputs = rt_graph_output_count(graph);
    rt_value *arguments = RT_NEW_ARRAY(d->context->scratch, rt_value, inputs);
    *model = (rt_inlined_model){graph, RT_NEW_ARRAY(d->context->scratch, rt_value, outputs)};
    if (!arguments || !model->values) return false;
    for (size_t i = 0; i < inputs; ++i) {
        arguments[i] = shared_input(d, b, graph, i);
        if (!rt_value_is(arguments[i])) return false;
    }
    return rt_build_inline(b, graph, arguments, model->values);
}

static rt_value logits_of(const rt_inlined_model *model) {
    return rt_inlined_output(model, "logits", strlen("logits"));
}

static rt_value masked_positions(const distiller *d, rt_builder *b) {
    rt_value found = rt_graph_find_input(b->graph, "masked_positions");
    if (rt_value_is(found)) return found;
    return rt_build_ascending_input(b, "masked_positions", rt_module_symbol(d->module, "M"));
}

/* The rows of logits that a term is of. */
static rt_value rows_of_term(const distiller *d, rt_builder *b, const rt_loss_term *term,
                             rt_value logits) {
    if (!term->is_of_masked || !rt_value_is(logits)) return logits;
    return rt_build_gather(b, logits, masked_positions(d, b), 0);
}

/* What a batch's mean counts in the update's: of tokens, by their part of the update's tokens. */
static rt_value scale_by_share(const distiller *d, rt_builder *b, const rt_loss_term *term,
                               rt_value value) {
    const char *name = term->is_of_masked ? "masked_share" : "token_share";
    if (!d->is_masked || !rt_value_is(value)) return value;
    rt_value share = rt_graph_find_input(b->graph, name);
    if (!rt_value_is(share)) share = rt_build_input(b, name, rt_type_scalar(RT_F32));
    return rt_build_mul(b, value, share);
}

static rt_value add_labels(const distiller *d, rt_builder *b, rt_value logits) {
    rt_dim masked = rt_module_symbol(d->module, "M");
    if (d->is_masked) return rt_build_input(b, "masked_labels", rt_type_make(RT_I32, 1, &masked));
    rt_type type = rt_builder_type(b, logits);
    rt_dtype dtype = d->is_regression ? RT_F32 : RT_I32;
    return rt_build_input(b, "labels", rt_type_make(dtype, 1, type.dims));
}

/* The teacher's columns in the student's order. */
static rt_value reorder_classes(distiller *d, rt_builder *b, const char *classes, rt_value logits) {
    if (!*classes) return logits;
    rt_value columns[MAX_CLASSES];
    size_t count = 0;
    rt_dim one = rt_module_constant_dim(d->module, 1);
    rt_type type = rt_builder_type(b, logits);
    int64_t theirs = -1;
    rt_dim_is_constant(rt_module_dims(d->module), type.dims[1], &theirs);
    for (const char *at = classes; *at; at += strspn(at, " ")) {
        char *end;
        long index = strtol(at, &end, 10);
        if (end == at || (*end && *end != ' ') || index < 0 || index >= theirs ||
            count == MAX_CLASSES) {
            (void)rt_pass_fail(d->context, RT_INVALID_ARGUMENT,
                               "option classes must name the teacher's classes from 0 to %lld, "
                               "separated by blanks, not '%s'",
                               (long long)theirs - 1, classes);
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
    const char *name = d->terms[index].name;
    int number = 1;
    for (size_t i = 0; i < index; ++i) number += strcmp(d->terms[i].name, name) == 0;
    return number == 1 ? name : rt_arena_format(d->context->scratch, "%s.%d", name, number);
}

/* Student and teacher in one graph. */
typedef struct inlined_pair {
    rt_inlined_model student, teacher;
    rt_value logits, labels;       /* where a term reads them */
    rt_value taught[MAX_TEACHERS]; /* logits of teachers */
    size_t taught_count;
} inlined_pair;

/* A teacher draws nothing and never trains, whatever its graph was made for. */
static bool inline_teacher(distiller *d, rt_builder *b, size_t index, inlined_pair *pair) {
    rt_inlined_model model;
    rt_graph *still = rt_graph_rewrite(d->teachers[index], rt_rewrite_without_dropout, NULL);
    if (!still || !inline_model(d, b, still, &model)) return false;
    rt_value logits = logits_of(&model);
    if (index == 0) pair->teacher = model;
    if (rt_value_is(logits))
        pair->taught[pair->taught_count++] = reorder_classes(d, b, d->classes[index], logits);
    return true;
}

static bool inline_pair(distiller *d, rt_builder *b, const rt_graph *student, inlined_pair *pair) {
    *pair = (inlined_pair){.logits = RT_NO_VALUE, .labels = RT_NO_VALUE};
    if (!inline_model(d, b, student, &pair->student)) return false;
    pair->logits = logits_of(&pair->student);
    for (size_t i = 0; i < d->teacher_count; ++i)
        if (!inline_teacher(d, b, i, pair)) return false;
    return true;
}

static rt_value build_hard(distiller *d, rt_builder *b, const rt_loss_term *term,
                           inlined_pair *pair) {
    if (!rt_value_is(pair->labels)) {
        pair->labels = add_labels(d, b, pair->logits);
        if (d->unlabelled == UNLABELLED_TEACHER && pair->taught_count)
            pair->labels =
                rt_build_taught_labels(b, pair->labels, pair->taught, pair->taught_count);
    }
    if (d->unlabelled == UNLABELLED_SKIP)
        return rt_build_labelled_loss(b, term, pair->logits, pair->labels);
    rt_value logits = rows_of_term(d, b, term, pair->logits);
    return rt_build_loss_term(b, term, logits, RT_NO_VALUE, pair->labels);
}

static rt_value build_term(distiller *d, rt_builder *b, const rt_loss_term *term,
                           inlined_pair *pair) {
    if (!rt_loss_reads_logits(term))
        return rt_build_feature_term(b, d->context, term, &pair->student, &pair->teacher);
    if (term->kind == RT_LOSS_HARD) return build_hard(d, b, term, pair);
    rt_value taught = rt_build_joint_logits(b, term, pair->taught, pair->taught_count);
    return rt_build_loss_term(b, term, rows_of_term(d, b, term, pair->logits),
                              rows_of_term(d, b, term, taught), RT_NO_VALUE);
}

/* The weighted sum of the terms, which stand in `terms`; RT_NO_VALUE where none has a weight. */
static rt_value build_terms(distiller *d, rt_builder *b, inlined_pair *pair, rt_value *terms) {
    rt_value total = RT_NO_VALUE;
    for (size_t i = 0; i < d->term_count; ++i) {
        b->location = (rt_location){.name = term_name(d, i)};
        terms[i] = scale_by_share(d, b, &d->terms[i], build_term(d, b, &d->terms[i], pair));
        if (d->terms[i].weight == 0) continue;
        rt_value weighted = rt_build_scale(b, terms[i], d->terms[i].weight);
        total = rt_value_is(total) ? rt_build_add(b, total, weighted) : weighted;
    }
    return total;
}

/* The loss; each term is an output of its own too. */
static void add_losses(distiller *d, rt_builder *b, inlined_pair *pair) {
    rt_value terms[RT_MAX_LOSS_TERMS], total = build_terms(d, b, pair, terms);
    if (rt_value_is(total)) rt_graph_add_output(b->graph, "loss", total);
    for (size_t i = 0; i < d->term_count; ++i)
        if (rt_value_is(terms[i])) rt_graph_add_output(b->graph, term_name(d, i), terms[i]);
}

static rt_status finish(const distiller *d, const rt_graph *graph) {
    rt_status status = rt_module_status(d->module);
    if (status != RT_OK) return status;
    if (rt_diagnostics_failed(d->context->diagnostics)) return RT_INVALID_DATA;
    return graph ? RT_OK : RT_OUT_OF_MEMORY;
}

static rt_status build_step(distiller *d) {
    inlined_pair pair;
    rt_graph *graph = rt_module_add_graph(d->module, "step");
    if (!graph) return RT_OUT_OF_MEMORY;
    rt_builder b = rt_builder_begin(graph);
    bool is_built = inline_pair(d, &b, d->student, &pair);
    if (is_built) add_losses(d, &b, &pair);
    RT_TRY(finish(d, graph));
    if (is_built && !rt_value_is(rt_graph_find_output(graph, "loss")))
        return rt_pass_fail(d->context, RT_INVALID_ARGUMENT, "no term has a weight above 0");
    return is_built ? RT_OK : RT_OUT_OF_MEMORY;
}

/* What terms over states compare of the student, at first tokens, as one output. */
static void add_features(distiller *d, rt_builder *b, const rt_inlined_model *student) {
    rt_value *parts = NULL;
    size_t count = 0, room = 0;
    for (size_t i = 0; i < d->term_count; ++i) {
        const rt_loss_term *term = &d->terms[i];
        if (term->form != RT_FORM_STATES && term->form != RT_FORM_FIRST) continue;
        rt_value *grown = rt_arena_grow(d->context->scratch, parts, &room, count + term->pair_count,
                                        sizeof *parts);
        if (!grown || !rt_build_projected_firsts(b, d->context, term, student, grown + count))
            return;
        parts = grown;
        count += term->pair_count;
    }
    if (count) rt_graph_add_output(b->graph, "features", rt_build_concat(b, parts, count, 1));
}

/* What is predicted of masked tokens is too much to be an output where labels tell what it is for.
 */
static rt_status build_token_inference(distiller *d, const rt_graph *still, const char *name,
                                       bool has_labels) {
    static const rt_loss_term hard = {
        .kind = RT_LOSS_HARD, .weight = 1, .temperature = 1, .is_of_masked = true};
    rt_inlined_model student;
    rt_graph *graph = rt_module_add_graph(d->module, name);
    if (!graph) return RT_OUT_OF_MEMORY;
    rt_builder b = rt_builder_begin(graph);
    if (!inline_model(d, &b, still, &student)) return finish(d, NULL);
    rt_value logits = rows_of_term(d, &b, &hard, logits_of(&student));
    if (has_labels) {
        rt_value labels = add_labels(d, &b, logits);
        rt_graph_add_output(graph, "loss",
                            rt_build_loss_term(&b, &hard, logits, RT_NO_VALUE, labels));
        rt_graph_add_output(graph, "accuracy", rt_build_accuracy(&b, logits, labels));
    } else {
        rt_graph_add_output(graph, "logits", logits);
    }
    return finish(d, graph);
}

static rt_status build_evaluate(distiller *d, const rt_graph *still) {
    static const rt_loss_term hard = {.kind = RT_LOSS_HARD, .weight = 1, .temperature = 1};
    rt_value terms[RT_MAX_LOSS_TERMS], loss;
    inlined_pair pair = {.labels = RT_NO_VALUE};
    if (d->is_masked) return build_token_inference(d, still, "evaluate", true);
    rt_graph *graph = rt_module_add_graph(d->module, "evaluate");
    if (!graph) return RT_OUT_OF_MEMORY;
    rt_builder b = rt_builder_begin(graph);
    if (d->reads_logits) {
        if (!inline_model(d, &b, still, &pair.student)) return finish(d, NULL);
        pair.logits = logits_of(&pair.student);
        rt_value labels = add_labels(d, &b, pair.logits);
        loss = rt_build_loss_term(&b, &hard, pair.logits, RT_NO_VALUE, labels);
    } else {
        if (!inline_pair(d, &b, still, &pair)) return finish(d, NULL);
        loss = build_terms(d, &b, &pair, terms);
    }
    rt_graph_add_output(graph, "logits", pair.logits);
    rt_graph_add_output(graph, "loss", loss);
    if (d->shows_features) add_features(d, &b, &pair.student);
    return finish(d, graph);
}

static rt_status build_predict(distiller *d, const rt_graph *still) {
    rt_inlined_model student;
    if (d->is_masked) return build_token_inference(d, still, "predict", false);
    rt_graph *graph = rt_module_add_graph(d->module, "predict");
    if (!graph) return RT_OUT_OF_MEMORY;
    rt_builder b = rt_builder_begin(graph);
    if (!inline_model(d, &b, still, &student)) return finish(d, NULL);
    rt_value logits = logits_of(&student);
    rt_graph_add_output(graph, "logits", logits);
    if (!d->is_regression)
        rt_graph_add_output(graph, "probabilities", rt_build_softmax(&b, logits));
    return finish(d, graph);
}

/* What only a teacher was made for must not train. */
static void freeze_teachers(const distiller *d) {
    for (size_t t = 0; t < d->teacher_count; ++t)
        for (size_t i = 0; i < rt_graph_node_count(d->teachers[t]); ++i) {
            rt_node node = {(uint32_t)i};
            if (rt_graph_node(d->teachers[t], node)->op != RT_OP_parameter) continue;
            rt_parameter parameter =
                rt_graph_attr(d->teachers[t], node, RT_ATTR_parameter_parameter).parameter;
            rt_module_edit_parameter(d->module, parameter)->is_trainable = false;
        }
}

rt_status rt_pass_distil(rt_pass_context *context, rt_module *module) {
    distiller d = {.context = context, .module = module};
    RT_TRY(read_options(&d));
    if (!d.student) return RT_OK;
    freeze_teachers(&d);
    RT_TRY(build_step(&d));
    rt_graph *still = rt_graph_rewrite(d.student, rt_rewrite_without_dropout, NULL);
    if (!still) return finish(&d, NULL);
    RT_TRY(build_evaluate(&d, still));
    RT_TRY(build_predict(&d, still));
    rt_pass_count(context, "loss terms", (int64_t)d.term_count);
    rt_module_remove_graph(module, rt_graph_name(d.student));
    for (size_t i = 0; i < d.teacher_count; ++i)
        rt_module_remove_graph(module, rt_graph_name(d.teachers[i]));
    return RT_OK;
}
