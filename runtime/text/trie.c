// SPDX-License-Identifier: Apache-2.0
/* Nodes are placed breadth first: a node's entries are a range of the sorted list, its children
 * the sub-ranges by the next byte. The search for free slots starts where the array is not nearly
 * full yet, which keeps building linear in practice. */
#include "runtime/text/trie.h"

typedef struct trie_range {
    size_t begin, end; /* entries that pass through the node */
    size_t depth;      /* bytes of them already walked */
    int32_t node;
} trie_range;

typedef struct trie_builder {
    rt_trie *trie;
    size_t capacity;
    trie_range *queue;
    size_t queue_count, queue_capacity;
    size_t search_from;
} trie_builder;

int rt_trie_entry_compare(const void *a, const void *b) {
    const rt_text *x = &((const rt_trie_entry *)a)->key, *y = &((const rt_trie_entry *)b)->key;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = shorter ? memcmp(x->bytes, y->bytes, shorter) : 0;
    if (order) return order;
    return (x->length > y->length) - (x->length < y->length);
}

static bool reserve_slots(trie_builder *builder, size_t needed) {
    rt_trie *trie = builder->trie;
    if (needed > INT32_MAX - 512) return false;
    size_t old = builder->capacity;
    if (!rt_reserve(&trie->slots, &builder->capacity, needed, sizeof *trie->slots)) return false;
    for (size_t i = old; i < builder->capacity; ++i)
        trie->slots[i] = (rt_trie_slot){0, RT_TRIE_NONE, RT_TRIE_NONE};
    return true;
}

/* The lowest base at which all `count` ascending bytes fall on free slots; 0 where there is no
 * memory. Slot 0 is the root, so a base is at least 1. */
static size_t find_base(trie_builder *builder, const unsigned char *bytes, size_t count) {
    size_t first = builder->search_from, seen_full = 0;
    if (first < (size_t)bytes[0] + 1) first = (size_t)bytes[0] + 1;
    size_t start = first;
    for (size_t slot = first;; ++slot) {
        if (!reserve_slots(builder, slot + 512)) return 0;
        const rt_trie_slot *slots = builder->trie->slots;
        if (slots[slot].check != RT_TRIE_NONE) {
            ++seen_full;
            continue;
        }
        size_t base = slot - bytes[0], i = 1;
        while (i < count && slots[base + bytes[i]].check == RT_TRIE_NONE) ++i;
        if (i < count) continue;
        if (seen_full * 20 >= (slot - start + 1) * 19) builder->search_from = slot;
        return base;
    }
}

static bool push_range(trie_builder *builder, trie_range range) {
    if (!rt_reserve(&builder->queue, &builder->queue_capacity, builder->queue_count + 1,
                    sizeof *builder->queue))
        return false;
    builder->queue[builder->queue_count++] = range;
    return true;
}

static bool place_children(trie_builder *builder, const rt_trie_entry *entries, trie_range range) {
    unsigned char bytes[256];
    size_t starts[257], count = 0, i = range.begin;
    if (entries[i].key.length == range.depth)
        builder->trie->slots[range.node].value = entries[i++].value;
    for (; i < range.end; ++i) {
        unsigned char byte = (unsigned char)entries[i].key.bytes[range.depth];
        if (count && bytes[count - 1] == byte) continue;
        bytes[count] = byte;
        starts[count++] = i;
    }
    if (!count) return true;
    starts[count] = range.end;
    size_t base = find_base(builder, bytes, count);
    if (!base) return false;
    rt_trie_slot *slots = builder->trie->slots;
    slots[range.node].base = (int32_t)base;
    for (size_t c = 0; c < count; ++c) {
        size_t slot = base + bytes[c];
        slots[slot].check = range.node;
        if (slot + 1 > builder->trie->count) builder->trie->count = slot + 1;
        if (!push_range(builder,
                        (trie_range){starts[c], starts[c + 1], range.depth + 1, (int32_t)slot}))
            return false;
    }
    return true;
}

rt_status rt_trie_build(rt_trie *trie, const rt_trie_entry *entries, size_t count) {
    trie_builder builder = {.trie = trie, .search_from = 1};
    *trie = (rt_trie){0};
    bool is_done = reserve_slots(&builder, 512);
    trie->count = 1;
    if (is_done && count) is_done = push_range(&builder, (trie_range){0, count, 0, RT_TRIE_ROOT});
    for (size_t next = 0; is_done && next < builder.queue_count; ++next)
        is_done = place_children(&builder, entries, builder.queue[next]);
    free(builder.queue);
    if (is_done) return RT_OK;
    rt_trie_deinit(trie);
    return RT_OUT_OF_MEMORY;
}

void rt_trie_deinit(rt_trie *trie) {
    free(trie->slots);
    *trie = (rt_trie){0};
}

int32_t rt_trie_walk(const rt_trie *trie, int32_t node, rt_text key) {
    for (size_t i = 0; i < key.length && node != RT_TRIE_NONE; ++i)
        node = rt_trie_child(trie, node, (unsigned char)key.bytes[i]);
    return node;
}
