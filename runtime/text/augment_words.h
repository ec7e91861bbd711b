// SPDX-License-Identifier: Apache-2.0
/* Masking, replacement by part of speech, n-grams: each word becomes [MASK] with probability
 * `mask`, or with probability `part` another word of its tag, drawn as often as it stands in the
 * text; then, with probability `ngram`, only 1 to `longest_ngram` words side by side are kept. What
 * has no word of its own left is discarded.
 * Source: Tang, Lu, Liu, Mou, Vechtomova, Lin, "Distilling Task-Specific Knowledge from BERT into
 * Simple Neural Networks" (2019), section 3.3. */
#ifndef RETORT_RUNTIME_TEXT_AUGMENT_WORDS_H
#define RETORT_RUNTIME_TEXT_AUGMENT_WORDS_H

#include "runtime/text/augment.h"
#include "runtime/text/word_tags.h"

typedef struct rt_word_changes {
    double mask, part, ngram;
    size_t longest_ngram;     /* at least 1 */
    const rt_word_tags *tags; /* of the table; NULL where `part` is 0 */
} rt_word_changes;

/* `changes` is lent. */
rt_perturber rt_word_perturber(rt_word_changes *changes);

#endif
