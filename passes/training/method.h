// SPDX-License-Identifier: Apache-2.0
/* Methods of fine-tuning: each rewrites the graph of a model, adding parameters that train to one
 * whose own stay as they are. A method is a row in methods.def and one function. */
#ifndef RETORT_PASSES_TRAINING_METHOD_H
#define RETORT_PASSES_TRAINING_METHOD_H

#include "passes/pass.h"
#include "passes/training/places.h"

typedef struct rt_adaptation {
    rt_pass_context *context;
    rt_module *module;
    rt_graph *graph; /* of the model; a method puts another in its place */
    rt_places places;
    rt_graph *merge;    /* gives weights of the plain model, where asked for; or NULL */
    bool is_undoing;    /* from weights that were merged those that they were merged into */
    bool *has_layer;    /* by layer: whether the option `layers` chooses it; all without one */
    bool *has_linear;   /* by linear map: chosen by rt_adaptation_targets */
    int64_t first_site; /* for places that draw, above all that the module has */
} rt_adaptation;

#define METHOD(id, text, base, form, keys) rt_status apply_##id(rt_adaptation *adaptation);
#include "passes/training/methods.def"

/* What the option `method` says (full without it): which parameters train before it, and its
 * rewriting of graph "student", or of the module's only graph. `head` are the names of the head's
 * parameters, separated by blanks. With merge=true the module gets a graph "merge" too, which
 * assigns to the model's own weights what a plain model needs to do the same; with merge=undo one
 * that takes it out of them again. What the method draws has sites from *first_site on. */
RT_MUST_CHECK rt_status rt_method_run(rt_pass_context *context, rt_module *module,
                                      int64_t *first_site);

/* ---- for methods */

/* Rewrites the graph and puts the new one in its place; places are void then. `user` of the rule's
 * rewriter is `user`. */
RT_MUST_CHECK rt_status rt_adaptation_rewrite(rt_adaptation *adaptation, rt_rewrite_rule rule,
                                              void *user);

/* Chooses linear maps by the option `targets`: roles, "all" (the six maps of each chosen layer),
 * or patterns of names (ir/name_pattern.h) with or without leading components; `usual` without it.
 * A word that chooses nothing is an error. */
RT_MUST_CHECK rt_status rt_adaptation_targets(rt_adaptation *adaptation, const char *usual);

/* A parameter that trains, added to the module; its value in a graph under construction. */
typedef struct rt_added_parameter {
    const char *name; /* copied */
    int rank;
    int64_t dims[2];
    rt_initial_kind initial;
    double initial_value;
    bool is_decayed;
} rt_added_parameter;
rt_parameter rt_adaptation_add(rt_adaptation *adaptation, const rt_added_parameter *parameter,
                               rt_location location);
rt_value rt_adaptation_build(rt_adaptation *adaptation, rt_builder *b,
                             const rt_added_parameter *parameter);
/* Has "merge", where it is asked for, assign to a weight of the model. */
void rt_adaptation_merge(rt_adaptation *adaptation, rt_parameter weight, rt_value value);
/* The name of something that belongs to a module: "name.leaf", in scratch memory. */
const char *rt_adaptation_name(rt_adaptation *adaptation, const char *name, const char *leaf);

#endif
