// SPDX-License-Identifier: Apache-2.0
#include "models/select.h"

#include <string.h>

#include "ir/name_pattern.h"

static bool is_selected(const rt_model_config *config, const rt_model_parameter *p,
                        const char *pattern) {
    const char *prefix = rt_family_facts_of(config->family)->prefix;
    size_t length = strlen(prefix);
    bool has_prefix = length && strncmp(p->name, prefix, length) == 0;
    return rt_name_pattern_matches(pattern, p->name) || rt_name_pattern_matches(pattern, p->role) ||
           (has_prefix && rt_name_pattern_matches(pattern, p->name + length));
}

static bool selects_any(const rt_model_config *config, const rt_model_parameters *list,
                        const char *pattern) {
    for (size_t i = 0; i < list->count; ++i) {
        if (is_selected(config, &list->items[i], pattern)) return true;
    }
    return false;
}

/* The pattern with "*." before it or ".*" behind it, where that would select something. */
static const char *suggest(const rt_model_config *config, const rt_model_parameters *list,
                           const char *pattern, rt_arena *arena) {
    static const char *const around[][2] = {{"", ".*"}, {"*.", ""}, {"*.", ".*"}};
    for (size_t i = 0; i < sizeof around / sizeof *around; ++i) {
        const char *candidate =
            rt_arena_format(arena, "%s%s%s", around[i][0], pattern, around[i][1]);
        if (candidate && selects_any(config, list, candidate))
            return rt_arena_format(arena, "; did you mean '%s'?", candidate);
    }
    return list->count ? rt_arena_format(arena, "; names are such as '%s'",
                                         list->items[list->count / 2].name)
                       : "";
}

static bool check_patterns(const rt_model_config *config, const rt_model_parameters *list,
                           const rt_spec_value *value, rt_arena *arena,
                           rt_diagnostics *diagnostics) {
    bool is_right = true;
    for (size_t i = 0; i < value->count; ++i) {
        rt_error error;
        if (rt_name_pattern_check(value->texts[i], &error) != RT_OK) {
            rt_diagnose(diagnostics, RT_ERROR, value->location, "%s", error.text);
            is_right = false;
        } else if (!selects_any(config, list, value->texts[i])) {
            rt_diagnose(diagnostics, RT_ERROR, value->location, "'%s' matches no parameter%s",
                        value->texts[i], suggest(config, list, value->texts[i], arena));
            is_right = false;
        }
    }
    return is_right;
}

/* Names joined by blanks, written once. */
typedef struct name_list {
    char *text;
    size_t used;
} name_list;

static bool begin_names(name_list *names, const rt_model_parameters *list, rt_arena *arena) {
    size_t size = 1;
    for (size_t i = 0; i < list->count; ++i) size += strlen(list->items[i].name) + 1;
    *names = (name_list){rt_arena_allocate(arena, size), 0};
    return names->text != NULL;
}

static void add_name(name_list *names, const char *name) {
    size_t length = strlen(name);
    if (names->used) names->text[names->used++] = ' ';
    memcpy(names->text + names->used, name, length + 1);
    names->used += length;
}

const char *rt_model_select(const rt_model_config *config, const rt_spec_value *value,
                            rt_arena *arena, rt_diagnostics *diagnostics) {
    rt_model_parameters list;
    name_list names;
    if (!rt_model_list_parameters(config, RT_PART_HEAD, arena, &list) ||
        !check_patterns(config, &list, value, arena, diagnostics) ||
        !begin_names(&names, &list, arena))
        return NULL;
    for (size_t i = 0; i < list.count; ++i) {
        bool is_one = false;
        for (size_t j = 0; j < value->count && !is_one; ++j)
            is_one = is_selected(config, &list.items[i], value->texts[j]);
        if (is_one) add_name(&names, list.items[i].name);
    }
    return names.text;
}

const char *rt_model_select_head(const rt_model_config *config, rt_arena *arena) {
    rt_model_parameters list;
    name_list names;
    if (!rt_model_list_parameters(config, RT_PART_HEAD, arena, &list) ||
        !begin_names(&names, &list, arena))
        return NULL;
    for (size_t i = 0; i < list.count; ++i) {
        if (list.items[i].is_head) add_name(&names, list.items[i].name);
    }
    return names.text;
}
