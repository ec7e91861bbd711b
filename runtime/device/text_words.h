// SPDX-License-Identifier: Apache-2.0
/* Text to words to ids, in memory of one size whatever the text: what runtime/text/normalise.h
 * says, as a stream. A point is decomposed; a base character and the marks behind it are held until
 * the next base character comes, ordered, composed or rid of accents, lowered, and added to the
 * word. No more marks are held than a word may have characters, the last ones are forgotten: their
 * word is too long either way. */
#ifndef RETORT_RUNTIME_DEVICE_TEXT_WORDS_H
#define RETORT_RUNTIME_DEVICE_TEXT_WORDS_H

#include <stddef.h>

#include "runtime/device/text_pieces.h"

/* Composition takes away three marks at most. */
enum { RETORT_TEXT_MARKS = RETORT_TEXT_LONGEST_WORD + 4 };

typedef struct retort_text_reader {
    const retort_text_tables *tables;
    const uint8_t *text;
    size_t bytes, at;
    retort_text_ids *ids;
    uint32_t base; /* a base character that waits for its marks; 0: none */
    uint32_t mark_count;
    uint32_t marks[RETORT_TEXT_MARKS]; /* in canonical order */
    uint32_t is_after_cased; /* what was read ends in a cased letter, ignorable ones aside */
    uint32_t word_points, word_bytes;
    uint8_t word[4 * RETORT_TEXT_LONGEST_WORD];
} retort_text_reader;

/* Appends the ids of a text, until the limit of `ids` is reached. `reader` is scratch: its fields
 * need no values. Any bytes are fine. */
void retort_text_read(retort_text_reader *reader, const retort_text_tables *tables,
                      const void *text, size_t bytes, retort_text_ids *ids);

#endif
