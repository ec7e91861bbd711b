// SPDX-License-Identifier: Apache-2.0
#include "tools/expect_errors.h"

#include <stdlib.h>
#include <string.h>

static const char mark[] = "expect-error";

typedef struct expectation {
    uint32_t line; /* 0: an error without a line */
    const char *text;
    bool is_met;
} expectation;

typedef struct expectations {
    expectation *items;
    size_t count, capacity;
    bool is_malformed;
} expectations;

/* After the mark: [@+1 | @-1 | @none] ":" text. */
static void read_expectation(expectations *all, const char *at, uint32_t line, rt_arena *arena) {
    expectation fresh = {.line = line};
    if (strncmp(at, "@none", 5) == 0) {
        fresh.line = 0;
        at += 5;
    } else if (*at == '@') {
        char *end;
        fresh.line = (uint32_t)((long)line + strtol(at + 1, &end, 10));
        at = end;
    }
    expectation *items =
        rt_arena_grow(arena, all->items, &all->capacity, all->count + 1, sizeof *items);
    if (*at != ':' || !items) {
        all->is_malformed = true;
        return;
    }
    ++at;
    at += strspn(at, " ");
    size_t length = strlen(at);
    while (length && (at[length - 1] == ' ' || at[length - 1] == '\r')) --length;
    fresh.text = rt_arena_copy_text(arena, at, length);
    all->items = items;
    items[all->count++] = fresh;
    if (!fresh.text || !length) all->is_malformed = true;
}

static expectations read_expectations(const char *text, size_t length, rt_arena *arena) {
    expectations all = {0};
    uint32_t line = 0;
    for (const char *end = text + length; text < end;) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        if (!stop) stop = end;
        const char *copy = rt_arena_copy_text(arena, text, (size_t)(stop - text));
        ++line;
        const char *comment = copy ? strchr(copy, ';') : NULL;
        const char *found = comment ? strstr(comment, mark) : NULL;
        if (found) read_expectation(&all, found + strlen(mark), line, arena);
        text = stop + 1;
    }
    return all;
}

static bool meets(const rt_diagnostic *diagnostic, const expectation *expected) {
    return diagnostic->location.line == expected->line && diagnostic->text &&
           strstr(diagnostic->text, expected->text);
}

/* Marks what this error meets; false where nothing expected it. */
static bool is_expected(const rt_diagnostic *diagnostic, expectations *all) {
    bool is_found = false;
    for (size_t i = 0; i < all->count; ++i) {
        if (!meets(diagnostic, &all->items[i])) continue;
        all->items[i].is_met = is_found = true;
    }
    return is_found;
}

const char *rt_expect_errors(const char *text, size_t length, const rt_diagnostics *diagnostics,
                             rt_arena *arena) {
    expectations all = read_expectations(text, length, arena);
    const char *report = all.is_malformed ? "malformed expect-error comment\n" : "";
    for (size_t i = 0; i < diagnostics->count && report; ++i) {
        const rt_diagnostic *diagnostic = &diagnostics->items[i];
        if (diagnostic->severity != RT_ERROR || is_expected(diagnostic, &all)) continue;
        const char *said = rt_diagnostic_text(diagnostic, arena);
        report = rt_arena_format(arena, "%sunexpected: %s\n", report, said ? said : "");
    }
    for (size_t i = 0; i < all.count && report; ++i) {
        if (all.items[i].is_met) continue;
        report = rt_arena_format(arena, "%sline %u: missing error: %s\n", report, all.items[i].line,
                                 all.items[i].text);
    }
    return report;
}
