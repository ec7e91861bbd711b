// SPDX-License-Identifier: Apache-2.0
/* A value comes as JSON or as text; both are read into retort_setting_value by kind and checked
 * against the row. What is wrong is described by the caller, who knows where it stands. */
#include "runtime/train/settings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/check.h"
#include "runtime/text/labels.h"

static bool is_number_in_range(const retort_setting_row *row, double real) {
    bool is_whole = row->kind == RETORT_KIND_INT || row->kind == RETORT_KIND_INTS;
    if (!isfinite(real)) return false;
    if (is_whole && (real != floor(real) || fabs(real) > 9007199254740992.0)) return false;
    if (row->kind == RETORT_KIND_POSITIVE && real <= 0) return false;
    return real >= row->least && real <= row->most;
}

static bool set_number(const retort_setting_row *row, double real, retort_setting_value *value) {
    if (!is_number_in_range(row, real)) return false;
    value->real = real;
    if (row->kind == RETORT_KIND_INT) value->integer = (int64_t)real;
    return true;
}

static bool set_choice(const retort_setting_row *row, const char *text,
                       retort_setting_value *value) {
    size_t length = strlen(text);
    int64_t index = 0;
    for (const char *choice = row->choices; *choice; ++index) {
        size_t size = strcspn(choice, "|");
        if (size == length && memcmp(choice, text, size) == 0) {
            value->integer = index;
            value->text = text;
            return true;
        }
        choice += size + (choice[size] == '|');
    }
    return false;
}

static bool set_boolean(const char *text, retort_setting_value *value) {
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < RT_COUNT_OF(words); ++i) {
        if (strcmp(text, words[i]) != 0) continue;
        value->integer = (int64_t)(i & 1);
        return true;
    }
    return false;
}

/* ---- text */

static bool parse_number(const char *text, double *real) {
    char *end;
    if (!strpbrk(text, "0123456789") || strpbrk(text, "xXnN")) return false;
    *real = strtod(text, &end);
    return end != text && !end[strspn(end, " ")];
}

/* The parts between commas, without blanks around them; brackets around the whole are left out. */
static const char **split_list(rt_arena *arena, const char *text, size_t *count) {
    size_t length = strlen(text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') ++text, length -= 2;
    char *copy = rt_arena_copy_text(arena, text, length);
    const char **parts = RT_NEW_ARRAY(arena, const char *, length + 1);
    *count = 0;
    if (!copy || !parts) return NULL;
    for (char *part = copy, *next; part; part = next) {
        next = strchr(part, ',');
        if (next) *next++ = '\0';
        part += strspn(part, " ");
        for (char *end = part + strlen(part); end > part && end[-1] == ' ';) *--end = '\0';
        parts[(*count)++] = part;
    }
    return parts;
}

static bool parse_numbers(const retort_setting_row *row, rt_arena *arena, const char *text,
                          retort_setting_value *value) {
    const char **parts = split_list(arena, text, &value->count);
    double *reals = parts ? RT_NEW_ARRAY(arena, double, value->count) : NULL;
    if (!reals) return false;
    for (size_t i = 0; i < value->count; ++i)
        if (!parse_number(parts[i], &reals[i]) || !is_number_in_range(row, reals[i])) return false;
    value->reals = reals;
    return true;
}

static bool parse_texts(rt_arena *arena, const char *text, retort_setting_value *value) {
    value->texts = split_list(arena, text, &value->count);
    for (size_t i = 0; value->texts && i < value->count; ++i)
        if (!*value->texts[i]) return false;
    return value->texts != NULL;
}

/* `text` is lent as long as the settings, or copied by the caller. */
static bool parse_text(const retort_setting_row *row, rt_arena *arena, const char *text,
                       retort_setting_value *value) {
    double real;
    if (!*text) return false;
    switch (row->kind) {
    case RETORT_KIND_INT:
    case RETORT_KIND_FLOAT:
    case RETORT_KIND_POSITIVE: return parse_number(text, &real) && set_number(row, real, value);
    case RETORT_KIND_BOOL: return set_boolean(text, value);
    case RETORT_KIND_ENUM: return set_choice(row, text, value);
    case RETORT_KIND_INTS:
    case RETORT_KIND_FLOATS: return parse_numbers(row, arena, text, value);
    case RETORT_KIND_TEXTS:
    case RETORT_KIND_LABELS: return parse_texts(arena, text, value);
    case RETORT_KIND_TEXT:
    case RETORT_KIND_FILE:
    case RETORT_KIND_DATA:
    case RETORT_KIND_MODEL:
    case RETORT_KIND_FOLDER:
    case RETORT_KIND_OUTPUT: break;
    }
    value->text = text;
    return true;
}

/* ---- JSON */

static bool read_numbers(const retort_setting_row *row, rt_arena *arena, const json_t *json,
                         retort_setting_value *value) {
    if (!json_is_array(json)) return false;
    double *reals = RT_NEW_ARRAY(arena, double, json_array_size(json));
    if (!reals) return false;
    for (size_t i = 0; i < json_array_size(json); ++i) {
        const json_t *item = json_array_get(json, i);
        reals[i] = json_number_value(item);
        if (!json_is_number(item) || !is_number_in_range(row, reals[i])) return false;
    }
    value->count = json_array_size(json);
    value->reals = reals;
    return true;
}

static bool read_texts(rt_arena *arena, const json_t *json, retort_setting_value *value) {
    if (!json_is_array(json)) return false;
    const char **texts = RT_NEW_ARRAY(arena, const char *, json_array_size(json));
    if (!texts) return false;
    for (size_t i = 0; i < json_array_size(json); ++i) {
        const char *text = json_string_value(json_array_get(json, i));
        if (!text || !*text) return false;
        texts[i] = rt_arena_copy_string(arena, text);
    }
    value->count = json_array_size(json);
    value->texts = texts;
    return true;
}

static bool read_json(const retort_setting_row *row, rt_arena *arena, const json_t *json,
                      retort_setting_value *value) {
    switch (row->kind) {
    case RETORT_KIND_INT:
    case RETORT_KIND_FLOAT:
    case RETORT_KIND_POSITIVE:
        return json_is_number(json) && set_number(row, json_number_value(json), value);
    case RETORT_KIND_BOOL: value->integer = json_is_true(json); return json_is_boolean(json);
    case RETORT_KIND_INTS:
    case RETORT_KIND_FLOATS: return read_numbers(row, arena, json, value);
    case RETORT_KIND_TEXTS: return read_texts(arena, json, value);
    case RETORT_KIND_LABELS:
        if (json_is_array(json)) return read_texts(arena, json, value);
        break;
    case RETORT_KIND_ENUM:
    case RETORT_KIND_TEXT:
    case RETORT_KIND_FILE:
    case RETORT_KIND_DATA:
    case RETORT_KIND_MODEL:
    case RETORT_KIND_FOLDER:
    case RETORT_KIND_OUTPUT: break;
    }
    const char *text = rt_arena_copy_string(arena, json_string_value(json));
    if (!json_is_string(json) || !text || !*text) return false;
    value->text = text;
    return row->kind != RETORT_KIND_ENUM || set_choice(row, text, value);
}

rt_status retort_settings_merge(retort_settings *settings, const json_t *sections,
                                retort_setting_origin origin, const char *where, rt_error *error) {
    rt_status status = RT_OK;
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        const retort_setting_row *row = retort_setting_row_of((retort_setting)i);
        const json_t *json = json_object_get(json_object_get(sections, row->section), row->name);
        if (!json || json_is_null(json)) continue;
        retort_setting_value value = {.origin = origin};
        if (read_json(row, &settings->arena, json, &value)) {
            settings->values[i] = value;
            continue;
        }
        status = rt_fail_also(error, status, RT_INVALID_DATA, "%s: '%s.%s' must be %s", where,
                              row->section, row->name,
                              retort_setting_expected((retort_setting)i, &settings->arena));
    }
    if (rt_arena_failed(&settings->arena)) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    return status;
}

/* ---- life */

rt_status retort_settings_init(retort_settings *settings, const char *json, rt_error *error) {
    *settings = (retort_settings){0};
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        const retort_setting_row *row = retort_setting_row_of((retort_setting)i);
        retort_setting_value value = {.origin = RETORT_FROM_DEFAULT};
        if (!*row->initial) continue;
        bool is_right = parse_text(row, &settings->arena, row->initial, &value);
        RT_ASSERT(is_right || rt_arena_failed(&settings->arena));
        if (is_right) settings->values[i] = value;
    }
    rt_status status = RT_OK;
    const char *where = "the program's settings";
    if (json && *json) status = rt_json_parse(where, json, strlen(json), &settings->program, error);
    if (status == RT_OK)
        status =
            retort_settings_merge(settings, settings->program, RETORT_FROM_PROGRAM, where, error);
    memcpy(settings->compiled, settings->values, sizeof settings->values);
    if (status != RT_OK) retort_settings_deinit(settings);
    return status;
}

void retort_settings_deinit(retort_settings *settings) {
    json_decref(settings->program);
    rt_arena_deinit(&settings->arena);
    *settings = (retort_settings){0};
}

bool retort_settings_is(const retort_settings *settings, retort_setting setting,
                        const char *choice) {
    const char *text = settings->values[setting].text;
    return text && strcmp(text, choice) == 0;
}

/* ---- flags */

static bool is_input_path(retort_setting_kind kind) {
    return kind == RETORT_KIND_FILE || kind == RETORT_KIND_DATA || kind == RETORT_KIND_MODEL ||
           kind == RETORT_KIND_FOLDER;
}

/* From the current folder, so that a resumed run finds it from anywhere. */
static const char *absolute_path(rt_arena *arena, const char *path) {
    char *folder = getcwd(NULL, 0), *joined = folder ? rt_path_join(folder, path) : NULL;
    const char *kept = rt_arena_copy_string(arena, joined ? joined : path);
    free(joined);
    free(folder);
    return kept;
}

rt_status retort_settings_put_texts(retort_settings *settings, retort_setting setting,
                                    const char *const *texts, size_t count,
                                    retort_setting_origin origin) {
    rt_arena *arena = &settings->arena;
    const char **copies = RT_NEW_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; copies && i < count; ++i) copies[i] = rt_arena_copy_string(arena, texts[i]);
    if (rt_arena_failed(arena)) return RT_OUT_OF_MEMORY;
    settings->values[setting] =
        (retort_setting_value){.origin = origin, .count = count, .texts = copies};
    return RT_OK;
}

/* A single name without comma is a file of labels. */
static rt_status set_labels(retort_settings *settings, retort_setting setting, const char *text,
                            rt_error *error) {
    rt_labels labels = {0};
    RT_TRY(rt_labels_read(text, &labels, error));
    rt_status status =
        retort_settings_put_texts(settings, setting, labels.names, labels.count, RETORT_FROM_FLAG);
    rt_labels_deinit(&labels);
    return status == RT_OK ? RT_OK : rt_fail(error, status, "out of memory");
}

rt_status retort_settings_set(retort_settings *settings, retort_setting setting, const char *text,
                              rt_error *error) {
    const retort_setting_row *row = retort_setting_row_of(setting);
    char flag[RETORT_FLAG_SIZE];
    retort_setting_flag(setting, flag);
    if (row->kind == RETORT_KIND_LABELS && *text && !strchr(text, ',')) {
        rt_status status = set_labels(settings, setting, text, error);
        return status == RT_OK ? RT_OK : rt_fail_within(error, status, "--%s", flag);
    }
    retort_setting_value value = {.origin = RETORT_FROM_FLAG};
    const char *kept = is_input_path(row->kind) && *text
                           ? absolute_path(&settings->arena, text)
                           : rt_arena_copy_string(&settings->arena, text);
    if (!kept) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    if (!parse_text(row, &settings->arena, kept, &value))
        return rt_fail(error, RT_INVALID_ARGUMENT, "--%s must be %s, not '%s'", flag,
                       retort_setting_expected(setting, &settings->arena), text);
    settings->values[setting] = value;
    return RT_OK;
}
