// SPDX-License-Identifier: Apache-2.0
/* A block of bytes that grows: arrays one after another, each aligned to 4. */
#ifndef RETORT_COMPILER_DEVICE_BLOCK_WRITER_H
#define RETORT_COMPILER_DEVICE_BLOCK_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/device/text_tables.h"

typedef struct rt_block_writer {
    rt_arena *arena;
    uint8_t *bytes; /* in the arena */
    size_t size, capacity;
} rt_block_writer;

/* Appends a copy of `size` bytes, or zeros where `bytes` is NULL, and returns its place: 0 where
 * there is no memory, and rt_arena_failed() then. Places fit 32 bits: a block of more is such a
 * failure. */
uint32_t rt_block_put(rt_block_writer *block, const void *bytes, size_t size);

/* Appends numbers in as few bytes each as the largest one needs. */
retort_text_numbers rt_block_put_numbers(rt_block_writer *block, const uint32_t *numbers,
                                         size_t count);

#endif
