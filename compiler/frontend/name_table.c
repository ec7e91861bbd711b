// SPDX-License-Identifier: Apache-2.0
/* Open addressing, linear probing, at most three quarters full; FNV-1a (Fowler, Noll, Vo). A file
 * made to collide costs time, bounded by the square of its number of names. */
#include "compiler/frontend/name_table.h"

#include <stdint.h>
#include <string.h>

typedef struct rt_name_slot {
    const char *name;
    const void *value;
} rt_name_slot;

static uint64_t hash(const char *name) {
    uint64_t value = 0xcbf29ce484222325u;
    for (; *name; ++name) value = (value ^ (uint8_t)*name) * 0x100000001b3u;
    return value ^ value >> 32;
}

static rt_name_slot *find_slot(rt_name_slot *slots, size_t capacity, const char *name) {
    size_t at = (size_t)hash(name) & (capacity - 1);
    while (slots[at].name && strcmp(slots[at].name, name) != 0) at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static bool grow(rt_name_table *table, rt_arena *arena) {
    size_t capacity = table->capacity ? table->capacity * 2 : 8;
    rt_name_slot *slots = RT_NEW_ARRAY(arena, rt_name_slot, capacity);
    if (!slots) return false;
    for (size_t i = 0; i < table->capacity; ++i) {
        if (table->slots[i].name) {
            *find_slot(slots, capacity, table->slots[i].name) = table->slots[i];
        }
    }
    table->slots = slots;
    table->capacity = capacity;
    return true;
}

bool rt_name_table_set(rt_name_table *table, rt_arena *arena, const char *name, const void *value) {
    if ((table->count + 1) * 4 > table->capacity * 3 && !grow(table, arena)) return false;
    rt_name_slot *slot = find_slot(table->slots, table->capacity, name);
    if (!slot->name) table->count++;
    *slot = (rt_name_slot){name, value};
    return true;
}

void *rt_name_table_find(const rt_name_table *table, const char *name) {
    if (!table->capacity) return NULL;
    return (void *)find_slot(table->slots, table->capacity, name)->value;
}
