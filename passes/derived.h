// SPDX-License-Identifier: Apache-2.0
/* Which values a graph computes from weights and constants alone: they are the same in every call
 * until a weight changes. */
#ifndef RETORT_PASSES_DERIVED_H
#define RETORT_PASSES_DERIVED_H

#include "ir/graph.h"

bool rt_graph_assigns(const rt_graph *graph, rt_parameter parameter);
/* Whether any graph of the module does: what none assigns keeps its first value for ever. */
bool rt_module_assigns(const rt_module *module, rt_parameter parameter);

/* By value of `graph`: whether it is made of weights, which the graph does not assign, and
 * constants by operators that draw nothing, with constant dimensions. Of nodes with several results
 * none is. In `arena`; NULL without memory. */
bool *rt_derived_values(const rt_graph *graph, rt_arena *arena);

/* What a value is made of. */
typedef struct rt_derivation {
    rt_node *nodes; /* operands first; the value's own is the last */
    size_t node_count;
    rt_parameter *weights; /* each once, in the order of the nodes */
    size_t weight_count;
    bool is_trained; /* some graph assigns one of the weights */
} rt_derivation;

/* Of a value that rt_derived_values marks. Arrays in `arena`; false without memory. */
bool rt_derivation_of(const rt_graph *graph, rt_value value, rt_arena *arena,
                      rt_derivation *derivation);

#endif
