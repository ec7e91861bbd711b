// SPDX-License-Identifier: Apache-2.0
/* Between the files of expansions: rules of operators whose expansion has a file of its own. */
#ifndef RETORT_PASSES_EXPAND_RULES_H
#define RETORT_PASSES_EXPAND_RULES_H

#include "ir/rewrite.h"

/* expand_decode.c */
bool expand_decode_scores(rt_rewriter *rewriter, rt_node node);
bool expand_decode_scores_gradient(rt_rewriter *rewriter, rt_node node);
bool expand_decode_divergence(rt_rewriter *rewriter, rt_node node);
bool expand_decode_divergence_gradient(rt_rewriter *rewriter, rt_node node);

#endif
