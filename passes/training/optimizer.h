// SPDX-License-Identifier: Apache-2.0
/* The update of the weights as a graph of its own, built from the gradient parameters that
 * differentiation made (passes/differentiate.h). What has no gradient has no state and does not
 * decay.
 *
 * The graph "update" has the input `learning_rate` f32[] and those of the optimiser, gives the
 * output `gradient_norm` f32[] (over all gradients, before clipping), and assigns every trained
 * weight and every state. It leaves the gradients as they are. */
#ifndef RETORT_PASSES_TRAINING_OPTIMIZER_H
#define RETORT_PASSES_TRAINING_OPTIMIZER_H

#include "ir/graph.h"

typedef enum rt_optimizer {
#define OPTIMIZER(id, text) RT_OPTIMIZER_##id,
#include "passes/training/optimizers.def"
    RT_OPTIMIZER_COUNT
} rt_optimizer;

typedef struct rt_update_options {
    rt_optimizer optimizer;
    double weight_decay; /* of parameters with is_decayed; decoupled from the gradient */
    double clip_norm;    /* gradients are scaled to this norm where it is larger; 0 for never */
    double beta1, beta2; /* adamw */
    double epsilon;      /* adamw: added to the root of the corrected second moment */
    double momentum;     /* sgd; 0 keeps no state */
} rt_update_options;

/* AdamW with betas 0.9 and 0.999, epsilon 1e-8, decay 0.01, without clipping. */
rt_update_options rt_update_options_default(void);

const char *rt_optimizer_text(rt_optimizer optimizer);
bool rt_optimizer_from_text(const char *text, rt_optimizer *optimizer);

/* Builds the graph "update", in the place of one that is there. Diagnoses weights that are not f32
 * and options out of range. */
RT_MUST_CHECK rt_status rt_build_update(rt_module *module, const rt_update_options *options);

#endif
