// SPDX-License-Identifier: Apache-2.0
/* Between padded [rows, width] arrays, as reference data and other tools have them, and the packed
 * batches that compiled programs take. */
#ifndef RETORT_TOOLS_PADDED_ROWS_H
#define RETORT_TOOLS_PADDED_ROWS_H

#include "runtime/base/safetensors.h"
#include "runtime/text/batch.h"

/* A padded batch. Real tokens are those with mask != 0, anywhere in the row. */
typedef struct padded_rows {
    int32_t rows, width;
    const int32_t *ids, *mask; /* [rows, width] */
    const int32_t *types;      /* the same, or NULL: all 0 */
    const int32_t *positions;  /* the same, or NULL: the place among the row's real tokens */
} padded_rows;

/* The tensors "<prefix>input_ids", "<prefix>attention_mask" and "<prefix>token_type_ids". */
RT_MUST_CHECK rt_status padded_rows_read(const rt_safetensors *file, const char *prefix,
                                         padded_rows *padded, rt_error *error);

/* Packs into `batch`, created here for just this size (rt_batch_destroy). Rows without a token are
 * left out: example ids and row indexes are numbers of padded rows. */
RT_MUST_CHECK rt_status padded_rows_pack(const padded_rows *padded, rt_batch *batch,
                                         rt_error *error);

/* The padded layout instead: every row as wide as the array, key_mask 0 where it is padded. */
RT_MUST_CHECK rt_status padded_rows_lay_out(const padded_rows *padded, rt_batch *batch,
                                            rt_error *error);

/* Copies [rows, width, columns] at real positions to [tokens, columns], and back (the rest is left
 * as it is). */
void padded_rows_gather(const padded_rows *padded, const float *from, size_t columns, float *to);
void padded_rows_scatter(const padded_rows *padded, const float *from, size_t columns, float *to);

/* All real tokens. */
int32_t padded_rows_tokens(const padded_rows *padded);

#endif
