// SPDX-License-Identifier: Apache-2.0
/* One batch, in the arrays that compiled programs read. Tokens of all rows lie end to end: T tokens
 * of B rows, no padding. In the padded layout every row has as many positions as the longest, and
 * key_mask tells the real ones; it is data for the same programs. */
#ifndef RETORT_RUNTIME_TEXT_BATCH_H
#define RETORT_RUNTIME_TEXT_BATCH_H

#include "runtime/base/status.h"
#include "runtime/text/buffers.h"

/* How large a batch can be. */
typedef struct rt_batch_limits {
    size_t rows;
    size_t tokens; /* positions, in the padded layout */
    size_t longest;
    size_t masked; /* tokens */
} rt_batch_limits;

typedef struct rt_batch {
    int32_t rows;              /* B */
    int32_t tokens;            /* T */
    int32_t longest;           /* tokens of the longest row */
    int32_t *input_ids;        /* [T] the pad id where key_mask is 0 */
    int32_t *position_ids;     /* [T] from 0 in each row */
    int32_t *token_type_ids;   /* [T] 0 first text, 1 second; 0 on padding */
    int32_t *key_mask;         /* [T] 1 real, 0 padding; all 1 in the packed layout */
    int32_t *token_examples;   /* [T] example id of the token's row */
    int32_t *row_offsets;      /* [B + 1] of rows in the arrays above */
    int32_t *example_ids;      /* [B] index of the row in its file */
    int32_t *row_indexes;      /* [B] row of the dataset: where its answers belong */
    int32_t *labels;           /* [B] class; of data without labels 0, of single rows without -1 */
    float *scores;             /* [B] 0 of data without labels, no number of single rows without */
    int32_t masked;            /* M: tokens that are to be predicted (masking.h) */
    int32_t *masked_positions; /* [M] their places in the arrays [T], ascending */
    int32_t *masked_labels;    /* [M] what stood there */
    rt_batch_limits limits;    /* what the arrays have room for */
    void *block;               /* that holds them all, each aligned to 64 bytes */
} rt_batch;

/* One allocation for all batches of a run. OUT_OF_RANGE where a size exceeds 31 bits. */
RT_MUST_CHECK rt_status rt_batch_create(rt_batch_limits limits, rt_batch *batch);
void rt_batch_destroy(rt_batch *batch); /* also of a zeroed struct */

#endif
