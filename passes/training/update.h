// SPDX-License-Identifier: Apache-2.0
/* What the rule of an optimiser sees: one weight and its gradient at a time. */
#ifndef RETORT_PASSES_TRAINING_UPDATE_H
#define RETORT_PASSES_TRAINING_UPDATE_H

#include "ir/builder.h"
#include "passes/training/optimizer.h"

typedef struct rt_update {
    rt_builder *b;
    const rt_update_options *options;
    rt_parameter weight;
    size_t phase;           /* in which it begins to train */
    rt_value learning_rate; /* f32[] */
    rt_value value;         /* of the weight before the update */
    double weight_decay;    /* 0 where the weight does not take part in decay */
    rt_value decayed;       /* value - learning_rate weight_decay value */
    rt_value gradient;      /* after clipping; of the weight's shape */
} rt_update;

/* Builds the weight's new value. One weight's rule assigns its states and no others. */
typedef rt_value (*rt_update_rule)(rt_update *update);

#define OPTIMIZER(id, text, decay, epsilon, keys) rt_value update_##id(rt_update *update);
#include "passes/training/optimizers.def"

/* A scalar input f32[] of the update, the same for all weights that begin to train in one phase:
 * those of the second one read "NAME.2", which counts from there. */
rt_value rt_update_input(rt_update *update, const char *name);

/* The state "KIND:WEIGHT" of the weight's type, zeros at first, made where it does not exist. */
rt_parameter rt_update_state(rt_update *update, const char *kind);
void rt_update_assign(rt_update *update, rt_parameter state, rt_value value);

/* A moving average kept as state: decay x + (1 - decay) y, assigned. */
rt_value rt_update_average(rt_update *update, const char *kind, double decay, rt_value y);

/* Adam's moments of the gradient (Kingma and Ba, 2015), with the states "adam_m" and "adam_v":
 *
 *   m = beta1 m + (1 - beta1) g                  v = beta2 v + (1 - beta2) g^2
 *
 * correction = 1 - beta1^t and c2 = 1 - beta2^t of step t = 1, 2, .. are the inputs
 * `bias_correction1` and `bias_correction2`, computed in double by who runs the update: in f32 the
 * differences would lose most of their digits. */
typedef struct rt_moments {
    rt_value m, correction; /* m / correction is the mean gradient */
    rt_value scale;         /* sqrt(v) / sqrt(c2) + epsilon */
} rt_moments;
rt_moments rt_update_moments(rt_update *update);

#endif
