// SPDX-License-Identifier: Apache-2.0
/* The tokens of a table's rows as text, to look at or to hand to another program. */
#ifndef RETORT_RUNTIME_TEXT_TOKENS_PRINT_H
#define RETORT_RUNTIME_TEXT_TOKENS_PRINT_H

#include <stdio.h>

#include "runtime/text/table.h"
#include "runtime/text/tokenizer.h"

typedef struct rt_tokens_format {
    size_t max_length; /* as of rt_tokenizer_encode; 0 means no limit */
    bool as_ids;       /* numbers instead of pieces */
} rt_tokens_format;

/* Writes one line per row, tokens separated by blanks, special ones included. IO where the stream
 * does not take it. */
RT_MUST_CHECK rt_status rt_tokens_print(FILE *stream, const rt_table *table,
                                        const rt_tokenizer *tokenizer,
                                        const rt_tokens_format *format, rt_error *error);

#endif
