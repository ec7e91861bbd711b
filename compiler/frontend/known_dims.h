// SPDX-License-Identifier: Apache-2.0
/* Integers that a graph computes from the sizes of its inputs, as dimensions.
 *
 * Exported graphs compute shapes with ordinary operators (Shape, Gather, Concat, Where …). Where
 * every element of a small integer or bool tensor follows from constants and sizes alone, this
 * gives the elements as dimensions. Symbols are taken to be at least 1. */
#ifndef RETORT_COMPILER_FRONTEND_KNOWN_DIMS_H
#define RETORT_COMPILER_FRONTEND_KNOWN_DIMS_H

#include "ir/graph.h"

typedef struct rt_known {
    int rank;
    int64_t sizes[RT_MAX_RANK];
    size_t count;
    const rt_dim *elements; /* row-major; a bool is 0 or 1 */
} rt_known;

/* Answers are kept, so asking again is cheap. Zero it, then set graph and arena. */
typedef struct rt_known_dims {
    const rt_graph *graph;
    rt_arena *arena;
    const rt_known **memo; /* by value */
    bool *is_asked;
    size_t capacity;
    int depth;
} rt_known_dims;

/* NULL where an element is not known. */
const rt_known *rt_known_find(rt_known_dims *known, rt_value value);

/* What is certain about a dimension. */
bool rt_dim_is_positive(const rt_dim_table *table, rt_dim dim);
bool rt_dim_is_negative(const rt_dim_table *table, rt_dim dim);

#endif
