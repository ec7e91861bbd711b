// SPDX-License-Identifier: Apache-2.0
/* The state of grouping: what placing nodes (group.c) and merging groups (merge.c) share. */
#ifndef RETORT_COMPILER_SCHEDULE_GROUPING_H
#define RETORT_COMPILER_SCHEDULE_GROUPING_H

#include "compiler/schedule/schedule_impl.h"

enum { GROUPING_MAX_MEMBERS = 48 }; /* of a group: beyond, registers and streams run out */

typedef struct value_use {
    uint32_t group;
    int member;
    unsigned operand;
    uint32_t next; /* index + 1 into uses; 0: the last */
} value_use;

typedef struct draft {
    size_t capacity;      /* of members */
    uint32_t first;       /* smallest position of its nodes in the topological order */
    uint32_t merged_into; /* group + 1; 0: none */
} draft;

typedef struct grouping {
    rt_graph *graph;
    rt_optimizations optimizations;
    rt_dim_table *dims;
    rt_arena *arena;
    rt_group *groups;
    draft *drafts;
    size_t count, limit, words;
    uint64_t *reach; /* [limit][words] */
    value_use *uses;
    size_t use_count, use_capacity;
    uint32_t *first_use;     /* by value: index + 1 into uses */
    unsigned *repeat_cost;   /* by value: cost of the repeated nodes that read it */
    bool *is_output;         /* by value */
    rt_value *sums;          /* by value: see rt_find_sums_in_place */
    bool *is_summed;         /* by value: a sum that its term's kernel makes */
    uint32_t *position;      /* by node */
    rt_boundary_note *notes; /* readers are groups as they were when it was noted */
    size_t note_count, note_capacity;
} grouping;

/* Whether `to` comes after `from` because it reads what `from` makes, or what that is made into. */
bool grouping_reaches(const grouping *s, uint32_t from, uint32_t to);
void grouping_add_edge(grouping *s, uint32_t from, uint32_t to);

/* Merges groups that pass over the same values, once all nodes are placed. Merged groups stay as
 * empty ones. False without memory. */
bool grouping_merge(grouping *s);

/* Notes why `reader` does not make `value` itself; a later note of the same two counts. False
 * without memory. */
bool grouping_note(grouping *s, rt_value value, uint32_t reader, rt_boundary why);

/* The group that has the members of `group` now. */
uint32_t grouping_current(const grouping *s, uint32_t group);

#endif
