// SPDX-License-Identifier: Apache-2.0
/* Terms of a loss over intermediate values of student and teacher: hidden states, token by token or
 * of each row's first token (FitNets, Romero et al. 2015; patient distillation, Sun et al. 2019;
 * DistilBERT, Sanh et al. 2019; TinyBERT, Jiao et al. 2020). */
#ifndef RETORT_PASSES_TRAINING_FEATURE_TERMS_H
#define RETORT_PASSES_TRAINING_FEATURE_TERMS_H

#include "passes/pass.h"
#include "passes/training/loss_terms.h"

/* A model in a graph under construction: what its outputs became there. */
typedef struct rt_inlined_model {
    const rt_graph *graph; /* of the model alone */
    rt_value *values;      /* by its outputs */
} rt_inlined_model;

/* The output of that name, of `length` bytes; RT_NO_VALUE where there is none. */
rt_value rt_inlined_output(const rt_inlined_model *model, const char *name, size_t length);

/* Builds the term into b's graph, unweighted, a scalar f32[]: the sum over its pairs. The graph's
 * inputs row_offsets and, where padding is laid out, key_mask say which tokens are of which row and
 * which are real. The term's linear map is found in the module or added to it, where it trains:
 * weights from a normal distribution of deviation 0.02, bias 0. RT_NO_VALUE after a diagnostic. */
rt_value rt_build_feature_term(rt_builder *b, rt_pass_context *context, const rt_loss_term *term,
                               const rt_inlined_model *student, const rt_inlined_model *teacher);

/* The student's side of each pair of states at each row's first token, through the term's map:
 * f32[B,H]; `values` has room for the term's pairs. For whoever looks at what was learnt. */
bool rt_build_projected_firsts(rt_builder *b, rt_pass_context *context, const rt_loss_term *term,
                               const rt_inlined_model *student, rt_value *values);

#endif
