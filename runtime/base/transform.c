// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/transform.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "lowest bits are the first bytes");

const char *rt_transform_text(rt_transform transform) {
    static const char *const texts[] = {
#define TRANSFORM(id, text) [RT_TRANSFORM_##id] = text,
        RT_TRANSFORMS(TRANSFORM)
#undef TRANSFORM
    };
    return transform < RT_TRANSFORM_COUNT ? texts[transform] : "unknown";
}

static bool has_halves(rt_transform transform) {
    return transform == RT_TRANSFORM_HALVES || transform == RT_TRANSFORM_VARINT_HALVES;
}

bool rt_transform_is_packed(rt_transform transform) {
    return has_halves(transform) || transform == RT_TRANSFORM_VARINTS;
}

bool rt_read_varint(const uint8_t **next, const uint8_t *end, uint64_t *value) {
    const uint8_t *at = *next;
    uint64_t result = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (at == end) return false;
        uint64_t byte = *at++;
        result |= (byte & 0x7f) << (shift < 64 ? shift : 63);
        if (byte < 0x80) {
            /* The tenth byte holds the top bit alone. */
            if (shift == 63 && byte > 1) return false;
            *next = at;
            *value = result;
            return true;
        }
    }
    return false;
}

static void store(rt_dtype dtype, uint64_t bits, uint8_t *target, int64_t index) {
    size_t size = rt_dtype_bytes(dtype);
    if (dtype == RT_BOOL) bits = bits != 0;
    memcpy(target + (size_t)index * size, &bits, size);
}

/* The 4 bits as an element of the type: with their sign where the type has one. */
static uint64_t widen_half(rt_dtype dtype, uint64_t bits) {
    bits &= 15;
    return rt_dtype_is_signed(dtype) && bits >= 8 ? bits | ~UINT64_C(15) : bits;
}

int64_t rt_unpack(rt_unpacking *unpacking, void *target, int64_t count) {
    int64_t index = 0;
    while (index < count && unpacking->next < unpacking->end) {
        uint64_t bits;
        if (unpacking->transform == RT_TRANSFORM_HALVES)
            bits = *unpacking->next++;
        else if (!rt_read_varint(&unpacking->next, unpacking->end, &bits))
            return -1;
        if (!has_halves(unpacking->transform)) {
            store(unpacking->dtype, bits, target, index++);
            continue;
        }
        for (int half = 0; half < 2 && index < count; ++half)
            store(unpacking->dtype, widen_half(unpacking->dtype, bits >> (4 * half)), target,
                  index++);
    }
    return index;
}
