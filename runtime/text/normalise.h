// SPDX-License-Identifier: Apache-2.0
/* Text to words, as BERT's tokenizer prepares it: control characters dropped, ideographs set apart,
 * split at spaces, composed (NFC), lower case, accents stripped, every punctuation character a word
 * of its own.
 * Sources: Devlin et al., "BERT" (2019), reference tokenization; Hugging Face transformers,
 * BertTokenizer, both its Python and its Rust form where they differ. */
#ifndef RETORT_RUNTIME_TEXT_NORMALISE_H
#define RETORT_RUNTIME_TEXT_NORMALISE_H

#include "runtime/base/status.h"
#include "runtime/text/buffers.h"

/* Deviations from the default that reproduce other code, as bits. The default is the Python form
 * of the transformers library. */
typedef enum rt_text_compatibility {
    RT_COMPATIBLE_GOOGLE_CONTROL = 1
                                   << 0,  /* drop only Cc and Cf, keep private use and unassigned */
    RT_COMPATIBLE_FAST_CJK = 1 << 1,      /* ideographs 2B820-2B91F are not set apart */
    RT_COMPATIBLE_FAST_LOWER = 1 << 2,    /* no NFC; accents before lower case; no final sigma */
    RT_COMPATIBLE_FAST_TRUNCATE = 1 << 3, /* pairs are cut by the Rust library's formula */
} rt_text_compatibility;

typedef struct rt_normaliser {
    bool is_lower_case; /* uncased vocabularies */
    bool is_stripping_accents;
    bool is_splitting_ideographs;
    unsigned compatibility; /* bits of rt_text_compatibility */
} rt_normaliser;

typedef struct rt_word {
    size_t start; /* in rt_words.bytes */
    size_t length;
    size_t characters; /* code points */
} rt_word;

typedef struct rt_points {
    int32_t *data;
    size_t count;
    size_t capacity;
} rt_points;

/* Words of one text, and the buffers used on the way. Zero it once and use it again and again:
 * once it has grown nothing is allocated. */
typedef struct rt_words {
    rt_word *items;
    size_t count;
    size_t item_capacity;
    char *bytes;
    size_t size;
    size_t byte_capacity;
    rt_points points, other, spare; /* scratch of the words that are not ASCII */
} rt_words;

void rt_words_deinit(rt_words *words);

/* Replaces the content of `words` by the words of `text`. A byte that is not part of well-formed
 * UTF-8 counts as U+FFFD and is dropped: any bytes are fine. Fails only for want of memory. */
RT_MUST_CHECK rt_status rt_normalise(const rt_normaliser *normaliser, rt_text text,
                                     rt_words *words);

static inline rt_text rt_words_at(const rt_words *words, size_t index) {
    return (rt_text){words->bytes + words->items[index].start, words->items[index].length};
}

#endif
