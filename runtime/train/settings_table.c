// SPDX-License-Identifier: Apache-2.0
/* settings.def expanded, and the words made from it. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/words.h"
#include "runtime/train/settings.h"

#define IS_REQUIRED_REQUIRED true
#define IS_REQUIRED_OPTIONAL false

static const retort_setting_row rows[RETORT_SETTING_COUNT] = {
#define SETTING(section, name, kind, need, initial, least, most, choices, help) \
    {#section, #name, RETORT_KIND_##kind, IS_REQUIRED_##need, initial, least, most, choices, help},
#include "runtime/settings.def"
};

const retort_setting_row *retort_setting_row_of(retort_setting setting) {
    return &rows[setting];
}

void retort_setting_flag(retort_setting setting, char flag[RETORT_FLAG_SIZE]) {
    const retort_setting_row *row = &rows[setting];
    if (strcmp(row->section, "training") == 0)
        snprintf(flag, RETORT_FLAG_SIZE, "%s", row->name);
    else
        snprintf(flag, RETORT_FLAG_SIZE, "%s-%s", row->section, row->name);
    for (char *c = flag; *c; ++c)
        if (*c == '_') *c = '-';
}

const char *retort_setting_expected(retort_setting setting, rt_arena *arena) {
    const retort_setting_row *row = &rows[setting];
    const char *text = NULL;
    switch (row->kind) {
    case RETORT_KIND_INT: return rt_words_bounds("a whole number", row->least, row->most, arena);
    case RETORT_KIND_FLOAT: return rt_words_bounds("a number", row->least, row->most, arena);
    case RETORT_KIND_POSITIVE:
        text = rt_arena_format(arena, "a number above 0, at most %g", row->most);
        break;
    case RETORT_KIND_BOOL: return "true or false";
    case RETORT_KIND_ENUM: return rt_words_choices(row->choices, arena);
    case RETORT_KIND_INTS:
        return rt_words_bounds("a list of whole numbers, each", row->least, row->most, arena);
    case RETORT_KIND_FLOATS:
        return rt_words_bounds("a list of numbers, each", row->least, row->most, arena);
    case RETORT_KIND_TEXTS: return "a list of texts";
    case RETORT_KIND_LABELS: return "a list of labels, or a file with one per line";
    case RETORT_KIND_FILE:
    case RETORT_KIND_DATA: return "the path of a file";
    case RETORT_KIND_MODEL: return "the path of a model";
    case RETORT_KIND_FOLDER:
    case RETORT_KIND_OUTPUT: return "the path of a folder";
    case RETORT_KIND_TEXT: break;
    }
    return text ? text : "a text that is not empty";
}
