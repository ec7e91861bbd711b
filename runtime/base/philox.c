// SPDX-License-Identifier: Apache-2.0
/* Draws in order from Philox: draw i is word i mod 4 of the block whose counter is (i / 4, stream),
 * keyed by the seed. */
#include "runtime/base/philox.h"

#include <math.h>

#include "runtime/base/check.h"

rt_random rt_random_begin(uint64_t seed, uint64_t stream) {
    return (rt_random){.seed = seed, .stream = stream};
}

uint32_t rt_random_u32(rt_random *random) {
    uint64_t block = random->next / 4;
    if (random->next % 4 == 0) {
        const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32),
                                     (uint32_t)random->stream, (uint32_t)(random->stream >> 32)};
        const uint32_t key[2] = {(uint32_t)random->seed, (uint32_t)(random->seed >> 32)};
        random->words = rt_philox(counter, key);
    }
    return random->words.word[random->next++ % 4];
}

static uint64_t random_u64(rt_random *random) {
    uint64_t low = rt_random_u32(random);
    return (uint64_t)rt_random_u32(random) << 32 | low;
}

/* The high half of draw * limit is uniform once the draws are left out whose low half is below
 * 2^64 mod limit (Lemire, "Fast random integer generation in an interval", 2019). */
uint64_t rt_random_below(rt_random *random, uint64_t limit) {
    if (RT_NEVER(limit == 0)) return 0;
    uint64_t excess = (0 - limit) % limit;
    for (;;) {
        unsigned __int128 product = (unsigned __int128)random_u64(random) * limit;
        if ((uint64_t)product >= excess) return (uint64_t)(product >> 64);
    }
}

double rt_random_uniform(rt_random *random) {
    return (double)(random_u64(random) >> 11) * 0x1p-53;
}

double rt_random_normal(rt_random *random) {
    const double two_pi = 6.283185307179586;
    double radius = sqrt(-2 * log(1 - rt_random_uniform(random))); /* of (0, 1] */
    return radius * cos(two_pi * rt_random_uniform(random));
}
