// SPDX-License-Identifier: Apache-2.0
/* The arithmetic of a recipe's "total": numbers, names, + - * / and parentheses. */
#ifndef RETORT_TOOLS_VERIFY_EXPRESSION_H
#define RETORT_TOOLS_VERIFY_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/status.h"

/* Gives the value of a name of `length` bytes; false where it is unknown. */
typedef bool (*expression_lookup)(void *user, const char *name, size_t length, double *value);

RT_MUST_CHECK rt_status expression_evaluate(const char *text, expression_lookup lookup, void *user,
                                            double *value, rt_error *error);

#endif
