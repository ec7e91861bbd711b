// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/lines.h"

#include <utf8proc.h>

rt_line_reader rt_lines_begin(const void *bytes, size_t size) {
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    rt_line_reader reader = {bytes, (const char *)bytes + size, 0};
    if (size >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) reader.next += 3;
    return reader;
}

bool rt_lines_next(rt_line_reader *reader, rt_text *line) {
    size_t left = (size_t)(reader->end - reader->next);
    if (!left) return false;
    const char *end = memchr(reader->next, '\n', left);
    size_t length = end ? (size_t)(end - reader->next) : left;
    *line = (rt_text){reader->next, length};
    if (length && line->bytes[length - 1] == '\r') --line->length;
    reader->next = end ? end + 1 : reader->end;
    ++reader->number;
    return true;
}

size_t rt_utf8_find_error(rt_text text) {
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    size_t i = 0;
    while (i < text.length) {
        uint64_t word;
        if (text.length - i >= sizeof word) {
            memcpy(&word, text.bytes + i, sizeof word);
            if (!(word & high_bits)) {
                i += sizeof word;
                continue;
            }
        }
        int32_t point;
        utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text.bytes + i,
                                                 (utf8proc_ssize_t)(text.length - i), &point);
        if (step <= 0) return i;
        i += (size_t)step;
    }
    return text.length;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool rt_text_is_blank(rt_text text) {
    for (size_t i = 0; i < text.length; ++i)
        if (!is_blank(text.bytes[i])) return false;
    return true;
}

rt_text rt_text_next_word(rt_text *rest) {
    size_t begin = 0, end;
    while (begin < rest->length && is_blank(rest->bytes[begin])) ++begin;
    for (end = begin; end < rest->length && !is_blank(rest->bytes[end]);) ++end;
    rt_text word = {rest->bytes + begin, end - begin};
    *rest = (rt_text){rest->bytes + end, rest->length - end};
    return word;
}
