// SPDX-License-Identifier: Apache-2.0
/* The driver from a spec to graphs: models are built and get their sources, then the pipeline of
 * passes makes the training program of them. A method is an option of a pass, nothing here. */
#include "compiler/training_program.h"

#include <string.h>

#include "compiler/spec_model.h"
#include "ir/name_pattern.h"
#include "models/build.h"
#include "passes/pass_manager.h"

static const char TEACHER_PREFIX[] = "teacher/";

typedef struct program {
    const rt_spec *spec;
    rt_diagnostics *diagnostics;
    rt_arena arena; /* until the passes have run */
    rt_module *module;
    rt_spec_model student, teacher;
    bool has_teacher;
    rt_pass_manager *manager;
} program;

/* ---- models */

static rt_status build_student(program *p, unsigned outputs, bool is_training) {
    bool is_padded = strcmp(rt_spec_get(p->spec, RT_SPEC_data_padding)->text, "counted") == 0;
    rt_build_options build = {.graph_name = is_training ? "student" : "predict",
                              .parameter_prefix = "",
                              .outputs = outputs,
                              .is_training = is_training,
                              .is_trainable = is_training,
                              .has_key_mask = is_padded};
    rt_load_options load = {.parameter_prefix = "",
                            .parts = rt_model_parts_of_outputs(outputs),
                            .location = p->student.location};
    if (!rt_model_build(p->module, &p->student.config, &build)) return RT_INVALID_DATA;
    if (!p->student.has_start) return RT_OK;
    return rt_model_load_sources(p->module, &p->student.config, p->student.saved.weights, &load,
                                 p->diagnostics);
}

static rt_status build_teacher(program *p) {
    bool is_padded = strcmp(rt_spec_get(p->spec, RT_SPEC_data_padding)->text, "counted") == 0;
    rt_build_options build = {.graph_name = "teacher",
                              .parameter_prefix = TEACHER_PREFIX,
                              .outputs = RT_OUTPUT_LOGITS,
                              .has_key_mask = is_padded};
    rt_load_options load = {.parameter_prefix = TEACHER_PREFIX,
                            .parts = rt_model_parts_of_outputs(RT_OUTPUT_LOGITS),
                            .needs_head = true,
                            .location = p->teacher.location};
    const rt_spec_value *layers = rt_spec_get(p->spec, RT_SPEC_model_layers_from);
    if (!rt_model_build(p->module, &p->teacher.config, &build)) return RT_INVALID_DATA;
    RT_TRY(rt_model_load_sources(p->module, &p->teacher.config, p->teacher.saved.weights, &load,
                                 p->diagnostics));
    if (!layers->is_present) return RT_OK;
    return rt_model_copy_layers(p->module, &p->student.config, &p->teacher.config, TEACHER_PREFIX,
                                layers->integers, layers->location);
}

/* ---- options of the passes */

static rt_status set_option(program *p, rt_pass pass, const char *key, const char *value) {
    return value ? rt_pass_manager_set(p->manager, pass, key, value) : RT_OUT_OF_MEMORY;
}

static rt_status set_number(program *p, rt_pass pass, const char *key, double value) {
    return set_option(p, pass, key, rt_arena_format(&p->arena, "%.17g", value));
}

/* The names of the model's parameters whose role or whole name the patterns select, separated by
 * blanks. A pattern without any is diagnosed where it stands. */
static const char *select_names(program *p, const rt_model_parameters *parameters,
                                const rt_spec_value *patterns) {
    const char *names = "";
    for (size_t i = 0; i < patterns->count && names; ++i) {
        bool is_found = false;
        rt_error error;
        if (rt_name_pattern_check(patterns->texts[i], &error) != RT_OK) {
            rt_diagnose(p->diagnostics, RT_ERROR, patterns->location, "%s", error.text);
            return NULL;
        }
        for (size_t k = 0; k < parameters->count && names; ++k) {
            const rt_model_parameter *parameter = &parameters->items[k];
            if (!rt_name_pattern_matches(patterns->texts[i], parameter->role) &&
                !rt_name_pattern_matches(patterns->texts[i], parameter->name))
                continue;
            is_found = true;
            names = rt_arena_format(&p->arena, "%s %s", names, parameter->name);
        }
        if (!is_found)
            rt_diagnose(p->diagnostics, RT_ERROR, patterns->location,
                        "'%s' matches no parameter; `retort inspect --parameters` lists them",
                        patterns->texts[i]);
    }
    return names;
}

static const char *head_names(program *p, const rt_model_parameters *parameters) {
    const char *names = "";
    for (size_t k = 0; k < parameters->count && names; ++k)
        if (parameters->items[k].is_head)
            names = rt_arena_format(&p->arena, "%s %s", names, parameters->items[k].name);
    return names;
}

static rt_status set_method(program *p) {
    const rt_spec_value *kind = rt_spec_get(p->spec, RT_SPEC_method_kind);
    bool is_head = strcmp(kind->text, "head") == 0;
    rt_model_parameters parameters;
    if (!rt_model_list_parameters(&p->student.config, RT_PART_HEAD, &p->arena, &parameters))
        return RT_OUT_OF_MEMORY;
    const char *freeze = select_names(p, &parameters, rt_spec_get(p->spec, RT_SPEC_method_freeze));
    const char *train = select_names(p, &parameters, rt_spec_get(p->spec, RT_SPEC_method_train));
    if (is_head && train)
        train = rt_arena_format(&p->arena, "%s%s", train, head_names(p, &parameters));
    if (rt_diagnostics_failed(p->diagnostics)) return RT_INVALID_DATA;
    RT_TRY(set_option(p, RT_PASS_adapt, "base", is_head ? "none" : "all"));
    RT_TRY(set_option(p, RT_PASS_adapt, "freeze", freeze));
    return set_option(p, RT_PASS_adapt, "train", train);
}

/* "0.9*soft(4 batchmean)+0.1*hard" of section loss. */
static const char *loss_terms(program *p) {
    size_t count = rt_spec_item_count(p->spec, RT_SPEC_SECTION_loss);
    const char *terms = count ? "" : "hard";
    for (size_t i = 0; i < count && terms; ++i) {
        const char *kind = rt_spec_item(p->spec, RT_SPEC_loss_kind, i)->text;
        const char *reduction = rt_spec_item(p->spec, RT_SPEC_loss_reduction, i)->text;
        double weight = rt_spec_item(p->spec, RT_SPEC_loss_weight, i)->real;
        double temperature = rt_spec_item(p->spec, RT_SPEC_loss_temperature, i)->real;
        terms = rt_arena_format(&p->arena, "%s%s%.17g*%s", terms, i ? "+" : "", weight, kind);
        if (terms && strcmp(kind, "soft") == 0)
            terms = rt_arena_format(&p->arena, "%s(%.17g %s)", terms, temperature, reduction);
        else if (terms && strcmp(kind, "logit_mse") == 0)
            terms = rt_arena_format(&p->arena, "%s(%s)", terms, reduction);
    }
    return terms;
}

/* Where both sides name their classes: the teacher's class for each of the task's. */
static rt_status set_classes(program *p) {
    const rt_spec_value *given = rt_spec_get(p->spec, RT_SPEC_teacher_labels);
    const rt_model_config *ours = &p->student.config, *theirs = &p->teacher.config;
    const char *const *names = given->is_present ? given->texts : theirs->labels;
    const char *classes = "";
    if (!ours->labels || !names) return RT_OK;
    bool is_same_order = true;
    for (int64_t i = 0; i < ours->label_count && classes; ++i) {
        int64_t k = 0;
        while (k < theirs->label_count && strcmp(names[k], ours->labels[i]) != 0) ++k;
        if (k == theirs->label_count && !given->is_present) return RT_OK; /* unnamed: LABEL_0 … */
        if (k == theirs->label_count)
            return rt_diagnose_error(p->diagnostics, RT_INVALID_DATA, given->location,
                                     "the teacher's classes lack the task's '%s'", ours->labels[i]);
        is_same_order = is_same_order && k == i;
        classes = rt_arena_format(&p->arena, "%s%s%lld", classes, i ? " " : "", (long long)k);
    }
    return is_same_order ? RT_OK : set_option(p, RT_PASS_distil, "classes", classes);
}

static rt_status set_loss(program *p) {
    RT_TRY(set_option(p, RT_PASS_distil, "terms", loss_terms(p)));
    if (p->student.config.is_regression)
        RT_TRY(set_option(p, RT_PASS_distil, "regression", "true"));
    return p->has_teacher ? set_classes(p) : RT_OK;
}

static rt_status set_optimiser(program *p) {
    const rt_spec_value *betas = rt_spec_get(p->spec, RT_SPEC_training_betas);
    if (betas->count != 2)
        return rt_diagnose_error(p->diagnostics, RT_INVALID_DATA, betas->location,
                                 "training.betas takes two numbers, here are %zu", betas->count);
    RT_TRY(set_option(p, RT_PASS_update, "optimizer",
                      rt_spec_get(p->spec, RT_SPEC_training_optimizer)->text));
    RT_TRY(set_number(p, RT_PASS_update, "weight_decay",
                      rt_spec_get(p->spec, RT_SPEC_training_weight_decay)->real));
    RT_TRY(set_number(p, RT_PASS_update, "clip_norm",
                      rt_spec_get(p->spec, RT_SPEC_training_clip_norm)->real));
    RT_TRY(set_number(p, RT_PASS_update, "beta1", betas->reals[0]));
    RT_TRY(set_number(p, RT_PASS_update, "beta2", betas->reals[1]));
    RT_TRY(set_number(p, RT_PASS_update, "epsilon",
                      rt_spec_get(p->spec, RT_SPEC_training_epsilon)->real));
    bool accumulates = rt_spec_get(p->spec, RT_SPEC_training_accumulate)->integer > 1;
    return set_option(p, RT_PASS_differentiate, "accumulate", accumulates ? "true" : "false");
}

/* ---- the whole */

static rt_status make_training(program *p) {
    p->has_teacher = rt_spec_has_section(p->spec, RT_SPEC_SECTION_teacher);
    if (!rt_spec_resolve_model(p->spec, &p->arena, &p->student, p->diagnostics))
        return RT_INVALID_DATA;
    if (p->has_teacher &&
        !rt_spec_resolve_teacher(p->spec, &p->student, &p->arena, &p->teacher, p->diagnostics))
        return RT_INVALID_DATA;
    RT_TRY(build_student(p, RT_OUTPUT_LOGITS, true));
    if (p->has_teacher) RT_TRY(build_teacher(p));
    RT_TRY(rt_pass_manager_add_pipeline(p->manager, "training"));
    RT_TRY(set_method(p));
    RT_TRY(set_loss(p));
    RT_TRY(set_optimiser(p));
    return rt_pass_manager_run(p->manager, p->module);
}

static rt_status make_inference(program *p) {
    if (!rt_spec_resolve_model(p->spec, &p->arena, &p->student, p->diagnostics))
        return RT_INVALID_DATA;
    unsigned outputs = rt_model_config_is_encoder(&p->student.config)
                           ? RT_OUTPUT_LAST_HIDDEN_STATE | RT_OUTPUT_POOLER
                           : RT_OUTPUT_LOGITS;
    RT_TRY(build_student(p, outputs, false));
    RT_TRY(rt_pass_manager_add_pipeline(p->manager, "inference"));
    return rt_pass_manager_run(p->manager, p->module);
}

static rt_module *make(const rt_spec *spec, rt_diagnostics *diagnostics,
                       rt_status (*fill)(program *p)) {
    program p = {.spec = spec, .diagnostics = diagnostics};
    p.module = rt_module_create(diagnostics);
    p.manager = rt_pass_manager_create(diagnostics);
    rt_status status = p.module && p.manager ? fill(&p) : RT_OUT_OF_MEMORY;
    if (status == RT_OK && p.module) status = rt_module_status(p.module);
    if (status != RT_OK && !rt_diagnostics_failed(diagnostics))
        rt_diagnose(diagnostics, RT_ERROR, (rt_location){.file = rt_spec_path(spec)}, "%s",
                    rt_status_text(status));
    rt_pass_manager_destroy(p.manager);
    rt_arena_deinit(&p.arena);
    if (status == RT_OK) return p.module;
    rt_module_destroy(p.module);
    return NULL;
}

rt_module *rt_training_program(const rt_spec *spec, rt_diagnostics *diagnostics) {
    return make(spec, diagnostics, make_training);
}

rt_module *rt_inference_program(const rt_spec *spec, rt_diagnostics *diagnostics) {
    return make(spec, diagnostics, make_inference);
}
