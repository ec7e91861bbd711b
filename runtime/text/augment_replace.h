// SPDX-License-Identifier: Apache-2.0
/* Replacement by words that fit: each word of letters that is no stop word becomes, with
 * probability `share`, one of its candidates. A masked language model gives them for words that are
 * one token, word vectors for the others; what has none stays.
 * Source: Jiao, Yin, Shang, Jiang, Chen, Li, Wang, Liu, "TinyBERT: Distilling BERT for Natural
 * Language Understanding" (2020), algorithm 1. */
#ifndef RETORT_RUNTIME_TEXT_AUGMENT_REPLACE_H
#define RETORT_RUNTIME_TEXT_AUGMENT_REPLACE_H

#include "runtime/text/augment.h"
#include "runtime/text/tokenizer.h"

/* Words that may stand in the place of one. */
typedef struct rt_candidates {
    const rt_text *items;
    size_t count;
} rt_candidates;

/* Fills candidates[i] of those words of a text for which is_asked[i]; they are lent until the next
 * call. All others, and those for which it has none, stay as they are. */
typedef struct rt_candidate_source {
    void *state;
    rt_status (*find)(void *state, const rt_word_list *words, const bool *is_asked,
                      rt_candidates *candidates, rt_error *error);
} rt_candidate_source;

typedef struct rt_replacement {
    double share;
    const rt_candidate_source *model;   /* of words that are one token; NULL: there is none */
    const rt_candidate_source *vectors; /* of the others, of all without a model; or NULL */
    const rt_tokenizer *tokenizer;      /* of the model, which says what one token is; or NULL */
} rt_replacement;

typedef struct rt_replacer rt_replacer;

/* `replacement` is lent with all that it names. NULL without memory. */
rt_replacer *rt_replacer_create(const rt_replacement *replacement);
void rt_replacer_destroy(rt_replacer *replacer); /* NULL is fine */
rt_perturber rt_replacer_perturber(rt_replacer *replacer);

/* Whether a word may be replaced at all. */
bool rt_replacer_takes(rt_text word);

/* Whether a word is one token of a vocabulary; of nothing, where `tokenizer` is NULL. */
RT_MUST_CHECK rt_status rt_word_is_token(const rt_tokenizer *tokenizer, rt_text word,
                                         rt_words *scratch, bool *is_token);

#endif
