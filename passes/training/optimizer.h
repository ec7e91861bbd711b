// SPDX-License-Identifier: Apache-2.0
/* The update of the weights as a graph of its own, built from the gradient parameters that
 * differentiation made (passes/differentiate.h). What has no gradient has no state and does not
 * decay.
 *
 * The graph "update" has the input `learning_rate` f32[] and those of the optimiser, gives the
 * output `gradient_norm` f32[] (over all gradients, before clipping), and assigns every trained
 * weight and every state. It leaves the gradients as they are. Where the module has phases
 * (passes/training/phases.h), "update.1" and so on do the same for the weights of theirs. */
#ifndef RETORT_PASSES_TRAINING_OPTIMIZER_H
#define RETORT_PASSES_TRAINING_OPTIMIZER_H

#include "ir/graph.h"

typedef enum rt_optimizer {
#define OPTIMIZER(id, text, decay, epsilon, keys) RT_OPTIMIZER_##id,
#include "passes/training/optimizers.def"
    RT_OPTIMIZER_COUNT
} rt_optimizer;

typedef struct rt_update_options {
    rt_optimizer optimizer;
    double weight_decay;   /* of parameters with is_decayed; decoupled from the gradient */
    double clip_norm;      /* gradients are scaled to this norm where it is larger; 0 for never */
    double betas[2];       /* adamw, lamb: of the first and the second moment */
    double rho;            /* adadelta: of both means */
    double epsilon;        /* adamw, lamb: added to the root of the corrected second moment;
                              adadelta: added to both means under their roots */
    double momentum;       /* sgd; 0 keeps no state */
    double trust_ratio[2]; /* lamb: bounds of the ratio of norms; the second may be infinite */
    /* Shares of the learning rate that weights have, as numbers and patterns of names
     * (ir/name_pattern.h) in turn: "0.5 encoder.layer.0.* 0.25 embeddings.*". The first pattern
     * that matches holds, without one the whole rate. NULL for none. */
    const char *rates;
} rt_update_options;

/* What holds where nothing is said: the row's decay and epsilon, betas 0.9 and 0.999, rho 0.95, no
 * momentum, an unbounded trust ratio, no clipping. */
rt_update_options rt_update_options_default(rt_optimizer optimizer);

const char *rt_optimizer_text(rt_optimizer optimizer);
bool rt_optimizer_from_text(const char *text, rt_optimizer *optimizer);

/* Builds the graph "update", in the place of one that is there, and those of other phases.
 * Diagnoses weights that are not f32 and options out of range. */
RT_MUST_CHECK rt_status rt_build_update(rt_module *module, const rt_update_options *options);

#endif
