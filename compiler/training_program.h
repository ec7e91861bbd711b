// SPDX-License-Identifier: Apache-2.0
/* A checked spec to a module in its final form: what `retort compile` lowers. */
#ifndef RETORT_COMPILER_TRAINING_PROGRAM_H
#define RETORT_COMPILER_TRAINING_PROGRAM_H

#include "compiler/optimizations.h"
#include "ir/graph.h"
#include "models/configuration.h"
#include "models/peft.h"

/* Beside the module: settings, and looking on while the passes run. All may be zero. */
typedef struct rt_program_options {
    /* Receives the program's settings (rt_job_settings), in `arena`: the program reads its own
     * data, and what that needs must be there. Without, batches are given to the program. */
    const char **settings;
    rt_arena *arena;
    /* `dump` is called after each run of these passes. */
    const char *const *dump_after;
    size_t dump_count;
    void (*dump)(void *user, const rt_module *module, const char *pass);
    void *dump_user;
    rt_optimizations optimizations;
    const char *target; /* as in retort_compiler_options, which is to name the same */
    const rt_model_config *random_teacher; /* as in rt_job_options */
    bool shows_features; /* "evaluate" has the output "features" (passes/training/distill.c) */
    bool trains_all;     /* as if the spec had no section `method`: what a method is held against */
} rt_program_options;

/* The training program: entry points step, update, evaluate and predict. NULL after diagnostics;
 * the caller destroys the module, which does not need the spec any more. `options` may be NULL. */
rt_module *rt_training_program(const rt_spec *spec, const rt_program_options *options,
                               rt_diagnostics *diagnostics);

/* The spec's model alone, forward only: entry point predict with "last_hidden_state" and
 * "pooler_output" of an encoder, "logits" of a bilstm. Not trained, no head, no teacher. `options`
 * may be NULL; settings are not asked for. */
rt_module *rt_inference_program(const rt_spec *spec, const rt_program_options *options,
                                rt_diagnostics *diagnostics);

/* What a spec says of the model that it trains; strings in the caller's arena. */
typedef struct rt_student {
    rt_model_config config;
    const char *vocabulary; /* path, or NULL */
    bool is_random;         /* it starts from nothing */
} rt_student;

/* The spec's model as it is before training, with its head, before any pass: graph "forward" of
 * rt_model_build with the given outputs where it has no head, else with logits; and with the
 * parameters that it starts from. */
rt_module *rt_student_program(const rt_spec *spec, rt_arena *arena, rt_student *student,
                              rt_diagnostics *diagnostics);

/* A model with what the spec's method adds; strings in the caller's arena. */
typedef struct rt_adapted {
    rt_model_config config;
    rt_peft_facts facts;
    const char *vocabulary; /* path, or NULL */
} rt_adapted;

typedef enum rt_merging { RT_MERGING_NONE, RT_MERGING_INTO, RT_MERGING_OUT_OF } rt_merging;

/* The spec's model with what its method adds: graph "student", and with `merging` graph "merge"
 * (passes/training/method.h), from the spec's model into one with the adaptation in its weights, or
 * from such a one, which the spec starts from, back. The parameters have their sources in
 * `weights`: what a training program saved (a folder or its .safetensors file), or a PEFT folder
 * beside the spec's base. */
rt_module *rt_adapted_program(const rt_spec *spec, const char *weights, rt_merging merging,
                              rt_arena *arena, rt_adapted *adapted, rt_diagnostics *diagnostics);

#endif
