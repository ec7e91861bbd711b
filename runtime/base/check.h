// SPDX-License-Identifier: Apache-2.0
/* Two strengths of claim about our own code. What a file or a caller can cause is never asserted:
 * it is a status or a diagnostic. */
#ifndef RETORT_RUNTIME_BASE_CHECK_H
#define RETORT_RUNTIME_BASE_CHECK_H

#include <assert.h>

/* Proven to hold; a failure is a mistake in Retort. Absent from release builds. */
#define RT_ASSERT(condition) assert(condition)

/* Believed never to be true, and handled all the same: asserts in debug, tests in release.
 *     if (RT_NEVER(count < 0)) return RT_INTERNAL; */
#ifdef NDEBUG
#define RT_NEVER(condition) __builtin_expect(!!(condition), 0)
#else
#define RT_NEVER(condition) (assert(!(condition)), 0)
#endif

#define RT_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
