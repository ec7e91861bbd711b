// SPDX-License-Identifier: Apache-2.0
/* Arithmetic as specs and recipes write it: numbers, names, + - * / and parentheses. */
#ifndef RETORT_MODELS_EXPRESSION_H
#define RETORT_MODELS_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/status.h"

/* Gives the value of a name of `length` bytes; false where it is unknown. */
typedef bool (*rt_expression_lookup)(void *user, const char *name, size_t length, double *value);

RT_MUST_CHECK rt_status rt_expression_evaluate(const char *text, rt_expression_lookup lookup,
                                               void *user, double *value, rt_error *error);

#endif
