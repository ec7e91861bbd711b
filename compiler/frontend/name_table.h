// SPDX-License-Identifier: Apache-2.0
/* Names to pointers: a hash table in an arena. Keys are not copied. */
#ifndef RETORT_COMPILER_FRONTEND_NAME_TABLE_H
#define RETORT_COMPILER_FRONTEND_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/arena.h"

typedef struct rt_name_table {
    struct rt_name_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
} rt_name_table;

/* Adds or replaces; false where there is no memory. `value` is not NULL. */
bool rt_name_table_set(rt_name_table *table, rt_arena *arena, const char *name, const void *value);
/* NULL where the name is unknown. */
void *rt_name_table_find(const rt_name_table *table, const char *name);

#endif
