// SPDX-License-Identifier: Apache-2.0
/* Static libraries: an ar archive with one object and the index of its symbols that linkers want.
 * No times, owners or paths are in it, so that the same object gives the same bytes. */
#ifndef RETORT_TOOLS_BUILD_ARCHIVE_H
#define RETORT_TOOLS_BUILD_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/status.h"

typedef struct archive_object {
    const char *name; /* of the member: at most 13 bytes are kept */
    const void *bytes;
    size_t size;
    const char *const *symbols; /* that it defines for others */
    size_t symbol_count;
} archive_object;

/* `is_apple`: the index in the form of BSD, whose linker on Apple's systems asks for it, and
 * symbols with the underscore that they have there. */
RT_MUST_CHECK rt_status archive_write(const char *path, const archive_object *object, bool is_apple,
                                      rt_error *error);

#endif
