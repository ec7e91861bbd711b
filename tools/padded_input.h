// SPDX-License-Identifier: Apache-2.0
/* The arrays that users of encoders have, [rows, width] of any integer type, as a padded batch of a
 * model. */
#ifndef RETORT_TOOLS_PADDED_INPUT_H
#define RETORT_TOOLS_PADDED_INPUT_H

#include "ir/tensor.h"
#include "models/configuration.h"
#include "tools/padded_rows.h"

typedef enum padded_part { PADDED_IDS, PADDED_MASK, PADDED_TYPES, PADDED_PART_COUNT } padded_part;

typedef struct padded_input {
    /* For messages: the arrays' names, and the files they were read from, or NULL. */
    const char *names[PADDED_PART_COUNT], *files[PADDED_PART_COUNT];
    /* Without a mask all tokens are real; types may be NULL. */
    const rt_tensor *tensors[PADDED_PART_COUNT];
    bool reads_first; /* the model reads the state of each row's first position */
} padded_input;

/* Checks the arrays and copies what the model needs of them into `arena`. Positions are what the
 * family's padded definition gives a token: its column, or in RoBERTa's families its place among
 * the row's tokens that are no padding by their id. Errors name array, row and column. */
RT_MUST_CHECK rt_status padded_input_read(const padded_input *input, const rt_model_config *config,
                                          rt_arena *arena, padded_rows *padded, rt_error *error);

#endif
