// SPDX-License-Identifier: Apache-2.0
#include "ir/name_pattern.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- check */

/* "0..8": two numbers in ascending order. */
static bool parse_range(const char *text, size_t length, long *first, long *last) {
    const char *dots = strstr(text, "..");
    if (!dots || dots >= text + length) return false;
    for (size_t i = 0; i < length; ++i) {
        bool is_dot = text + i == dots || text + i == dots + 1;
        if (!is_dot && !isdigit((unsigned char)text[i])) return false;
    }
    bool has_numbers = dots > text && dots + 2 < text + length && length < 24;
    *first = strtol(text, NULL, 10);
    *last = strtol(dots + 2, NULL, 10);
    return has_numbers && *first <= *last;
}

static rt_status check_brace(const char *pattern, const char *brace, size_t length,
                             rt_error *error) {
    long first, last;
    bool has_dots = memchr(brace + 1, '.', length) != NULL;
    if (has_dots && !parse_range(brace + 1, length, &first, &last))
        return rt_fail(error, RT_INVALID_ARGUMENT, "in '%s', {%.*s} must be a range such as {0..8}",
                       pattern, (int)length, brace + 1);
    if (length == 0 || memchr(brace + 1, '{', length))
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "in '%s', braces must hold a range or names, such as {query,key}", pattern);
    return RT_OK;
}

rt_status rt_name_pattern_check(const char *pattern, rt_error *error) {
    bool is_start = true; /* of a component */
    for (const char *c = pattern; *c; ++c) {
        if (*c == '{') {
            size_t length = strcspn(c + 1, "}");
            if (!c[1 + length])
                return rt_fail(error, RT_INVALID_ARGUMENT, "in '%s', a { is not closed", pattern);
            RT_TRY(check_brace(pattern, c, length, error));
            c += 1 + length;
        } else if (*c == '}') {
            return rt_fail(error, RT_INVALID_ARGUMENT, "in '%s', a } has no {", pattern);
        }
        if (*c == '.' && is_start)
            return rt_fail(error, RT_INVALID_ARGUMENT, "in '%s', a component is empty", pattern);
        is_start = *c == '.';
    }
    if (is_start)
        return rt_fail(error, RT_INVALID_ARGUMENT, "in '%s', a component is empty", pattern);
    return RT_OK;
}

/* ---- match */

static size_t component_length(const char *name) {
    return strcspn(name, ".");
}

/* Dots inside braces are of a range. */
static size_t pattern_component_length(const char *pattern) {
    size_t length = 0;
    bool is_inside = false;
    while (pattern[length] && (is_inside || pattern[length] != '.')) {
        is_inside = pattern[length] == '{' || (is_inside && pattern[length] != '}');
        ++length;
    }
    return length;
}

static bool match_component(const char *pattern, size_t size, const char *name, size_t length);

/* The number at the start of the name is in [first, last], and the rest matches. Numbers have no
 * leading zeros. */
static bool match_range(long first, long last, const char *rest, size_t rest_size, const char *name,
                        size_t length) {
    size_t digits = 0;
    while (digits < length && isdigit((unsigned char)name[digits])) ++digits;
    if (digits == 0 || digits > 9 || (digits > 1 && name[0] == '0')) return false;
    long number = strtol(name, NULL, 10);
    return number >= first && number <= last &&
           match_component(rest, rest_size, name + digits, length - digits);
}

static bool match_brace(const char *pattern, size_t size, const char *name, size_t length) {
    size_t inside = strcspn(pattern + 1, "}");
    const char *rest = pattern + inside + 2, *option = pattern + 1, *end = option + inside;
    size_t rest_size = size - inside - 2;
    long first, last;
    if (parse_range(option, inside, &first, &last))
        return match_range(first, last, rest, rest_size, name, length);
    while (option <= end) {
        const char *comma = memchr(option, ',', (size_t)(end - option));
        size_t n = (size_t)((comma ? comma : end) - option);
        if (n <= length && memcmp(option, name, n) == 0 &&
            match_component(rest, rest_size, name + n, length - n))
            return true;
        option += n + 1;
    }
    return false;
}

static bool match_component(const char *pattern, size_t size, const char *name, size_t length) {
    if (size == 0) return length == 0;
    if (*pattern == '{') return match_brace(pattern, size, name, length);
    if (*pattern == '*') {
        for (size_t skipped = 0; skipped <= length; ++skipped) {
            if (match_component(pattern + 1, size - 1, name + skipped, length - skipped))
                return true;
        }
        return false;
    }
    return length > 0 && *pattern == *name &&
           match_component(pattern + 1, size - 1, name + 1, length - 1);
}

bool rt_name_pattern_matches(const char *pattern, const char *name) {
    for (;;) {
        size_t size = pattern_component_length(pattern), length = component_length(name);
        bool is_last = !pattern[size];
        if (size == 1 && *pattern == '*') {
            if (is_last) return length > 0;
            for (const char *rest = strchr(name, '.'); rest; rest = strchr(rest + 1, '.')) {
                if (rt_name_pattern_matches(pattern + 2, rest + 1)) return true;
            }
            return false;
        }
        if (!match_component(pattern, size, name, length)) return false;
        if (is_last || !name[length]) return is_last && !name[length];
        pattern += size + 1;
        name += length + 1;
    }
}
