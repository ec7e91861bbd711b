// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/sizes.h"

enum { BLOCK_BYTES = 256 * 1024, ALIGNMENT = 16 };

typedef struct rt_arena_block {
    struct rt_arena_block *older;
    size_t capacity;
    size_t used;
    _Alignas(16) unsigned char bytes[];
} rt_arena_block;

static void *fail(rt_arena *arena) {
    arena->has_failed = true;
    return NULL;
}

void *rt_arena_allocate(rt_arena *arena, size_t size) {
    if (size > SIZE_MAX / 2) return fail(arena);
    size = rt_align_up(size ? size : 1, ALIGNMENT);
    rt_arena_block *block = arena->newest;
    if (!block || block->capacity - block->used < size) {
        size_t capacity = size > BLOCK_BYTES / 4 ? size : BLOCK_BYTES;
        rt_arena_block *fresh = calloc(1, sizeof *fresh + capacity);
        if (!fresh) return fail(arena);
        fresh->capacity = capacity;
        arena->total_bytes += sizeof *fresh + capacity;
        if (block && capacity == size) {
            /* A large allocation gets a block of its own below the one that still has room. */
            fresh->older = block->older;
            block->older = fresh;
        } else {
            fresh->older = block;
            arena->newest = fresh;
        }
        block = fresh;
    }
    void *result = block->bytes + block->used;
    block->used += size;
    arena->used_bytes += size;
    return result;
}

void *rt_arena_array(rt_arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (!rt_size_multiply(count, size, &bytes)) return fail(arena);
    return rt_arena_allocate(arena, bytes);
}

void *rt_arena_grow(rt_arena *arena, void *array, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity && array) return array;
    size_t larger = *capacity ? *capacity * 2 : 16;
    if (larger < needed) larger = needed;
    void *moved = rt_arena_array(arena, larger, size);
    if (!moved) return NULL;
    if (array) memcpy(moved, array, *capacity * size);
    *capacity = larger;
    return moved;
}

char *rt_arena_copy_text(rt_arena *arena, const char *text, size_t length) {
    char *copy = length < SIZE_MAX ? rt_arena_allocate(arena, length + 1) : fail(arena);
    if (copy && length) memcpy(copy, text, length);
    return copy;
}

char *rt_arena_copy_string(rt_arena *arena, const char *text) {
    return rt_arena_copy_text(arena, text, strlen(text));
}

void *rt_arena_copy(rt_arena *arena, const void *bytes, size_t size) {
    void *copy = rt_arena_allocate(arena, size);
    if (copy && size) memcpy(copy, bytes, size);
    return copy;
}

char *rt_arena_format(rt_arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? fail(arena) : rt_arena_allocate(arena, (size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void rt_arena_deinit(rt_arena *arena) {
    for (rt_arena_block *block = arena->newest; block;) {
        rt_arena_block *older = block->older;
        free(block);
        block = older;
    }
    memset(arena, 0, sizeof *arena);
}
