// SPDX-License-Identifier: Apache-2.0
/* A graph without its draws: dropout gone, attention without it. */
#ifndef RETORT_PASSES_TRAINING_INFERENCE_FORM_H
#define RETORT_PASSES_TRAINING_INFERENCE_FORM_H

#include "ir/rewrite.h"

/* Builds a node that draws in the form that does not, in the rewriter's graph; false, with nothing
 * built, where the node draws nothing. A rule for rt_graph_rewrite. */
bool rt_rewrite_without_dropout(rt_rewriter *rewriter, rt_node node);

#endif
