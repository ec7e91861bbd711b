// SPDX-License-Identifier: Apache-2.0
/* Masks of masked language modelling, drawn anew for each batch: some tokens are replaced in the
 * batch, which then says where they stand and what they were.
 *
 *     RT_TRY(rt_masking_create(tokenizer, &options, NULL, &masking, error));
 *     rt_batcher_fill(batcher, epoch, index, &batch);
 *     rt_masking_apply(masking, step, &batch);
 *
 * Which tokens, and what becomes of them, is a function of (seed, step, example, position) alone:
 * draws are addressed, so a run that resumes sees the masks of the unbroken one.
 *
 * Without smoothing (Devlin et al., "BERT", 2019) each row loses share * length tokens, rounded
 * half to even, special tokens counted in the length, but at least one and no special one. With
 * smoothing (Sanh et al., "DistilBERT", 2019; Lample and Conneau, 2019) share * T tokens, rounded
 * up, are drawn from all of the batch without replacement, each token with weight count^-smoothing.
 */
#ifndef RETORT_RUNTIME_TEXT_MASKING_H
#define RETORT_RUNTIME_TEXT_MASKING_H

#include "runtime/text/batch.h"
#include "runtime/text/dataset.h"

typedef struct rt_masking_options {
    double share;                  /* of the tokens; above 0, at most 1 */
    double mask_kind, random_kind; /* shares that become [MASK], and any token; the rest stays */
    double smoothing;              /* 0: every token alike */
    uint64_t seed;
    uint32_t stream;    /* draws of two streams are independent */
    size_t most_tokens; /* of a batch */
} rt_masking_options;

typedef struct rt_masking rt_masking;

/* `counts`, one per token of the vocabulary, are for smoothing (NULL without); those below 1 count
 * as 1. The tokenizer is read here alone. RT_INVALID_DATA where its vocabulary has no [MASK], or
 * nothing but special tokens. */
RT_MUST_CHECK rt_status rt_masking_create(const rt_tokenizer *tokenizer,
                                          const rt_masking_options *options, const uint64_t *counts,
                                          rt_masking **masking, rt_error *error);
void rt_masking_destroy(rt_masking *masking); /* NULL is fine */

/* Masks the batch, whose limits have room for rt_masking_limit. */
void rt_masking_apply(rt_masking *masking, uint64_t step, rt_batch *batch);

/* A bound for the masked tokens of any batch within `limits`. */
size_t rt_masking_limit(const rt_masking_options *options, rt_batch_limits limits);

/* Adds to counts[vocabulary] how often each token occurs. */
void rt_masking_count(const rt_dataset *dataset, uint64_t *counts);

/* Reads such counts: a whole number a line, in the order of the vocabulary's `size` tokens.
 * Malloc'ed; the caller frees. */
RT_MUST_CHECK rt_status rt_masking_read_counts(const char *path, size_t size, uint64_t **counts,
                                               rt_error *error);

#endif
