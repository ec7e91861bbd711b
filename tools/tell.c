// SPDX-License-Identifier: Apache-2.0
#include "tools/tell.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool names_file(const char *text, size_t length) {
    char path[4096];
    if (length >= sizeof path) return false;
    memcpy(path, text, length);
    path[length] = '\0';
    return access(path, F_OK) == 0;
}

/* Length of "path" or "path:line" in front of ": "; 0 where the line begins with a sentence. */
static size_t place_length(const char *line, size_t length) {
    size_t end = 0;
    bool has_path = false;
    while (end + 1 < length && !(line[end] == ':' && line[end + 1] == ' ')) {
        has_path |= line[end] == '/' || line[end] == '.' ||
                    (line[end] == ':' && isdigit((unsigned char)line[end + 1]));
        ++end;
    }
    return end + 1 < length && (has_path || names_file(line, end)) ? end : 0;
}

void tell_line(const char *severity, const char *line, size_t length) {
    size_t place = place_length(line, length), rest = place ? place + 2 : 0;
    fprintf(stderr, "%.*s%s%s: %.*s\n", (int)place, line, place ? ": " : "", severity,
            (int)(length - rest), line + rest);
}

int tell_error(const rt_error *error) {
    static const char note[] = "note: "; /* a line about those before it */
    for (const char *line = error->text; *line;) {
        size_t length = strcspn(line, "\n"), start = sizeof note - 1;
        if (strncmp(line, note, start) == 0)
            fprintf(stderr, "%.*s\n", (int)length, line);
        else
            tell_line("error", line, length);
        line += length + (line[length] == '\n');
    }
    return 1;
}

/* One without a location may name a file in its text, as errors do. */
static bool tell_diagnostic(const rt_diagnostic *diagnostic, rt_arena *arena) {
    static const char *const severities[] = {"error", "warning", "note"};
    const rt_location *at = &diagnostic->location;
    bool has_place = at->file || at->line || at->name;
    const char *text = has_place ? rt_diagnostic_text(diagnostic, arena) : diagnostic->text;
    if (!text) return false;
    if (has_place)
        fprintf(stderr, "%s\n", text);
    else
        tell_line(severities[diagnostic->severity], text, strlen(text));
    return true;
}

int tell_diagnostics(const rt_diagnostics *diagnostics) {
    rt_arena arena = {0};
    bool is_told = true;
    for (size_t i = 0; i < diagnostics->count && is_told; ++i)
        is_told = tell_diagnostic(&diagnostics->items[i], &arena);
    if (!is_told) fputs("error: out of memory\n", stderr);
    rt_arena_deinit(&arena);
    return rt_diagnostics_failed(diagnostics) || !is_told;
}
