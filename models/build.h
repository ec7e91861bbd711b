// SPDX-License-Identifier: Apache-2.0
/* A configured model as a graph over packed rows.
 *
 * Inputs, in this order, the same for every family so that teacher and student can share them
 * (T tokens of all rows end to end, B rows, S tokens of the longest row):
 *     input_ids i32[T]        token_type_ids i32[T]
 *     position_ids i32[T]     place of the token in its row, from 0
 *     row_offsets i32[B+1]    first token of each row, then T
 *     example_ids i32[B]      number of the row's example: addresses dropout
 *     token_examples i32[T]   the same for each token
 *     key_mask i32[T]         only with `has_key_mask`: 0 where the token is padding
 * Outputs as asked for, in the order of rt_model_output. */
#ifndef RETORT_MODELS_BUILD_H
#define RETORT_MODELS_BUILD_H

#include "ir/graph.h"
#include "models/parameters.h"

/* Bits. */
typedef enum rt_model_output {
    RT_OUTPUT_LOGITS = 1 << 0,            /* "logits" f32[B,C]; of tokens f32[T,V] */
    RT_OUTPUT_POOLER = 1 << 1,            /* "pooler_output" f32[B,H] */
    RT_OUTPUT_LAST_HIDDEN_STATE = 1 << 2, /* "last_hidden_state" f32[T,H] */
    RT_OUTPUT_HIDDEN_STATES = 1 << 3,     /* "hidden_states.0" (embeddings) to ".n" (result) */
    RT_OUTPUT_WORD_EMBEDDINGS = 1 << 4,   /* "word_embeddings" f32[T,H]: as looked up */
    /* Per layer k "attention.k.query", ".key", ".value" f32[T,H] and ".log_sum_exp" f32[T,heads]:
     * the probability of a pair is exp(scale * q k' - log_sum_exp). */
    RT_OUTPUT_ATTENTION = 1 << 5
} rt_model_output;

typedef struct rt_build_options {
    const char *graph_name;
    const char *parameter_prefix; /* in front of the checkpoint's names: "teacher/", or "" */
    unsigned outputs;             /* of rt_model_output */
    bool is_training;             /* dropout where the configuration has a rate */
    bool is_trainable;            /* of parameters that are not in the module yet */
    bool has_key_mask;
} rt_build_options;

/* Adds the graph to the module, with the parameters that the module does not have yet. NULL after
 * diagnostics, or where there is no memory. The configuration has passed rt_model_config_check. */
rt_graph *rt_model_build(rt_module *module, const rt_model_config *config,
                         const rt_build_options *options);

/* Which parameters the graph of these outputs uses. */
rt_model_parts rt_model_parts_of_outputs(unsigned outputs);

#endif
