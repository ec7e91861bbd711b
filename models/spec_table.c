// SPDX-License-Identifier: Apache-2.0
/* spec.def expanded, and the words made from it. */
#include <string.h>

#include "models/spec_internal.h"
#include "runtime/base/check.h"

enum { LONGEST_NAME = 64 };

#define IS_REQUIRED_REQUIRED true
#define IS_REQUIRED_OPTIONAL false
#define IS_LIST_MAP false
#define IS_LIST_LIST true

static const rt_spec_row rows[RT_SPEC_KEY_COUNT] = {
#define KEY(section, name, kind, need, initial, least, most, choices, help) \
    {RT_SPEC_SECTION_##section,                                             \
     #name,                                                                 \
     RT_SPEC_##kind,                                                        \
     IS_REQUIRED_##need,                                                    \
     initial,                                                               \
     least,                                                                 \
     most,                                                                  \
     choices,                                                               \
     help},
#include "models/spec.def"
};

static const struct {
    const char *name;
    bool is_list;
    const char *help;
} sections[RT_SPEC_SECTION_COUNT] = {
#define SECTION(name, shape, help) {#name, IS_LIST_##shape, help},
#include "models/spec.def"
};

const rt_spec_row *rt_spec_row_of(rt_spec_key key) {
    return &rows[key];
}

const char *rt_spec_section_name(rt_spec_section section) {
    return sections[section].name;
}

const char *rt_spec_section_help(rt_spec_section section) {
    return sections[section].help;
}

bool rt_spec_section_is_list(rt_spec_section section) {
    return sections[section].is_list;
}

rt_spec_key rt_spec_first_key(rt_spec_section section) {
    int key = 0;
    while (rows[key].section != section) ++key;
    return (rt_spec_key)key;
}

int rt_spec_section_key_count(rt_spec_section section) {
    int count = 0;
    for (int key = 0; key < RT_SPEC_KEY_COUNT; ++key) count += rows[key].section == section;
    return count;
}

bool rt_spec_find_key(rt_spec_section section, const char *name, rt_spec_key *key) {
    for (int i = 0; i < RT_SPEC_KEY_COUNT; ++i) {
        if (rows[i].section == section && strcmp(rows[i].name, name) == 0) {
            *key = (rt_spec_key)i;
            return true;
        }
    }
    return false;
}

bool rt_spec_find_section(const char *name, rt_spec_section *section) {
    for (int i = 0; i < RT_SPEC_SECTION_COUNT; ++i) {
        if (strcmp(sections[i].name, name) == 0) {
            *section = (rt_spec_section)i;
            return true;
        }
    }
    return false;
}

static const char *number_bounds(const rt_spec_row *row, const char *noun, rt_arena *arena) {
    if (row->most >= 1e6) return rt_arena_format(arena, "%s of at least %g", noun, row->least);
    return rt_arena_format(arena, "%s from %g to %g", noun, row->least, row->most);
}

/* "a|b|c" as "a, b or c". */
static const char *list_choices(const char *choices, rt_arena *arena) {
    size_t length = strlen(choices), used = 0;
    const char *last = strrchr(choices, '|');
    char *text = rt_arena_allocate(arena, 4 * length + 1);
    if (!text) return "";
    for (const char *c = choices; *c; ++c) {
        if (*c != '|') {
            text[used++] = *c;
        } else {
            const char *separator = c == last ? " or " : ", ";
            memcpy(text + used, separator, strlen(separator));
            used += strlen(separator);
        }
    }
    return text;
}

const char *rt_spec_expected(const rt_spec_row *row, rt_arena *arena) {
    switch (row->kind) {
    case RT_SPEC_INT: return number_bounds(row, "a whole number", arena);
    case RT_SPEC_FLOAT: return number_bounds(row, "a number", arena);
    case RT_SPEC_POSITIVE: return rt_arena_format(arena, "a number above 0, at most %g", row->most);
    case RT_SPEC_BOOL: return "true or false";
    case RT_SPEC_ENUM: return list_choices(row->choices, arena);
    case RT_SPEC_INTS: return number_bounds(row, "a list of whole numbers, each", arena);
    case RT_SPEC_FLOATS: return number_bounds(row, "a list of numbers, each", arena);
    case RT_SPEC_TEXTS: return "a list of texts";
    case RT_SPEC_LABELS: return "a list of labels, or the path of a file with one per line";
    case RT_SPEC_FILE:
    case RT_SPEC_DATA: return "the path of a file";
    case RT_SPEC_MODEL: return "the path of a model folder, an .onnx or a .safetensors file";
    case RT_SPEC_FOLDER:
    case RT_SPEC_OUTPUT: return "the path of a folder";
    case RT_SPEC_TEXT:
    case RT_SPEC_KIND_COUNT: break;
    }
    return "a text";
}

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Edits that turn one name into the other: insert, delete, replace, swap neighbours (optimal string
 * alignment). Names longer than LONGEST_NAME count as unlike. */
static size_t edit_distance(const char *a, const char *b) {
    size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST_NAME || n > LONGEST_NAME) return SIZE_MAX;
    size_t lines[3][LONGEST_NAME + 1];
    size_t *before = lines[0], *last = lines[1], *line = lines[2];
    for (size_t j = 0; j <= n; ++j) last[j] = before[j] = j;
    for (size_t i = 1; i <= m; ++i) {
        line[0] = i;
        for (size_t j = 1; j <= n; ++j) {
            size_t replace = last[j - 1] + (a[i - 1] != b[j - 1]);
            line[j] = least_of(replace, least_of(last[j], line[j - 1]) + 1);
            bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swap) line[j] = least_of(line[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = last, last = line, line = oldest;
    }
    return last[n];
}

/* How far a name may be from what was meant. */
static size_t tolerated_edits(const char *name) {
    size_t length = strlen(name);
    return length <= 3 ? 1 : length <= 6 ? 2 : length / 3;
}

const char *rt_spec_suggest_key(rt_spec_section section, const char *name, rt_arena *arena) {
    rt_spec_key elsewhere;
    for (int other = 0; other < RT_SPEC_SECTION_COUNT; ++other) {
        if (rt_spec_find_key((rt_spec_section)other, name, &elsewhere))
            return rt_arena_format(arena, "; it belongs to '%s'", sections[other].name);
    }
    size_t least = tolerated_edits(name) + 1;
    const char *nearest = NULL;
    for (int key = 0; key < RT_SPEC_KEY_COUNT; ++key) {
        if (rows[key].section != section) continue;
        size_t distance = edit_distance(name, rows[key].name);
        if (distance < least) least = distance, nearest = rows[key].name;
    }
    return nearest ? rt_arena_format(arena, "; did you mean '%s'?", nearest) : "";
}

const char *rt_spec_suggest_section(const char *name, rt_arena *arena) {
    size_t least = tolerated_edits(name) + 1;
    const char *nearest = NULL;
    for (int i = 0; i < RT_SPEC_SECTION_COUNT; ++i) {
        size_t distance = edit_distance(name, sections[i].name);
        if (distance < least) least = distance, nearest = sections[i].name;
    }
    if (nearest) return rt_arena_format(arena, "; did you mean '%s'?", nearest);
    rt_spec_key key;
    for (int i = 0; i < RT_SPEC_SECTION_COUNT; ++i) {
        if (rt_spec_find_key((rt_spec_section)i, name, &key))
            return rt_arena_format(arena, "; it belongs to '%s'", sections[i].name);
    }
    return "";
}
