// SPDX-License-Identifier: Apache-2.0
/* Which optimisations a compilation leaves out: rows of optimizations.def. A set of zero leaves
 * out none.
 *
 *     rt_optimizations set = {0};
 *     RT_TRY(rt_optimizations_leave_out(&set, "fuse,reuse-memory", error));
 *     if (rt_optimizes(set, RT_OPTIMIZE_fuse)) ...
 */
#ifndef RETORT_COMPILER_OPTIMIZATIONS_H
#define RETORT_COMPILER_OPTIMIZATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "passes/pass_manager.h"
#include "runtime/base/arena.h"
#include "runtime/base/status.h"

typedef enum rt_optimization {
#define OPTIMIZATION(id, text, line) RT_OPTIMIZE_##id,
#include "compiler/optimizations.def"
    RT_OPTIMIZATION_COUNT
} rt_optimization;

typedef struct rt_optimizations {
    uint64_t left_out; /* bit: rt_optimization */
} rt_optimizations;

static inline bool rt_optimizes(rt_optimizations set, rt_optimization which) {
    return !(set.left_out >> which & 1);
}

const char *rt_optimization_text(rt_optimization which);

/* Adds to what is left out: names with commas between them, or "all". RT_INVALID_ARGUMENT, with the
 * names that there are, where one is unknown; the set is then unchanged. */
RT_MUST_CHECK rt_status rt_optimizations_leave_out(rt_optimizations *set, const char *names,
                                                   rt_error *error);

/* Lets the manager skip the passes that are left out. */
void rt_optimizations_choose_passes(rt_optimizations set, rt_pass_manager *manager);

/* A line for each optimisation: its name and what it does. NULL without memory. */
const char *rt_optimization_listing(rt_arena *arena);

#endif
