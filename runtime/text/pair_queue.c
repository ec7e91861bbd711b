// SPDX-License-Identifier: Apache-2.0
/* The heap holds entries that may be out of date: one with too large a count goes back in with the
 * right one when it comes to the top, a risen count gets a new entry at once. */
#include "runtime/text/pair_queue.h"

static size_t first_slot(const rt_pair_queue *queue, uint32_t left, uint32_t right) {
    uint64_t key = (uint64_t)left << 32 | right;
    key = (key ^ key >> 31) * UINT64_C(0x9E3779B97F4A7C15); /* Fibonacci hashing */
    return (size_t)(key >> 20) & (queue->slot_count - 1);
}

static bool grow_slots(rt_pair_queue *queue) {
    size_t slot_count = queue->slot_count ? 2 * queue->slot_count : 4096;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    if (!slots) return false;
    free(queue->slots);
    queue->slots = slots;
    queue->slot_count = slot_count;
    for (size_t i = 0; i < queue->pair_count; ++i) {
        size_t slot = first_slot(queue, queue->pairs[i].left, queue->pairs[i].right);
        while (slots[slot]) slot = (slot + 1) & (slot_count - 1);
        slots[slot] = (uint32_t)i + 1;
    }
    return true;
}

/* The pair of two symbols, made where it is new; RT_NO_PAIR where there is no memory. */
static uint32_t find_pair(rt_pair_queue *queue, uint32_t left, uint32_t right) {
    if (2 * queue->pair_count >= queue->slot_count && !grow_slots(queue)) return RT_NO_PAIR;
    size_t slot = first_slot(queue, left, right);
    for (; queue->slots[slot]; slot = (slot + 1) & (queue->slot_count - 1)) {
        const rt_symbol_pair *pair = &queue->pairs[queue->slots[slot] - 1];
        if (pair->left == left && pair->right == right) return queue->slots[slot] - 1;
    }
    if (queue->pair_count >= RT_NO_PAIR - 1) return RT_NO_PAIR;
    if (!rt_reserve(&queue->pairs, &queue->pair_capacity, queue->pair_count + 1,
                    sizeof *queue->pairs))
        return RT_NO_PAIR;
    queue->pairs[queue->pair_count] = (rt_symbol_pair){.left = left, .right = right};
    queue->slots[slot] = (uint32_t)++queue->pair_count;
    return (uint32_t)queue->pair_count - 1;
}

static bool is_before(const rt_pair_queue *queue, rt_pair_entry a, rt_pair_entry b) {
    const rt_symbol_pair *x = &queue->pairs[a.pair], *y = &queue->pairs[b.pair];
    if (a.count != b.count) return a.count > b.count;
    return x->left != y->left ? x->left < y->left : x->right < y->right;
}

static bool push_entry(rt_pair_queue *queue, uint32_t pair) {
    if (!rt_reserve(&queue->heap, &queue->heap_capacity, queue->heap_count + 1,
                    sizeof *queue->heap))
        return false;
    rt_pair_entry entry = {queue->pairs[pair].count, pair};
    queue->pairs[pair].queued_count = entry.count;
    size_t at = queue->heap_count++;
    for (; at > 0 && is_before(queue, entry, queue->heap[(at - 1) / 2]); at = (at - 1) / 2)
        queue->heap[at] = queue->heap[(at - 1) / 2];
    queue->heap[at] = entry;
    return true;
}

static rt_pair_entry pop_entry(rt_pair_queue *queue) {
    rt_pair_entry top = queue->heap[0], last = queue->heap[--queue->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= queue->heap_count) break;
        if (child + 1 < queue->heap_count &&
            is_before(queue, queue->heap[child + 1], queue->heap[child]))
            ++child;
        if (!is_before(queue, queue->heap[child], last)) break;
        queue->heap[at] = queue->heap[child];
        at = child;
    }
    queue->heap[at] = last;
    return top;
}

bool rt_pair_queue_add(rt_pair_queue *queue, uint32_t left, uint32_t right, int64_t count) {
    uint32_t found = find_pair(queue, left, right);
    if (found == RT_NO_PAIR) return false;
    rt_symbol_pair *pair = &queue->pairs[found];
    pair->count += count;
    if (!queue->is_ordered) return true;
    return pair->count <= pair->queued_count || push_entry(queue, found);
}

bool rt_pair_queue_order(rt_pair_queue *queue) {
    queue->is_ordered = true;
    for (size_t i = 0; i < queue->pair_count; ++i)
        if (!push_entry(queue, (uint32_t)i)) return false;
    return true;
}

bool rt_pair_queue_add_word(rt_pair_queue *queue, uint32_t left, uint32_t right, uint32_t word) {
    uint32_t found = find_pair(queue, left, right);
    if (found == RT_NO_PAIR) return false;
    rt_symbol_pair *pair = &queue->pairs[found];
    if (pair->newest && queue->occurrences[pair->newest - 1].word == word) return true;
    if (queue->occurrence_count >= UINT32_MAX - 1 ||
        !rt_reserve(&queue->occurrences, &queue->occurrence_capacity, queue->occurrence_count + 1,
                    sizeof *queue->occurrences))
        return false;
    queue->occurrences[queue->occurrence_count] = (rt_pair_occurrence){word, pair->newest};
    pair->newest = (uint32_t)++queue->occurrence_count;
    return true;
}

uint32_t rt_pair_queue_pop(rt_pair_queue *queue) {
    while (queue->heap_count) {
        rt_pair_entry entry = pop_entry(queue);
        rt_symbol_pair *pair = &queue->pairs[entry.pair];
        if (entry.count == pair->count && entry.count > 0) {
            pair->queued_count = 0;
            return entry.pair;
        }
        bool is_too_large = entry.count > pair->count;
        if (is_too_large && pair->count > 0 && !push_entry(queue, entry.pair)) return RT_NO_PAIR;
        if (is_too_large && pair->count <= 0) pair->queued_count = 0;
    }
    return RT_NO_PAIR;
}

void rt_pair_queue_deinit(rt_pair_queue *queue) {
    free(queue->pairs);
    free(queue->occurrences);
    free(queue->heap);
    free(queue->slots);
    *queue = (rt_pair_queue){0};
}
