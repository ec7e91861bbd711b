// SPDX-License-Identifier: Apache-2.0
/* XXH64 after its specification: four lanes over stripes of 32 bytes, then the tail, then a final
 * mix. Lanes are little-endian. */
#include "runtime/base/checksum.h"

#include <string.h>

#define PRIME_1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME_3 UINT64_C(0x165667B19E3779F9)
#define PRIME_4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME_5 UINT64_C(0x27D4EB2F165667C5)

enum { STRIPE = 32 };

static uint64_t rotate(uint64_t value, int bits) {
    return value << bits | value >> (64 - bits);
}

static uint64_t read_64(const uint8_t *bytes) {
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

static uint32_t read_32(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static uint64_t mix_lane(uint64_t lane, uint64_t input) {
    return rotate(lane + input * PRIME_2, 31) * PRIME_1;
}

void rt_checksum_begin(rt_checksum_state *state) {
    *state = (rt_checksum_state){.lanes = {PRIME_1 + PRIME_2, PRIME_2, 0, 0 - PRIME_1}};
}

/* Takes all whole stripes; returns the first byte behind them. */
static const uint8_t *add_stripes(rt_checksum_state *state, const uint8_t *next,
                                  const uint8_t *end) {
    uint64_t a = state->lanes[0], b = state->lanes[1], c = state->lanes[2], d = state->lanes[3];
    for (; end - next >= STRIPE; next += STRIPE) {
        a = mix_lane(a, read_64(next));
        b = mix_lane(b, read_64(next + 8));
        c = mix_lane(c, read_64(next + 16));
        d = mix_lane(d, read_64(next + 24));
    }
    state->lanes[0] = a, state->lanes[1] = b, state->lanes[2] = c, state->lanes[3] = d;
    return next;
}

void rt_checksum_add(rt_checksum_state *state, const void *bytes, size_t size) {
    if (!size) return;
    const uint8_t *next = bytes, *end = next + size;
    state->total += size;
    if (state->tail_size) {
        size_t room = STRIPE - state->tail_size, taken = size < room ? size : room;
        memcpy(state->tail + state->tail_size, next, taken);
        state->tail_size += (uint32_t)taken;
        next += taken;
        if (state->tail_size < STRIPE) return;
        add_stripes(state, state->tail, state->tail + STRIPE);
        state->tail_size = 0;
    }
    next = add_stripes(state, next, end);
    state->tail_size = (uint32_t)(end - next);
    memcpy(state->tail, next, state->tail_size);
}

uint64_t rt_checksum_end(const rt_checksum_state *state) {
    static const int turns[4] = {1, 7, 12, 18};
    uint64_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += rotate(state->lanes[i], turns[i]);
    for (int i = 0; i < 4; ++i) sum = (sum ^ mix_lane(0, state->lanes[i])) * PRIME_1 + PRIME_4;
    if (state->total < STRIPE) sum = PRIME_5;
    sum += state->total;
    const uint8_t *next = state->tail, *end = next + state->tail_size;
    for (; end - next >= 8; next += 8)
        sum = rotate(sum ^ mix_lane(0, read_64(next)), 27) * PRIME_1 + PRIME_4;
    for (; end - next >= 4; next += 4)
        sum = rotate(sum ^ read_32(next) * PRIME_1, 23) * PRIME_2 + PRIME_3;
    for (; next < end; ++next) sum = rotate(sum ^ *next * PRIME_5, 11) * PRIME_1;
    sum = (sum ^ sum >> 33) * PRIME_2;
    sum = (sum ^ sum >> 29) * PRIME_3;
    return sum ^ sum >> 32;
}

uint64_t rt_checksum(const void *bytes, size_t size) {
    rt_checksum_state state;
    rt_checksum_begin(&state);
    rt_checksum_add(&state, bytes, size);
    return rt_checksum_end(&state);
}
