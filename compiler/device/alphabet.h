// SPDX-License-Identifier: Apache-2.0
/* Which tokens of a vocabulary a text can give, and which characters they are made of: all that the
 * tables of a tokenizer have to know. */
#ifndef RETORT_COMPILER_DEVICE_ALPHABET_H
#define RETORT_COMPILER_DEVICE_ALPHABET_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/text/tokenizer.h"

enum { RT_POINT_COUNT = 0x110000 };

typedef struct rt_alphabet {
    bool *is_reachable;  /* by id: normalised text can hold the token where a word is cut */
    uint8_t *has_letter; /* by code point: one of these tokens has it; 1 or 0 */
} rt_alphabet;

/* "[unused7]" and "##!" are no part of any word, nor is a capital in an uncased vocabulary. */
RT_MUST_CHECK rt_status rt_alphabet_find(const rt_tokenizer *tokenizer, rt_arena *arena,
                                         rt_alphabet *alphabet, rt_error *error);

#endif
