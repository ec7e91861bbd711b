// SPDX-License-Identifier: Apache-2.0
/* Code points of a text, as the tables of a tokenizer tell them apart: UTF-8, classes, canonical
 * decomposition and composition (Unicode Standard Annex 15; Hangul by arithmetic, section 3.12 of
 * the standard). */
#ifndef RETORT_RUNTIME_DEVICE_TEXT_CHARACTERS_H
#define RETORT_RUNTIME_DEVICE_TEXT_CHARACTERS_H

#include <stddef.h>

#include "runtime/device/text_tables.h"

enum { RETORT_TEXT_MALFORMED = 0xFFFD, RETORT_TEXT_LONGEST_DECOMPOSITION = 4 };

/* The code point that begins at bytes[0] of `count` bytes, one at least, and its length; a byte
 * that is not part of well-formed UTF-8 is RETORT_TEXT_MALFORMED, alone. */
uint32_t retort_text_decode(const uint8_t *bytes, size_t count, uint32_t *length);

/* Writes 1 to 4 bytes and returns how many. */
uint32_t retort_text_encode(uint32_t point, uint8_t *bytes);

const retort_text_class *retort_text_class_of(const retort_text_tables *tables, uint32_t point);

/* The full decomposition of `point`, itself where it has none; returns how many points it has. */
uint32_t retort_text_decompose(const retort_text_tables *tables, uint32_t point,
                               uint32_t points[RETORT_TEXT_LONGEST_DECOMPOSITION]);

/* What the two compose to, or 0. */
uint32_t retort_text_compose(const retort_text_tables *tables, uint32_t first, uint32_t second);

#endif
