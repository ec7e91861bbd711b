// SPDX-License-Identifier: Apache-2.0
/* The text of --help, from the tables of flags. */
#include <stdio.h>
#include <string.h>

#include "runtime/train/command.h"

enum { FLAG_COLUMN = 2, HELP_COLUMN = 32, WIDTH = 100 };

/* Text that grows in an arena. */
typedef struct page {
    rt_arena *arena;
    char *text;
    size_t length, capacity;
} page;

static void add(page *p, const char *text, size_t length) {
    char *grown = rt_arena_grow(p->arena, p->text, &p->capacity, p->length + length + 1, 1);
    if (!grown) return;
    p->text = grown;
    memcpy(p->text + p->length, text, length);
    p->length += length;
    p->text[p->length] = '\0';
}

static void add_text(page *p, const char *text) {
    add(p, text, strlen(text));
}

static void add_blanks(page *p, size_t count) {
    while (count-- > 0) add(p, " ", 1);
}

/* Words of `text` from column `column` on, wrapped to HELP_COLUMN. */
static void add_wrapped(page *p, const char *text, size_t column) {
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + word > WIDTH) {
            add_text(p, "\n");
            add_blanks(p, HELP_COLUMN);
            column = HELP_COLUMN;
        }
        if (column > HELP_COLUMN) add(p, " ", 1), ++column;
        add(p, text, word);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    add_text(p, "\n");
}

static void add_row(page *p, const char *flag, const char *help) {
    size_t length = strlen(flag) + FLAG_COLUMN;
    add_blanks(p, FLAG_COLUMN);
    add_text(p, flag);
    if (length + 2 > HELP_COLUMN) {
        add_text(p, "\n");
        length = 0;
    }
    add_blanks(p, HELP_COLUMN - length);
    add_wrapped(p, help, HELP_COLUMN);
}

static const char *value_word(const retort_setting_row *row) {
    switch (row->kind) {
    case RETORT_KIND_INT: return " N";
    case RETORT_KIND_FLOAT:
    case RETORT_KIND_POSITIVE: return " X";
    case RETORT_KIND_BOOL: return "";
    case RETORT_KIND_ENUM: return " CHOICE";
    case RETORT_KIND_INTS: return " N,N,..";
    case RETORT_KIND_FLOATS: return " X,X,..";
    case RETORT_KIND_TEXTS:
    case RETORT_KIND_LABELS: return " NAME,NAME,..";
    case RETORT_KIND_FILE:
    case RETORT_KIND_DATA: return " FILE";
    case RETORT_KIND_MODEL: return " MODEL";
    case RETORT_KIND_FOLDER:
    case RETORT_KIND_OUTPUT: return " FOLDER";
    case RETORT_KIND_TEXT: break;
    }
    return " TEXT";
}

static void add_setting(page *p, const retort_settings *settings, retort_setting setting) {
    const retort_setting_row *row = retort_setting_row_of(setting);
    char flag[RETORT_FLAG_SIZE];
    retort_setting_flag(setting, flag);
    const char *no = row->kind == RETORT_KIND_BOOL ? "[no-]" : "";
    const char *left = rt_arena_format(p->arena, "--%s%s%s", no, flag, value_word(row));
    const char *value = retort_setting_text(settings, setting, p->arena);
    const char *choices =
        row->kind == RETORT_KIND_ENUM
            ? rt_arena_format(p->arena, " (%s)", retort_setting_expected(setting, p->arena))
            : "";
    const char *right = rt_arena_format(p->arena, *value ? "%s%s [%s]" : "%s%s", row->help,
                                        choices ? choices : "", value);
    if (left && right) add_row(p, left, right);
}

static void add_usage(page *p, const char *name) {
    const struct {
        const char *arguments, *help;
    } uses[] = {{"", "train; the result is OUTPUT/best, the last state OUTPUT/last"},
                {" --resume", "continue a run that was interrupted"},
                {" --eval", "measure what was trained"},
                {" --predict IN.tsv -o OUT.tsv", "answer new rows"},
                {" --plan", "how much memory it takes"}};
    add_text(p, "Usage:\n");
    for (size_t i = 0; i < sizeof uses / sizeof *uses; ++i) {
        const char *left = rt_arena_format(p->arena, "%s%s", name, uses[i].arguments);
        if (left) add_row(p, left, uses[i].help);
    }
}

const char *retort_command_help(const retort_settings *settings, const char *program_name,
                                rt_arena *arena) {
    page p = {.arena = arena};
    add_usage(&p, program_name);
    add_text(&p, "\nWhat to do:\n");
    for (int i = 0; i < RETORT_OPTION_COUNT; ++i) {
        const retort_option_row *row = retort_option_row_of((retort_option)i);
        const char *left =
            rt_arena_format(arena, "%s%s%s", row->flag, *row->value ? " " : "", row->value);
        if (left) add_row(&p, left, row->help);
    }
    const char *section = NULL;
    for (int i = 0; i < RETORT_SETTING_COUNT; ++i) {
        const char *next = retort_setting_row_of((retort_setting)i)->section;
        if (!section || strcmp(section, next) != 0) {
            const char *title = rt_arena_format(arena, "\nSettings of section '%s':\n", next);
            add_text(&p, title ? title : "\n");
            section = next;
        }
        add_setting(&p, settings, (retort_setting)i);
    }
    add_text(&p, "\nIn brackets: the value in force, from the spec it was compiled from. A flag's "
                 "section may be\nleft out where no other flag has the name.\n");
    return p.text ? p.text : "";
}
