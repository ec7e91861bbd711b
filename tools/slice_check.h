// SPDX-License-Identifier: Apache-2.0
/* Slices whose sizes are symbols, as positions of a graph that looks up as many as its rows are
 * long: whether inputs of given sizes ask for more than there is. */
#ifndef RETORT_TOOLS_SLICE_CHECK_H
#define RETORT_TOOLS_SLICE_CHECK_H

#include "ir/graph.h"

typedef struct slice_checks {
    struct slice_check {
        rt_dim available, start, size;
        int64_t step;
        const char *name; /* of the node, or NULL */
    } * items;
    size_t count;
    const rt_dim_table *dims; /* of the graph's module, which is lent */
} slice_checks;

/* Finds the slices of a graph; RT_OUT_OF_MEMORY. */
RT_MUST_CHECK rt_status slice_checks_collect(const rt_graph *graph, rt_arena *arena,
                                             slice_checks *checks);

/* Holds them against the values of symbols, by their names; a slice with other symbols passes. */
RT_MUST_CHECK rt_status slice_checks_apply(const slice_checks *checks, const char *const *symbols,
                                           const int64_t *values, size_t count, rt_arena *arena,
                                           rt_error *error);

#endif
