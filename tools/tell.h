// SPDX-License-Identifier: Apache-2.0
/* What a command says to a person on standard error. */
#ifndef RETORT_TOOLS_TELL_H
#define RETORT_TOOLS_TELL_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/diagnostic.h"

/* Tells what is wrong and returns 1, the exit status. A line that begins with a place keeps it in
 * front: "train.tsv:3: a label is missing" is told as "train.tsv:3: error: a label is missing". */
int tell_error(const rt_error *error);
/* One line with another word than "error". */
void tell_line(const char *severity, const char *line, size_t length);

/* Everything recorded; returns 1 where there is an error among it, else 0. */
int tell_diagnostics(const rt_diagnostics *diagnostics);

#endif
