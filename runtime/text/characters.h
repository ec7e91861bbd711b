// SPDX-License-Identifier: Apache-2.0
/* Kinds of Unicode code points as BERT's tokenization tells them apart, and lower case.
 * Unicode version: that of the utf8proc library (15.0 with utf8proc 2.8). */
#ifndef RETORT_RUNTIME_TEXT_CHARACTERS_H
#define RETORT_RUNTIME_TEXT_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Tab, LF, CR, and the categories Zs, Zl, Zp. */
bool rt_character_is_space(int32_t point);

/* Dropped from text: U+0000, U+FFFD and, unless they are spaces, the categories Cc, Cf, Co, Cs and
 * Cn; with `is_google` only Cc and Cf. */
bool rt_character_is_dropped(int32_t point, bool is_google);

/* ASCII 33-47, 58-64, 91-96, 123-126, or a category P*. */
bool rt_character_is_punctuation(int32_t point);

/* The ideograph blocks that are split character by character; `is_fast` takes 2B920 for the start
 * of one block that starts at 2B820. */
bool rt_character_is_ideograph(int32_t point, bool is_fast);

/* Category Mn: what stripping accents removes. */
bool rt_character_is_accent(int32_t point);

/* Unicode property Case_Ignorable: what may stand inside a word, such as apostrophes and accents.
 */
bool rt_character_is_case_ignorable(int32_t point);

/* Unicode property Cased, of code points that are not Case_Ignorable. */
bool rt_character_is_cased(int32_t point);

/* Canonical combining class, 0 for what is no mark. */
int rt_character_combining_class(int32_t point);

/* Lower case of `points[index]`, full mappings: writes one or two code points to `lower` and
 * returns how many. A capital sigma becomes final sigma by the Final_Sigma condition (Unicode,
 * section 3.13) read off its neighbours in points[0..count); with count 0 it never does. */
size_t rt_character_lower(const int32_t *points, size_t count, size_t index, int32_t lower[2]);

#endif
