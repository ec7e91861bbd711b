// SPDX-License-Identifier: Apache-2.0
/* Reverse-mode differentiation of a graph, by building into the same graph.
 *
 *     rt_value gradients[2], wrt[2] = {w, b};
 *     RT_TRY(rt_differentiate(graph, loss, one, wrt, 2, gradients));
 *
 * Gradient nodes carry the location of the forward node they belong to, its name prefixed with
 * "gradient of ". Several uses of a value add up in a fixed order. */
#ifndef RETORT_PASSES_DIFFERENTIATE_H
#define RETORT_PASSES_DIFFERENTIATE_H

#include "ir/graph.h"

/* gradients[i] = the gradient of sum(seed * y) by wrt[i], of wrt[i]'s type; RT_NO_VALUE where y
 * does not depend on it or wrt[i] is not floating. `seed` has y's type. Values may be parameters,
 * inputs, or anything else in the graph. Diagnoses operators that have no gradient. */
RT_MUST_CHECK rt_status rt_differentiate(rt_graph *graph, rt_value y, rt_value seed,
                                         const rt_value *wrt, size_t count, rt_value *gradients);

typedef struct rt_differentiate_options {
    const char *loss; /* name of the scalar output; NULL for "loss" */
    bool accumulates; /* gradients are added to what their parameters hold */
    /* Which trainable weights train in this graph, by parameter as the module has them; NULL for
     * all. */
    const bool *trains;
} rt_differentiate_options;

/* The gradient of the loss by every weight that trains and reaches it, seeded by the input
 * `loss_scale` f32[] (made where there is none), so that the weight of a micro-batch is data. Each
 * gradient is assigned to the parameter "gradient:NAME" of kind RT_PARAMETER_GRADIENT. */
RT_MUST_CHECK rt_status rt_differentiate_loss(rt_graph *graph,
                                              const rt_differentiate_options *options);

/* The gradient parameter of `weight`, or RT_NO_PARAMETER. */
rt_parameter rt_find_gradient(const rt_module *module, rt_parameter weight);

/* The forward location's name in that of a gradient node; NULL of any other name (or of NULL). */
const char *rt_gradient_location_of(const char *name);

#endif
