// SPDX-License-Identifier: Apache-2.0
#include "tools/bench_batch.h"

#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/philox.h"

enum { PROFILE_ROWS = 50, GROUPED_LENGTH = 53 };

static const double masked_share = 0.15;

/* Lengths in tokens drawn from the length profiles of MRPC (mean 53) and SST-2 (mean 13), the same
 * as in the peers' lengths.tsv, where shorter batches take the first rows. */
static const struct {
    const char *name;
    uint8_t lengths[PROFILE_ROWS];
} profiles[] = {
    {"mrpc", {71, 49, 90, 55, 74, 45, 50, 47, 54, 41, 82, 59, 40, 73, 46, 47, 56,
              61, 73, 55, 59, 52, 35, 48, 47, 49, 41, 47, 30, 45, 37, 55, 53, 93,
              33, 59, 73, 55, 62, 53, 37, 56, 74, 61, 64, 72, 78, 84, 59, 11}},
    {"sst2", {21, 11, 31, 14, 23, 9,  11, 10, 14, 7,  27, 16, 7,  22, 10, 10, 15,
              17, 22, 14, 16, 12, 5,  11, 10, 11, 7,  10, 5,  9,  6,  14, 13, 32,
              5,  16, 22, 14, 17, 13, 5,  14, 23, 17, 18, 22, 25, 28, 16, 5}},
};

/* Length of row `row`, or 0 where the profile has no such row. */
static int32_t row_length(const char *profile, int32_t row, int32_t longest) {
    int32_t length = 0;
    if (strcmp(profile, "full") == 0) length = longest;
    if (strcmp(profile, "grouped") == 0) length = GROUPED_LENGTH;
    for (size_t p = 0; p < RT_COUNT_OF(profiles); ++p)
        if (strcmp(profile, profiles[p].name) == 0 && row < PROFILE_ROWS)
            length = profiles[p].lengths[row];
    return length < longest ? length : longest;
}

static void fill_row(rt_batch *batch, int32_t row, int32_t length, rt_random *random) {
    int32_t first = batch->row_offsets[row];
    for (int32_t i = 0; i < length; ++i) {
        batch->input_ids[first + i] = 1000 + (int32_t)rt_random_below(random, 29000);
        batch->position_ids[first + i] = i;
        batch->token_type_ids[first + i] = 0;
        batch->key_mask[first + i] = 1;
        batch->token_examples[first + i] = row;
    }
    batch->row_offsets[row + 1] = first + length;
    batch->example_ids[row] = batch->row_indexes[row] = row;
    batch->labels[row] = (int32_t)rt_random_below(random, 2);
    batch->scores[row] = (float)batch->labels[row];
}

/* Masks as many tokens as the peers do, which read the ids as they are. */
static void mask_tokens(rt_batch *batch) {
    rt_random random = rt_random_begin(2, 0);
    batch->masked = 0;
    for (int32_t i = 0; i < batch->tokens; ++i) {
        if (rt_random_uniform(&random) >= masked_share) continue;
        batch->masked_positions[batch->masked] = i;
        batch->masked_labels[batch->masked++] = batch->input_ids[i];
    }
}

rt_status bench_batch_create(const char *profile, int32_t rows, int32_t longest, rt_batch *batch) {
    rt_batch_limits limits = {.rows = (size_t)rows};
    for (int32_t r = 0; r < rows; ++r) {
        size_t length = (size_t)row_length(profile, r, longest);
        if (!length) return RT_NOT_FOUND;
        limits.tokens += length;
        if (length > limits.longest) limits.longest = length;
    }
    limits.masked = limits.tokens;
    RT_TRY(rt_batch_create(limits, batch));
    rt_random random = rt_random_begin(1, 0);
    batch->row_offsets[0] = 0;
    for (int32_t r = 0; r < rows; ++r) fill_row(batch, r, row_length(profile, r, longest), &random);
    batch->rows = rows;
    batch->tokens = (int32_t)limits.tokens;
    batch->longest = (int32_t)limits.longest;
    mask_tokens(batch);
    return RT_OK;
}
