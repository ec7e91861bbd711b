// SPDX-License-Identifier: Apache-2.0
/* Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011): four 32-bit random words as a function of a 128-bit counter and a 64-bit key, so a
 * draw is addressed, never sequenced. Compiled dropout evaluates the same function. */
#ifndef RETORT_RUNTIME_BASE_PHILOX_H
#define RETORT_RUNTIME_BASE_PHILOX_H

#include <stdint.h>

typedef struct rt_philox_words {
    uint32_t word[4];
} rt_philox_words;

static inline rt_philox_words rt_philox(const uint32_t counter[4], const uint32_t key[2]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c0 = n0, c1 = (uint32_t)p1, c2 = n2, c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return (rt_philox_words){{c0, c1, c2, c3}};
}

/* A sequence of draws for code that is not compiled (shuffling, initial values, data). A plain
 * value: a copy, also one stored in a file, goes on with the same draws. */
typedef struct rt_random {
    uint64_t seed;
    uint64_t stream;
    uint64_t next;
    rt_philox_words words;
} rt_random;

rt_random rt_random_begin(uint64_t seed, uint64_t stream);
uint32_t rt_random_u32(rt_random *random);
uint64_t rt_random_below(rt_random *random, uint64_t limit); /* uniform in [0, limit), unbiased */
double rt_random_uniform(rt_random *random);                 /* in [0, 1), 53 bits */
double rt_random_normal(rt_random *random);                  /* mean 0, variance 1 (Box-Muller) */

#endif
