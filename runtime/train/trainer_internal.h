// SPDX-License-Identifier: Apache-2.0
/* What the files of the trainer share. */
#ifndef RETORT_RUNTIME_TRAIN_TRAINER_INTERNAL_H
#define RETORT_RUNTIME_TRAIN_TRAINER_INTERNAL_H

#include "runtime/train/trainer.h"

/* What one update gave. */
typedef struct retort_update_result {
    double loss, terms[RETORT_MAX_TERMS]; /* means over its rows */
    double learning_rate, gradient_norm;
    uint64_t tokens;
} retort_update_result;

/* Makes update number state.update and counts it. */
RT_MUST_CHECK rt_status retort_trainer_update(retort_trainer *trainer, retort_update_result *result,
                                              rt_error *error);

/* Evaluates, and keeps the best. RT_CANCELLED where a signal came. */
RT_MUST_CHECK rt_status retort_trainer_evaluate(retort_trainer *trainer, bool *is_best,
                                                rt_error *error);

/* Saves `last`, and `best` with it where `is_best`. A failure is kept in trainer->save_status and
 * told as a warning. */
void retort_trainer_save(retort_trainer *trainer, bool is_best);

void retort_trainer_show(retort_trainer *trainer, const char *doing);

#endif
