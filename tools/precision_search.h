// SPDX-License-Identifier: Apache-2.0
/* Chooses in how many bits each weight is held, so that an evaluation loses no more than it may:
 * every weight begins at the fewest bits; those that change the answers most get more, as few of
 * them as suffice. Each choice is compiled in memory and measured. */
#ifndef RETORT_TOOLS_PRECISION_SEARCH_H
#define RETORT_TOOLS_PRECISION_SEARCH_H

#include "tools/evaluation.h"

typedef struct precision_search {
    const char *model_path;
    evaluation *rows; /* lent */
    session_options session;
    double max_drop; /* of the metric times 100, "points" */
    int64_t group;   /* of int4; 0: the usual */
} precision_search;

typedef struct precision_layer {
    const char *name;
    int64_t elements;
    bool is_table;
    rt_precision precision;
    double damage; /* mean square that the fewest bits of it alone change the logits by */
} precision_layer;

/* All in `arena`. */
typedef struct precision_result {
    precision_layer *layers; /* in the order of the graph */
    size_t layer_count;
    const char *choice;   /* for rt_precision_choice.layers */
    double before, after; /* the metric in f32, and with the choice */
    size_t measured;      /* choices that were compiled */
} precision_result;

RT_MUST_CHECK rt_status precision_search_run(const precision_search *search, rt_arena *arena,
                                             precision_result *result, rt_error *error);

/* The table, on standard output. */
void precision_result_print(const precision_result *result, const evaluation *rows);

#endif
