// SPDX-License-Identifier: Apache-2.0
/* The invariants of a graph: operand counts, types as inferred, order without cycles, outputs that
 * exist, assignments that fit their parameters, and what the form of a graph forbids. */
#ifndef RETORT_IR_VERIFY_H
#define RETORT_IR_VERIFY_H

#include "ir/graph.h"

typedef enum rt_graph_form {
    RT_FORM_TYPED, /* every operator of the table */
    RT_FORM_LEGAL  /* schedulable: no operator of class EXPAND */
} rt_graph_form;

/* RT_INVALID_DATA after diagnostics that name the printed node. */
RT_MUST_CHECK rt_status rt_verify_graph(const rt_graph *graph, rt_graph_form form,
                                        rt_diagnostics *diagnostics);
RT_MUST_CHECK rt_status rt_verify_module(const rt_module *module, rt_graph_form form,
                                         rt_diagnostics *diagnostics);

#endif
