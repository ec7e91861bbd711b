// SPDX-License-Identifier: Apache-2.0
/* expand: operators of class EXPAND become primitives, and reductions take the two forms that have
 * kernels: one run of neighbouring axes, and where the run ends with the last axis, that axis
 * alone. Afterwards the graph is schedulable (RT_FORM_LEGAL). */
#ifndef RETORT_PASSES_EXPAND_H
#define RETORT_PASSES_EXPAND_H

#include "ir/graph.h"

/* The expanded graph, not yet in the module; NULL where the module failed. */
rt_graph *rt_expand_graph(rt_graph *graph);

#endif
