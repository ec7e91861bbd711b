// SPDX-License-Identifier: Apache-2.0
/* An instance and what is asked of it in training: its entry points by name, the batch in their
 * inputs, scalars in and out. */
#ifndef RETORT_RUNTIME_TRAIN_RUNNER_H
#define RETORT_RUNTIME_TRAIN_RUNNER_H

#include "runtime/instance.h"
#include "runtime/text/batch.h"
#include "runtime/train/profile.h"

enum { RETORT_MAX_TERMS = 16 };

/* Entries of one phase of training. */
typedef struct retort_phase {
    int step, update;
} retort_phase;

typedef struct retort_runner {
    const retort_program *program;
    retort_instance *instance;
    int step, update, evaluate, predict; /* entries, or RETORT_NOT_FOUND; those of the phase */
    retort_phase *phases; /* [phase_count]: step.1 and update.1, … and last step and update */
    size_t phase_count;
    int64_t *symbols;        /* [symbol_count] of the batch at hand */
    retort_profile *profile; /* lent; NULL for none */
    /* Terms of the loss: scalar outputs of step besides "loss", lent from the program. */
    const char *terms[RETORT_MAX_TERMS];
    size_t term_count;
} retort_runner;

/* Finds the entries and checks that every input they take is one that somebody feeds. The instance
 * may be NULL and set later. */
RT_MUST_CHECK rt_status retort_runner_init(const retort_program *program, retort_runner *runner,
                                           rt_error *error);
void retort_runner_deinit(retort_runner *runner); /* not the instance */

/* Whether the program can be trained, or only answers. */
bool retort_runner_can_train(const retort_runner *runner);

/* Makes the entries of a phase, counted from 0, those that step and update are; the last one is for
 * all that follow. Before the first call they are the last one's. */
void retort_runner_enter_phase(retort_runner *runner, uint64_t phase);

/* Runs an entry on a batch: feeds it, binds the symbols. Scalars are set after the batch is fed and
 * before the run by _set, so call _feed, _set, _run. */
void retort_runner_feed(retort_runner *runner, int entry, const rt_batch *batch);
/* Sets an input f32[]; false where the entry has none of that name. */
bool retort_runner_set(retort_runner *runner, int entry, const char *input, double value);
RT_MUST_CHECK rt_status retort_runner_run(retort_runner *runner, int entry, rt_error *error);
/* An output f32[], NAN where there is none of that name. */
double retort_runner_get(const retort_runner *runner, int entry, const char *output);

/* Whether the entry has an input of that name. */
bool retort_runner_takes(const retort_program *program, int entry, const char *input);

/* Zeroes all gradient parameters. */
void retort_runner_clear_gradients(retort_runner *runner);

#endif
