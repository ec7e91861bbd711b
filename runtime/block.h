// SPDX-License-Identifier: Apache-2.0
/* A block of memory mapped from the system: zeroed, aligned to pages, given back whole. */
#ifndef RETORT_RUNTIME_BLOCK_H
#define RETORT_RUNTIME_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef struct retort_block {
    uint8_t *bytes;
    size_t size;
} retort_block;

/* `what` is for the error: "no memory for 3.0 MB of weights". A size of 0 gives the empty block. */
RT_MUST_CHECK rt_status retort_block_allocate(retort_block *block, uint64_t size, const char *what,
                                              rt_error *error);
void retort_block_release(retort_block *block); /* also of the empty block */

#endif
