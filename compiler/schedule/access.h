// SPDX-License-Identifier: Apache-2.0
/* How a loop over rows and columns reads a value.
 *
 * A group computes elements of a space: `rows` rows of `columns` elements. Every operand of every
 * node is an index map from (row, column) to an element of some root value: a value that is in
 * memory or computed by the group itself. Reshapes and broadcasts between the two are part of the
 * map, so neither moves a byte. */
#ifndef RETORT_COMPILER_SCHEDULE_ACCESS_H
#define RETORT_COMPILER_SCHEDULE_ACCESS_H

#include "ir/graph.h"

typedef struct rt_space {
    rt_dim rows, columns;
} rt_space;

/* The product of the leading dimensions, and the last one; 1 for those that a shape lacks. */
rt_space rt_space_of(rt_dim_table *dims, rt_type type);
static inline bool rt_space_equal(rt_space a, rt_space b) {
    return rt_dim_equal(a.rows, b.rows) && rt_dim_equal(a.columns, b.columns);
}

typedef enum rt_access_kind {
    RT_ACCESS_UNIFORM, /* element 0 */
    RT_ACCESS_ROW,     /* element row */
    RT_ACCESS_COLUMN,  /* element column */
    RT_ACCESS_FULL,    /* element row * columns + column */
    RT_ACCESS_STRIDED  /* the dot product of the strides with (row, column) taken apart by dims */
} rt_access_kind;

enum { RT_ACCESS_MAX_RANK = RT_MAX_RANK + 1 };

typedef struct rt_access {
    rt_access_kind kind;
    rt_value root;
    int member; /* of the group, that computes the root; -1: read from memory */
    /* Of STRIDED: the last entry belongs to the column, the others are the row's digits. */
    int rank;
    rt_dim dims[RT_ACCESS_MAX_RANK], strides[RT_ACCESS_MAX_RANK];
} rt_access;

/* How `node` reads operand `index` in its own space: that of its result, or of its operand where it
 * is a reduction (`space`, which may split the operand's dimensions elsewhere than at the last). */
rt_access rt_access_of(const rt_graph *graph, rt_node node, int index, rt_space space);

/* The same read from a larger space, in which the node's elements are indexed by `map`. `space` is
 * the larger one. False where no access expresses that. */
bool rt_access_compose(rt_dim_table *dims, const rt_access *access, rt_access_kind map,
                       rt_space space, rt_access *result);

/* The value whose memory holds the value: views stripped. */
rt_value rt_storage_root(const rt_graph *graph, rt_value value);

/* A constant of one element: a literal in whatever reads it. */
bool rt_value_is_literal(const rt_graph *graph, rt_value value);

#endif
