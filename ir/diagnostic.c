// SPDX-License-Identifier: Apache-2.0
#include "ir/diagnostic.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Neighbouring diagnostics mostly speak of one file: its name is copied once. */
static const char *copy_file(rt_diagnostics *sink, const char *file) {
    if (!file) return NULL;
    const char *last = sink->count ? sink->items[sink->count - 1].location.file : NULL;
    return last && strcmp(last, file) == 0 ? last : rt_arena_copy_string(&sink->arena, file);
}

static const char *format_text(rt_arena *arena, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) return NULL;
    char *text = rt_arena_allocate(arena, (size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

static void record(rt_diagnostics *sink, rt_severity severity, rt_location location,
                   const char *format, va_list arguments) {
    if (severity == RT_ERROR) ++sink->error_count;
    rt_diagnostic *items =
        rt_arena_grow(&sink->arena, sink->items, &sink->capacity, sink->count + 1, sizeof *items);
    if (!items) return;
    sink->items = items;
    rt_diagnostic fresh = {.severity = severity, .location = location};
    fresh.location.file = copy_file(sink, location.file);
    fresh.location.name = location.name ? rt_arena_copy_string(&sink->arena, location.name) : NULL;
    fresh.text = format_text(&sink->arena, format, arguments);
    items[sink->count++] = fresh;
}

void rt_diagnose(rt_diagnostics *sink, rt_severity severity, rt_location location,
                 const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(sink, severity, location, format, arguments);
    va_end(arguments);
}

rt_status rt_diagnose_error(rt_diagnostics *sink, rt_status status, rt_location location,
                            const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(sink, RT_ERROR, location, format, arguments);
    va_end(arguments);
    return status;
}

bool rt_diagnostics_failed(const rt_diagnostics *sink) {
    return sink->error_count > 0;
}

/* The text; errors of files begin with the file, which need not be told twice. */
static const char *text_without(const char *text, const char *file) {
    size_t length = strlen(file);
    bool is_told =
        length && strncmp(text, file, length) == 0 && strncmp(text + length, ": ", 2) == 0;
    return is_told ? text + length + 2 : text;
}

const char *rt_diagnostic_text(const rt_diagnostic *diagnostic, rt_arena *arena) {
    static const char *const severities[] = {"error", "warning", "note"};
    const rt_location *at = &diagnostic->location;
    char line[24] = "", column[24] = "";
    if (at->line) snprintf(line, sizeof line, "%u:", at->line);
    if (at->line && at->column) snprintf(column, sizeof column, "%u:", at->column);
    const char *file = at->file ? at->file : "";
    const char *name = at->name ? at->name : "";
    return rt_arena_format(arena, "%s%s%s%s%s%s: %s%s%s%s", file, at->file ? ":" : "", line, column,
                           at->file || at->line ? " " : "", severities[diagnostic->severity],
                           at->name ? "'" : "", name, at->name ? "': " : "",
                           diagnostic->text ? text_without(diagnostic->text, file)
                                            : "(no memory left for the text)");
}

const char *rt_diagnostics_text(const rt_diagnostics *sink, rt_arena *arena) {
    size_t length = 0;
    const char **lines = RT_NEW_ARRAY(arena, const char *, sink->count);
    if (!lines) return NULL;
    for (size_t i = 0; i < sink->count; ++i) {
        lines[i] = rt_diagnostic_text(&sink->items[i], arena);
        if (!lines[i]) return NULL;
        length += strlen(lines[i]) + 1;
    }
    char *text = rt_arena_allocate(arena, length + 1), *end = text;
    if (!text) return NULL;
    for (size_t i = 0; i < sink->count; ++i) {
        end = stpcpy(end, lines[i]);
        *end++ = '\n';
    }
    *end = '\0';
    return text;
}

void rt_diagnostics_deinit(rt_diagnostics *sink) {
    rt_arena_deinit(&sink->arena);
    *sink = (rt_diagnostics){0};
}
