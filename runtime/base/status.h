// SPDX-License-Identifier: Apache-2.0
/* How calls fail: a code that forwards, and a sentence that says what is wrong.
 *
 * A function that can fail returns rt_status. Where a caller can show the reason to a person the
 * function also takes an rt_error, filled on failure only; NULL is allowed everywhere. The sentence
 * names the file, line or tensor and what would be right; it has no trailing full stop or newline.
 *
 *     rt_error error;
 *     if (rt_file_map(path, &file, &error) != RT_OK) fprintf(stderr, "%s\n", error.text);
 */
#ifndef RETORT_RUNTIME_BASE_STATUS_H
#define RETORT_RUNTIME_BASE_STATUS_H

#include <stdarg.h>

typedef enum rt_status {
#define STATUS(id, text) RT_##id,
#include "runtime/base/status.def"
#undef STATUS
    RT_STATUS_COUNT
} rt_status;

typedef struct rt_error {
    char text[1000]; /* one or more lines, NUL-terminated, cut where it would not fit */
} rt_error;

#define RT_MUST_CHECK __attribute__((warn_unused_result))
#define RT_PRINTF(text, first) __attribute__((format(printf, text, first)))

/* Returns the code's constant text, e.g. "out of memory". */
const char *rt_status_text(rt_status status);

/* Fills `error` (may be NULL) from a printf format and returns `status`, so that failing is one
 * statement: `return rt_fail(error, RT_NOT_FOUND, "%s: no such file", path);` */
rt_status rt_fail(rt_error *error, rt_status status, const char *format, ...) RT_PRINTF(3, 4);

/* Puts "<prefix>: " in front of the text already in `error` (may be NULL) and returns `status`. */
rt_status rt_fail_within(rt_error *error, rt_status status, const char *format, ...)
    RT_PRINTF(3, 4);

/* For reporting several mistakes at once: where `so_far` is RT_OK like rt_fail, else the text is
 * added to `error` as a line of its own and `so_far` is returned. */
rt_status rt_fail_also(rt_error *error, rt_status so_far, rt_status status, const char *format, ...)
    RT_PRINTF(4, 5);

/* Forwards a failure. */
#define RT_TRY(expression)                                \
    do {                                                  \
        rt_status rt_try_status = (expression);           \
        if (rt_try_status != RT_OK) return rt_try_status; \
    } while (0)

#endif
