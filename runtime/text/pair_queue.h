// SPDX-License-Identifier: Apache-2.0
/* Pairs of neighbouring symbols with their counts, the most frequent one first: what training a
 * vocabulary merges. Counts change by what a merge changes, never by counting anew. */
#ifndef RETORT_RUNTIME_TEXT_PAIR_QUEUE_H
#define RETORT_RUNTIME_TEXT_PAIR_QUEUE_H

#include "runtime/text/buffers.h"

typedef struct rt_symbol_pair {
    uint32_t left, right;
    int64_t count;
    int64_t queued_count; /* of its latest entry in the heap, 0 where it has none */
    uint32_t newest;      /* occurrence + 1, 0 where there is none */
} rt_symbol_pair;

/* A word in which the pair occurred when it was added; a list, newest first. */
typedef struct rt_pair_occurrence {
    uint32_t word;
    uint32_t before; /* occurrence + 1, 0 at the end */
} rt_pair_occurrence;

typedef struct rt_pair_entry {
    int64_t count;
    uint32_t pair;
} rt_pair_entry;

/* Zero it to begin. */
typedef struct rt_pair_queue {
    rt_symbol_pair *pairs;
    size_t pair_count, pair_capacity;
    rt_pair_occurrence *occurrences;
    size_t occurrence_count, occurrence_capacity;
    rt_pair_entry *heap; /* largest count first, then lowest symbols */
    size_t heap_count, heap_capacity;
    uint32_t *slots; /* pair + 1 by hash of its symbols, 0 where empty */
    size_t slot_count;
    bool is_ordered; /* the heap is in use */
} rt_pair_queue;

enum { RT_NO_PAIR = UINT32_MAX };

/* Adds `count` (may be negative) to the pair's count, and `word` to its words where `is_new_there`.
 * False where there is no memory. */
bool rt_pair_queue_add(rt_pair_queue *queue, uint32_t left, uint32_t right, int64_t count);
bool rt_pair_queue_add_word(rt_pair_queue *queue, uint32_t left, uint32_t right, uint32_t word);

/* Begins to order pairs: called once, when all are counted for the first time. */
bool rt_pair_queue_order(rt_pair_queue *queue);

/* The pair of the largest count, of equals that with the lowest left, then right symbol; taken out
 * of the queue. RT_NO_PAIR where none has a count above 0 or there is no memory. */
uint32_t rt_pair_queue_pop(rt_pair_queue *queue);

void rt_pair_queue_deinit(rt_pair_queue *queue);

#endif
