// SPDX-License-Identifier: Apache-2.0
/* Object code and the runtime to an executable, by the system's C compiler as linker. */
#ifndef RETORT_COMPILER_CODEGEN_LINK_H
#define RETORT_COMPILER_CODEGEN_LINK_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* Bytes of a file that become part of the executable under a symbol. */
typedef struct rt_embedded_bytes {
    const char *symbol;
    const char *path;
    uint64_t offset, size_bytes;
} rt_embedded_bytes;

typedef struct rt_link {
    const void *object;
    size_t object_bytes;
    const rt_embedded_bytes *embedded;
    size_t embedded_count;
    const char *const *inputs; /* more files for the C compiler, before the libraries */
    size_t input_count;
} rt_link;

/* Links with the runtime's static libraries, which lie beside this program (../lib or
 * ../lib/retort from its folder), and writes `path` whole: under a temporary name that is renamed.
 * RT_NOT_FOUND where the libraries or cc are missing; the linker's own words are in the error. */
RT_MUST_CHECK rt_status rt_link_program(const rt_link *link, const char *path, rt_error *error);

#endif
