// SPDX-License-Identifier: Apache-2.0
/* BERT's tokenizer for ahead-of-time libraries: the ids of runtime/text/tokenizer.h, byte for byte,
 * in memory that the caller gives. First how many, then which:
 *
 *     retort_text text = {.first = "so good", .first_bytes = 7};
 *     uint32_t count = retort_text_measure(tables, &text, 512, &lengths);
 *     retort_text_write(tables, &text, &lengths, ids, 4);      // [CLS] so good [SEP]
 *
 * The stack holds a kilobyte of what is being read, whatever the text. */
#ifndef RETORT_RUNTIME_DEVICE_TEXT_H
#define RETORT_RUNTIME_DEVICE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/device/text_tables.h"

/* One text, or a pair where `second` is not NULL. UTF-8 without a NUL; bytes that are not are
 * skipped. */
typedef struct retort_text {
    const void *first;
    size_t first_bytes;
    const void *second;
    size_t second_bytes;
} retort_text;

/* Tokens of each text after truncation, those added around them not counted. */
typedef struct retort_text_lengths {
    uint32_t first, second;
} retort_text_lengths;

/* How many tokens there are in all: [CLS] first [SEP], or [CLS] first [SEP] second [SEP], cut to
 * `max_tokens` as in training: a single text keeps its first tokens, a pair loses the last token of
 * the longer text, of the second where both are equal, until it fits. 0 where `max_tokens` leaves
 * no room for the tokens around (2, or 3 for a pair). Reads no more text than may be kept. */
uint32_t retort_text_measure(const retort_text_tables *tables, const retort_text *text,
                             uint32_t max_tokens, retort_text_lengths *lengths);

/* Writes the ids that were measured, each of `element_bytes` (4 or 8). */
void retort_text_write(const retort_text_tables *tables, const retort_text *text,
                       const retort_text_lengths *lengths, void *ids, uint32_t element_bytes);

#endif
