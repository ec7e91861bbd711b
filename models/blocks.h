// SPDX-License-Identifier: Apache-2.0
/* The blocks that models are made of, one function each. All work on packed rows: x is [T,H]. */
#ifndef RETORT_MODELS_BLOCKS_H
#define RETORT_MODELS_BLOCKS_H

#include "ir/builder.h"
#include "models/build.h"

typedef struct rt_blocks {
    rt_builder b;
    const rt_model_config *config;
    const rt_build_options *options;
    rt_arena *arena;
    rt_dim tokens, rows, longest; /* T, B, S */
    rt_value input_ids, position_ids, token_type_ids, row_offsets, example_ids, token_examples;
    rt_value key_mask; /* or RT_NO_VALUE */
    int64_t next_site; /* of dropout: counts places, also those whose rate is 0 */
} rt_blocks;

/* Adds the graph's parameters to its module, in their order, where they are not there yet. */
void rt_block_add_parameters(rt_blocks *m);
/* The value of a parameter. */
rt_value rt_block_parameter(rt_blocks *m, rt_model_module module, int64_t layer,
                            rt_model_leaf leaf);

/* Sets the location of what is built next to the module's name behind the parameters' prefix:
 * "encoder.layer.0.output.dense", "teacher/encoder.layer.0.output.dense". */
void rt_block_locate(rt_blocks *m, rt_model_module module, int64_t layer);

/* x weight' + bias. */
rt_value rt_block_linear(rt_blocks *m, rt_model_module module, int64_t layer, rt_value x);
rt_value rt_block_norm(rt_blocks *m, rt_model_module module, int64_t layer, rt_value x);
/* Of token rows [T,H], and of pooled rows [B,H]; x itself in inference or at rate 0. */
rt_value rt_block_dropout(rt_blocks *m, rt_value x, double rate);
rt_value rt_block_row_dropout(rt_blocks *m, rt_value x, double rate);

/* Word vectors plus type and position vectors, normalised, dropped: X0. `words` receives the
 * vectors as looked up. */
rt_value rt_block_embeddings(rt_blocks *m, rt_value *words);
/* W2 act(W1 x + b1) + b2, dropped; without residual sum and norm. */
rt_value rt_block_feed_forward(rt_blocks *m, int64_t layer, rt_value x);
/* All heads' attention and the output map, dropped; without residual sum and norm. */
rt_value rt_block_attention(rt_blocks *m, int64_t layer, rt_value x);
/* One encoder layer, norms where the family has them. */
rt_value rt_block_encoder_layer(rt_blocks *m, int64_t layer, rt_value x);

/* [B,H] of [T,H]: the first token's state; the mean over the tokens that are no padding. */
rt_value rt_block_first_token(rt_blocks *m, rt_value x);
rt_value rt_block_mean(rt_blocks *m, rt_value x);
/* tanh(Wp x0 + bp). */
rt_value rt_block_pooler(rt_blocks *m, rt_value x);
/* Logits [B,C] of the last hidden state, by the configuration's pooling. */
rt_value rt_block_head(rt_blocks *m, rt_value x);

/* Logits [T,V] of every token: LN(act(W x + b)) decoded by the word table, plus a bias. */
rt_value rt_block_token_head(rt_blocks *m, rt_value x);

/* Word vectors through an LSTM in each direction: [B,2H], the last forward state and the backward
 * state at the first token; where texts are read by themselves [B,8H], those of both compared. */
rt_value rt_block_bilstm(rt_blocks *m, rt_value *words);
rt_value rt_block_bilstm_head(rt_blocks *m, rt_value states);

#endif
