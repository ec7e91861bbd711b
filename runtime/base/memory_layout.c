// SPDX-License-Identifier: Apache-2.0
/* Packing of intervals: the general problem is NP-hard, but the lives of a training step are nested
 * (what the forward writes first the backward reads last), and first fit reaches the lower bound on
 * nearly all of them once those alive at the fullest step are placed first. */
#include "runtime/base/memory_layout.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"

enum { ALIGNMENT = 64 };

/* One buffer with the rank that decides its place in an order. */
typedef struct item {
    uint64_t size; /* rounded up; never 0 */
    uint64_t rank; /* higher ranks are placed first */
    uint32_t first, last;
    size_t index;
} item;

/* A buffer that has its place. */
typedef struct block {
    uint64_t begin, end;
    uint32_t first, last;
} block;

typedef struct packer {
    item *items;
    size_t count;
    block *blocks;     /* in the order of their begin */
    uint64_t *offsets; /* by item.index, of the order just tried */
    uint64_t bound;
    uint32_t fullest_step;
} packer;

/* A change of the bytes alive, at the beginning of a step. */
typedef struct change {
    uint64_t step;
    uint64_t size;
    bool is_end;
} change;

static int compare_changes(const void *left, const void *right) {
    const change *a = left, *b = right;
    if (a->step != b->step) return a->step < b->step ? -1 : 1;
    return (int)b->is_end - (int)a->is_end;
}

/* Finds the step with the most bytes alive, the first of several. */
static rt_status find_fullest_step(packer *p) {
    change *changes = malloc((2 * p->count + 1) * sizeof *changes);
    if (!changes) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < p->count; ++i) {
        const item *it = &p->items[i];
        changes[2 * i] = (change){it->first, it->size, false};
        changes[2 * i + 1] = (change){(uint64_t)it->last + 1, it->size, true};
    }
    qsort(changes, 2 * p->count, sizeof *changes, compare_changes);
    uint64_t alive = 0;
    for (size_t i = 0; i < 2 * p->count; ++i) {
        alive = changes[i].is_end ? alive - changes[i].size : alive + changes[i].size;
        if (alive <= p->bound) continue;
        p->bound = alive;
        p->fullest_step = (uint32_t)changes[i].step;
    }
    free(changes);
    return RT_OK;
}

/* Takes the lives in; refuses those whose sizes summed would not fit. */
static rt_status take_lives(packer *p, const rt_buffer_life *lives, size_t count) {
    uint64_t sum = 0;
    for (size_t i = 0; i < count; ++i) {
        if (lives[i].first > lives[i].last) return RT_INVALID_ARGUMENT;
        if (lives[i].size_bytes == 0) continue;
        uint64_t size = (lives[i].size_bytes + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
        if (lives[i].size_bytes > INT64_MAX || size > INT64_MAX - sum) return RT_OUT_OF_RANGE;
        sum += size;
        p->items[p->count++] = (item){size, 0, lives[i].first, lives[i].last, i};
    }
    return RT_OK;
}

static rt_status begin_packer(packer *p, const rt_buffer_life *lives, size_t count) {
    *p = (packer){.items = calloc(count + 1, sizeof *p->items)};
    if (!p->items) return RT_OUT_OF_MEMORY;
    rt_status status = take_lives(p, lives, count);
    return status == RT_OK ? find_fullest_step(p) : status;
}

static void end_packer(packer *p) {
    free(p->items);
    free(p->blocks);
    free(p->offsets);
}

typedef enum order { BY_SIZE, FULLEST_STEP_FIRST, BY_AREA, ORDER_COUNT } order;

static int compare_items(const void *left, const void *right) {
    const item *a = left, *b = right;
    if (a->rank != b->rank) return a->rank > b->rank ? -1 : 1;
    if (a->size != b->size) return a->size > b->size ? -1 : 1;
    uint32_t length = a->last - a->first, other = b->last - b->first;
    if (length != other) return length > other ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static uint64_t area_of(const item *it) {
    uint64_t area, steps = (uint64_t)it->last - it->first + 1;
    return __builtin_mul_overflow(it->size, steps, &area) ? UINT64_MAX : area;
}

static void sort_items(packer *p, order wanted) {
    for (size_t i = 0; i < p->count; ++i) {
        item *it = &p->items[i];
        bool is_alive = it->first <= p->fullest_step && it->last >= p->fullest_step;
        it->rank = wanted == BY_SIZE ? 0 : wanted == BY_AREA ? area_of(it) : is_alive;
    }
    qsort(p->items, p->count, sizeof *p->items, compare_items);
}

/* The lowest offset with room for `it` among the `count` blocks that live at the same time. */
static uint64_t find_room(const block *blocks, size_t count, const item *it) {
    uint64_t end = 0;
    for (size_t i = 0; i < count; ++i) {
        if (blocks[i].last < it->first || blocks[i].first > it->last) continue;
        if (blocks[i].begin >= end + it->size) break;
        if (blocks[i].end > end) end = blocks[i].end;
    }
    return end;
}

static void insert_block(block *blocks, size_t count, block fresh) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (blocks[middle].begin < fresh.begin)
            low = middle + 1;
        else
            high = middle;
    }
    memmove(blocks + low + 1, blocks + low, (count - low) * sizeof *blocks);
    blocks[low] = fresh;
}

/* Places the items in their order; returns the total. */
static uint64_t place_items(packer *p) {
    uint64_t total = 0;
    for (size_t i = 0; i < p->count; ++i) {
        const item *it = &p->items[i];
        uint64_t begin = find_room(p->blocks, i, it), end = begin + it->size;
        insert_block(p->blocks, i, (block){begin, end, it->first, it->last});
        p->offsets[it->index] = begin;
        if (end > total) total = end;
    }
    return total;
}

rt_status rt_memory_layout(const rt_buffer_life *lives, size_t count, uint64_t *offsets,
                           uint64_t *total_bytes) {
    packer p;
    rt_status status = begin_packer(&p, lives, count);
    if (status == RT_OK) {
        p.blocks = calloc(count + 1, sizeof *p.blocks);
        p.offsets = calloc(count + 1, sizeof *p.offsets);
        if (!p.blocks || !p.offsets) status = RT_OUT_OF_MEMORY;
    }
    uint64_t best = UINT64_MAX;
    for (order wanted = 0; status == RT_OK && wanted < ORDER_COUNT && best > p.bound; ++wanted) {
        sort_items(&p, wanted);
        uint64_t total = place_items(&p);
        if (total >= best) continue;
        best = total;
        if (count) memcpy(offsets, p.offsets, count * sizeof *offsets);
    }
    if (status == RT_OK) *total_bytes = best;
    end_packer(&p);
    return status;
}

rt_status rt_memory_lower_bound(const rt_buffer_life *lives, size_t count, uint64_t *bound_bytes) {
    packer p;
    rt_status status = begin_packer(&p, lives, count);
    if (status == RT_OK) *bound_bytes = p.bound;
    end_packer(&p);
    return status;
}
