// SPDX-License-Identifier: Apache-2.0
/* A tokenizer twice: the host's, and the block of bytes made of it with the freestanding one. */
#ifndef RETORT_TESTS_SUPPORT_DEVICE_TEXT_H
#define RETORT_TESTS_SUPPORT_DEVICE_TEXT_H

#include "compiler/device/text_block.h"
#include "runtime/device/text.h"
#include "runtime/text/tokenizer.h"

typedef struct twin_tokenizer {
    rt_vocabulary *vocabulary;
    rt_tokenizer *host;
    rt_arena arena;
    rt_text_block block;
    const retort_text_tables *tables; /* the block */
    rt_encoding encoding;             /* the host's last answer */
} twin_tokenizer;

/* From the text of a vocabulary; false, with the reason printed, where anything fails. */
bool twin_open(twin_tokenizer *twin, rt_text vocabulary, const rt_tokenizer_options *options);
void twin_close(twin_tokenizer *twin);

/* Whether both give the same ids for a text or a pair (`second` not NULL), cut to `max_tokens`. The
 * freestanding one writes into memory of exactly the size it asked for, in elements of 4 and of 8
 * bytes by turns. */
bool twin_agrees(twin_tokenizer *twin, rt_text first, const rt_text *second, uint32_t max_tokens);

/* Uncased, cased, and what they do apart, by the lowest two bits: lower case, no accents. */
rt_tokenizer_options twin_options(unsigned bits);

/* A vocabulary of nothing but code points, each at the beginning of a word and within; the caller
 * frees the bytes. */
rt_text twin_vocabulary_of_points(void);

#endif
