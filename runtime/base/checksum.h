// SPDX-License-Identifier: Apache-2.0
/* A 64-bit checksum against accidental change (XXH64, seed 0; Collet, "xxHash" specification). Not
 * a defence against an adversary. */
#ifndef RETORT_RUNTIME_BASE_CHECKSUM_H
#define RETORT_RUNTIME_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t rt_checksum(const void *bytes, size_t size);

/* In pieces; the result equals that of the whole. */
typedef struct rt_checksum_state {
    uint64_t lanes[4];
    uint64_t total;
    uint8_t tail[32];
    uint32_t tail_size;
} rt_checksum_state;

void rt_checksum_begin(rt_checksum_state *state);
void rt_checksum_add(rt_checksum_state *state, const void *bytes, size_t size);
uint64_t rt_checksum_end(const rt_checksum_state *state);

#endif
