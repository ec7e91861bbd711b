// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of recognition and by nothing else. */
#ifndef RETORT_MODELS_RECOGNISE_INTERNAL_H
#define RETORT_MODELS_RECOGNISE_INTERNAL_H

#include "ir/match.h"
#include "models/recognise.h"

typedef struct rt_recogniser {
    const rt_graph *graph;
    rt_recognition *found;
    rt_value hidden; /* the encoder's last state, once it is known */
    bool has_mask_been_set;
} rt_recogniser;

/* Nothing found yet. */
rt_recognition rt_recognition_nothing(rt_arena *arena);
/* Notes which input tells real tokens, RT_NO_VALUE for none; everything must use the same. */
bool rt_recogniser_set_mask(rt_recogniser *r, rt_value mask);

/* Sets the reason, once; returns false. */
bool rt_recogniser_fail(rt_recogniser *r, const char *format, ...) RT_PRINTF(2, 3);

/* Size of a constant dimension, or -1. */
int64_t rt_recogniser_size(const rt_recogniser *r, rt_dim dim);

/* x W' + b. The parameters are remembered for `module` where it is not RT_MODULE_COUNT. */
bool rt_recognise_linear(rt_recogniser *r, rt_value value, rt_model_module module, int64_t layer,
                         rt_value *x);
/* Layer normalisation with scale and bias, of one epsilon throughout. */
bool rt_recognise_norm(rt_recogniser *r, rt_value value, rt_model_module module, int64_t layer,
                       rt_value *x);
/* Remembers one parameter: `value` is a parameter, or a constant of one number throughout. */
bool rt_recogniser_keep(rt_recogniser *r, rt_value value, rt_model_module module,
                        rt_model_leaf leaf, int64_t layer, bool is_transposed);

/* From the last hidden state down to the inputs. */
bool rt_recognise_encoder(rt_recogniser *r, rt_value hidden);
/* Sum of word, position and token type vectors. */
bool rt_recognise_embeddings(rt_recogniser *r, rt_value sum);
/* From logits or a pooled vector to the hidden state they read, in r->hidden. */
bool rt_recognise_head(rt_recogniser *r, rt_value output);

#endif
