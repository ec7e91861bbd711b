// SPDX-License-Identifier: Apache-2.0
/* How much memory a run takes, told before it begins: what the process will use at its peak. */
#ifndef RETORT_RUNTIME_TRAIN_PLAN_H
#define RETORT_RUNTIME_TRAIN_PLAN_H

#include "runtime/train/trainer.h"

typedef struct retort_plan {
    uint64_t loaded;  /* the process once the rows are read: code, libraries, vocabulary, rows */
    uint64_t batches; /* order of the rows, batches, answers */
    uint64_t weights, gradients, state, buffers, scratch;
    uint64_t derived;   /* from weights */
    uint64_t preparing; /* for a while at the start, where buffers and scratch are later */
} retort_plan;

/* `trainer` and `evaluator` may be NULL. The instance has reserved its memory. `loaded_bytes` was
 * resident when the rows had been read. */
retort_plan retort_plan_of(const retort_instance *instance, const retort_trainer *trainer,
                           const retort_evaluator *evaluator, uint64_t loaded_bytes);
uint64_t retort_plan_total(const retort_plan *plan);

/* A table, largest batch first. */
void retort_plan_print(const retort_plan *plan, const retort_trainer *trainer,
                       const retort_evaluator *evaluator, FILE *stream);

/* Trained and all numbers of the model, teachers not counted. */
typedef struct retort_parameter_counts {
    uint64_t trainable, all, teacher;
} retort_parameter_counts;
retort_parameter_counts retort_count_parameters(const retort_program *program);

#endif
