// SPDX-License-Identifier: Apache-2.0
/* Command-line arguments of one command, read one by one:
 *
 *     while (arguments_next(&a)) {
 *         if (arguments_flag(&a, "--force", &force)) continue;
 *         if (arguments_text(&a, "-o", &output)) continue;
 *         arguments_operand(&a, inputs, 8, &count);     // what is no option; unknown ones are told
 *     }
 *     if (a.exit_code >= 0) return a.exit_code;         // --help, or a mistake that was told
 *
 * Options take their value as the next argument or after '='. "--" ends the options. */
#ifndef RETORT_TOOLS_ARGUMENTS_H
#define RETORT_TOOLS_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct arguments {
    const char *command; /* "verify" */
    const char *usage;   /* printed by --help */
    int argc;
    char **argv;
    int index;     /* of the current argument */
    int exit_code; /* -1 while all is well; set by arguments_next from zero */
    bool has_begun, only_operands;
} arguments;

/* Moves to the next argument; false at the end, after --help, and after a mistake. */
bool arguments_next(arguments *a);

/* Each is true where the current argument is this option, which it then takes with its value; a
 * missing or wrong value is told and ends the reading. */
bool arguments_flag(arguments *a, const char *name, bool *value);
bool arguments_text(arguments *a, const char *name, const char **value);
bool arguments_integer(arguments *a, const char *name, int64_t least, int64_t most, int64_t *value);
bool arguments_real(arguments *a, const char *name, double least, double most, double *value);

/* Takes the current argument as an operand; an option nobody took, or one operand too many, is a
 * mistake. */
void arguments_operand(arguments *a, const char **operands, size_t most, size_t *count);

/* Tells a mistake with how to get help; returns 2. */
int arguments_usage(arguments *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
