// SPDX-License-Identifier: Apache-2.0
/* What happens to a tensor between its file and memory, and reading those that are packed. */
#ifndef RETORT_RUNTIME_BASE_TRANSFORM_H
#define RETORT_RUNTIME_BASE_TRANSFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/dtype.h"

/* TRANSFORM(id, text): the file holds
 *   NONE           the elements as they are
 *   TRANSPOSE      [columns, rows] of a [rows, columns] parameter
 *   HALVES         4-bit integers, two to a byte, the first in the low half; loaded as i8 or u8
 *   VARINTS        a number per element, seven bits to a byte, lowest first, the top bit set where
 *                  more follow; the element is its lowest bits, of a bool whether it is not 0
 *   VARINT_HALVES  such numbers, each with two 4-bit integers */
#define RT_TRANSFORMS(TRANSFORM)      \
    TRANSFORM(NONE, "")               \
    TRANSFORM(TRANSPOSE, "transpose") \
    TRANSFORM(HALVES, "halves")       \
    TRANSFORM(VARINTS, "varints")     \
    TRANSFORM(VARINT_HALVES, "varint_halves")

typedef enum rt_transform {
#define TRANSFORM(id, text) RT_TRANSFORM_##id,
    RT_TRANSFORMS(TRANSFORM)
#undef TRANSFORM
        RT_TRANSFORM_COUNT
} rt_transform;

const char *rt_transform_text(rt_transform transform);

/* The size in the file does not follow from the number of elements alone, or is not that of their
 * type. */
bool rt_transform_is_packed(rt_transform transform);

/* The elements of `dtype` in the packed bytes [next, end). */
typedef struct rt_unpacking {
    rt_transform transform;
    rt_dtype dtype;
    const uint8_t *next, *end; /* what is still to be read */
} rt_unpacking;

/* Writes the next `count` elements to `target` and returns how many there were: fewer only where
 * the bytes end; -1 where they are damaged. Two halves of one byte are not parted by a call with an
 * even `count`; the last of an odd one drops its other half. */
int64_t rt_unpack(rt_unpacking *unpacking, void *target, int64_t count);

/* Reads one such number, of at most 10 bytes; false where it is cut off or longer. */
bool rt_read_varint(const uint8_t **next, const uint8_t *end, uint64_t *value);

#endif
