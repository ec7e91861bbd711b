// SPDX-License-Identifier: Apache-2.0
/* spec.def expanded, and the words made from it. */
#include <string.h>

#include "models/spec_internal.h"
#include "runtime/base/words.h"

#define IS_REQUIRED_REQUIRED true
#define IS_REQUIRED_OPTIONAL false
#define IS_LIST_MAP false
#define IS_LIST_LIST true
#define IS_LIST_MAPS false
#define MAY_REPEAT_MAP false
#define MAY_REPEAT_LIST false
#define MAY_REPEAT_MAPS true

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
    bool is_list, may_repeat;
    const char *help;
} sections[RT_SPEC_SECTION_COUNT] = {
#define SECTION(name, shape, help) {#name, IS_LIST_##shape, MAY_REPEAT_##shape, help},
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

bool rt_spec_section_may_repeat(rt_spec_section section) {
    return sections[section].may_repeat;
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
    return rt_words_bounds(noun, row->least, row->most, arena);
}

const char *rt_spec_expected(const rt_spec_row *row, rt_arena *arena) {
    switch (row->kind) {
    case RT_SPEC_INT: return number_bounds(row, "a whole number", arena);
    case RT_SPEC_FLOAT: return number_bounds(row, "a number", arena);
    case RT_SPEC_POSITIVE: return rt_arena_format(arena, "a number above 0, at most %g", row->most);
    case RT_SPEC_BOOL: return "true or false";
    case RT_SPEC_ENUM: return rt_words_choices(row->choices, arena);
    case RT_SPEC_INTS: return number_bounds(row, "a list of whole numbers, each", arena);
    case RT_SPEC_FLOATS: return number_bounds(row, "a list of numbers, each", arena);
    case RT_SPEC_TEXTS: return "a list of texts";
    case RT_SPEC_LAYERS: return "a list of layers, or a word or expression that says which";
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

const char *rt_spec_suggest_key(rt_spec_section section, const char *name, rt_arena *arena) {
    rt_spec_key elsewhere;
    for (int other = 0; other < RT_SPEC_SECTION_COUNT; ++other) {
        if (rt_spec_find_key((rt_spec_section)other, name, &elsewhere))
            return rt_arena_format(arena, "; it belongs to '%s'", sections[other].name);
    }
    const char *names[RT_SPEC_KEY_COUNT] = {NULL};
    for (int key = 0; key < RT_SPEC_KEY_COUNT; ++key)
        if (rows[key].section == section) names[key] = rows[key].name;
    const char *nearest = rt_words_nearest(name, names, RT_SPEC_KEY_COUNT);
    return nearest ? rt_arena_format(arena, "; did you mean '%s'?", nearest) : "";
}

const char *rt_spec_suggest_section(const char *name, rt_arena *arena) {
    const char *names[RT_SPEC_SECTION_COUNT];
    for (int i = 0; i < RT_SPEC_SECTION_COUNT; ++i) names[i] = sections[i].name;
    const char *nearest = rt_words_nearest(name, names, RT_SPEC_SECTION_COUNT);
    if (nearest) return rt_arena_format(arena, "; did you mean '%s'?", nearest);
    rt_spec_key key;
    for (int i = 0; i < RT_SPEC_SECTION_COUNT; ++i) {
        if (rt_spec_find_key((rt_spec_section)i, name, &key))
            return rt_arena_format(arena, "; it belongs to '%s'", sections[i].name);
    }
    return "";
}
