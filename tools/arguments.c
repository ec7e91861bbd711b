// SPDX-License-Identifier: Apache-2.0
#include "tools/arguments.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int arguments_usage(arguments *a, const char *format, ...) {
    va_list list;
    fprintf(stderr, "retort %s: ", a->command);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, "; `retort %s --help` tells more\n", a->command);
    a->exit_code = 2;
    return 2;
}

bool arguments_next(arguments *a) {
    if (!a->has_begun) {
        a->has_begun = true;
        a->exit_code = -1;
    }
    if (a->exit_code >= 0 || ++a->index >= a->argc) return false;
    const char *argument = a->argv[a->index];
    if (!a->only_operands && strcmp(argument, "--") == 0) {
        a->only_operands = true;
        return arguments_next(a);
    }
    if (!a->only_operands && (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)) {
        fputs(a->usage, stdout);
        a->exit_code = 0;
        return false;
    }
    return true;
}

bool arguments_flag(arguments *a, const char *name, bool *value) {
    if (a->only_operands || strcmp(a->argv[a->index], name) != 0) return false;
    *value = true;
    return true;
}

/* The value of option `name`: behind '=' or the next argument. NULL where the current argument is
 * another one, or where the value is missing, which is told. */
static const char *take_value(arguments *a, const char *name, bool *is_this) {
    const char *argument = a->argv[a->index];
    size_t length = strlen(name);
    *is_this = false;
    if (a->only_operands || strncmp(argument, name, length) != 0) return NULL;
    if (argument[length] == '=') {
        *is_this = true;
        return argument + length + 1;
    }
    if (argument[length]) return NULL;
    *is_this = true;
    if (a->index + 1 < a->argc) return a->argv[++a->index];
    arguments_usage(a, "%s needs a value", name);
    return NULL;
}

bool arguments_text(arguments *a, const char *name, const char **value) {
    bool is_this;
    const char *text = take_value(a, name, &is_this);
    if (text) *value = text;
    return is_this;
}

bool arguments_integer(arguments *a, const char *name, int64_t least, int64_t most,
                       int64_t *value) {
    bool is_this;
    const char *text = take_value(a, name, &is_this);
    if (!text) return is_this;
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (!*text || *end || errno || number < least || number > most)
        arguments_usage(a, "%s takes a whole number from %lld to %lld, not '%s'", name,
                        (long long)least, (long long)most, text);
    else
        *value = number;
    return true;
}

bool arguments_real(arguments *a, const char *name, double least, double most, double *value) {
    bool is_this;
    const char *text = take_value(a, name, &is_this);
    if (!text) return is_this;
    char *end;
    double number = strtod(text, &end);
    if (!*text || *end || !(number >= least && number <= most))
        arguments_usage(a, "%s takes a number from %g to %g, not '%s'", name, least, most, text);
    else
        *value = number;
    return true;
}

void arguments_operand(arguments *a, const char **operands, size_t most, size_t *count) {
    const char *argument = a->argv[a->index];
    if (a->exit_code >= 0) return;
    if (!a->only_operands && argument[0] == '-' && argument[1])
        arguments_usage(a, "there is no option '%s'", argument);
    else if (*count == most)
        arguments_usage(a, "'%s' is one argument too many", argument);
    else
        operands[(*count)++] = argument;
}
