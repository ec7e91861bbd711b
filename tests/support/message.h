// SPDX-License-Identifier: Apache-2.0
/* Protocol Buffers messages written by hand, field by field, for readers to be tested on:
 *
 *     message model = {0}, opset = {0};
 *     put_number(&opset, 2, 17);
 *     put_message(&model, 8, &opset);
 *     ... model.bytes, model.size ...
 *     messages_release();
 *
 * All bytes live until messages_release or the end of the program. A message may be used again
 * after it was put into another; an assigned one shares its bytes. */
#ifndef RETORT_TESTS_SUPPORT_MESSAGE_H
#define RETORT_TESTS_SUPPORT_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

typedef struct message {
    uint8_t *bytes;
    size_t size, capacity;
} message;

void put(message *m, const void *bytes, size_t size);
void put_varint(message *m, uint64_t value);

/* Fields, by their number. */
void put_number(message *m, int field, uint64_t value); /* a varint */
void put_bytes(message *m, int field, const void *bytes, size_t size);
void put_text(message *m, int field, const char *text);
void put_message(message *m, int field, const message *inner);

message message_copy(const message *m);
void messages_release(void);

#endif
