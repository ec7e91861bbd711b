// SPDX-License-Identifier: Apache-2.0
/* The training loop: updates from batches, evaluations, checkpoints, metrics. The state after an
 * update is a function of program, settings, data and count of threads alone, so a run that is
 * resumed gives the bits of the unbroken one.
 *
 *     RT_TRY(retort_trainer_init(&trainer, &parts, error));
 *     … reserve the instance for trainer.limits and the evaluator's, load a checkpoint …
 *     RT_TRY(retort_trainer_begin(&trainer, &checkpoint, error));   // or NULL for a new run
 *     status = retort_trainer_run(&trainer, error);
 *     retort_trainer_deinit(&trainer);
 */
#ifndef RETORT_RUNTIME_TRAIN_TRAINER_H
#define RETORT_RUNTIME_TRAIN_TRAINER_H

#include "runtime/train/evaluate.h"
#include "runtime/train/output.h"
#include "runtime/train/schedule.h"

/* What a trainer works with; all lent. */
typedef struct retort_trainer_parts {
    const retort_settings *settings;
    const retort_data *data;
    const rt_dataset *rows; /* to train on */
    retort_runner *runner;
    retort_evaluator *evaluator; /* NULL: nothing is evaluated */
    retort_output *output;
    retort_console *console;
    int (*stop_signal)(void); /* a signal to save and leave at, or 0; may be NULL */
} retort_trainer_parts;

typedef struct retort_trainer {
    retort_trainer_parts parts;
    retort_rounds rounds;
    retort_schedule schedule;
    rt_batcher *batcher;
    rt_batch_limits limits; /* of all batches of the run */
    rt_batch batch;
    rt_masking *masking; /* NULL where no tokens are predicted */
    double beta1, beta2;
    bool has_accumulation; /* the program adds to its gradients */
    retort_log log;
    retort_train_state state;
    /* Of this process alone. */
    double started;          /* clock less the seconds of the run so far */
    double process_began;    /* clock */
    uint64_t process_from;   /* updates that were made before */
    uint64_t process_tokens; /* trained on */
    double process_seconds;  /* in updates */
    double shown_loss;       /* smoothed, for progress */
    double gradient_norm;    /* of the last update */
    uint64_t saved_update;   /* that `last` holds; UINT64_MAX for none */
    rt_status save_status;   /* of the last save */
    rt_error save_error;
    int signal; /* that ended the run, 0 where it reached its end */
} retort_trainer;

/* Plans the run: rounds, schedule, batches. Touches no files. */
RT_MUST_CHECK rt_status retort_trainer_init(retort_trainer *trainer,
                                            const retort_trainer_parts *parts, rt_error *error);
void retort_trainer_deinit(retort_trainer *trainer); /* also of a zeroed struct */

/* Opens metrics.jsonl; takes the state of the checkpoint that the instance was filled from. */
RT_MUST_CHECK rt_status retort_trainer_begin(retort_trainer *trainer,
                                             const retort_checkpoint *checkpoint, rt_error *error);

/* To the end of the run, or until a signal asks to leave: then trainer->signal is set and the state
 * is saved. A save that fails on the way is a warning, at the end an error. Fails with
 * RT_OUT_OF_RANGE where the loss or the gradients are no numbers; nothing is saved then. */
RT_MUST_CHECK rt_status retort_trainer_run(retort_trainer *trainer, rt_error *error);

/* Tokens per second of the updates of this process. */
double retort_trainer_speed(const retort_trainer *trainer);

/* One update without log, evaluation or saving, for a trial; *loss receives its loss. */
RT_MUST_CHECK rt_status retort_trainer_try(retort_trainer *trainer, double *loss, rt_error *error);

#endif
