// SPDX-License-Identifier: Apache-2.0
/* The tokenised rows of a table, in memory: what batches are cut from.
 *
 *     rt_dataset dataset;
 *     RT_TRY(rt_dataset_build(&table, tokenizer, 128, &dataset, error));
 *     rt_dataset_deinit(&dataset);
 *
 * Holds copies: table and tokenizer may go. */
#ifndef RETORT_RUNTIME_TEXT_DATASET_H
#define RETORT_RUNTIME_TEXT_DATASET_H

#include "runtime/text/table.h"
#include "runtime/text/tokenizer.h"

typedef struct rt_dataset {
    size_t count;           /* rows */
    size_t tokens;          /* of all rows, after truncation, special ones counted */
    size_t longest;         /* tokens of the longest row */
    int32_t *ids;           /* [tokens] end to end */
    size_t *offsets;        /* [count + 1] of rows in ids */
    int32_t *first_lengths; /* [count] leading tokens of type 0; the rest is of type 1 */
    int32_t *classes;       /* [count], RT_NO_LABEL without labels */
    float *scores;          /* [count], 0 where the label is no score */
    int32_t *example_ids;   /* [count] index of the row in its file, of appended rows behind it */
    size_t class_count;     /* 0 for scores and without labels */
    size_t cut_rows;        /* rows that truncation shortened */
    size_t cut_tokens;      /* tokens it took away */
    bool has_labels;
    bool is_of_scores;
    bool has_pairs;
    int32_t pad_id; /* of the tokenizer, for padded layouts */
} rt_dataset;

/* `max_length` in tokens, special ones counted; 0 means no limit, else at least 3 (pairs 5). */
RT_MUST_CHECK rt_status rt_dataset_build(const rt_table *table, const rt_tokenizer *tokenizer,
                                         size_t max_length, rt_dataset *dataset, rt_error *error);
/* Puts rows without labels behind those of a dataset, which has labels: their class is RT_NO_LABEL,
 * their score no number, their example ids go on from the last one. `more` stays the caller's. */
RT_MUST_CHECK rt_status rt_dataset_append_unlabelled(rt_dataset *dataset, const rt_dataset *more,
                                                     rt_error *error);
void rt_dataset_deinit(rt_dataset *dataset); /* also of a zeroed struct */

static inline size_t rt_dataset_length(const rt_dataset *dataset, size_t row) {
    return dataset->offsets[row + 1] - dataset->offsets[row];
}

#endif
