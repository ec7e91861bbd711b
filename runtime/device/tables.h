// SPDX-License-Identifier: Apache-2.0
/* What the compiler knows of a model, as the device runtime reads it: one constant of this type
 * stands in the module of a library under the name retort_device_model_tables. Both sides are
 * compiled for the same target, so fields have its sizes; the compiler emits them in this order
 * (compiler/codegen/device.c). */
#ifndef RETORT_RUNTIME_DEVICE_TABLES_H
#define RETORT_RUNTIME_DEVICE_TABLES_H

#include "runtime/abi.h"

/* What an input holds where the caller passes NULL for it. */
typedef enum retort_device_fill {
    RETORT_FILL_NONE = 0,      /* it may not be NULL */
    RETORT_FILL_ZEROS = 1,     /* token types: all of the first kind */
    RETORT_FILL_ONE_ROW = 2,   /* offsets of rows: 0 and the number of tokens */
    RETORT_FILL_POSITIONS = 3, /* each token's place in its row, from 0 */
    RETORT_FILL_ROWS = 4       /* each token's row */
} retort_device_fill;

/* What is checked of an input before the model runs. */
typedef enum retort_device_check {
    RETORT_CHECK_NONE = 0,
    RETORT_CHECK_BELOW = 1,   /* elements in [0, limit) */
    RETORT_CHECK_OFFSETS = 2, /* offsets of rows: from 0 to the number of tokens, each row with one
                                token at least and `limit` at most */
    RETORT_CHECK_INDEX = 3    /* elements in [-limit, limit): below 0 they count from the end */
} retort_device_check;

#define RETORT_NO_SLOT UINT32_MAX
enum { RETORT_NO_SYMBOL = -1 };

/* The inputs are the first buffers, in this order. */
typedef struct retort_device_input {
    uint32_t element_bytes; /* 4 or 8 where it is filled or checked: signed integers */
    uint32_t fill, check;
    uint32_t slot; /* field of retort_model_inputs, or RETORT_NO_SLOT: it is always filled */
    int64_t limit;
} retort_device_input;

typedef struct retort_device_buffer {
    retort_size bytes;
    uint32_t first, last; /* steps of the schedule in which it lives; inputs and outputs: all */
} retort_device_buffer;

typedef struct retort_device_model {
    uint32_t symbol_count; /* fields of retort_model_sizes: one value of 64 bits each */
    uint32_t parameter_count, buffer_count, input_count, output_count;
    int32_t tokens, rows, longest; /* symbols of packed rows, or RETORT_NO_SYMBOL */
    const int64_t *largest;        /* by symbol: what the library was built for */
    const uint64_t *offsets;       /* by parameter: where its bytes lie, from the first of all */
    uint64_t weights_bytes, checksum;
    uint8_t build[16];                   /* of the weights that belong to this code */
    const void *weights;                 /* the bytes themselves, or NULL: they come from a file */
    const retort_device_buffer *buffers; /* inputs, outputs, then what lies between kernels */
    const uint32_t *order;               /* all buffers, in the order in which they are placed */
    const retort_device_input *inputs;
    retort_size scratch_bytes; /* per worker */
    void (*function)(const retort_context *context);
    const void *text; /* what a tokenizer reads (text.h), aligned to 8 bytes, or NULL */
    uint64_t text_bytes;
} retort_device_model;

extern const retort_device_model retort_device_model_tables;

#endif
