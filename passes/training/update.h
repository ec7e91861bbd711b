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
    rt_value learning_rate; /* f32[] */
    rt_value decayed;       /* the weight after decay */
    rt_value gradient;      /* after clipping; of the weight's shape */
} rt_update;

/* Builds the weight's new value. One weight's rule assigns its states and no others. */
typedef rt_value (*rt_update_rule)(rt_update *update);

#define OPTIMIZER(id, text) rt_value update_##id(rt_update *update);
#include "passes/training/optimizers.def"

/* A scalar input f32[] of the update, the same for all weights. */
rt_value rt_update_input(rt_update *update, const char *name);

/* The state "KIND:WEIGHT" of the weight's type, zeros at first, made where it does not exist. */
rt_parameter rt_update_state(rt_update *update, const char *kind);
void rt_update_assign(rt_update *update, rt_parameter state, rt_value value);

#endif
