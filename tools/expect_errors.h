// SPDX-License-Identifier: Apache-2.0
/* Errors as tests write them, on the line that is wrong:
 *
 *     %2: f32[2] = neg %1  ; expect-error: gives f32[3] here
 *
 * `@+1` or `@-2` after the word moves the expectation by lines, `@none` is for an error that has no
 * line. Each expectation must be met by an error (its text contains what follows the colon) and
 * each error must be expected. */
#ifndef RETORT_TOOLS_EXPECT_ERRORS_H
#define RETORT_TOOLS_EXPECT_ERRORS_H

#include <stdbool.h>
#include <stddef.h>

#include "ir/diagnostic.h"

/* Holds `diagnostics` against the comments of `text`; reports what differs as a text in `arena`,
 * empty where all is as expected. NULL where there is no memory. */
const char *rt_expect_errors(const char *text, size_t length, const rt_diagnostics *diagnostics,
                             rt_arena *arena);

#endif
