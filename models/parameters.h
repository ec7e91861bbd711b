// SPDX-License-Identifier: Apache-2.0
/* The parameters of a configured model: names as in the family's checkpoints, roles, shapes,
 * initial values. One list serves building, reading, writing, counting and selecting. */
#ifndef RETORT_MODELS_PARAMETERS_H
#define RETORT_MODELS_PARAMETERS_H

#include "ir/graph.h"
#include "models/configuration.h"

typedef enum rt_model_module {
#define MODULE(id, ...) RT_MODULE_##id,
#include "models/names.def"
    RT_MODULE_COUNT
} rt_model_module;

typedef enum rt_model_leaf { /* in the order of a checkpoint */
                             RT_LEAF_WEIGHT,
                             RT_LEAF_BIAS,
                             RT_LEAF_WEIGHT_IH,
                             RT_LEAF_WEIGHT_HH,
                             RT_LEAF_BIAS_IH,
                             RT_LEAF_BIAS_HH,
                             RT_LEAF_WEIGHT_IH_REVERSE,
                             RT_LEAF_WEIGHT_HH_REVERSE,
                             RT_LEAF_BIAS_IH_REVERSE,
                             RT_LEAF_BIAS_HH_REVERSE,
                             RT_LEAF_COUNT
} rt_model_leaf;

typedef struct rt_model_parameter {
    rt_model_module module;
    rt_model_leaf leaf;
    int64_t layer;    /* -1 outside the layers */
    const char *name; /* in the checkpoint, with the family's prefix where there is a head */
    const char *role; /* canonical: BERT's name without "bert." */
    bool is_head;     /* stands above the encoder's pooled vector or its states */
    bool is_frozen;   /* keeps its first value in training, unless told */
    int rank;
    int64_t dims[2];
    rt_initial_kind initial;
    double initial_value;
} rt_model_parameter;

typedef struct rt_model_parameters {
    rt_model_parameter *items;
    size_t count;
} rt_model_parameters;

/* Which parameters a graph needs beside the encoder's. */
typedef enum rt_model_parts {
    RT_PART_ENCODER = 0,
    RT_PART_POOLER = 1, /* the family's pooler, where it has one */
    /* What the configuration's pooling and labels ask for, its pooler too; or the head that
     * predicts tokens, beside the word table. */
    RT_PART_HEAD = 2
} rt_model_parts;

/* Whether the configured model has the module at all. */
bool rt_model_has_module(const rt_model_config *config, rt_model_module module,
                         rt_model_parts parts);

/* One parameter of a module that the model has; layer is ignored outside the layers. Texts are in
 * `arena`, NULL without memory. */
rt_model_parameter rt_model_describe_parameter(const rt_model_config *config,
                                               rt_model_module module, int64_t layer,
                                               rt_model_leaf leaf, rt_arena *arena);
/* Its name alone. */
const char *rt_model_parameter_name(const rt_model_config *config, rt_model_module module,
                                    int64_t layer, rt_model_leaf leaf, rt_arena *arena);

/* All parameters of the parts, in order, in `arena`. False where there is no memory. */
bool rt_model_list_parameters(const rt_model_config *config, rt_model_parts parts, rt_arena *arena,
                              rt_model_parameters *list);

/* Numbers in all parameters of the parts; -1 where that does not fit. */
int64_t rt_model_count_numbers(const rt_model_config *config, rt_model_parts parts);

#endif
