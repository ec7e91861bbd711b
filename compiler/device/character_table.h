// SPDX-License-Identifier: Apache-2.0
/* What a tokenizer has to know of Unicode for one vocabulary: runtime/text's own rules
 * (characters.h) and utf8proc's decompositions, asked about every code point and written as tables.
 */
#ifndef RETORT_COMPILER_DEVICE_CHARACTER_TABLE_H
#define RETORT_COMPILER_DEVICE_CHARACTER_TABLE_H

#include "compiler/device/alphabet.h"
#include "compiler/device/block_writer.h"
#include "runtime/device/text_tables.h"

/* Appends classes, decompositions and compositions, and notes places and flags in `tables`.
 * UNSUPPORTED where there are more classes than a byte can number, which no vocabulary gives that
 * is known. */
RT_MUST_CHECK rt_status rt_character_table_put(const rt_normaliser *normaliser,
                                               const rt_alphabet *alphabet, rt_block_writer *block,
                                               retort_text_tables *tables, rt_error *error);

#endif
