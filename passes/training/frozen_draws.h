// SPDX-License-Identifier: Apache-2.0
/* A graph without draws below what trains in it: dropout on values that no trained parameter
 * reaches goes, which makes a frozen prefix a fixed function of its input. */
#ifndef RETORT_PASSES_TRAINING_FROZEN_DRAWS_H
#define RETORT_PASSES_TRAINING_FROZEN_DRAWS_H

#include "ir/graph.h"

/* The rewritten graph under this name, not yet in the module; NULL where the module failed or there
 * is no memory. `trains` is by parameter; dropout of sites from `first_kept_site` on stays. */
rt_graph *rt_graph_without_frozen_draws(rt_graph *graph, const char *name, const bool *trains,
                                        int64_t first_kept_site, rt_arena *scratch);

#endif
