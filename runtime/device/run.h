// SPDX-License-Identifier: Apache-2.0
/* A run in its two halves, for callers that make the inputs themselves in between, as the tokenizer
 * does:
 *
 *     status = retort_device_place(model, symbols);          // memory for these sizes
 *     int32_t *ids = retort_device_input_memory(model, 0);          // in the order of the tables
 *     …                                                      // fill every input
 *     status = retort_device_finish(model, outputs);         // checks, computes, hands out */
#ifndef RETORT_RUNTIME_DEVICE_RUN_H
#define RETORT_RUNTIME_DEVICE_RUN_H

#include "runtime/device/model.h"
#include "runtime/device/tables.h"

/* Lays the memory out; symbols[i] is the value of each symbol, `longest` included. TOO_LARGE,
 * INVALID_ARGUMENT (negative) or SMALL_MEMORY where that is not possible. */
retort_model_status retort_device_place(retort_model *model, const int64_t *symbols);

/* The memory of an input, uninitialised; valid until the next placing. */
void *retort_device_input_memory(retort_model *model, uint32_t input);

/* Fills an input as the tables say of one that is not given; false where they say nothing. Offsets
 * of rows come before what is derived from them. */
int32_t retort_device_fill_input(retort_model *model, uint32_t input);

/* Checks the inputs, runs the model, and copies the outputs that `outputs` has a pointer for. */
retort_model_status retort_device_finish(retort_model *model, const retort_model_outputs *outputs);

#endif
