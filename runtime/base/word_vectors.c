// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/word_vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 4 << 20 };

/* ---- lines and fields */

typedef struct field {
    const char *bytes;
    size_t length;
} field;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next line without its end, and without blanks around it. */
static bool next_line(rt_word_vectors *r, field *line) {
    if (r->next == r->end) return false;
    const char *stop = memchr(r->next, '\n', (size_t)(r->end - r->next));
    const char *begin = r->next, *end = stop ? stop : r->end;
    r->next = stop ? stop + 1 : r->end;
    ++r->line;
    while (end > begin && is_blank(end[-1])) --end;
    while (begin < end && is_blank(*begin)) ++begin;
    *line = (field){begin, (size_t)(end - begin)};
    return true;
}

/* The last field, which is cut off from the line with the blanks before it. */
static field last_field(field *line) {
    size_t begin = line->length;
    while (begin && !is_blank(line->bytes[begin - 1])) --begin;
    field found = {line->bytes + begin, line->length - begin};
    while (begin && is_blank(line->bytes[begin - 1])) --begin;
    line->length = begin;
    return found;
}

static size_t count_fields(field line) {
    size_t count = 0;
    while (last_field(&line).length) ++count;
    return count;
}

/* ---- numbers */

/* Digits, a point, an exponent: m * 10^e with m < 2^53 and |e| <= 22 is one exact product or
 * quotient. False of anything else, which may be a number all the same. */
static bool read_plain(field text, double *value) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const char *c = text.bytes, *end = c + text.length;
    uint64_t digits = 0;
    int count = 0, exponent = 0;
    bool is_negative = c < end && *c == '-', has_point = false;
    for (c += is_negative; c < end && ((*c >= '0' && *c <= '9') || (*c == '.' && !has_point));
         ++c) {
        if (*c == '.') {
            has_point = true;
            continue;
        }
        digits = digits * 10 + (uint64_t)(*c - '0');
        exponent -= has_point;
        if (++count > 15) return false;
    }
    if (!count) return false;
    if (c < end && (*c == 'e' || *c == 'E')) {
        int sign = 1, power = 0, places = 0;
        ++c;
        if (c < end && (*c == '-' || *c == '+')) sign = *c++ == '-' ? -1 : 1;
        for (; c < end && *c >= '0' && *c <= '9' && places < 4; ++c, ++places)
            power = power * 10 + (*c - '0');
        if (!places) return false;
        exponent += sign * power;
    }
    if (c != end || exponent < -22 || exponent > 22) return false;
    double number =
        exponent < 0 ? (double)digits / powers[-exponent] : (double)digits * powers[exponent];
    *value = is_negative ? -number : number;
    return true;
}

static bool read_number(field text, float *value) {
    char copy[64], *end;
    double number;
    if (!read_plain(text, &number)) {
        if (!text.length || text.length >= sizeof copy) return false;
        memcpy(copy, text.bytes, text.length);
        copy[text.length] = '\0';
        number = strtod(copy, &end);
        if (*end || end == copy) return false;
    }
    *value = (float)number;
    return isfinite(*value);
}

static bool is_whole_number(field text, uint64_t *value) {
    *value = 0;
    for (size_t i = 0; i < text.length; ++i) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9' || i >= 18) return false;
        *value = *value * 10 + (uint64_t)(text.bytes[i] - '0');
    }
    return text.length > 0;
}

/* ---- the file */

static rt_status fail(rt_word_vectors *r, rt_error *error, const char *format, ...) RT_PRINTF(3, 4);

static rt_status fail(rt_word_vectors *r, rt_error *error, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    r->status = rt_fail(error, RT_INVALID_DATA, "%s:%zu: %s", r->path, r->line, text);
    return r->status;
}

static int shown_length(field text) {
    return (int)(text.length < 40 ? text.length : 40);
}

/* A first line of two whole numbers. */
static bool is_header(field line, uint64_t *words, uint64_t *width) {
    return count_fields(line) == 2 && is_whole_number(last_field(&line), width) &&
           is_whole_number(last_field(&line), words);
}

static rt_status find_width(rt_word_vectors *r, rt_error *error) {
    const char *begin = r->next;
    uint64_t words, width;
    field line;
    if (!next_line(r, &line) || !line.length)
        return fail(r, error, "there is no word with its numbers");
    if (is_header(line, &words, &width)) {
        r->expected = words;
    } else {
        width = count_fields(line) - 1;
        r->next = begin;
        r->line = 0;
    }
    if (width < 1 || width > RT_MAX_VECTOR_WIDTH) {
        r->line = 1;
        return fail(r, error,
                    "a word and its numbers are wanted, with blanks between them, not '%.*s'",
                    shown_length(line), line.bytes);
    }
    r->width = (size_t)width;
    return RT_OK;
}

rt_status rt_word_vectors_begin(const char *name, const void *bytes, size_t size,
                                rt_word_vectors *reader, rt_error *error) {
    *reader = (rt_word_vectors){.path = name, .next = bytes, .end = (const char *)bytes + size};
    if (size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) reader->next += 3;
    rt_status status = find_width(reader, error);
    if (status != RT_OK) *reader = (rt_word_vectors){0};
    return status;
}

rt_status rt_word_vectors_open(const char *path, rt_word_vectors *reader, rt_error *error) {
    rt_mapped_file file = {0};
    *reader = (rt_word_vectors){0};
    RT_TRY(rt_file_map(path, &file, error));
    rt_status status = rt_word_vectors_begin(path, file.data, file.size, reader, error);
    if (status == RT_OK)
        reader->file = file;
    else
        rt_file_unmap(&file);
    return status;
}

/* Pages that were read count as this process's memory until they are given back. */
static void let_go(rt_word_vectors *r) {
    if (!r->file.data) return;
    size_t used = (size_t)(r->next - (const char *)r->file.data);
    if (used - r->discarded < PIECE_BYTES) return;
    rt_file_discard(&r->file, r->discarded, used - r->discarded);
    r->discarded = used;
}

static rt_status end_of_file(rt_word_vectors *r, rt_error *error) {
    if (!r->expected || r->count == r->expected) return RT_OK;
    return fail(r, error, "the file ends after %llu words, but its first line says %llu",
                (unsigned long long)r->count, (unsigned long long)r->expected);
}

/* The numbers from the last one on; what is left of the line is the word. */
static rt_status read_values(rt_word_vectors *r, field *line, float *values, rt_error *error) {
    field whole = *line;
    for (size_t i = r->width; i-- > 0;) {
        field text = last_field(line);
        if (!line->length)
            return fail(r, error, "a word and %zu numbers are wanted, here are %zu fields",
                        r->width, count_fields(whole));
        if (!read_number(text, &values[i]))
            return fail(r, error, "number %zu of '%.*s' is '%.*s', which is no finite number",
                        i + 1, shown_length(whole), whole.bytes, shown_length(text), text.bytes);
    }
    field rest = *line, extra = last_field(&rest);
    float number;
    if (rest.length && read_number(extra, &number))
        return fail(r, error, "a word and %zu numbers are wanted, here are %zu fields", r->width,
                    count_fields(whole));
    return RT_OK;
}

bool rt_word_vectors_next(rt_word_vectors *reader, const char **word, size_t *length, float *values,
                          rt_error *error) {
    field line = {NULL, 0};
    if (reader->status != RT_OK) return false;
    let_go(reader);
    if (!next_line(reader, &line)) {
        (void)end_of_file(reader, error);
        return false;
    }
    if (reader->expected && reader->count == reader->expected) {
        (void)fail(reader, error, "there are more than the %llu words that the first line says",
                   (unsigned long long)reader->expected);
        return false;
    }
    if (read_values(reader, &line, values, error) != RT_OK) return false;
    ++reader->count;
    *word = line.bytes;
    *length = line.length;
    return true;
}

rt_status rt_word_vectors_close(rt_word_vectors *reader) {
    rt_status status = reader->status;
    rt_file_unmap(&reader->file);
    *reader = (rt_word_vectors){0};
    return status;
}
