// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/text_table.h"

#include "runtime/base/checksum.h"

static size_t first_slot(const rt_text_table *table, rt_text text) {
    return (size_t)rt_checksum(text.bytes, text.length) & (table->slot_count - 1);
}

static bool grow_slots(rt_text_table *table) {
    size_t slot_count = table->slot_count ? 2 * table->slot_count : 1024;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots) return false;
    free(table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    for (size_t i = 0; i < table->count; ++i) {
        size_t slot = first_slot(table, table->items[i]);
        while (slots[slot]) slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    return true;
}

/* The slot that holds `text`, or the empty one where it belongs. */
static size_t find_slot(const rt_text_table *table, rt_text text) {
    size_t slot = first_slot(table, text);
    while (table->slots[slot] && !rt_text_equals(table->items[table->slots[slot] - 1], text))
        slot = (slot + 1) & (table->slot_count - 1);
    return slot;
}

uint32_t rt_text_table_find(const rt_text_table *table, rt_text text) {
    uint32_t held = table->count ? table->slots[find_slot(table, text)] : 0;
    return held ? held - 1 : RT_NO_TEXT;
}

uint32_t rt_text_table_add(rt_text_table *table, rt_text text) {
    if (2 * table->count >= table->slot_count && !grow_slots(table)) return RT_NO_TEXT;
    size_t slot = find_slot(table, text);
    if (table->slots[slot]) return table->slots[slot] - 1;
    if (table->count >= RT_NO_TEXT - 1) return RT_NO_TEXT;
    char *copy = rt_arena_copy_text(&table->arena, text.bytes, text.length);
    if (!copy || !rt_reserve(&table->items, &table->capacity, table->count + 1, sizeof text))
        return RT_NO_TEXT;
    table->items[table->count] = (rt_text){copy, text.length};
    table->slots[slot] = (uint32_t)++table->count;
    return (uint32_t)table->count - 1;
}

void rt_text_table_deinit(rt_text_table *table) {
    rt_arena_deinit(&table->arena);
    free(table->items);
    free(table->slots);
    *table = (rt_text_table){0};
}
