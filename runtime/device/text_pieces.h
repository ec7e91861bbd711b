// SPDX-License-Identifier: Apache-2.0
/* Words to ids: the longest token from the left, again and again. */
#ifndef RETORT_RUNTIME_DEVICE_TEXT_PIECES_H
#define RETORT_RUNTIME_DEVICE_TEXT_PIECES_H

#include "runtime/device/text_tables.h"

/* Where ids go. Those after the first `limit` are not kept, and need not all be made. */
typedef struct retort_text_ids {
    void *data;             /* int32_t or int64_t each, or NULL: only counted */
    uint32_t element_bytes; /* 4 or 8 */
    uint32_t count;         /* may exceed the limit */
    uint32_t limit;
} retort_text_ids;

void retort_text_put(retort_text_ids *ids, int32_t id);

/* Appends the pieces of a normalised word, or [UNK] where it cannot be cut to its end. */
void retort_text_cut(const retort_text_tables *tables, const uint8_t *word, uint32_t bytes,
                     retort_text_ids *ids);

#endif
