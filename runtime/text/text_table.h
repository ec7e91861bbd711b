// SPDX-License-Identifier: Apache-2.0
/* Different texts numbered in the order in which they were first added. */
#ifndef RETORT_RUNTIME_TEXT_TEXT_TABLE_H
#define RETORT_RUNTIME_TEXT_TEXT_TABLE_H

#include "runtime/base/arena.h"
#include "runtime/text/buffers.h"

/* Zero it to begin. */
typedef struct rt_text_table {
    rt_arena arena; /* copies of the texts */
    rt_text *items; /* by number */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* number + 1, or 0 where empty; linear probing, at most half full */
    size_t slot_count;
} rt_text_table;

enum { RT_NO_TEXT = UINT32_MAX };

/* Number of a text, which is copied where it is new. RT_NO_TEXT where there is no memory or
 * no number left. */
uint32_t rt_text_table_add(rt_text_table *table, rt_text text);

/* Number of a text, RT_NO_TEXT where it was never added. */
uint32_t rt_text_table_find(const rt_text_table *table, rt_text text);

void rt_text_table_deinit(rt_text_table *table);

#endif
