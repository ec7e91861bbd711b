// SPDX-License-Identifier: Apache-2.0
/* Where a method can act on a model's graph: its linear maps and its layers, found by structure.
 *
 * A linear map is y = x W' (+ bias) with parameters W and bias, named as its weight is without
 * ".weight". A layer begins with each attention, from 0 on: what its query, key and value are are
 * linear maps, so is what reads its result, and two maps of tokens with a function between them are
 * the feed-forward part. The names of parameters play no part in that, so an imported encoder has
 * the same places as one of Retort's own. */
#ifndef RETORT_PASSES_TRAINING_PLACES_H
#define RETORT_PASSES_TRAINING_PLACES_H

#include "ir/graph.h"

typedef enum rt_linear_role {
    RT_LINEAR_QUERY,
    RT_LINEAR_KEY,
    RT_LINEAR_VALUE,
    RT_LINEAR_ATTENTION_OUTPUT,
    RT_LINEAR_FFN_INNER,
    RT_LINEAR_FFN_OUTPUT,
    RT_LINEAR_OTHER, /* not in a layer */
    RT_LINEAR_ROLE_COUNT
} rt_linear_role;

/* "query", "attention_output" … */
const char *rt_linear_role_text(rt_linear_role role);

typedef struct rt_linear {
    const char *name; /* "bert.encoder.layer.0.attention.self.query" */
    rt_linear_role role;
    int64_t layer; /* -1 of RT_LINEAR_OTHER */
    rt_node matmul;
    rt_value x, y;             /* y with its bias */
    rt_parameter weight, bias; /* [outputs, inputs]; RT_NO_PARAMETER where there is no bias */
    int64_t inputs, outputs;
} rt_linear;

typedef struct rt_places {
    rt_linear *linears; /* in the graph's order */
    size_t linear_count;
    rt_node *attentions; /* by layer */
    int64_t layer_count;
    rt_node *users; /* by value: what alone reads it; RT_NO_NODE where none or several do */
} rt_places;

/* Finds them, in `arena`; false where there is no memory. */
bool rt_places_find(const rt_graph *graph, rt_arena *arena, rt_places *places);

/* The map of that role in the layer, or NULL. */
const rt_linear *rt_places_linear(const rt_places *places, int64_t layer, rt_linear_role role);
/* The map whose y the value is, or NULL. */
const rt_linear *rt_places_linear_of(const rt_places *places, rt_value y);

#endif
