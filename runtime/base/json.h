// SPDX-License-Identifier: Apache-2.0
/* JSON (RFC 8259) over jansson: reading with errors that name file, line and key; writing as a
 * stream. Keys may not repeat; NaN and infinities are no JSON.
 *
 *     json_t *root;
 *     RT_TRY(rt_json_read("config.json", &root, error));
 *     rt_json_fields fields = {.object = root, .where = "config.json", .error = error};
 *     config->layers = rt_json_positive(&fields, "num_hidden_layers");
 *     config->dropout = rt_json_number_or(&fields, "hidden_dropout_prob", 0.1);
 *     json_decref(root);
 *     return fields.status;
 */
#ifndef RETORT_RUNTIME_BASE_JSON_H
#define RETORT_RUNTIME_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/file.h"
#include "runtime/base/status.h"

enum { RT_JSON_MAX_BYTES = 256 * 1024 * 1024, RT_JSON_MAX_DEPTH = 32, RT_JSON_NUMBER_SIZE = 40 };

/* Reads a whole file, which must be one JSON value. The caller releases *root by json_decref.
 * Errors are "file:line:column: …", columns in characters from 1. */
RT_MUST_CHECK rt_status rt_json_read(const char *path, json_t **root, rt_error *error);
/* The same from memory; `where` stands for the file's name. */
RT_MUST_CHECK rt_status rt_json_parse(const char *where, const void *bytes, size_t size,
                                      json_t **root, rt_error *error);

/* Typed reading of an object's keys. A missing or wrong key adds a line "<where>: '<prefix><key>'
 * must be a positive integer, found string" to `error`, sets `status` to RT_INVALID_DATA and gives
 * 0, false or NULL, so that one look at `status` at the end reports all of them. Of a nested object
 * one reads through a copy with `object` and `prefix` ("optimizer.") changed, whose status is then
 * copied back. An `object` that is no object is one error, at the first key. */
typedef struct rt_json_fields {
    const json_t *object;
    const char *where;
    const char *prefix; /* NULL for none */
    rt_error *error;    /* may be NULL */
    rt_status status;
} rt_json_fields;

/* Required: the key must be there with a value of the type. What is lent lives as the object. */
int64_t rt_json_integer(rt_json_fields *fields, const char *key);
int64_t rt_json_positive(rt_json_fields *fields, const char *key); /* an integer from 1 on */
double rt_json_number(rt_json_fields *fields, const char *key);    /* real or integer */
bool rt_json_boolean(rt_json_fields *fields, const char *key);
const char *rt_json_string(rt_json_fields *fields, const char *key);
const json_t *rt_json_array(rt_json_fields *fields, const char *key);
const json_t *rt_json_object(rt_json_fields *fields, const char *key);

/* With a default for a key that is absent or null; a value of another type is still an error. */
int64_t rt_json_integer_or(rt_json_fields *fields, const char *key, int64_t other);
int64_t rt_json_positive_or(rt_json_fields *fields, const char *key, int64_t other);
double rt_json_number_or(rt_json_fields *fields, const char *key, double other);
bool rt_json_boolean_or(rt_json_fields *fields, const char *key, bool other);
const char *rt_json_string_or(rt_json_fields *fields, const char *key, const char *other);
const json_t *rt_json_array_or(rt_json_fields *fields, const char *key, const json_t *other);
const json_t *rt_json_object_or(rt_json_fields *fields, const char *key, const json_t *other);

/* Adds an error of the caller's own about `key`: "<where>: '<prefix><key>' <what>". */
void rt_json_refuse(rt_json_fields *fields, const char *key, const char *format, ...)
    RT_PRINTF(3, 4);

/* Writing as a stream: no tree is built, errors stick in the rt_writer. `key` is NULL within an
 * array and at the top. Pretty output is indented by two spaces, with plain values of an array
 * side by side; otherwise a value at the top is a line (JSON lines). Strings should be UTF-8: bytes
 * that are not become U+FFFD. NaN and infinities are written as null. rt_json_writer json = {.out =
 * &writer}; rt_json_begin_object(&json, NULL); rt_json_put_integer(&json, "step", 40);
 *     rt_json_put_float(&json, "loss", loss);
 *     rt_json_end(&json);                              // {"step":40,"loss":0.1}\n
 */
typedef struct rt_json_writer {
    rt_writer *out;
    bool is_pretty;
    int depth;
    uint32_t arrays; /* bit d: the open value at depth d is an array */
    uint32_t filled; /* bit d: it already has an element */
    uint32_t broken; /* bit d: its last element stands on a line of its own */
} rt_json_writer;

void rt_json_begin_object(rt_json_writer *json, const char *key);
void rt_json_begin_array(rt_json_writer *json, const char *key);
void rt_json_end(rt_json_writer *json); /* of the innermost object or array */
void rt_json_put_integer(rt_json_writer *json, const char *key, int64_t value);
void rt_json_put_float(rt_json_writer *json, const char *key, float value);
void rt_json_put_double(rt_json_writer *json, const char *key, double value);
void rt_json_put_boolean(rt_json_writer *json, const char *key, bool value);
void rt_json_put_string(rt_json_writer *json, const char *key, const char *value);
void rt_json_put_null(rt_json_writer *json, const char *key);
/* A whole value as jansson has it, at most RT_JSON_MAX_DEPTH deep in all. */
void rt_json_put_value(rt_json_writer *json, const char *key, const json_t *value);

/* The fewest digits (at most 9 for float, 17 for double) that read back to the same value. */
void rt_json_format_float(char text[RT_JSON_NUMBER_SIZE], float value);
void rt_json_format_double(char text[RT_JSON_NUMBER_SIZE], double value);

#endif
