// SPDX-License-Identifier: Apache-2.0
/* Patterns of parameter names, as a spec's "freeze" and "train" give them.
 *
 * Names and patterns are components between dots, compared component by component, never as parts
 * of one: "output.dense.bias" does not select "attention.output.dense.bias".
 *     *            as a whole component: one or more components
 *     lin*         inside a component: any characters, also none
 *     {0..8}       a whole number from 0 to 8
 *     {query,key}  one of these
 * "encoder.layer.{0..8}.*", "*.bias", "classifier.*". */
#ifndef RETORT_IR_NAME_PATTERN_H
#define RETORT_IR_NAME_PATTERN_H

#include <stdbool.h>

#include "runtime/base/status.h"

/* RT_INVALID_ARGUMENT, with the reason, where a brace is not closed, empty, or a range has no
 * numbers; an empty component. */
RT_MUST_CHECK rt_status rt_name_pattern_check(const char *pattern, rt_error *error);

/* `pattern` has passed the check. */
bool rt_name_pattern_matches(const char *pattern, const char *name);

#endif
