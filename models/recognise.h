// SPDX-License-Identifier: Apache-2.0
/* A graph that came from elsewhere as a model of a family: by its structure, whatever its
 * parameters are called. What is recognised can be built again over packed rows, trained, and saved
 * under the checkpoint's names.
 *
 *     rt_recognition found;
 *     if (rt_recognise(graph, &arena, &found)) {
 *         RT_TRY(rt_recognition_adopt(module, &found, &found.config, "", true));
 *         … rt_model_build(module, &found.config, …) …
 *     } else puts(found.reason);
 *
 * The graph is padded, as exporters write it ([batch, sequence] inputs), behind the passes raise
 * and simplify: LayerNorm, GELU and attention are single operators. */
#ifndef RETORT_MODELS_RECOGNISE_H
#define RETORT_MODELS_RECOGNISE_H

#include "models/parameters.h"

/* One parameter of the family and what it was in the graph. */
typedef struct rt_recognised {
    rt_model_module module;
    rt_model_leaf leaf;
    int64_t layer;
    rt_parameter parameter; /* in the graph, or RT_NO_PARAMETER: all values are `number` */
    double number;
    bool is_transposed; /* the graph holds [in, out] */
} rt_recognised;

typedef struct rt_recognition {
    rt_model_config config; /* without names of classes; rates are the family's usual ones */
    bool has_pooler;        /* the graph gives the family's pooled vector or reads it */
    /* Inputs of the graph by their part, and what it computes; RT_NO_VALUE where it has none. A
     * mask is not 0 at real tokens. */
    rt_value ids, mask, types, hidden, pooled, logits;
    rt_recognised *items; /* in `arena` */
    size_t count, capacity;
    const char *reason; /* why not, where it is none; in `arena` */
    rt_arena *arena;
    const rt_module *module; /* that the graph is of; lent */
} rt_recognition;

/* Looks at the outputs: an encoder's last hidden state (rank 3), the logits or the pooled vector
 * (rank 2). False, with found->reason, where the graph is of no family. */
bool rt_recognise(const rt_graph *graph, rt_arena *arena, rt_recognition *found);

/* Adds the parameters of `config` to `module`, under `prefix` and the checkpoint's names, with the
 * sources of the graph's, whose own module must still be there (and may be the same one, if names
 * do not collide). `config` is found->config, perhaps with another head: parts and sizes that it
 * does not share with the graph are left out. */
RT_MUST_CHECK rt_status rt_recognition_adopt(rt_module *module, const rt_recognition *found,
                                             const rt_model_config *config, const char *prefix,
                                             bool is_trainable);

#endif
