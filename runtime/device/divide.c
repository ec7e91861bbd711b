// SPDX-License-Identifier: Apache-2.0
#include "runtime/device/divide.h"

/* Long division, from the highest bit that the quotient can have. */
uint64_t retort_device_divide_unsigned(uint64_t a, uint64_t b) {
    uint64_t quotient = 0;
    if (!b || a < b) return 0;
    int shift = __builtin_clzll(b) - __builtin_clzll(a);
    for (b <<= shift; shift >= 0; --shift, b >>= 1) {
        quotient <<= 1;
        if (a < b) continue;
        a -= b;
        quotient |= 1;
    }
    return quotient;
}

int64_t retort_device_divide(int64_t a, int64_t b) {
    uint64_t size = retort_device_divide_unsigned(a < 0 ? 0 - (uint64_t)a : (uint64_t)a,
                                                  b < 0 ? 0 - (uint64_t)b : (uint64_t)b);
    return (int64_t)((a < 0) != (b < 0) ? 0 - size : size);
}
