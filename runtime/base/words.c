// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/words.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_NAME = 64 };

static size_t least_of(size_t a, size_t b) {
    return a < b ? a : b;
}

size_t rt_words_distance(const char *a, const char *b) {
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

const char *rt_words_nearest(const char *name, const char *const *names, size_t count) {
    size_t least = tolerated_edits(name) + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; ++i) {
        if (!names[i]) continue;
        size_t distance = rt_words_distance(name, names[i]);
        if (distance < least) least = distance, nearest = names[i];
    }
    return nearest;
}

static const char *or_empty(const char *text) {
    return text ? text : "";
}

const char *rt_words_choices(const char *choices, rt_arena *arena) {
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

const char *rt_words_bounds(const char *noun, double least, double most, rt_arena *arena) {
    if (most >= 1e6) return or_empty(rt_arena_format(arena, "%s of at least %g", noun, least));
    return or_empty(rt_arena_format(arena, "%s from %g to %g", noun, least, most));
}

const char *rt_words_count(int64_t value, rt_arena *arena) {
    char digits[24], text[32];
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int length = snprintf(digits, sizeof digits, "%" PRIu64, size), used = 0;
    if (value < 0) text[used++] = '-';
    for (int i = 0; i < length; ++i) {
        if (i > 0 && (length - i) % 3 == 0) text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return or_empty(rt_arena_copy_string(arena, text));
}

const char *rt_words_bytes(uint64_t bytes, rt_arena *arena) {
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    if (bytes < 1000) return or_empty(rt_arena_format(arena, "%" PRIu64 " B", bytes));
    double value = (double)bytes / 1000;
    size_t unit = 0;
    /* 999.95 would be shown as 1000.0 of its unit. */
    while (value >= 999.95) value /= 1000, ++unit;
    int digits = unit >= 2 && value < 9.995 ? 2 : 1;
    return or_empty(rt_arena_format(arena, "%.*f %s", digits, value, units[unit]));
}

const char *rt_words_duration(double seconds, rt_arena *arena) {
    if (!(seconds >= 0)) seconds = 0;
    if (seconds < 9.95)
        return or_empty(rt_arena_format(arena, seconds < 0.995 ? "%.2f s" : "%.1f s", seconds));
    if (seconds < 59.5) return or_empty(rt_arena_format(arena, "%.0f s", seconds));
    int64_t whole = seconds < 1e15 ? (int64_t)llround(seconds) : (int64_t)1e15;
    int64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
    int64_t rest = whole % 60;
    if (days > 0)
        return or_empty(rt_arena_format(arena,
                                        "%" PRId64 " day%s %" PRId64 ":%02" PRId64 ":%02" PRId64,
                                        days, days == 1 ? "" : "s", hours, minutes, rest));
    if (hours > 0)
        return or_empty(
            rt_arena_format(arena, "%" PRId64 ":%02" PRId64 ":%02" PRId64, hours, minutes, rest));
    return or_empty(rt_arena_format(arena, "%" PRId64 ":%02" PRId64, minutes, rest));
}
