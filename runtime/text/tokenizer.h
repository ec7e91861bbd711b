// SPDX-License-Identifier: Apache-2.0
/* BERT WordPiece: text to token ids.
 *
 *     rt_tokenizer *tokenizer;
 *     RT_TRY(rt_tokenizer_create(vocabulary, NULL, &tokenizer, error));
 *     rt_encoding encoding = {0};
 *     RT_TRY(rt_tokenizer_encode(tokenizer, rt_text_of("Hello, world"), NULL, 128, &encoding));
 *     // encoding.ids.data[0 .. encoding.ids.count): [CLS] hello , world [SEP]
 *     rt_encoding_deinit(&encoding);
 *     rt_tokenizer_destroy(tokenizer);
 *
 * Words come from rt_normalise; a word is cut into the longest pieces of the vocabulary from the
 * left; one that cannot be cut to its end, or has more than 100 code points, is [UNK] as a whole.
 * Special tokens written in the text ("[MASK]") are found before anything else and stay whole.
 * A tokenizer is immutable: many threads may use it, each with an rt_encoding of its own.
 * Source: Devlin et al., "BERT" (2019), reference tokenization, and Hugging Face BertTokenizer,
 * whose Python form this equals token for token. */
#ifndef RETORT_RUNTIME_TEXT_TOKENIZER_H
#define RETORT_RUNTIME_TEXT_TOKENIZER_H

#include "runtime/base/status.h"
#include "runtime/text/normalise.h"
#include "runtime/text/vocabulary.h"

typedef enum rt_special_token {
    RT_TOKEN_PAD,
    RT_TOKEN_UNKNOWN,
    RT_TOKEN_CLASS,
    RT_TOKEN_SEPARATOR,
    RT_TOKEN_MASK,
    RT_SPECIAL_TOKEN_COUNT
} rt_special_token;

enum { RT_SPECIAL_TOKEN_BYTES = 64 };

typedef struct rt_tokenizer_options {
    rt_normaliser normaliser;
    /* "[PAD]" …; a tokenizer needs all but [MASK] in its vocabulary */
    char special_tokens[RT_SPECIAL_TOKEN_COUNT][RT_SPECIAL_TOKEN_BYTES];
    char unknown_text[RT_SPECIAL_TOKEN_BYTES]; /* where not empty, text that stands for [UNK], such
                                                  as WikiText's "<unk>" */
    size_t longest_word;                       /* code points; 100 */
} rt_tokenizer_options;

/* Uncased BERT: lower case, accents stripped, ideographs apart. */
rt_tokenizer_options rt_tokenizer_options_uncased(void);
rt_tokenizer_options rt_tokenizer_options_cased(void); /* neither lower case nor stripping */

typedef struct rt_tokenizer rt_tokenizer;

/* `vocabulary` is lent for the tokenizer's life; `options` NULL means uncased. */
RT_MUST_CHECK rt_status rt_tokenizer_create(const rt_vocabulary *vocabulary,
                                            const rt_tokenizer_options *options,
                                            rt_tokenizer **tokenizer, rt_error *error);
void rt_tokenizer_destroy(rt_tokenizer *tokenizer); /* NULL is fine */

const rt_vocabulary *rt_tokenizer_vocabulary(const rt_tokenizer *tokenizer);
const rt_tokenizer_options *rt_tokenizer_options_of(const rt_tokenizer *tokenizer);

/* Id of a special token, RT_NO_TOKEN for a [MASK] that the vocabulary lacks. */
int32_t rt_tokenizer_special(const rt_tokenizer *tokenizer, rt_special_token which);

/* The tokens of one example, and what is needed to make them. Zero it once and use it again and
 * again: once it has grown nothing is allocated. */
typedef struct rt_encoding {
    rt_ids ids;          /* [CLS] A [SEP], or [CLS] A [SEP] B [SEP] */
    size_t first_length; /* leading tokens of type 0; the rest is of type 1 */
    size_t cut_tokens;   /* how many truncation took away */
    rt_ids second;       /* scratch */
    rt_words words;      /* scratch */
} rt_encoding;

void rt_encoding_deinit(rt_encoding *encoding);

/* Appends the tokens of `text`, none added around them. Any bytes are fine; fails only for want of
 * memory. */
RT_MUST_CHECK rt_status rt_tokenizer_tokenise(const rt_tokenizer *tokenizer, rt_text text,
                                              rt_words *words, rt_ids *ids);

/* Encodes one text or a pair (`second` not NULL) as the model reads it, in at most `max_length`
 * tokens (0: no limit; else at least 2, for pairs 3). A single text keeps its first tokens. A pair
 * loses the last token of the longer text, of the second where both are equal, until it fits. */
RT_MUST_CHECK rt_status rt_tokenizer_encode(const rt_tokenizer *tokenizer, rt_text first,
                                            const rt_text *second, size_t max_length,
                                            rt_encoding *encoding);

/* How long the texts of a pair are after truncation to `budget` tokens together; `is_fast` is the
 * Rust library's closed form, which differs for odd budgets with first <= second. */
void rt_truncate_pair(size_t *first, size_t *second, size_t budget, bool is_fast);

#endif
