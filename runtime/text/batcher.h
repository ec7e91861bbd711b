// SPDX-License-Identifier: Apache-2.0
/* Rows of a dataset to batches. Which rows a batch holds is a function of (dataset, options, epoch,
 * index) alone, so a run that resumes asks for the next batch and replays nothing.
 *
 *     rt_batcher_options options = {.rows = 32, .order = RT_ORDER_SHUFFLED, .seed = 7};
 *     RT_TRY(rt_batcher_create(&dataset, &options, &batcher, error));
 *     rt_batch_limits limits = rt_batcher_limits(batcher, epochs);
 *     RT_TRY(rt_batch_create(limits, &batch));
 *     for (uint64_t i = 0; i < rt_batcher_count(batcher); ++i)
 *         rt_batcher_fill(batcher, epoch, i, &batch);
 *
 * Filling allocates nothing; the order of one epoch is kept, so walking through an epoch costs each
 * row once. One batcher has one user. */
#ifndef RETORT_RUNTIME_TEXT_BATCHER_H
#define RETORT_RUNTIME_TEXT_BATCHER_H

#include "runtime/text/batch.h"
#include "runtime/text/dataset.h"

typedef enum rt_row_order {
    RT_ORDER_FILE,     /* as in the file */
    RT_ORDER_SHUFFLED, /* anew in every epoch */
    RT_ORDER_GROUPED,  /* shuffled, then sorted by length within stretches of 50 batches, then the
                          batches shuffled: rows of a batch are of similar length */
    RT_ORDER_SORTED,   /* longest first, equal ones as in the file: for evaluation, where order does
                          not matter; answers return to their place by rt_batch.row_indexes */
} rt_row_order;

typedef struct rt_batcher_options {
    size_t rows; /* of a full batch */
    rt_row_order order;
    bool is_dropping_partial; /* leave out a last batch that is not full */
    bool is_padded;           /* the padded layout of rt_batch */
    uint64_t seed;
} rt_batcher_options;

typedef struct rt_batcher rt_batcher;

/* `dataset` is lent. INVALID_ARGUMENT for batches of 0 rows, or where dropping the partial batch
 * leaves none. */
RT_MUST_CHECK rt_status rt_batcher_create(const rt_dataset *dataset,
                                          const rt_batcher_options *options, rt_batcher **batcher,
                                          rt_error *error);
void rt_batcher_destroy(rt_batcher *batcher); /* NULL is fine */

/* Batches of one epoch. */
uint64_t rt_batcher_count(const rt_batcher *batcher);

/* The largest rows, tokens and longest row of any batch in epochs 0 … epochs-1, each exact. With
 * epochs 0 (their number is not known, as under a time budget) a bound for any number of epochs:
 * tokens of the longest rows together. Costs one ordering of the rows per epoch. */
rt_batch_limits rt_batcher_limits(rt_batcher *batcher, uint64_t epochs);

/* Makes batch `index` of `epoch`. The batch has room for it where it was created for the limits. */
void rt_batcher_fill(rt_batcher *batcher, uint64_t epoch, uint64_t index, rt_batch *batch);

#endif
