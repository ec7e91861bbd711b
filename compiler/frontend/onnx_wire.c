// SPDX-License-Identifier: Apache-2.0
#include "compiler/frontend/onnx_wire.h"

#include "runtime/base/transform.h"

static bool stop(rt_wire_cursor *cursor, const char *problem) {
    cursor->problem = problem;
    return false;
}

static bool read_fixed(rt_wire_field *field, const uint8_t **at, const uint8_t *end, size_t size) {
    if ((size_t)(end - *at) < size) return false;
    field->bytes = *at;
    field->size = size;
    for (size_t i = 0; i < size; ++i) field->value |= (uint64_t)field->bytes[i] << (8 * i);
    *at += size;
    return true;
}

bool rt_wire_next(rt_wire_cursor *cursor, rt_wire_field *field) {
    const uint8_t *at = cursor->next, *end = cursor->end;
    uint64_t tag, length;
    if (cursor->problem || at == end) return false;
    if (!rt_read_varint(&at, end, &tag)) return stop(cursor, "a field's tag is cut off");
    if (tag >> 3 == 0 || tag >> 3 > 536870911) return stop(cursor, "a field number out of range");
    *field = (rt_wire_field){.number = (uint32_t)(tag >> 3), .type = (rt_wire_type)(tag & 7)};
    switch (tag & 7) {
    case RT_WIRE_VARINT:
        field->bytes = at;
        if (!rt_read_varint(&at, end, &field->value)) {
            return stop(cursor, "a number is cut off or longer than 10 bytes");
        }
        field->size = (size_t)(at - field->bytes);
        break;
    case RT_WIRE_FIXED64:
        if (!read_fixed(field, &at, end, 8)) return stop(cursor, "an 8-byte number is cut off");
        break;
    case RT_WIRE_FIXED32:
        if (!read_fixed(field, &at, end, 4)) return stop(cursor, "a 4-byte number is cut off");
        break;
    case RT_WIRE_BYTES:
        if (!rt_read_varint(&at, end, &length)) return stop(cursor, "a length is cut off");
        if (length > (uint64_t)(end - at)) {
            return stop(cursor, "a field is longer than the message around it");
        }
        field->bytes = at;
        field->size = (size_t)length;
        at += length;
        break;
    default: return stop(cursor, "a field of a wire type that ONNX does not use");
    }
    cursor->next = at;
    return true;
}
