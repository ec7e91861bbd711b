// SPDX-License-Identifier: Apache-2.0
/* The lines of a text held in memory, and the check of their encoding.
 *
 * One LF ends one line; a CR before it belongs to the line end, and so does a byte-order mark at
 * the start of the text to nothing. The last line needs no LF. */
#ifndef RETORT_RUNTIME_TEXT_LINES_H
#define RETORT_RUNTIME_TEXT_LINES_H

#include "runtime/text/buffers.h"

typedef struct rt_line_reader {
    const char *next;
    const char *end;
    size_t number; /* of the line read last, from 1 */
} rt_line_reader;

rt_line_reader rt_lines_begin(const void *bytes, size_t size);

/* Lends the next line without its end; false after the last. */
bool rt_lines_next(rt_line_reader *reader, rt_text *line);

/* Offset of the first byte that is not well-formed UTF-8 (Unicode 15, table 3-7: no surrogates, no
 * overlong forms), or text.length where all is well. */
size_t rt_utf8_find_error(rt_text text);

/* True where nothing but blanks, tabs and line ends is in it. */
bool rt_text_is_blank(rt_text text);

/* Cuts the first word off: what stands before the next of these; empty where there is none. */
rt_text rt_text_next_word(rt_text *rest);

#endif
