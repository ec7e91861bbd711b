// SPDX-License-Identifier: Apache-2.0
/* A batch of rows as the inputs of an entry point: by name, whatever of them the entry takes. */
#ifndef RETORT_RUNTIME_TRAIN_BATCH_INPUTS_H
#define RETORT_RUNTIME_TRAIN_BATCH_INPUTS_H

#include "runtime/instance.h"
#include "runtime/text/batch.h"

/* Symbol values of a batch: B rows, T tokens, S longest row; 0 for symbols of other names. */
void retort_batch_symbols(const retort_program *program, const rt_batch *batch, int64_t *symbols);
void retort_limits_symbols(const retort_program *program, rt_batch_limits limits, int64_t *symbols);

/* Copies the batch's arrays to the entry's inputs of their names: input_ids, position_ids,
 * token_type_ids, key_mask, token_examples [T]; row_offsets [B+1]; example_ids [B]; labels [B] as
 * classes (i32) or scores (f32), as the entry declares them. Inputs of other names are the
 * caller's. The instance has reserved memory for the batch. */
void retort_batch_feed(retort_instance *instance, int entry, const rt_batch *batch);

#endif
