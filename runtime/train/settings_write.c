// SPDX-License-Identifier: Apache-2.0
/* Settings as JSON and as text. */
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/train/settings.h"

static bool is_whole(const retort_setting_row *row) {
    return row->kind == RETORT_KIND_INT || row->kind == RETORT_KIND_INTS;
}

static void put_number(const retort_setting_row *row, double real, const char *key,
                       rt_json_writer *json) {
    if (is_whole(row))
        rt_json_put_integer(json, key, (int64_t)real);
    else
        rt_json_put_double(json, key, real);
}

static void put_value(const retort_setting_row *row, const retort_setting_value *value,
                      rt_json_writer *json) {
    if (value->reals || value->texts) {
        rt_json_begin_array(json, row->name);
        for (size_t i = 0; i < value->count; ++i) {
            if (value->reals)
                put_number(row, value->reals[i], NULL, json);
            else
                rt_json_put_string(json, NULL, value->texts[i]);
        }
        rt_json_end(json);
    } else if (value->text) {
        rt_json_put_string(json, row->name, value->text);
    } else if (row->kind == RETORT_KIND_BOOL) {
        rt_json_put_boolean(json, row->name, value->integer != 0);
    } else {
        put_number(row, value->real, row->name, json);
    }
}

void retort_settings_write(const retort_settings *settings, const char *key, rt_json_writer *json) {
    const char *section = NULL;
    rt_json_begin_object(json, key);
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        const retort_setting_row *row = retort_setting_row_of((retort_setting)i);
        if (!section || strcmp(section, row->section) != 0) {
            if (section) rt_json_end(json);
            rt_json_begin_object(json, section = row->section);
        }
        if (settings->values[i].origin != RETORT_FROM_NOWHERE)
            put_value(row, &settings->values[i], json);
    }
    rt_json_end(json);
    rt_json_end(json);
}

static const char *join(const char *list, const char *item, rt_arena *arena) {
    const char *joined = list ? rt_arena_format(arena, "%s,%s", list, item) : item;
    return joined ? joined : "";
}

const char *retort_setting_text(const retort_settings *settings, retort_setting setting,
                                rt_arena *arena) {
    const retort_setting_value *value = &settings->values[setting];
    const retort_setting_row *row = retort_setting_row_of(setting);
    const char *list = NULL;
    char number[RT_JSON_NUMBER_SIZE];
    if (value->origin == RETORT_FROM_NOWHERE) return "";
    for (size_t i = 0; i < value->count; ++i) {
        if (value->reals) rt_json_format_double(number, value->reals[i]);
        list =
            join(list, value->texts ? value->texts[i] : rt_arena_copy_string(arena, number), arena);
    }
    if (value->reals || value->texts) return list ? list : "";
    if (value->text) return value->text;
    if (row->kind == RETORT_KIND_BOOL) return value->integer ? "true" : "false";
    rt_json_format_double(number, value->real);
    const char *text = rt_arena_copy_string(arena, number);
    return text ? text : "";
}

bool retort_setting_values_equal(const retort_setting_value *a, const retort_setting_value *b) {
    bool is_absent = a->origin == RETORT_FROM_NOWHERE;
    if (is_absent || b->origin == RETORT_FROM_NOWHERE)
        return is_absent && b->origin == RETORT_FROM_NOWHERE;
    if (a->integer != b->integer || a->real != b->real || a->count != b->count) return false;
    if (!a->text != !b->text || (a->text && strcmp(a->text, b->text) != 0)) return false;
    if (!a->texts != !b->texts || !a->reals != !b->reals) return false;
    for (size_t i = 0; i < a->count; ++i) {
        if (a->texts && strcmp(a->texts[i], b->texts[i]) != 0) return false;
        if (a->reals && a->reals[i] != b->reals[i]) return false;
    }
    return true;
}
