// SPDX-License-Identifier: Apache-2.0
/* The parts of speech of a table's words, from a file of tags: line i has those of row i, one for
 * each word between blanks, with blanks between them and a tab between the tags of a pair's texts.
 * What the tags are called is all the same. */
#ifndef RETORT_RUNTIME_TEXT_WORD_TAGS_H
#define RETORT_RUNTIME_TEXT_WORD_TAGS_H

#include "runtime/text/augment.h"

typedef struct rt_word_tags rt_word_tags;

/* Reads the tags of a table, which is lent for their life. Rows count as in the file that the table
 * was read from, without its header. Wrong are, with "path:line: reason": a row without a line, and
 * one with more or fewer tags than words. */
RT_MUST_CHECK rt_status rt_word_tags_read(const char *path, const rt_table *table,
                                          rt_word_tags **tags, rt_error *error);
void rt_word_tags_destroy(rt_word_tags *tags); /* NULL is fine */

size_t rt_word_tags_count(const rt_word_tags *tags); /* different tags */

/* A word with the tag of word `word` of a text: any place in the table where one stands is as
 * likely as the others. */
rt_text rt_word_tags_draw(const rt_word_tags *tags, rt_text_place place, size_t word,
                          rt_random *random);

#endif
