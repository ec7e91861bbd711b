// SPDX-License-Identifier: Apache-2.0
/* Phases of a training run: graphs step.1, step.2 …, step over one set of parameters, the last one
 * for all that is left of the run, and an update of the same name's end for each. Parameters begin
 * to train in one phase and train in all that follow. */
#ifndef RETORT_PASSES_TRAINING_PHASES_H
#define RETORT_PASSES_TRAINING_PHASES_H

#include "ir/graph.h"

/* "step.1" of phase 1 of `count`; of the last one "step". In `arena`, NULL without memory. */
const char *rt_phase_graph_name(const char *base, size_t phase, size_t count, rt_arena *arena);

/* Phases of the module, by its graphs step.1 …: 1 where there are none of them. */
size_t rt_phase_count(const rt_module *module);

#endif
