// SPDX-License-Identifier: Apache-2.0
/* A file of texts with labels, and how well a model compiled in memory answers it.
 *
 *     evaluation e;
 *     RT_TRY(evaluation_open(&source, &model, &e, error));
 *     RT_TRY(evaluation_run(&e, &forward, &value, error));     // any number of models
 *     evaluation_close(&e);
 */
#ifndef RETORT_TOOLS_EVALUATION_H
#define RETORT_TOOLS_EVALUATION_H

#include "runtime/text/batcher.h"
#include "runtime/text/metrics.h"
#include "tools/forward.h"

/* Where the rows come from. */
typedef struct evaluation_source {
    const char *path;
    const char *format;     /* a name of runtime/text/tasks.def; NULL: columns sentence, label */
    const char *vocabulary; /* NULL: the model's own */
    int64_t max_length;     /* most tokens of a row; 0: what the model has positions for */
} evaluation_source;

typedef struct evaluation {
    rt_dataset rows;
    rt_batcher *batcher;
    rt_batch batch;
    rt_metric metric;
    int64_t classes;
    float *logits; /* [rows, classes] of the last run */
} evaluation;

/* Reads and tokenises the rows. The model is a classifier of a family, or its score. */
RT_MUST_CHECK rt_status evaluation_open(const evaluation_source *source, const model_file *model,
                                        evaluation *e, rt_error *error);
void evaluation_close(evaluation *e); /* also of a zeroed struct */

/* Answers all rows and computes the metric. */
RT_MUST_CHECK rt_status evaluation_run(evaluation *e, forward *f, double *value, rt_error *error);

/* Answers every `stride`-th batch alone. */
RT_MUST_CHECK rt_status evaluation_answer(evaluation *e, forward *f, uint64_t stride,
                                          rt_error *error);

#endif
