// SPDX-License-Identifier: Apache-2.0
#include "tools/verify/tolerance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"

/* Copies field `index` of a tab-separated line; false where the line is shorter. */
static bool copy_field(const char *line, size_t length, int index, char *field, size_t size) {
    const char *end = line + length;
    while (index > 0) {
        line = memchr(line, '\t', (size_t)(end - line));
        if (!line) return false;
        ++line;
        --index;
    }
    const char *tab = memchr(line, '\t', (size_t)(end - line));
    snprintf(field, size, "%.*s", (int)((tab ? tab : end) - line), line);
    return true;
}

static int find_column(const char *header, size_t length, const char *name) {
    char field[64];
    for (int i = 0; copy_field(header, length, i, field, sizeof field); ++i)
        if (strcmp(field, name) == 0) return i;
    return -1;
}

static void take_row(const char *header, size_t header_length, const char *line, size_t length,
                     tolerance *t) {
    char field[64];
    int relative = find_column(header, header_length, "rtol");
    int absolute = find_column(header, header_length, "atol");
    int check = find_column(header, header_length, "check");
    if (relative >= 0 && copy_field(line, length, relative, field, sizeof field))
        t->relative = strtod(field, NULL);
    if (absolute >= 0 && copy_field(line, length, absolute, field, sizeof field))
        t->absolute = strtod(field, NULL);
    if (check >= 0 && copy_field(line, length, check, field, sizeof field))
        t->compares_values = strcmp(field, "shape") != 0;
}

/* Looks the case up in an index; false where it has no row. */
static bool look_up(const rt_mapped_file *index, const char *name, tolerance *t) {
    const char *at = (const char *)index->data, *end = at + index->size, *header = NULL;
    size_t header_length = 0;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        char field[256];
        if (!header) {
            header = at;
            header_length = length;
        } else if (copy_field(at, length, 0, field, sizeof field) && strcmp(field, name) == 0) {
            take_row(header, header_length, at, length, t);
            return true;
        }
        at += length + 1;
    }
    return false;
}

/* The nearest index.tsv at or above `folder` that knows the case. */
static void search_index(const char *folder, tolerance *t) {
    char *resolved = realpath(folder, NULL);
    const char *slash = resolved ? strrchr(resolved, '/') : NULL;
    char *name = slash ? strdup(slash + 1) : NULL;
    bool is_found = !name;
    while (!is_found) {
        rt_mapped_file index;
        char *path = rt_path_join(resolved, "index.tsv");
        if (path && rt_file_exists(path) && rt_file_map(path, &index, NULL) == RT_OK) {
            is_found = true;
            look_up(&index, name, t);
            rt_file_unmap(&index);
        }
        free(path);
        char *last = strrchr(resolved, '/');
        if (!last || last == resolved) break;
        *last = '\0';
    }
    free(name);
    free(resolved);
}

static rt_status read_file(const char *folder, tolerance *t, bool *exists, rt_error *error) {
    char *path = rt_path_join(folder, "tolerance.json");
    *exists = path && rt_file_exists(path);
    free(path);
    if (!*exists) return RT_OK;
    json_t *root;
    RT_TRY(verify_read_json(folder, "tolerance.json", &root, error));
    rt_json_fields fields = {.object = root, .where = "tolerance.json", .error = error};
    t->relative = rt_json_number_or(&fields, "rtol", 0);
    t->absolute = rt_json_number_or(&fields, "atol", 0);
    snprintf(t->mask, sizeof t->mask, "%s", rt_json_string_or(&fields, "mask", ""));
    json_decref(root);
    return fields.status;
}

rt_status tolerance_find(const char *folder, const verify_options *options, tolerance *t,
                         rt_error *error) {
    bool has_file;
    *t = (tolerance){.relative = 1e-3, .absolute = 1e-7, .compares_values = true};
    RT_TRY(read_file(folder, t, &has_file, error));
    if (!has_file) search_index(folder, t);
    if (options->has_tolerance) {
        t->relative = options->relative;
        t->absolute = options->absolute;
    }
    return RT_OK;
}
