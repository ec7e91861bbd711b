// SPDX-License-Identifier: Apache-2.0
/* Protocol Buffers wire format, read in place: no allocation, no recursion, every length checked
 * against the bytes that are there (protobuf.dev, "Encoding"). */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_WIRE_H
#define RETORT_COMPILER_FRONTEND_ONNX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rt_wire_type {
    RT_WIRE_VARINT = 0,
    RT_WIRE_FIXED64 = 1,
    RT_WIRE_BYTES = 2,
    RT_WIRE_FIXED32 = 5,
} rt_wire_type;

/* Reads fields one after the other; after a failure `problem` says what is wrong and `next` stays
 * at the start of the field that is. */
typedef struct rt_wire_cursor {
    const uint8_t *next;
    const uint8_t *end;
    const char *problem; /* static text, NULL while all is well */
} rt_wire_cursor;

typedef struct rt_wire_field {
    uint32_t number;
    rt_wire_type type;
    uint64_t value;       /* of a varint or fixed field */
    const uint8_t *bytes; /* the field's content, without tag and length */
    size_t size;
} rt_wire_field;

/* Reads the next field; false at the end and where the bytes are not a field (then `problem`). */
bool rt_wire_next(rt_wire_cursor *cursor, rt_wire_field *field);

#endif
