// SPDX-License-Identifier: Apache-2.0
/* What a program answers to a set of rows, and how good the answers are. Rows are taken longest
 * first, in batches of their own size; answers stand in the order of the file. */
#ifndef RETORT_RUNTIME_TRAIN_EVALUATE_H
#define RETORT_RUNTIME_TRAIN_EVALUATE_H

#include "runtime/text/batcher.h"
#include "runtime/train/data.h"
#include "runtime/train/masks.h"
#include "runtime/train/runner.h"

typedef struct retort_evaluator {
    const retort_data *data; /* lent */
    const rt_dataset *rows;  /* lent */
    retort_runner *runner;   /* lent */
    int entry;               /* evaluate, or predict */
    rt_batcher *batcher;
    rt_batch_limits limits;
    rt_batch batch;
    float *logits;         /* [rows, classes] in the order of the rows; of tokens nothing is kept */
    rt_masking *masking;   /* the same masks each time; NULL where no tokens are predicted */
    double right, answers; /* of the last run: tokens predicted rightly, and in all */
    /* May be NULL; asked between batches: true ends the work with RT_CANCELLED. */
    bool (*is_cancelled)(void *argument);
    void *cancel_argument;
} retort_evaluator;

/* Everything that later runs need is allocated here. `has_loss` wants the entry "evaluate" where
 * there is one; otherwise labels are not read. */
RT_MUST_CHECK rt_status retort_evaluator_init(const retort_data *data, const rt_dataset *rows,
                                              const retort_settings *settings,
                                              retort_runner *runner, bool has_loss,
                                              retort_evaluator *evaluator, rt_error *error);
void retort_evaluator_deinit(retort_evaluator *evaluator); /* also of a zeroed struct */

typedef struct retort_evaluation {
    uint64_t rows, tokens;
    double loss; /* mean over rows, or masked tokens; NAN where the program gives none */
    double values[RT_METRIC_COUNT]; /* of the data's metrics */
    double goal;                    /* the value of the goal */
    double seconds;
} retort_evaluation;

/* Answers all rows: fills evaluator->logits and *loss, which is NAN where the entry gives none. */
RT_MUST_CHECK rt_status retort_evaluator_answer(retort_evaluator *evaluator, double *loss,
                                                rt_error *error);
RT_MUST_CHECK rt_status retort_evaluator_run(retort_evaluator *evaluator,
                                             retort_evaluation *evaluation, rt_error *error);

/* Bytes of the answers, for the plan. */
uint64_t retort_evaluator_bytes(const retort_evaluator *evaluator);

/* The class of row `row` and its probabilities, or its score. */
int32_t retort_evaluator_class(const retort_evaluator *evaluator, size_t row);
void retort_evaluator_probabilities(const retort_evaluator *evaluator, size_t row,
                                    float *probabilities);
float retort_evaluator_score(const retort_evaluator *evaluator, size_t row);

/* {"loss": …, "accuracy": …, "rows": …, …} into an open object. */
void retort_evaluation_write(const retort_evaluation *evaluation, const retort_data *data,
                             rt_json_writer *json);

#endif
