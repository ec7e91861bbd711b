// SPDX-License-Identifier: Apache-2.0
/* The masks of a run (runtime/text/masking.h), from its settings. */
#ifndef RETORT_RUNTIME_TRAIN_MASKS_H
#define RETORT_RUNTIME_TRAIN_MASKS_H

#include "runtime/text/masking.h"
#include "runtime/train/data.h"

/* Raises limits->masked to what masks of batches within `limits` need; leaves it where the data
 * predicts no tokens. */
void retort_masks_widen(const retort_data *data, const retort_settings *settings,
                        rt_batch_limits *limits);

/* NULL in *masking where the data predicts no tokens. For training, masks are smoothed where the
 * settings say so, by the counts they name or those of `rows`; for evaluation every token is alike,
 * so that values can be compared. Nothing to mask in `rows` is an error. */
RT_MUST_CHECK rt_status retort_masks_create(const retort_data *data,
                                            const retort_settings *settings, const rt_dataset *rows,
                                            bool is_training, size_t most_tokens,
                                            rt_masking **masking, rt_error *error);

#endif
