// SPDX-License-Identifier: Apache-2.0
/* The driver from a spec to graphs: models are built and get their sources, then the pipeline of
 * passes makes the training program of them. A method is an option of a pass, nothing here. */
#include "compiler/training_program.h"

#include <stdlib.h>
#include <string.h>

#include "compiler/import_model.h"
#include "compiler/target_passes.h"
#include "models/build.h"
#include "models/job.h"
#include "models/peft.h"
#include "passes/pass_manager.h"
#include "runtime/base/check.h"

typedef struct program {
    const rt_spec *spec;
    rt_diagnostics *diagnostics;
    rt_arena arena; /* until the passes have run */
    rt_module *module;
    rt_job job;
    rt_job_options options;
    rt_imported_model student, teacher; /* of ONNX files */
    rt_imported_model others[RT_MAX_TEACHERS - 1];
    rt_program_options watch;
    const char *trained; /* of an adapted program: where its weights are */
    rt_merging merging;
    rt_pass_manager *manager;
} program;

/* ---- options of the passes */

static rt_status set_option(program *p, rt_pass pass, const char *key, const char *value) {
    return value ? rt_pass_manager_set(p->manager, pass, key, value) : RT_OUT_OF_MEMORY;
}

static rt_status set_number(program *p, rt_pass pass, const char *key, double value) {
    return set_option(p, pass, key, rt_arena_format(&p->arena, "%.17g", value));
}

static rt_status set_method(program *p) {
    if (p->watch.trains_all) return RT_OK;
    for (size_t i = 0; i < p->job.adapt_count; ++i) {
        const rt_job_option *option = &p->job.adapt[i];
        RT_TRY(rt_pass_manager_set_at(p->manager, RT_PASS_adapt, option->key, option->value,
                                      option->location));
    }
    return RT_OK;
}

static rt_peft_facts peft_facts(const program *p) {
    return (rt_peft_facts){
        .alpha = rt_spec_get(p->spec, RT_SPEC_method_alpha)->real,
        .dropout = rt_spec_get(p->spec, RT_SPEC_method_dropout)->real,
        .position_offset = rt_spec_get(p->spec, RT_SPEC_method_position_offset)->integer,
        .is_prompt_first = strcmp(rt_spec_get(p->spec, RT_SPEC_method_place)->text, "first") == 0,
        .base = rt_spec_get(p->spec, RT_SPEC_model_from)->path,
    };
}

/* Phases in which layers begin to train, and their rates. */
static rt_status set_layers(program *p) {
    const rt_spec_value *unfreeze = rt_spec_get(p->spec, RT_SPEC_method_unfreeze);
    bool keeps_draws = rt_spec_get(p->spec, RT_SPEC_method_frozen_dropout)->integer != 0;
    bool accumulates = rt_spec_get(p->spec, RT_SPEC_training_accumulate)->integer > 1;
    if (!p->job.rates || !p->job.phases) return RT_OUT_OF_MEMORY;
    if (*p->job.rates) RT_TRY(set_option(p, RT_PASS_update, "rates", p->job.rates));
    RT_TRY(set_option(p, RT_PASS_unfreeze, "accumulate", accumulates ? "true" : "false"));
    RT_TRY(set_option(p, RT_PASS_unfreeze, "frozen_dropout", keeps_draws ? "true" : "false"));
    return rt_pass_manager_set_at(p->manager, RT_PASS_unfreeze, "phases", p->job.phases,
                                  unfreeze->location);
}

static rt_status set_imitation(program *p) {
    const rt_spec_value *precision = rt_spec_get(p->spec, RT_SPEC_method_imitate);
    return rt_pass_manager_set_at(p->manager, RT_PASS_imitate, "precision", precision->text,
                                  precision->location);
}

static rt_status set_loss(program *p) {
    RT_TRY(set_option(p, RT_PASS_distil, "terms", p->job.distil_terms));
    const rt_job *job = &p->job;
    if (job->teacher.classes)
        RT_TRY(set_option(p, RT_PASS_distil, "classes", job->teacher.classes));
    for (size_t i = 0; i < job->other_count; ++i) {
        const char *key = rt_arena_format(&p->arena, "classes.%zu", i + 2);
        if (!key) return RT_OUT_OF_MEMORY;
        if (job->others[i].classes)
            RT_TRY(set_option(p, RT_PASS_distil, key, job->others[i].classes));
    }
    if (job->unlabelled) RT_TRY(set_option(p, RT_PASS_distil, "unlabelled", job->unlabelled));
    if (p->watch.shows_features) RT_TRY(set_option(p, RT_PASS_distil, "features", "true"));
    RT_TRY(set_option(p, RT_PASS_distil, "masked", p->job.is_mlm ? "true" : "false"));
    return set_option(p, RT_PASS_distil, "regression", p->job.is_regression ? "true" : "false");
}

/* A number or a list of numbers, as the pass reads it. */
static const char *numbers_text(program *p, rt_spec_key key) {
    const rt_spec_value *value = rt_spec_get(p->spec, key);
    if (rt_spec_row_of(key)->kind != RT_SPEC_FLOATS)
        return rt_arena_format(&p->arena, "%.17g", value->real);
    const char *text = "";
    for (size_t i = 0; i < value->count && text; ++i)
        text = rt_arena_format(&p->arena, "%s%s%.17g", text, i ? " " : "", value->reals[i]);
    return text;
}

/* What is said of the optimiser; the rest is as its row has it. */
static rt_status set_optimiser(program *p) {
    static const rt_spec_key numbers[] = {
        RT_SPEC_training_weight_decay, RT_SPEC_training_betas,    RT_SPEC_training_rho,
        RT_SPEC_training_epsilon,      RT_SPEC_training_momentum, RT_SPEC_training_trust_ratio};
    const rt_spec_value *optimizer = rt_spec_get(p->spec, RT_SPEC_training_optimizer);
    RT_TRY(rt_pass_manager_set_at(p->manager, RT_PASS_update, "optimizer", optimizer->text,
                                  optimizer->location));
    RT_TRY(set_number(p, RT_PASS_update, "clip_norm",
                      rt_spec_get(p->spec, RT_SPEC_training_clip_norm)->real));
    for (size_t i = 0; i < RT_COUNT_OF(numbers); ++i) {
        const rt_spec_value *value = rt_spec_get(p->spec, numbers[i]);
        const char *text = numbers_text(p, numbers[i]);
        if (!value->is_given || !value->is_present) continue;
        if (!text) return RT_OUT_OF_MEMORY;
        RT_TRY(rt_pass_manager_set_at(p->manager, RT_PASS_update, rt_spec_row_of(numbers[i])->name,
                                      text, value->location));
    }
    bool accumulates = rt_spec_get(p->spec, RT_SPEC_training_accumulate)->integer > 1;
    RT_TRY(set_option(p, RT_PASS_differentiate, "accumulate", accumulates ? "true" : "false"));
    const char *calls = rt_arena_format(
        &p->arena, "%lld", (long long)rt_spec_get(p->spec, RT_SPEC_training_accumulate)->integer);
    RT_TRY(set_option(p, RT_PASS_panels, "calls", calls));
    return set_option(p, RT_PASS_hoist, "calls", calls);
}

/* ---- models */

/* Imports what is named, where that is an ONNX file. */
static rt_status import_origin(program *p, const rt_spec_value *from, rt_imported_model *model) {
    if (rt_origin_of(from) != RT_ORIGIN_ONNX) return RT_OK;
    /* The program reads the weights from wherever it is started. */
    char *real = realpath(from->path, NULL);
    const char *path = rt_arena_copy_string(&p->arena, real ? real : from->path);
    free(real);
    if (!path) return RT_OUT_OF_MEMORY;
    size_t errors = p->diagnostics->error_count;
    rt_error error;
    rt_status status = rt_import_model(path, NULL, &p->arena, p->diagnostics, model, &error);
    if (status != RT_OK && p->diagnostics->error_count == errors)
        rt_diagnose(p->diagnostics, RT_ERROR, from->location, "%s", error.text);
    return status;
}

/* Teachers behind the first. */
static rt_status import_others(program *p) {
    size_t count = rt_spec_item_count(p->spec, RT_SPEC_SECTION_teacher);
    for (size_t i = 0; i < count && i < RT_MAX_TEACHERS - 1; ++i) {
        const rt_recognition *found = &p->others[i].found;
        RT_TRY(import_origin(p, rt_spec_item(p->spec, RT_SPEC_teacher_from, i), &p->others[i]));
        if (p->others[i].is_recognised) p->options.other_imports[i] = &found->config;
        p->options.other_mismatches[i] = found->reason;
    }
    return RT_OK;
}

/* Reads the job; what was imported becomes parameters of its family. */
static rt_status read_job(program *p) {
    const rt_recognition *student = &p->student.found, *teacher = &p->teacher.found;
    RT_TRY(import_origin(p, rt_spec_get(p->spec, RT_SPEC_model_from), &p->student));
    RT_TRY(import_origin(p, rt_spec_get(p->spec, RT_SPEC_teacher_from), &p->teacher));
    if (p->student.is_recognised) p->options.student_import = &student->config;
    if (p->teacher.is_recognised) p->options.teacher_import = &teacher->config;
    p->options.random_teacher = p->watch.random_teacher;
    p->options.student_mismatch = student->reason;
    p->options.teacher_mismatch = teacher->reason;
    RT_TRY(import_others(p));
    RT_TRY(rt_job_read(p->spec, &p->options, &p->arena, &p->job, p->diagnostics));
    if (p->student.is_recognised)
        RT_TRY(rt_recognition_adopt(p->module, student, &p->job.student.config, "", true));
    if (p->teacher.is_recognised)
        RT_TRY(rt_recognition_adopt(p->module, teacher, &p->job.teacher.config, "teacher/", false));
    for (size_t i = 0; i < p->job.other_count; ++i) {
        const char *prefix = rt_arena_format(&p->arena, "teacher/%zu/", i + 2);
        if (!prefix) return RT_OUT_OF_MEMORY;
        if (p->others[i].is_recognised)
            RT_TRY(rt_recognition_adopt(p->module, &p->others[i].found, &p->job.others[i].config,
                                        prefix, false));
    }
    return RT_OK;
}

/* ---- the whole */

/* A table pays where it is kept from call to call. */
static rt_status set_folding(program *p) {
    const rt_spec_value *fold = rt_spec_get(p->spec, RT_SPEC_model_fold_embedding);
    if (!fold->integer || !rt_optimizes(p->watch.optimizations, RT_OPTIMIZE_hoist)) return RT_OK;
    return rt_pass_manager_set_at(p->manager, RT_PASS_fold, "graph", "predict", fold->location);
}

static rt_status run_passes(program *p) {
    RT_TRY(rt_passes_choose_target(p->manager, p->watch.target));
    p->manager->dump = p->watch.dump;
    p->manager->dump_user = p->watch.dump_user;
    rt_optimizations_choose_passes(p->watch.optimizations, p->manager);
    for (size_t i = 0; i < p->watch.dump_count; ++i)
        RT_TRY(rt_pass_manager_mark(p->manager, p->manager->dumps_after, p->watch.dump_after[i]));
    return rt_pass_manager_run(p->manager, p->module);
}

/* What a method added goes on from the model's own file, or from a PEFT folder. */
static rt_status load_additions(program *p) {
    const rt_job_model *student = &p->job.student;
    const rt_spec_value *from = rt_spec_get(p->spec, RT_SPEC_method_from);
    rt_load_options load = {.location = student->location};
    if (from->is_present) {
        rt_peft_facts facts = peft_facts(p);
        return rt_peft_load(p->module, &student->config, &facts, from->path, from->location,
                            p->diagnostics);
    }
    if (student->origin != RT_ORIGIN_SAVED) return RT_OK;
    return rt_model_load_added(p->module, &student->config, student->files.weights, &load,
                               p->diagnostics);
}

static rt_status make_training(program *p) {
    RT_TRY(read_job(p));
    RT_TRY(rt_job_build(&p->job, p->module));
    RT_TRY(rt_pass_manager_add_pipeline(p->manager, "training"));
    RT_TRY(set_method(p));
    RT_TRY(set_layers(p));
    RT_TRY(set_imitation(p));
    RT_TRY(set_loss(p));
    RT_TRY(set_optimiser(p));
    RT_TRY(set_folding(p));
    RT_TRY(run_passes(p));
    return p->watch.trains_all ? RT_OK : load_additions(p);
}

static rt_status make_inference(program *p) {
    RT_TRY(read_job(p));
    unsigned outputs = rt_model_config_is_encoder(&p->job.student.config)
                           ? RT_OUTPUT_LAST_HIDDEN_STATE | RT_OUTPUT_POOLER
                           : RT_OUTPUT_LOGITS;
    RT_TRY(rt_job_build_student(&p->job, p->module, "predict", outputs, false));
    RT_TRY(rt_pass_manager_add_pipeline(p->manager, "inference"));
    RT_TRY(set_folding(p));
    return run_passes(p);
}

static rt_status make(program *p, rt_status (*fill)(program *p)) {
    p->module = rt_module_create(p->diagnostics);
    p->manager = rt_pass_manager_create(p->diagnostics);
    rt_status status = p->module && p->manager ? fill(p) : RT_OUT_OF_MEMORY;
    if (status == RT_OK) status = rt_module_status(p->module);
    if (status != RT_OK && !rt_diagnostics_failed(p->diagnostics))
        rt_diagnose(p->diagnostics, RT_ERROR, (rt_location){.file = rt_spec_path(p->spec)}, "%s",
                    rt_status_text(status));
    rt_pass_manager_destroy(p->manager);
    rt_imported_model_close(&p->student);
    rt_imported_model_close(&p->teacher);
    for (size_t i = 0; i < RT_MAX_TEACHERS - 1; ++i) rt_imported_model_close(&p->others[i]);
    return status;
}

/* The graphs that train give the parameters their sources, then make room for the one that does
 * not. */
static rt_status make_student(program *p) {
    RT_TRY(read_job(p));
    if (!p->job.student.has_config) return RT_UNSUPPORTED;
    const rt_model_config *config = &p->job.student.config;
    unsigned states = RT_OUTPUT_LAST_HIDDEN_STATE | RT_OUTPUT_POOLER;
    bool has_head = rt_model_config_has_head(config);
    rt_build_options build = {.graph_name = "forward",
                              .parameter_prefix = "",
                              .outputs = has_head ? RT_OUTPUT_LOGITS : states};
    if (has_head) {
        RT_TRY(rt_job_build(&p->job, p->module));
    } else {
        RT_TRY(rt_job_build_student(&p->job, p->module, "student", build.outputs, false));
    }
    rt_module_remove_graph(p->module, "student");
    rt_module_remove_graph(p->module, "teacher");
    for (size_t i = 0; i < p->job.other_count; ++i) {
        const char *name = rt_arena_format(&p->arena, "teacher.%zu", i + 2);
        if (name) rt_module_remove_graph(p->module, name);
    }
    return rt_model_build(p->module, config, &build) ? RT_OK : rt_module_status(p->module);
}

/* ---- a model with what a method adds, trained */

/* The folder's or file's own weights for everything, or a PEFT folder's for what it holds. */
static rt_status load_trained(program *p) {
    const rt_model_config *config = &p->job.student.config;
    rt_location place = {.file = p->trained};
    rt_saved_model saved;
    rt_error error;
    if (rt_peft_is_folder(p->trained)) {
        rt_peft_facts facts = peft_facts(p);
        /* What it was merged into is the base no more. */
        if (p->merging == RT_MERGING_OUT_OF) facts.base = NULL;
        return rt_peft_load(p->module, config, &facts, p->trained, place, p->diagnostics);
    }
    if (p->merging == RT_MERGING_OUT_OF)
        return rt_diagnose_error(p->diagnostics, RT_INVALID_DATA, place,
                                 "is no PEFT folder; only what holds an adaptation alone can be "
                                 "taken out of merged weights");
    if (rt_saved_model_find(p->trained, &p->arena, &saved, &error) != RT_OK)
        return rt_diagnose_error(p->diagnostics, RT_INVALID_DATA, place, "%s", error.text);
    rt_load_options load = {.parameter_prefix = "",
                            .parts = RT_PART_HEAD,
                            .needs_head = true,
                            .location = place,
                            .has_additions = true};
    RT_TRY(rt_model_load_sources(p->module, config, saved.weights, &load, p->diagnostics));
    return rt_model_load_added(p->module, config, saved.weights, &load, p->diagnostics);
}

static rt_status make_adapted(program *p) {
    RT_TRY(read_job(p));
    RT_TRY(rt_job_build_student(&p->job, p->module, "student", RT_OUTPUT_LOGITS, true));
    RT_TRY(rt_pass_manager_add(p->manager, "simplify"));
    RT_TRY(rt_pass_manager_add(p->manager, "adapt"));
    RT_TRY(set_method(p));
    if (p->merging)
        RT_TRY(
            set_option(p, RT_PASS_adapt, "merge", p->merging == RT_MERGING_INTO ? "true" : "undo"));
    RT_TRY(run_passes(p));
    return load_trained(p);
}

/* Releases what making needed; the module, or NULL. */
static rt_module *finish(program *p, rt_status status) {
    rt_arena_deinit(&p->arena);
    if (status == RT_OK) return p->module;
    rt_module_destroy(p->module);
    return NULL;
}

rt_module *rt_training_program(const rt_spec *spec, const rt_program_options *options,
                               rt_diagnostics *diagnostics) {
    program p = {.spec = spec, .diagnostics = diagnostics};
    if (options) p.watch = *options;
    p.options.may_lack_data = p.watch.settings == NULL;
    rt_status status = make(&p, make_training);
    if (status == RT_OK && p.watch.settings) {
        *p.watch.settings = rt_job_settings(&p.job, p.watch.arena);
        if (!*p.watch.settings) status = RT_OUT_OF_MEMORY;
    }
    return finish(&p, status);
}

rt_module *rt_inference_program(const rt_spec *spec, const rt_program_options *options,
                                rt_diagnostics *diagnostics) {
    program p = {.spec = spec, .diagnostics = diagnostics, .options = {.may_lack_data = true}};
    if (options) p.watch = *options;
    return finish(&p, make(&p, make_inference));
}

static const char *const *copy_labels(const rt_model_config *config, rt_arena *arena) {
    if (!config->labels) return NULL;
    const char **labels = RT_NEW_ARRAY(arena, const char *, (size_t)config->label_count + 1);
    for (int64_t i = 0; labels && i < config->label_count; ++i)
        labels[i] = rt_arena_copy_string(arena, config->labels[i]);
    return labels;
}

rt_module *rt_student_program(const rt_spec *spec, rt_arena *arena, rt_student *student,
                              rt_diagnostics *diagnostics) {
    program p = {.spec = spec, .diagnostics = diagnostics, .options = {.may_lack_data = true}};
    rt_status status = make(&p, make_student);
    if (status == RT_OK) {
        const rt_job *job = &p.job;
        *student = (rt_student){.config = job->student.config};
        student->config.labels = copy_labels(&job->student.config, arena);
        student->is_random = job->student.origin == RT_ORIGIN_RANDOM &&
                             !rt_spec_get(spec, RT_SPEC_model_layers_from)->is_present;
        if (job->vocabulary) student->vocabulary = rt_arena_copy_string(arena, job->vocabulary);
        if (rt_arena_failed(arena)) status = RT_OUT_OF_MEMORY;
    }
    return finish(&p, status);
}

rt_module *rt_adapted_program(const rt_spec *spec, const char *weights, rt_merging merging,
                              rt_arena *arena, rt_adapted *adapted, rt_diagnostics *diagnostics) {
    program p = {.spec = spec,
                 .diagnostics = diagnostics,
                 .options = {.may_lack_data = true},
                 .trained = weights,
                 .merging = merging};
    rt_status status = make(&p, make_adapted);
    if (status == RT_OK) {
        char *base = peft_facts(&p).base ? realpath(peft_facts(&p).base, NULL) : NULL;
        *adapted = (rt_adapted){.config = p.job.student.config, .facts = peft_facts(&p)};
        adapted->config.labels = copy_labels(&p.job.student.config, arena);
        adapted->facts.base = base ? rt_arena_copy_string(arena, base) : NULL;
        free(base);
        adapted->vocabulary =
            p.job.vocabulary ? rt_arena_copy_string(arena, p.job.vocabulary) : NULL;
        if (rt_arena_failed(arena)) status = RT_OUT_OF_MEMORY;
    }
    return finish(&p, status);
}
