// SPDX-License-Identifier: Apache-2.0
/* A bump arena: many small allocations with one lifetime.
 *
 *     rt_arena arena = {0};
 *     char *name = rt_arena_format(&arena, "layer.%d", 3);
 *     rt_arena_deinit(&arena);
 *
 * Nothing is freed singly. Memory is zeroed. Where the system has no memory left, a call returns
 * NULL and the arena stays failed (rt_arena_failed), so that a builder may check once at its end.
 * Not thread-safe: one arena has one user. */
#ifndef RETORT_RUNTIME_BASE_ARENA_H
#define RETORT_RUNTIME_BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/status.h"

typedef struct rt_arena {
    struct rt_arena_block *newest;
    size_t used_bytes;  /* handed out */
    size_t total_bytes; /* taken from the system */
    bool has_failed;
} rt_arena;

/* Returns `size` zeroed bytes aligned to 16, or NULL. Size 0 gives a valid unique pointer. */
void *rt_arena_allocate(rt_arena *arena, size_t size);

/* Array form with a checked product: NULL where count * size does not fit. */
void *rt_arena_array(rt_arena *arena, size_t count, size_t size);

/* Grows an arena array geometrically so that it holds at least `needed` elements: returns the
 * (possibly moved) array and raises *capacity, or NULL with *capacity unchanged. */
void *rt_arena_grow(rt_arena *arena, void *array, size_t *capacity, size_t needed, size_t size);

/* Copies of strings and bytes; NULL where there is no memory. */
char *rt_arena_copy_string(rt_arena *arena, const char *text);
char *rt_arena_copy_text(rt_arena *arena, const char *text, size_t length); /* adds a NUL */
void *rt_arena_copy(rt_arena *arena, const void *bytes, size_t size);
char *rt_arena_format(rt_arena *arena, const char *format, ...) RT_PRINTF(2, 3);

static inline bool rt_arena_failed(const rt_arena *arena) {
    return arena->has_failed;
}

/* Releases everything; the arena is empty and usable again. */
void rt_arena_deinit(rt_arena *arena);

/* Typed forms. */
#define RT_NEW(arena, type) ((type *)rt_arena_allocate((arena), sizeof(type)))
#define RT_NEW_ARRAY(arena, type, count) ((type *)rt_arena_array((arena), (count), sizeof(type)))

#endif
