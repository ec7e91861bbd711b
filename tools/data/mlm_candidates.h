// SPDX-License-Identifier: Apache-2.0
/* Words that a masked language model expects in the place of others, for augmentation: the model
 * reads the text with the word masked, and the text as it is behind it. */
#ifndef RETORT_TOOLS_DATA_MLM_CANDIDATES_H
#define RETORT_TOOLS_DATA_MLM_CANDIDATES_H

#include "runtime/text/augment_replace.h"

typedef struct mlm_candidates mlm_candidates;

/* Compiles the model of a Hugging Face folder, which has a head that predicts tokens and a
 * vocabulary, in memory; it gives the `count` most probable tokens that begin a word. Errors are
 * told; then NULL. */
mlm_candidates *mlm_candidates_open(const char *path, size_t count);
void mlm_candidates_close(mlm_candidates *m); /* NULL is fine */

const rt_tokenizer *mlm_candidates_tokenizer(const mlm_candidates *m);

/* Of words that are one token. Of a text that is too long for the model, only its beginning. */
rt_candidate_source mlm_candidates_source(mlm_candidates *m);

#endif
