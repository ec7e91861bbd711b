// SPDX-License-Identifier: Apache-2.0
/* Lifetimes to offsets: where each buffer of a run lies in one block of memory. The compiler calls
 * this to print a plan, the runtime to lay out the same plan once the sizes are known: one
 * function, so that the figure printed is the figure used. */
#ifndef RETORT_RUNTIME_BASE_MEMORY_LAYOUT_H
#define RETORT_RUNTIME_BASE_MEMORY_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef struct rt_buffer_life {
    uint64_t size_bytes;
    uint32_t first; /* step of the schedule that writes it */
    uint32_t last;  /* last step that reads it; first <= last */
} rt_buffer_life;

/* Places the buffers one by one, each at the lowest offset free during its whole life, in three
 * orders: by size; those alive at the fullest step first; by size times length of life. The
 * smallest of the three layouts is taken, the first that reaches the lower bound at once. Offsets
 * are multiples of 64, buffers of size 0 lie at 0. Deterministic, O(count²) with a small factor.
 * Fills offsets[count] and the block's total size. RT_INVALID_ARGUMENT where first > last,
 * RT_OUT_OF_RANGE where the sizes do not fit 63 bits. */
RT_MUST_CHECK rt_status rt_memory_layout(const rt_buffer_life *lives, size_t count,
                                         uint64_t *offsets, uint64_t *total_bytes);

/* What no layout can be below: the largest sum of sizes (rounded up to 64) alive in one step. */
RT_MUST_CHECK rt_status rt_memory_lower_bound(const rt_buffer_life *lives, size_t count,
                                              uint64_t *bound_bytes);

#endif
