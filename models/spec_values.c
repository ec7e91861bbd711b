// SPDX-License-Identifier: Apache-2.0
/* One YAML node to one checked value. */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/spec_internal.h"
#include "runtime/base/file.h"

rt_location rt_spec_node_location(const rt_spec_reader *reader, const yaml_node_t *node) {
    rt_location location = {.file = reader->file};
    if (reader->has_marks) {
        location.line = (uint32_t)node->start_mark.line + 1;
        location.column = (uint32_t)node->start_mark.column + 1;
    }
    return location;
}

static const char *scalar_text(const yaml_node_t *node) {
    return (const char *)node->data.scalar.value;
}

/* How a node is named in messages. */
static const char *describe(const yaml_node_t *node, rt_arena *arena) {
    if (node->type == YAML_MAPPING_NODE) return "a map";
    if (node->type == YAML_SEQUENCE_NODE) return "a list";
    if (node->data.scalar.length == 0) return "empty";
    bool is_quoted = node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return rt_arena_format(arena, is_quoted ? "the text '%.80s'" : "'%.80s'", scalar_text(node));
}

static bool wrong(const rt_spec_reader *reader, const yaml_node_t *node, const rt_spec_row *row) {
    rt_arena *arena = &reader->spec->arena;
    rt_diagnose(reader->diagnostics, RT_ERROR, rt_spec_node_location(reader, node),
                "'%s.%s' must be %s, not %s", rt_spec_section_name(row->section), row->name,
                rt_spec_expected(row, arena), describe(node, arena));
    return false;
}

static bool is_scalar(const yaml_node_t *node) {
    return node->type == YAML_SCALAR_NODE && node->data.scalar.length > 0 &&
           strlen(scalar_text(node)) == node->data.scalar.length;
}

static bool parse_real(const yaml_node_t *node, double *value) {
    if (!is_scalar(node) || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    const char *text = scalar_text(node);
    char *end;
    for (const char *c = text; *c; ++c) {
        if (!isdigit((unsigned char)*c) && !strchr("+-.eE", *c)) return false;
    }
    errno = 0;
    *value = strtod(text, &end);
    return !*end && end != text && isfinite(*value);
}

static bool parse_integer(const yaml_node_t *node, int64_t *value) {
    double real;
    if (!parse_real(node, &real)) return false;
    if (real != floor(real) || fabs(real) > 9007199254740992.0) return false;
    *value = (int64_t)real;
    return true;
}

static bool read_number(const yaml_node_t *node, const rt_spec_row *row, bool is_whole,
                        double *real, int64_t *integer) {
    if (is_whole) {
        if (!parse_integer(node, integer)) return false;
        *real = (double)*integer;
    } else if (!parse_real(node, real)) {
        return false;
    }
    if (row->kind == RT_SPEC_POSITIVE && *real <= 0) return false;
    return *real >= row->least && *real <= row->most;
}

static bool read_choice(const yaml_node_t *node, const rt_spec_row *row, int64_t *index) {
    const char *text = scalar_text(node);
    size_t length = strlen(text);
    int64_t i = 0;
    for (const char *choice = row->choices; *choice; ++i) {
        size_t size = strcspn(choice, "|");
        if (size == length && memcmp(choice, text, size) == 0) {
            *index = i;
            return true;
        }
        choice += size + (choice[size] == '|');
    }
    return false;
}

static bool read_numbers(const rt_spec_reader *reader, yaml_node_t *node, const rt_spec_row *row,
                         rt_spec_value *value) {
    if (node->type != YAML_SEQUENCE_NODE) return wrong(reader, node, row);
    size_t count = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    int64_t *integers = RT_NEW_ARRAY(&reader->spec->arena, int64_t, count);
    double *reals = RT_NEW_ARRAY(&reader->spec->arena, double, count);
    if (!integers || !reals) return false;
    bool is_right = true;
    for (size_t i = 0; i < count; ++i) {
        yaml_node_t *item =
            yaml_document_get_node(reader->document, node->data.sequence.items.start[i]);
        bool is_whole = row->kind == RT_SPEC_INTS;
        if (!read_number(item, row, is_whole, &reals[i], &integers[i]))
            is_right = wrong(reader, item, row);
    }
    value->count = count;
    value->integers = integers;
    value->reals = reals;
    return is_right;
}

static bool read_texts(const rt_spec_reader *reader, yaml_node_t *node, const rt_spec_row *row,
                       rt_spec_value *value) {
    rt_arena *arena = &reader->spec->arena;
    bool is_single = node->type == YAML_SCALAR_NODE;
    if (node->type == YAML_MAPPING_NODE) return wrong(reader, node, row);
    yaml_node_item_t *items = is_single ? NULL : node->data.sequence.items.start;
    size_t count = is_single ? 1 : (size_t)(node->data.sequence.items.top - items);
    const char **texts = RT_NEW_ARRAY(arena, const char *, count);
    if (!texts) return false;
    bool is_right = true;
    for (size_t i = 0; i < count; ++i) {
        yaml_node_t *item = is_single ? node : yaml_document_get_node(reader->document, items[i]);
        if (!is_scalar(item)) {
            is_right = wrong(reader, item, row);
            continue;
        }
        texts[i] = rt_arena_copy_string(arena, scalar_text(item));
    }
    value->count = count;
    value->texts = texts;
    return is_right;
}

static bool read_scalar(const rt_spec_reader *reader, const yaml_node_t *node,
                        const rt_spec_row *row, rt_spec_value *value) {
    if (!is_scalar(node)) return wrong(reader, node, row);
    const char *text = scalar_text(node);
    bool is_right = true;
    switch (row->kind) {
    case RT_SPEC_INT:
    case RT_SPEC_FLOAT:
    case RT_SPEC_POSITIVE:
        is_right = read_number(node, row, row->kind == RT_SPEC_INT, &value->real, &value->integer);
        break;
    case RT_SPEC_BOOL:
        value->integer = strcmp(text, "true") == 0;
        is_right = value->integer || strcmp(text, "false") == 0;
        break;
    case RT_SPEC_ENUM: is_right = read_choice(node, row, &value->integer); break;
    default: break;
    }
    value->text = rt_arena_copy_string(&reader->spec->arena, text);
    return is_right ? value->text != NULL : wrong(reader, node, row);
}

bool rt_spec_read_value(const rt_spec_reader *reader, yaml_node_t *node, rt_spec_key key,
                        rt_spec_value *value) {
    const rt_spec_row *row = rt_spec_row_of(key);
    rt_spec_value fresh = {.location = rt_spec_node_location(reader, node), .is_present = true};
    bool is_right;
    switch (row->kind) {
    case RT_SPEC_INTS:
    case RT_SPEC_FLOATS: is_right = read_numbers(reader, node, row, &fresh); break;
    case RT_SPEC_LAYERS:
    case RT_SPEC_TEXTS: is_right = read_texts(reader, node, row, &fresh); break;
    case RT_SPEC_LABELS:
        is_right = node->type == YAML_SCALAR_NODE ? read_scalar(reader, node, row, &fresh)
                                                  : read_texts(reader, node, row, &fresh);
        break;
    default: is_right = read_scalar(reader, node, row, &fresh); break;
    }
    /* A wrong value stays absent, so that rules between keys do not speak of it again. */
    fresh.is_present = is_right;
    fresh.is_given = true;
    *value = fresh;
    return is_right;
}

/* ---- what values name */

static bool missing(const rt_spec_reader *reader, rt_spec_key key, const rt_spec_value *value,
                    const char *what) {
    const rt_spec_row *row = rt_spec_row_of(key);
    const char *start = row->kind == RT_SPEC_DATA ? "data.folder" : "the spec's folder";
    bool is_relative = value->text[0] != '/';
    rt_diagnose(reader->diagnostics, RT_ERROR, value->location,
                "'%s.%s': there is no %s '%s'%s%s%s", rt_spec_section_name(row->section), row->name,
                what, value->path, is_relative ? " (a relative path starts at " : "",
                is_relative ? start : "", is_relative ? ")" : "");
    return false;
}

static bool exists(rt_spec_kind kind, const char *path) {
    if (kind == RT_SPEC_FOLDER) return rt_folder_exists(path);
    if (kind == RT_SPEC_MODEL && rt_folder_exists(path)) return true;
    return rt_file_exists(path);
}

static bool is_utf8(const char *bytes, size_t length) {
    json_t *string = json_stringn(bytes, length);
    json_decref(string);
    return string && !memchr(bytes, 0, length);
}

/* The lines of a label file, without their ends; the last may lack one. */
static void read_label_file(const rt_spec_reader *reader, rt_spec_value *value) {
    rt_arena *arena = &reader->spec->arena;
    rt_mapped_file file = {0};
    rt_error error;
    if (rt_file_map(value->path, &file, &error) != RT_OK) {
        rt_diagnose(reader->diagnostics, RT_ERROR, value->location, "%s", error.text);
        return;
    }
    const char *bytes = (const char *)file.data, *end = bytes + file.size;
    const char **texts = NULL;
    size_t capacity = 0, count = 0;
    while (bytes < end) {
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        if (!stop) stop = end;
        size_t length = (size_t)(stop - bytes);
        if (length && bytes[length - 1] == '\r') --length;
        if (!length || !is_utf8(bytes, length)) {
            rt_location line = {.file = value->path, .line = (uint32_t)count + 1};
            rt_diagnose(reader->diagnostics, RT_ERROR, line,
                        length ? "the label is not UTF-8 text"
                               : "the line is empty, but each line must be a label");
        }
        const char **grown = rt_arena_grow(arena, texts, &capacity, count + 1, sizeof *texts);
        if (!grown) break;
        texts = grown;
        texts[count++] = rt_arena_copy_text(arena, bytes, length);
        bytes = stop < end ? stop + 1 : end;
    }
    value->texts = texts;
    value->count = count;
    rt_file_unmap(&file);
}

void rt_spec_resolve_paths(const rt_spec_reader *reader, rt_spec_key key, rt_spec_value *value) {
    const rt_spec_row *row = rt_spec_row_of(key);
    bool is_label_file = row->kind == RT_SPEC_LABELS && value->text;
    if (!value->is_present || (row->kind < RT_SPEC_FILE && !is_label_file)) return;
    char *joined = rt_path_join(reader->folder, value->text);
    value->path = joined ? rt_arena_copy_string(&reader->spec->arena, joined) : NULL;
    free(joined);
    if (!value->path || reader->may_lack_files || row->kind == RT_SPEC_OUTPUT) return;
    const char *what = row->kind == RT_SPEC_FOLDER  ? "folder"
                       : row->kind == RT_SPEC_MODEL ? "folder or file"
                                                    : "file";
    if (!exists(row->kind, value->path)) {
        value->is_present = missing(reader, key, value, what);
    } else if (is_label_file) {
        read_label_file(reader, value);
    }
}
