// SPDX-License-Identifier: Apache-2.0
/* A spec's job: models and method. The loss is in job_loss.c, classes and vocabulary in job_data.c,
 * whether all fits together in job_fit.c. */
#include "models/job.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "models/build.h"
#include "models/formats.h"
#include "models/job_internal.h"
#include "models/select.h"
#include "runtime/base/check.h"

rt_origin_kind rt_origin_of(const rt_spec_value *from) {
    if (!from->is_present) return RT_ORIGIN_RANDOM;
    size_t length = strlen(from->text);
    bool is_onnx = length > 5 && strcmp(from->text + length - 5, ".onnx") == 0;
    return is_onnx ? RT_ORIGIN_ONNX : RT_ORIGIN_SAVED;
}

static bool is_choice(const rt_spec_value *value, const char *choice) {
    return value->is_present && strcmp(value->text, choice) == 0;
}

/* ---- models */

static void read_saved(rt_job_reader *r, const rt_spec_value *from, rt_job_model *model) {
    rt_error error;
    rt_status status = rt_saved_model_find(from->path, r->arena, &model->files, &error);
    if (status == RT_OK)
        status = rt_model_config_read(model->files.config, r->arena, &model->config, &error);
    model->has_config = status == RT_OK;
    if (status != RT_OK) rt_diagnose(r->diagnostics, RT_ERROR, from->location, "%s", error.text);
}

/* What was imported of an ONNX file, and why it is no encoder. */
typedef struct imported_origin {
    const rt_model_config *config;
    const char *mismatch;
} imported_origin;

static void read_import(rt_job_reader *r, const rt_spec_value *from, imported_origin imported,
                        rt_job_model *model) {
    const rt_model_config *import = imported.config;
    rt_error error;
    if (rt_saved_model_find(from->path, r->arena, &model->files, &error) != RT_OK)
        rt_diagnose(r->diagnostics, RT_ERROR, from->location, "%s", error.text);
    model->has_config = import != NULL;
    if (import) {
        model->config = *import;
        rt_job_name_labels(r, from->path, &model->config);
        return;
    }
    rt_diagnose(r->diagnostics, RT_ERROR, from->location,
                "%s: the graph is no bert, distilbert or roberta encoder, which %s must be: %s",
                from->path, model == &r->job->student ? "what trains" : "a teacher",
                imported.mismatch ? imported.mismatch : "it was not imported");
}

static void read_origin(rt_job_reader *r, const rt_spec_value *from, imported_origin imported,
                        rt_job_model *model) {
    model->origin = rt_origin_of(from);
    model->location = from->location;
    if (model->origin == RT_ORIGIN_SAVED) {
        read_saved(r, from, model);
    } else if (model->origin == RT_ORIGIN_ONNX) {
        read_import(r, from, imported, model);
    }
}

static void read_teachers(rt_job_reader *r) {
    const rt_job_options *o = r->options;
    rt_job *job = r->job;
    size_t others = rt_spec_item_count(r->spec, RT_SPEC_SECTION_teacher);
    if (!job->has_teacher) return;
    read_origin(r, rt_spec_get(r->spec, RT_SPEC_teacher_from),
                (imported_origin){o->teacher_import, o->teacher_mismatch}, &job->teacher);
    if (others >= RT_MAX_TEACHERS) {
        rt_diagnose(
            r->diagnostics, RT_ERROR, rt_spec_section_location(r->spec, RT_SPEC_SECTION_teacher),
            "there are %zu teachers, but at most %d can teach", others + 1, RT_MAX_TEACHERS);
        return;
    }
    for (size_t i = 0; i < others; ++i)
        read_origin(r, rt_spec_item(r->spec, RT_SPEC_teacher_from, i),
                    (imported_origin){o->other_imports[i], o->other_mismatches[i]},
                    &job->others[job->other_count++]);
}

/* Layers that start from a teacher's compute as the teacher's do, where the spec says nothing. */
static void adopt_teacher(rt_job_reader *r) {
    rt_model_config *ours = &r->job->student.config;
    const rt_model_config *theirs = &r->job->teacher.config;
    if (!r->job->student.has_config || !r->job->teacher.has_config) return;
    bool counts_alike =
        rt_model_config_first_position(ours) == rt_model_config_first_position(theirs);
    if (!rt_spec_get(r->spec, RT_SPEC_model_ffn)->is_present)
        ours->inner_width = theirs->inner_width;
    if (!rt_spec_get(r->spec, RT_SPEC_model_positions)->is_present && counts_alike)
        ours->positions = theirs->positions;
    if (!rt_spec_get(r->spec, RT_SPEC_model_epsilon)->is_present) ours->epsilon = theirs->epsilon;
    if (!rt_spec_get(r->spec, RT_SPEC_model_activation)->is_present)
        ours->activation = theirs->activation;
    if (!rt_spec_get(r->spec, RT_SPEC_model_vocabulary_size)->is_present)
        ours->vocabulary_size = theirs->vocabulary_size;
}

static void read_student(rt_job_reader *r) {
    rt_job_model *student = &r->job->student;
    read_origin(r, rt_spec_get(r->spec, RT_SPEC_model_from),
                (imported_origin){r->options->student_import, r->options->student_mismatch},
                student);
    bool has_start = student->origin != RT_ORIGIN_RANDOM;
    if (has_start && !student->has_config) return;
    student->has_config =
        rt_model_config_apply_spec(&student->config, has_start, r->spec, r->diagnostics);
    if (rt_spec_get(r->spec, RT_SPEC_model_layers_from)->is_present) adopt_teacher(r);
}

/* ---- method */

static const char *select_parameters(rt_job_reader *r, rt_spec_key key) {
    const rt_spec_value *value = rt_spec_get(r->spec, key);
    if (!value->is_present || !r->job->student.has_config) return "";
    const char *names = rt_model_select(&r->job->student.config, value, r->arena, r->diagnostics);
    return names ? names : "";
}

/* Texts and numbers as the options of a pass stand. */
static const char *option_text(rt_job_reader *r, const rt_spec_row *row,
                               const rt_spec_value *value) {
    const char *text = "";
    switch (row->kind) {
    case RT_SPEC_INT: return rt_arena_format(r->arena, "%lld", (long long)value->integer);
    case RT_SPEC_FLOAT:
    case RT_SPEC_POSITIVE: return rt_arena_format(r->arena, "%.17g", value->real);
    case RT_SPEC_BOOL: return value->integer ? "true" : "false";
    case RT_SPEC_INTS:
        for (size_t i = 0; i < value->count && text; ++i)
            text = rt_arena_format(r->arena, "%s%s%lld", text, i ? " " : "",
                                   (long long)value->integers[i]);
        return text;
    case RT_SPEC_TEXTS:
        for (size_t i = 0; i < value->count && text; ++i)
            text = rt_arena_format(r->arena, "%s%s%s", text, i ? " " : "", value->texts[i]);
        return text;
    default: return value->text;
    }
}

static void add_option(rt_job_reader *r, const char *key, const char *value, rt_location location) {
    rt_job *job = r->job;
    if (!value || RT_NEVER(job->adapt_count == RT_MAX_JOB_OPTIONS)) return;
    job->adapt[job->adapt_count++] = (rt_job_option){key, value, location};
}

/* Every key of the section that is given is an option of the pass, but what it starts `from` and
 * what is said layer by layer:
 * `kind` is its `method`, patterns are looked up among the model's parameters. */
static void read_method(rt_job_reader *r) {
    for (int key = 0; key < RT_SPEC_KEY_COUNT; ++key) {
        const rt_spec_row *row = rt_spec_row_of((rt_spec_key)key);
        const rt_spec_value *value = rt_spec_get(r->spec, (rt_spec_key)key);
        bool is_selection = key == RT_SPEC_method_freeze || key == RT_SPEC_method_train;
        bool is_option = row->section == RT_SPEC_SECTION_method && key != RT_SPEC_method_from &&
                         key != RT_SPEC_method_unfreeze &&
                         key != RT_SPEC_method_layer_rate_divisor && key != RT_SPEC_method_imitate;
        if (!is_option || !value->is_given) continue;
        add_option(r, key == RT_SPEC_method_kind ? "method" : row->name,
                   is_selection ? select_parameters(r, (rt_spec_key)key)
                                : option_text(r, row, value),
                   value->location);
    }
    if (!r->job->student.has_config) return;
    add_option(r, "head", rt_model_select_head(&r->job->student.config, r->arena),
               (rt_location){0});
}

/* What hard terms make of rows without labels, where there are any. */
static void read_unlabelled(rt_job_reader *r) {
    size_t count = rt_spec_item_count(r->spec, RT_SPEC_SECTION_loss);
    if (!rt_spec_get(r->spec, RT_SPEC_data_unlabelled)->is_present) return;
    r->job->unlabelled = "skip";
    for (size_t i = 0; i < count; ++i) {
        const rt_spec_value *value = rt_spec_item(r->spec, RT_SPEC_loss_unlabelled, i);
        if (value->is_present) r->job->unlabelled = value->text;
    }
    if (strcmp(r->job->unlabelled, "teacher") == 0) r->job->reads_teacher_logits = true;
}

/* The rows of formats name metrics by their identifiers: ACCURACY for accuracy. */
static const char *lower_case(rt_arena *arena, const char *text) {
    char *copy = rt_arena_copy_string(arena, text);
    for (char *c = copy; c && *c; ++c) *c = (char)tolower((unsigned char)*c);
    return copy;
}

static void read_metric(rt_job_reader *r) {
    const rt_spec_value *metric = rt_spec_get(r->spec, RT_SPEC_task_metric);
    const rt_format *format = rt_format_find(rt_spec_get(r->spec, RT_SPEC_data_format)->text);
    r->job->metric = metric->is_present      ? metric->text
                     : r->job->is_mlm        ? "loss"
                     : format                ? lower_case(r->arena, format->metric)
                     : r->job->is_regression ? "pearson"
                                             : "accuracy";
}

int64_t rt_job_longest_row(const rt_job *job, const rt_model_config *config) {
    int64_t longest = rt_model_config_longest_row(config);
    return longest == INT64_MAX ? longest : longest - job->first_position;
}

rt_status rt_job_read(const rt_spec *spec, const rt_job_options *options, rt_arena *arena,
                      rt_job *job, rt_diagnostics *diagnostics) {
    size_t errors = diagnostics->error_count;
    rt_job_reader r = {
        .job = job, .spec = spec, .options = options, .diagnostics = diagnostics, .arena = arena};
    *job = (rt_job){.spec = spec};
    const rt_spec_value *prompt = rt_spec_get(spec, RT_SPEC_method_prompt_tokens);
    job->first_position = rt_spec_get(spec, RT_SPEC_method_position_offset)->integer;
    if (prompt->is_present) job->first_position += prompt->integer;
    job->has_teacher = rt_spec_has_section(spec, RT_SPEC_SECTION_teacher);
    job->is_regression = rt_spec_is_regression(spec);
    job->is_mlm = rt_spec_is_mlm(spec);
    job->has_key_mask = is_choice(rt_spec_get(spec, RT_SPEC_data_padding), "counted");
    if (options->random_teacher)
        job->teacher = (rt_job_model){.config = *options->random_teacher, .has_config = true};
    else
        read_teachers(&r);
    read_student(&r);
    rt_job_read_vocabulary(&r);
    rt_job_read_word_vectors(&r);
    rt_job_read_pairs(&r);
    rt_job_read_loss(&r);
    read_unlabelled(&r);
    rt_job_read_labels(&r);
    rt_job_check_fit(&r);
    read_method(&r);
    rt_job_read_layers(&r);
    read_metric(&r);
    if (rt_arena_failed(r.arena)) return RT_OUT_OF_MEMORY;
    return diagnostics->error_count > errors ? RT_INVALID_DATA : RT_OK;
}

/* ---- building */

static rt_status build_model(const rt_job_model *model, rt_module *module,
                             const rt_build_options *build) {
    rt_diagnostics *diagnostics = rt_module_diagnostics(module);
    if (!rt_model_build(module, &model->config, build)) {
        rt_status status = rt_module_status(module);
        return status == RT_OK ? RT_OUT_OF_MEMORY : status;
    }
    if (model->origin != RT_ORIGIN_SAVED) return RT_OK;
    rt_load_options load = {.parameter_prefix = build->parameter_prefix,
                            .parts = rt_model_parts_of_outputs(build->outputs),
                            .needs_head = *build->parameter_prefix != 0,
                            .location = model->location};
    return rt_model_load_sources(module, &model->config, model->files.weights, &load, diagnostics);
}

rt_status rt_job_build_student(const rt_job *job, rt_module *module, const char *graph_name,
                               unsigned outputs, bool is_training) {
    rt_build_options build = {.graph_name = graph_name,
                              .parameter_prefix = "",
                              .outputs = outputs,
                              .is_training = is_training,
                              .is_trainable = is_training,
                              .has_key_mask = job->has_key_mask};
    return build_model(&job->student, module, &build);
}

/* Teachers behind the first: their logits alone are read. */
static rt_status build_others(const rt_job *job, rt_module *module) {
    for (size_t i = 0; i < job->other_count; ++i) {
        char name[32], prefix[32];
        snprintf(name, sizeof name, "teacher.%zu", i + 2);
        snprintf(prefix, sizeof prefix, "teacher/%zu/", i + 2);
        rt_build_options build = {.graph_name = name,
                                  .parameter_prefix = prefix,
                                  .outputs = RT_OUTPUT_LOGITS,
                                  .has_key_mask = job->has_key_mask};
        if (job->others[i].has_config) RT_TRY(build_model(&job->others[i], module, &build));
    }
    return RT_OK;
}

rt_status rt_job_build(const rt_job *job, rt_module *module) {
    const rt_spec_value *layers = rt_spec_get(job->spec, RT_SPEC_model_layers_from);
    unsigned features = job->compares_features ? RT_OUTPUT_HIDDEN_STATES | RT_OUTPUT_ATTENTION : 0;
    unsigned logits = job->reads_teacher_logits ? RT_OUTPUT_LOGITS : 0;
    rt_build_options teacher = {.graph_name = "teacher",
                                .parameter_prefix = "teacher/",
                                .outputs = logits | features,
                                .has_key_mask = job->has_key_mask};
    RT_TRY(rt_job_build_student(job, module, "student", RT_OUTPUT_LOGITS | features, true));
    if (job->has_teacher && job->teacher.has_config)
        RT_TRY(build_model(&job->teacher, module, &teacher));
    if (job->reads_teacher_logits) RT_TRY(build_others(job, module));
    if (!layers->is_present) return RT_OK;
    return rt_model_copy_layers(module, &job->student.config, &job->teacher.config, "teacher/",
                                layers->integers, layers->location);
}
