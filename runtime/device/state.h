// SPDX-License-Identifier: Apache-2.0
/* What stands at the beginning of a model's memory. */
#ifndef RETORT_RUNTIME_DEVICE_STATE_H
#define RETORT_RUNTIME_DEVICE_STATE_H

#include "runtime/device/layout.h"
#include "runtime/device/model.h"
#include "runtime/device/run.h"

/* Behind it in the memory, each part aligned to 64: the arrays it points to, buffers, scratch. */
struct retort_model {
    retort_context context; /* first: compiled code gets its address and nothing else */
    retort_model_options options;
    const retort_device_model *tables;
    uint64_t memory_bytes, arrays_end; /* offset of the buffers */
    int64_t *symbols;                  /* of the last placing */
    uint64_t *offsets;                 /* by buffer, from arrays_end */
    void **buffers;
    const void **parameters;
    uint32_t is_placed;
};

/* Value of an element of an input that is checked. */
static inline int64_t retort_device_element(const void *values, uint32_t bytes, int64_t index) {
    return bytes == 8 ? ((const int64_t *)values)[index] : ((const int32_t *)values)[index];
}

/* The input with the offsets of rows, or input_count. */
uint32_t retort_device_offsets_input(const retort_device_model *tables);

/* Whether these are offsets of `rows` rows of `tokens` tokens; the longest row into *longest. */
retort_model_status retort_device_check_offsets(const retort_device_input *input,
                                                const void *offsets, int64_t rows, int64_t tokens,
                                                int64_t *longest);

/* Checks all inputs in their buffers. */
retort_model_status retort_device_check_inputs(retort_model *model);

#endif
