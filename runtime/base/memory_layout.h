// SPDX-License-Identifier: Apache-2.0
/* Lifetimes to offsets: where each buffer of a run lies in one block of memory. The compiler calls
 * this to print a plan, the runtime to lay out the same plan once the sizes are known: one function,
 * so that the figure printed is the figure used. */
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

/* Greedy by size, largest first, each at the lowest offset free during its whole life; offsets are
 * multiples of 64. Fills offsets[count] and the block's total size. Deterministic. */
RT_MUST_CHECK rt_status rt_memory_layout(const rt_buffer_life *lives, size_t count,
                                         uint64_t *offsets, uint64_t *total_bytes);

#endif
