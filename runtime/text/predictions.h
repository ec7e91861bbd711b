// SPDX-License-Identifier: Apache-2.0
/* Answers of a model as a TSV file: `index`, `prediction` and, where asked for, one `probability_…`
 * column per class. The first two columns are what GLUE's server takes. */
#ifndef RETORT_RUNTIME_TEXT_PREDICTIONS_H
#define RETORT_RUNTIME_TEXT_PREDICTIONS_H

#include "runtime/base/file.h"
#include "runtime/text/labels.h"

typedef struct rt_predictions {
    size_t count;               /* rows */
    const int32_t *example_ids; /* [count] */
    const int32_t *classes;     /* [count]; NULL where scores are predicted */
    const float *scores;        /* [count]; NULL where classes are predicted */
    const float *probabilities; /* [count, labels->count], or NULL for no such columns */
    const rt_labels *labels;    /* names of the classes; NULL for scores */
    const char *adapter;       /* whose answers they are: a first column; NULL for no such column */
    bool has_numbered_classes; /* probability_0, probability_1 …: several orders of names follow */
} rt_predictions;

/* Writes the rows in the given order; the file is replaced whole. */
RT_MUST_CHECK rt_status rt_predictions_write(const char *path, const rt_predictions *predictions,
                                             rt_error *error);

/* The same in parts, for the answers of several adaptations in one open file: the header, then rows
 * as often as there are. */
void rt_predictions_write_header(rt_writer *writer, const rt_predictions *predictions);
void rt_predictions_write_rows(rt_writer *writer, const rt_predictions *predictions);

#endif
