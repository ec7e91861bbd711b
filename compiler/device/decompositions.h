// SPDX-License-Identifier: Apache-2.0
/* The canonical decompositions of Unicode as pairs, Hangul syllables left out. */
#ifndef RETORT_COMPILER_DEVICE_DECOMPOSITIONS_H
#define RETORT_COMPILER_DEVICE_DECOMPOSITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"

enum { RT_LONGEST_DECOMPOSITION = 4 };

typedef struct rt_decomposition {
    int32_t point;
    int32_t first, second; /* second 0: one point instead of another; first may decompose again */
    bool composes;         /* the two are composed again by NFC */
    int32_t full[RT_LONGEST_DECOMPOSITION];
    size_t full_count;
} rt_decomposition;

typedef struct rt_decompositions {
    rt_decomposition *items; /* by ascending point */
    size_t count, capacity;
} rt_decompositions;

/* False where there is no memory. */
bool rt_decompositions_list(rt_arena *arena, rt_decompositions *list);

/* NULL where the point does not decompose. */
rt_decomposition *rt_decompositions_find(const rt_decompositions *list, int32_t point);

#endif
