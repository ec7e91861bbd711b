// SPDX-License-Identifier: Apache-2.0
/* Slices of text and growable arrays, shared by the files of this folder. */
#ifndef RETORT_RUNTIME_TEXT_BUFFERS_H
#define RETORT_RUNTIME_TEXT_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/sizes.h"

/* Borrowed bytes without a terminator; usually UTF-8 inside a mapped file. */
typedef struct rt_text {
    const char *bytes;
    size_t length;
} rt_text;

static inline rt_text rt_text_of(const char *string) {
    return (rt_text){string, strlen(string)};
}

static inline bool rt_text_equals(rt_text a, rt_text b) {
    return a.length == b.length && (!a.length || memcmp(a.bytes, b.bytes, a.length) == 0);
}

/* Makes room for `needed` elements of `size` bytes in a malloc'ed array: doubles, so appending is
 * linear. False, with array and capacity unchanged, where there is no memory. `array` is the
 * address of the pointer. */
static inline bool rt_reserve(void *array, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity) return true;
    size_t wanted = *capacity < 64 ? 64 : *capacity, bytes;
    while (wanted < needed) {
        if (!rt_size_multiply(wanted, 2, &wanted)) return false;
    }
    if (!rt_size_multiply(wanted, size, &bytes)) return false;
    void *old, *grown;
    memcpy(&old, array, sizeof old);
    grown = realloc(old, bytes);
    if (!grown) return false;
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

/* A growable list of token ids: zero it to begin, rt_ids_deinit it at the end. */
typedef struct rt_ids {
    int32_t *data;
    size_t count;
    size_t capacity;
} rt_ids;

static inline bool rt_ids_reserve(rt_ids *ids, size_t more) {
    size_t needed;
    return rt_size_add(ids->count, more, &needed) &&
           rt_reserve(&ids->data, &ids->capacity, needed, sizeof *ids->data);
}

static inline void rt_ids_deinit(rt_ids *ids) {
    free(ids->data);
    *ids = (rt_ids){0};
}

#endif
