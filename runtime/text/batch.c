// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/batch.h"

enum { ALIGNMENT = 64, TOKEN_ARRAYS = 5, ROW_ARRAYS = 5, MASKED_ARRAYS = 2 };
_Static_assert(sizeof(float) == sizeof(int32_t), "scores share the size of the other row arrays");

rt_status rt_batch_create(rt_batch_limits limits, rt_batch *batch) {
    if (limits.rows >= INT32_MAX || limits.tokens > INT32_MAX || limits.masked > limits.tokens)
        return RT_OUT_OF_RANGE;
    size_t token_bytes = rt_align_up((limits.tokens + 1) * sizeof(int32_t), ALIGNMENT);
    size_t row_bytes = rt_align_up((limits.rows + 1) * sizeof(int32_t), ALIGNMENT);
    size_t masked_bytes = rt_align_up((limits.masked + 1) * sizeof(int32_t), ALIGNMENT);
    size_t size =
        TOKEN_ARRAYS * token_bytes + ROW_ARRAYS * row_bytes + MASKED_ARRAYS * masked_bytes;
    char *block = aligned_alloc(ALIGNMENT, size);
    if (!block) return RT_OUT_OF_MEMORY;
    memset(block, 0, size);
    char *rows = block + TOKEN_ARRAYS * token_bytes, *masked = rows + ROW_ARRAYS * row_bytes;
    *batch = (rt_batch){
        .input_ids = (int32_t *)block,
        .position_ids = (int32_t *)(block + token_bytes),
        .token_type_ids = (int32_t *)(block + 2 * token_bytes),
        .key_mask = (int32_t *)(block + 3 * token_bytes),
        .token_examples = (int32_t *)(block + 4 * token_bytes),
        .row_offsets = (int32_t *)rows,
        .example_ids = (int32_t *)(rows + row_bytes),
        .row_indexes = (int32_t *)(rows + 2 * row_bytes),
        .labels = (int32_t *)(rows + 3 * row_bytes),
        .scores = (float *)(rows + 4 * row_bytes),
        .masked_positions = (int32_t *)masked,
        .masked_labels = (int32_t *)(masked + masked_bytes),
        .limits = limits,
        .block = block,
    };
    return RT_OK;
}

void rt_batch_destroy(rt_batch *batch) {
    free(batch->block);
    *batch = (rt_batch){0};
}
