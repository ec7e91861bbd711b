// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/labels.h"

#include "runtime/base/file.h"
#include "runtime/text/lines.h"

bool rt_labels_add(rt_labels *labels, rt_text name) {
    const char **grown = rt_arena_grow(&labels->arena, labels->names, &labels->capacity,
                                       labels->count + 1, sizeof *grown);
    if (!grown) return false;
    labels->names = grown;
    labels->names[labels->count] = rt_arena_copy_text(&labels->arena, name.bytes, name.length);
    return labels->names[labels->count] && ++labels->count;
}

static rt_status add_line(rt_labels *labels, const char *path, size_t number, rt_text line,
                          rt_error *error) {
    size_t bad = rt_utf8_find_error(line);
    if (!line.length)
        return rt_fail(error, RT_INVALID_DATA, "%s:%zu: empty line; expected the name of a class",
                       path, number);
    if (bad < line.length)
        return rt_fail(error, RT_INVALID_DATA, "%s:%zu: not UTF-8: byte %zu of the line is 0x%02X",
                       path, number, bad + 1, (unsigned char)line.bytes[bad]);
    int32_t before = rt_labels_find(labels, line);
    if (before != RT_NO_LABEL)
        return rt_fail(error, RT_INVALID_DATA, "%s:%zu: '%s' is class %d already", path, number,
                       labels->names[before], before);
    if (!rt_labels_add(labels, line))
        return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    return RT_OK;
}

rt_status rt_labels_read(const char *path, rt_labels *labels, rt_error *error) {
    rt_mapped_file file;
    RT_TRY(rt_file_map(path, &file, error));
    rt_labels made = {0};
    rt_status status = RT_OK;
    rt_line_reader reader = rt_lines_begin(file.data, file.size);
    rt_text line;
    while (status == RT_OK && rt_lines_next(&reader, &line))
        status = add_line(&made, path, reader.number, line, error);
    if (status == RT_OK && !made.count)
        status = rt_fail(error, RT_INVALID_DATA,
                         "%s:1: empty file; expected the name of a class on every line", path);
    rt_file_unmap(&file);
    if (status == RT_OK)
        *labels = made;
    else
        rt_labels_deinit(&made);
    return status;
}

rt_status rt_labels_from_text(const char *names, rt_labels *labels) {
    rt_labels made = {0};
    for (const char *name = names; name;) {
        const char *end = strchr(name, '|');
        if (!rt_labels_add(&made, (rt_text){name, end ? (size_t)(end - name) : strlen(name)})) {
            rt_labels_deinit(&made);
            return RT_OUT_OF_MEMORY;
        }
        name = end ? end + 1 : NULL;
    }
    *labels = made;
    return RT_OK;
}

rt_status rt_labels_copy(const rt_labels *from, rt_labels *to) {
    rt_labels made = {0};
    for (size_t i = 0; i < from->count; ++i) {
        if (rt_labels_add(&made, rt_text_of(from->names[i]))) continue;
        rt_labels_deinit(&made);
        return RT_OUT_OF_MEMORY;
    }
    *to = made;
    return RT_OK;
}

void rt_labels_deinit(rt_labels *labels) {
    rt_arena_deinit(&labels->arena);
    *labels = (rt_labels){0};
}

int32_t rt_labels_find(const rt_labels *labels, rt_text name) {
    for (size_t i = 0; i < labels->count; ++i)
        if (strlen(labels->names[i]) == name.length &&
            memcmp(labels->names[i], name.bytes, name.length) == 0)
            return (int32_t)i;
    return RT_NO_LABEL;
}

int32_t rt_labels_class_of(const rt_labels *labels, rt_text field) {
    int32_t found = rt_labels_find(labels, field);
    if (found != RT_NO_LABEL || !field.length || field.length > 6) return found;
    int32_t number = 0;
    for (size_t i = 0; i < field.length; ++i) {
        if (field.bytes[i] < '0' || field.bytes[i] > '9') return RT_NO_LABEL;
        number = 10 * number + (field.bytes[i] - '0');
    }
    return (size_t)number < labels->count ? number : RT_NO_LABEL;
}

rt_status rt_labels_match(const rt_labels *from, const rt_labels *to, int32_t *map,
                          rt_error *error) {
    for (size_t i = 0; i < from->count; ++i) {
        map[i] = rt_labels_find(to, rt_text_of(from->names[i]));
        if (map[i] != RT_NO_LABEL) continue;
        rt_arena arena = {0};
        const char *known = rt_labels_list(to, &arena);
        rt_fail(error, RT_INVALID_DATA, "there is no class '%s'; the classes are: %s",
                from->names[i], known ? known : "(out of memory)");
        rt_arena_deinit(&arena);
        return RT_INVALID_DATA;
    }
    return RT_OK;
}

const char *rt_labels_list(const rt_labels *labels, rt_arena *arena) {
    enum { SHOWN = 12 };
    const char *list = "";
    for (size_t i = 0; i < labels->count && i < SHOWN && list; ++i)
        list = rt_arena_format(arena, "%s%s%s", list, i ? ", " : "", labels->names[i]);
    if (labels->count > SHOWN && list)
        list = rt_arena_format(arena, "%s, … (%zu in all)", list, labels->count);
    return list;
}
