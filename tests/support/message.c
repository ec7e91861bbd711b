// SPDX-License-Identifier: Apache-2.0
#include "tests/support/message.h"

#include <string.h>

#include "runtime/base/arena.h"
#include "tests/support/test.h"

static rt_arena arena;

void put(message *m, const void *bytes, size_t size) {
    m->bytes = rt_arena_grow(&arena, m->bytes, &m->capacity, m->size + size, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(m->bytes);
    if (size) memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

void put_varint(message *m, uint64_t value) {
    do {
        uint8_t byte = (uint8_t)(value & 0x7f);
        value >>= 7;
        if (value) byte |= 0x80;
        put(m, &byte, 1);
    } while (value);
}

void put_number(message *m, int field, uint64_t value) {
    put_varint(m, (uint64_t)field << 3);
    put_varint(m, value);
}

void put_bytes(message *m, int field, const void *bytes, size_t size) {
    put_varint(m, (uint64_t)field << 3 | 2);
    put_varint(m, size);
    put(m, bytes, size);
}

void put_text(message *m, int field, const char *text) {
    put_bytes(m, field, text, strlen(text));
}

void put_message(message *m, int field, const message *inner) {
    put_bytes(m, field, inner->bytes, inner->size);
}

message message_copy(const message *m) {
    message copy = {0};
    put(&copy, m->bytes, m->size);
    return copy;
}

void messages_release(void) {
    rt_arena_deinit(&arena);
    arena = (rt_arena){0};
}
