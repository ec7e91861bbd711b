// SPDX-License-Identifier: Apache-2.0
/* A tokenizer as the block of bytes that runtime/device/text.h reads.
 *
 *     rt_text_block block;
 *     RT_TRY(rt_text_block_make(tokenizer, &arena, &block, error));
 *     // block.bytes[0 .. block.size) is put into the library, aligned to 8
 *
 * The same tokenizer gives the same bytes. */
#ifndef RETORT_COMPILER_DEVICE_TEXT_BLOCK_H
#define RETORT_COMPILER_DEVICE_TEXT_BLOCK_H

#include "runtime/base/arena.h"
#include "runtime/text/tokenizer.h"

typedef struct rt_text_block {
    const void *bytes; /* in the arena */
    size_t size;
    size_t vocabulary_bytes; /* of them, the tokens; the rest is about characters */
} rt_text_block;

/* UNSUPPORTED for options that deviate from the transformers library (rt_text_compatibility) or
 * have words of more than 100 characters. */
RT_MUST_CHECK rt_status rt_text_block_make(const rt_tokenizer *tokenizer, rt_arena *arena,
                                           rt_text_block *block, rt_error *error);

#endif
