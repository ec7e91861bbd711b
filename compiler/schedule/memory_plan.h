// SPDX-License-Identifier: Apache-2.0
/* How much memory a schedule takes for given sizes: the same layout that the runtime makes. */
#ifndef RETORT_COMPILER_SCHEDULE_MEMORY_PLAN_H
#define RETORT_COMPILER_SCHEDULE_MEMORY_PLAN_H

#include "compiler/schedule/schedule.h"
#include "runtime/base/memory_layout.h"

typedef struct rt_memory_plan {
    uint64_t *offsets; /* by buffer */
    uint64_t *sizes;   /* in bytes, by buffer */
    uint64_t total_bytes;
} rt_memory_plan;

/* Lays out the buffers where symbol i is symbols[i]; arrays are in `arena`. RT_OUT_OF_RANGE where a
 * size overflows. */
RT_MUST_CHECK rt_status rt_memory_plan_measure(const rt_schedule *schedule, const int64_t *symbols,
                                               rt_arena *arena, rt_memory_plan *plan,
                                               rt_error *error);

#endif
