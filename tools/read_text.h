// SPDX-License-Identifier: Apache-2.0
/* A whole text from a file or from standard input. */
#ifndef RETORT_TOOLS_READ_TEXT_H
#define RETORT_TOOLS_READ_TEXT_H

#include <stddef.h>

#include "runtime/base/arena.h"

/* The bytes of `path`, or of standard input where it is "-", in `arena`; NULL with the reason in
 * `error`. */
char *rt_read_text(const char *path, rt_arena *arena, size_t *length, rt_error *error);

#endif
