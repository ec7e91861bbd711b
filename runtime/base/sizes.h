// SPDX-License-Identifier: Apache-2.0
/* Checked arithmetic on sizes, alignment. */
#ifndef RETORT_RUNTIME_BASE_SIZES_H
#define RETORT_RUNTIME_BASE_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns false, leaving *result unspecified, where the result does not fit. */
static inline bool rt_size_add(size_t a, size_t b, size_t *result) {
    return !__builtin_add_overflow(a, b, result);
}
static inline bool rt_size_multiply(size_t a, size_t b, size_t *result) {
    return !__builtin_mul_overflow(a, b, result);
}
static inline bool rt_int64_add(int64_t a, int64_t b, int64_t *result) {
    return !__builtin_add_overflow(a, b, result);
}
static inline bool rt_int64_multiply(int64_t a, int64_t b, int64_t *result) {
    return !__builtin_mul_overflow(a, b, result);
}

/* Rounds up to a multiple of `alignment`, a power of two. */
static inline size_t rt_align_up(size_t size, size_t alignment) {
    return (size + alignment - 1) & ~(alignment - 1);
}

#endif
