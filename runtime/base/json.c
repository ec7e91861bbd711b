// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"

/* ---- Reading ---- */

rt_status rt_json_parse(const char *where, const void *bytes, size_t size, json_t **root,
                        rt_error *error) {
    *root = NULL;
    if (size > RT_JSON_MAX_BYTES) {
        return rt_fail(error, RT_INVALID_DATA, "%s: %zu bytes of JSON, at most %d are read", where,
                       size, RT_JSON_MAX_BYTES);
    }
    json_error_t reason;
    *root = json_loadb(bytes, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &reason);
    if (*root) return RT_OK;
    if (json_error_code(&reason) == json_error_out_of_memory)
        return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", where);
    return rt_fail(error, RT_INVALID_DATA, "%s:%d:%d: %s", where, reason.line > 0 ? reason.line : 1,
                   reason.column > 0 ? reason.column : 1, reason.text);
}

rt_status rt_json_read(const char *path, json_t **root, rt_error *error) {
    *root = NULL;
    rt_mapped_file file;
    RT_TRY(rt_file_map(path, &file, error));
    rt_status status = rt_json_parse(path, file.data, file.size, root, error);
    rt_file_unmap(&file);
    return status;
}

/* What a value may be; the order indexes `kind_texts`. */
typedef enum kind { INTEGER, POSITIVE, NUMBER, BOOLEAN, STRING, ARRAY, OBJECT } kind;

static const char *const kind_texts[] = {
    [INTEGER] = "an integer", [POSITIVE] = "a positive integer",
    [NUMBER] = "a number",    [BOOLEAN] = "true or false",
    [STRING] = "a string",    [ARRAY] = "an array",
    [OBJECT] = "an object",
};

static bool is_of_kind(const json_t *value, kind wanted) {
    switch (wanted) {
    case INTEGER: return json_is_integer(value);
    case POSITIVE: return json_is_integer(value) && json_integer_value(value) > 0;
    case NUMBER: return json_is_number(value);
    case BOOLEAN: return json_is_boolean(value);
    case STRING: return json_is_string(value);
    case ARRAY: return json_is_array(value);
    case OBJECT: return json_is_object(value);
    }
    return false;
}

/* Names what was found; a number by its value, since it may be of the right type and too small. */
static const char *describe(const json_t *value, char text[RT_JSON_NUMBER_SIZE]) {
    if (!value) return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "object";
    case JSON_ARRAY: return "array";
    case JSON_STRING: return "string";
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    case JSON_NULL: return "null";
    case JSON_INTEGER:
        snprintf(text, RT_JSON_NUMBER_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return text;
    case JSON_REAL: rt_json_format_double(text, json_real_value(value)); return text;
    }
    return "nothing";
}

/* Adds a line to the error; the first one replaces what an earlier use of `error` left there. */
static void add_line(rt_json_fields *fields, const char *format, va_list arguments) {
    bool is_first = fields->status == RT_OK;
    fields->status = RT_INVALID_DATA;
    if (!fields->error) return;
    char *text = fields->error->text;
    size_t used = is_first ? 0 : strlen(text), size = sizeof fields->error->text;
    if (used && used + 1 < size) text[used++] = '\n';
    vsnprintf(text + used, size - used, format, arguments);
}

static void add_line_format(rt_json_fields *fields, const char *format, ...) RT_PRINTF(2, 3);
static void add_line_format(rt_json_fields *fields, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    add_line(fields, format, arguments);
    va_end(arguments);
}

void rt_json_refuse(rt_json_fields *fields, const char *key, const char *format, ...) {
    char what[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    add_line_format(fields, "%s: '%s%s' %s", fields->where, fields->prefix ? fields->prefix : "",
                    key, what);
}

/* The value of `key` where it is of the kind, else NULL; with an error unless it may be absent. */
static const json_t *look_up(rt_json_fields *fields, const char *key, kind wanted, bool required) {
    char number[RT_JSON_NUMBER_SIZE];
    if (!json_is_object(fields->object)) {
        if (fields->status == RT_OK)
            add_line_format(fields, "%s: %s%smust be an object, found %s", fields->where,
                            fields->prefix ? fields->prefix : "", fields->prefix ? " " : "",
                            describe(fields->object, number));
        return NULL;
    }
    const json_t *value = json_object_get(fields->object, key);
    if (value && is_of_kind(value, wanted)) return value;
    if (required || (value && !json_is_null(value)))
        rt_json_refuse(fields, key, "must be %s, found %s", kind_texts[wanted],
                       describe(value, number));
    return NULL;
}

#define DEFINE_GETTER(name, type, kind, get, zero)                                  \
    type rt_json_##name(rt_json_fields *fields, const char *key) {                  \
        const json_t *value = look_up(fields, key, kind, true);                     \
        return value ? get(value) : zero;                                           \
    }                                                                               \
    type rt_json_##name##_or(rt_json_fields *fields, const char *key, type other) { \
        const json_t *value = look_up(fields, key, kind, false);                    \
        return value ? get(value) : other;                                          \
    }
#define SAME(value) (value)
DEFINE_GETTER(integer, int64_t, INTEGER, json_integer_value, 0)
DEFINE_GETTER(positive, int64_t, POSITIVE, json_integer_value, 0)
DEFINE_GETTER(number, double, NUMBER, json_number_value, 0)
DEFINE_GETTER(boolean, bool, BOOLEAN, json_is_true, false)
DEFINE_GETTER(string, const char *, STRING, json_string_value, NULL)
DEFINE_GETTER(array, const json_t *, ARRAY, SAME, NULL)
DEFINE_GETTER(object, const json_t *, OBJECT, SAME, NULL)

/* ---- Writing ---- */

/* Length of the UTF-8 sequence at `text` (RFC 3629: shortest form, no surrogates, at most
 * U+10FFFF), 0 where there is none. Reads no further than the terminating NUL. */
static size_t utf8_length(const unsigned char *text) {
    unsigned char lead = text[0];
    if (lead < 0x80) return 1;
    size_t length = lead >= 0xF5 ? 0 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
    unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i < length; ++i) {
        if (text[i] < least || text[i] > most) return 0;
        least = 0x80, most = 0xBF;
    }
    return length;
}

static void write_text(rt_json_writer *json, const char *text) {
    rt_writer_write(json->out, text, strlen(text));
}

static void write_string(rt_json_writer *json, const char *text) {
    write_text(json, "\"");
    for (const unsigned char *next = (const unsigned char *)text; *next;) {
        size_t length = utf8_length(next);
        if (length == 0) {
            write_text(json, "\xEF\xBF\xBD");
            length = 1;
        } else if (*next == '"' || *next == '\\') {
            rt_writer_print(json->out, "\\%c", *next);
        } else if (*next == '\n') {
            write_text(json, "\\n");
        } else if (*next == '\t') {
            write_text(json, "\\t");
        } else if (*next < 0x20) {
            rt_writer_print(json->out, "\\u%04x", *next);
        } else {
            rt_writer_write(json->out, next, length);
        }
        next += length;
    }
    write_text(json, "\"");
}

static void break_line(rt_json_writer *json) {
    rt_writer_print(json->out, "\n%*s", 2 * json->depth, "");
}

/* Comma, line break and key in front of a value. */
static void begin_value(rt_json_writer *json, const char *key, bool is_nest) {
    if (json->depth > 0) {
        uint32_t bit = UINT32_C(1) << (json->depth - 1);
        RT_ASSERT(!key == !!(json->arrays & bit));
        bool is_broken = json->is_pretty && (key || is_nest);
        if (json->filled & bit) write_text(json, json->is_pretty && !is_broken ? ", " : ",");
        if (is_broken) break_line(json);
        json->filled |= bit;
        json->broken = is_broken ? json->broken | bit : json->broken & ~bit;
    }
    if (!key) return;
    write_string(json, key);
    write_text(json, json->is_pretty ? ": " : ":");
}

static void end_value(rt_json_writer *json) {
    if (json->depth == 0) write_text(json, "\n");
}

static void begin_nest(rt_json_writer *json, const char *key, bool is_array) {
    RT_ASSERT(json->depth < RT_JSON_MAX_DEPTH);
    begin_value(json, key, true);
    write_text(json, is_array ? "[" : "{");
    uint32_t bit = UINT32_C(1) << json->depth++;
    json->filled &= ~bit;
    json->broken &= ~bit;
    json->arrays = is_array ? json->arrays | bit : json->arrays & ~bit;
}

void rt_json_begin_object(rt_json_writer *json, const char *key) {
    begin_nest(json, key, false);
}

void rt_json_begin_array(rt_json_writer *json, const char *key) {
    begin_nest(json, key, true);
}

void rt_json_end(rt_json_writer *json) {
    RT_ASSERT(json->depth > 0);
    uint32_t bit = UINT32_C(1) << --json->depth;
    if (json->broken & bit) break_line(json);
    write_text(json, json->arrays & bit ? "]" : "}");
    end_value(json);
}

static void put_text(rt_json_writer *json, const char *key, const char *text) {
    begin_value(json, key, false);
    write_text(json, text);
    end_value(json);
}

void rt_json_put_integer(rt_json_writer *json, const char *key, int64_t value) {
    char text[RT_JSON_NUMBER_SIZE];
    snprintf(text, sizeof text, "%" PRId64, value);
    put_text(json, key, text);
}

void rt_json_put_float(rt_json_writer *json, const char *key, float value) {
    char text[RT_JSON_NUMBER_SIZE] = "null";
    if (isfinite(value)) rt_json_format_float(text, value);
    put_text(json, key, text);
}

void rt_json_put_double(rt_json_writer *json, const char *key, double value) {
    char text[RT_JSON_NUMBER_SIZE] = "null";
    if (isfinite(value)) rt_json_format_double(text, value);
    put_text(json, key, text);
}

void rt_json_put_boolean(rt_json_writer *json, const char *key, bool value) {
    put_text(json, key, value ? "true" : "false");
}

void rt_json_put_string(rt_json_writer *json, const char *key, const char *value) {
    begin_value(json, key, false);
    write_string(json, value);
    end_value(json);
}

void rt_json_put_null(rt_json_writer *json, const char *key) {
    put_text(json, key, "null");
}

void rt_json_put_value(rt_json_writer *json, const char *key, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        rt_json_begin_object(json, key);
        for (void *next = json_object_iter((json_t *)value); next;
             next = json_object_iter_next((json_t *)value, next))
            rt_json_put_value(json, json_object_iter_key(next), json_object_iter_value(next));
        rt_json_end(json);
        break;
    case JSON_ARRAY:
        rt_json_begin_array(json, key);
        for (size_t i = 0; i < json_array_size(value); ++i)
            rt_json_put_value(json, NULL, json_array_get(value, i));
        rt_json_end(json);
        break;
    case JSON_STRING: rt_json_put_string(json, key, json_string_value(value)); break;
    case JSON_INTEGER: rt_json_put_integer(json, key, json_integer_value(value)); break;
    case JSON_REAL: rt_json_put_double(json, key, json_real_value(value)); break;
    case JSON_TRUE:
    case JSON_FALSE: rt_json_put_boolean(json, key, json_is_true(value)); break;
    case JSON_NULL: rt_json_put_null(json, key); break;
    }
}

void rt_json_format_float(char text[RT_JSON_NUMBER_SIZE], float value) {
    for (int digits = FLT_DIG; digits <= FLT_DECIMAL_DIG; ++digits) {
        snprintf(text, RT_JSON_NUMBER_SIZE, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) return;
    }
}

void rt_json_format_double(char text[RT_JSON_NUMBER_SIZE], double value) {
    for (int digits = DBL_DIG; digits <= DBL_DECIMAL_DIG; ++digits) {
        snprintf(text, RT_JSON_NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(text, NULL) == value) return;
    }
}
