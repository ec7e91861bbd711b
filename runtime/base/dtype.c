// SPDX-License-Identifier: Apache-2.0
/* Element types. Facts come from dtypes.def; the 16-bit floats are converted on their bits, so that
 * the result does not depend on the machine having instructions for them. */
#include "runtime/base/dtype.h"

#include <math.h>
#include <string.h>

#include "runtime/base/check.h"

typedef enum dtype_class { FLOAT, SIGNED, UNSIGNED, BOOLEAN } dtype_class;

typedef struct dtype_facts {
    const char *text;
    const char *safetensors;
    uint8_t bytes;
    uint8_t class;
} dtype_facts;

static const dtype_facts facts[] = {
#define DTYPE(id, text, bytes, class, safetensors) {text, safetensors, bytes, class},
#include "runtime/base/dtypes.def"
#undef DTYPE
};
_Static_assert(RT_COUNT_OF(facts) == RT_DTYPE_COUNT, "one row per dtype");

static const dtype_facts *facts_of(rt_dtype dtype) {
    RT_ASSERT((unsigned)dtype < RT_DTYPE_COUNT);
    return &facts[dtype];
}

size_t rt_dtype_bytes(rt_dtype dtype) {
    return facts_of(dtype)->bytes;
}

const char *rt_dtype_text(rt_dtype dtype) {
    return facts_of(dtype)->text;
}

const char *rt_dtype_safetensors(rt_dtype dtype) {
    return facts_of(dtype)->safetensors;
}

bool rt_dtype_is_float(rt_dtype dtype) {
    return facts_of(dtype)->class == FLOAT;
}

bool rt_dtype_is_signed(rt_dtype dtype) {
    return facts_of(dtype)->class == SIGNED;
}

bool rt_dtype_is_integer(rt_dtype dtype) {
    return facts_of(dtype)->class == SIGNED || facts_of(dtype)->class == UNSIGNED;
}

bool rt_dtype_from_text(const char *text, size_t length, rt_dtype *dtype) {
    for (unsigned i = 0; i < RT_DTYPE_COUNT; ++i) {
        if (strlen(facts[i].text) != length || memcmp(facts[i].text, text, length)) continue;
        *dtype = (rt_dtype)i;
        return true;
    }
    return false;
}

bool rt_dtype_from_safetensors(const char *text, rt_dtype *dtype) {
    for (unsigned i = 0; i < RT_DTYPE_COUNT; ++i) {
        if (strcmp(facts[i].safetensors, text)) continue;
        *dtype = (rt_dtype)i;
        return true;
    }
    return false;
}

/* Rounds a double to a float of 1 sign bit, 15 - fraction_bits exponent bits and `fraction_bits`,
 * to nearest even. With p the value's 53-bit significand and s the number of its bits that do not
 * fit (more below the smallest normal exponent, where the result is subnormal), the code without
 * its sign is (exponent - 1) * 2^fraction_bits + round(p / 2^s): a carry out of the fraction raises
 * the exponent by itself, up to infinity. */
static uint16_t encode_16(double value, int fraction_bits) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    int exponent_most = (1 << (15 - fraction_bits)) - 1;
    uint32_t sign = (uint32_t)(bits >> 63) << 15;
    uint32_t infinity = (uint32_t)exponent_most << fraction_bits;
    int exponent = (int)(bits >> 52 & 0x7FF) - 1023 + exponent_most / 2;
    uint64_t fraction = bits & ((UINT64_C(1) << 52) - 1);
    if (isnan(value)) {
        uint32_t quiet = 1u << (fraction_bits - 1);
        return (uint16_t)(sign | infinity | quiet | (uint32_t)(fraction >> (52 - fraction_bits)));
    }
    if (exponent >= exponent_most) return (uint16_t)(sign | infinity);
    int shift = 52 - fraction_bits + (exponent > 0 ? 0 : 1 - exponent);
    if (shift > 53) return (uint16_t)sign; /* below half of the smallest subnormal */
    uint64_t significand = fraction | UINT64_C(1) << 52;
    uint64_t kept = significand >> shift, half = UINT64_C(1) << (shift - 1);
    uint64_t rest = significand & (2 * half - 1);
    if (rest > half || (rest == half && (kept & 1))) ++kept;
    uint32_t base = exponent > 0 ? (uint32_t)(exponent - 1) << fraction_bits : 0;
    return (uint16_t)(sign | (base + (uint32_t)kept));
}

uint16_t rt_f64_to_f16(double value) {
    return encode_16(value, 10);
}

uint16_t rt_f64_to_bf16(double value) {
    return encode_16(value, 7);
}

uint16_t rt_f32_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

float rt_bf16_to_f32(uint16_t bits) {
    uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

float rt_f16_to_f32(uint16_t bits) {
    uint32_t exponent = bits >> 10 & 0x1F, fraction = bits & 0x3FF;
    if (exponent == 0) {
        float magnitude = (float)fraction * 0x1p-24f;
        return bits >> 15 ? -magnitude : magnitude;
    }
    exponent = exponent == 0x1F ? 0xFF : exponent + (127 - 15);
    uint32_t wide = (uint32_t)(bits >> 15) << 31 | exponent << 23 | fraction << 13;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static int64_t truncate_to_int64(double value) {
    if (isnan(value)) return 0;
    if (value >= 0x1p63) return INT64_MAX;
    if (value < -0x1p63) return INT64_MIN;
    return (int64_t)value;
}

static uint64_t truncate_to_uint64(double value) {
    if (value >= 0x1p64) return UINT64_MAX;
    return value >= 0x1p63 ? (uint64_t)value : (uint64_t)truncate_to_int64(value);
}

/* Element access by copies of the element's size: arrays come from files and may be unaligned. */
#define LOAD(type) \
    type element;  \
    memcpy(&element, (const char *)array + index * sizeof element, sizeof element)
#define STORE(type, value)                                                        \
    do {                                                                          \
        type element = (type)(value);                                             \
        memcpy((char *)array + index * sizeof element, &element, sizeof element); \
        return;                                                                   \
    } while (0)

static uint64_t load_integer(rt_dtype dtype, const void *array, size_t index) {
    switch (facts_of(dtype)->bytes) {
    case 1: {
        LOAD(uint8_t);
        if (dtype == RT_BOOL) return element != 0;
        return rt_dtype_is_signed(dtype) ? (uint64_t)(int8_t)element : element;
    }
    case 2: {
        LOAD(uint16_t);
        return rt_dtype_is_signed(dtype) ? (uint64_t)(int16_t)element : element;
    }
    case 4: {
        LOAD(uint32_t);
        return rt_dtype_is_signed(dtype) ? (uint64_t)(int32_t)element : element;
    }
    default: {
        LOAD(uint64_t);
        return element;
    }
    }
}

static void store_integer(rt_dtype dtype, void *array, size_t index, uint64_t value) {
    switch (facts_of(dtype)->bytes) {
    case 1: STORE(uint8_t, value);
    case 2: STORE(uint16_t, value);
    case 4: STORE(uint32_t, value);
    default: STORE(uint64_t, value);
    }
}

static double load_float(rt_dtype dtype, const void *array, size_t index) {
    if (dtype == RT_F32) {
        LOAD(float);
        return element;
    }
    if (dtype == RT_F64) {
        LOAD(double);
        return element;
    }
    LOAD(uint16_t);
    return dtype == RT_F16 ? rt_f16_to_f32(element) : rt_bf16_to_f32(element);
}

double rt_element_as_double(rt_dtype dtype, const void *array, size_t index) {
    if (rt_dtype_is_float(dtype)) return load_float(dtype, array, index);
    uint64_t bits = load_integer(dtype, array, index);
    return rt_dtype_is_signed(dtype) ? (double)(int64_t)bits : (double)bits;
}

int64_t rt_element_as_int64(rt_dtype dtype, const void *array, size_t index) {
    if (rt_dtype_is_float(dtype)) return truncate_to_int64(load_float(dtype, array, index));
    return (int64_t)load_integer(dtype, array, index);
}

void rt_element_set_double(rt_dtype dtype, void *array, size_t index, double value) {
    switch (dtype) {
    case RT_F32: STORE(float, value);
    case RT_F64: STORE(double, value);
    case RT_F16: STORE(uint16_t, rt_f64_to_f16(value));
    case RT_BF16: STORE(uint16_t, rt_f64_to_bf16(value));
    case RT_BOOL: STORE(uint8_t, value != 0);
    case RT_U64: STORE(uint64_t, truncate_to_uint64(value));
    default: store_integer(dtype, array, index, (uint64_t)truncate_to_int64(value));
    }
}

/* int64 to the nearest float directly: by way of double it would be rounded twice. */
static double round_to_odd(int64_t value) {
    double nearest = (double)value;
    if (nearest >= 0x1p63 || (int64_t)nearest == value) return nearest;
    uint64_t bits;
    memcpy(&bits, &nearest, sizeof bits);
    bool is_beyond = value < 0 ? (int64_t)nearest < value : (int64_t)nearest > value;
    if (is_beyond) --bits;
    bits |= 1;
    memcpy(&nearest, &bits, sizeof bits);
    return nearest;
}

void rt_element_set_int64(rt_dtype dtype, void *array, size_t index, int64_t value) {
    switch (dtype) {
    case RT_F32: STORE(float, value);
    case RT_F64: STORE(double, value);
    case RT_F16:
    case RT_BF16: rt_element_set_double(dtype, array, index, round_to_odd(value)); return;
    case RT_BOOL: STORE(uint8_t, value != 0);
    default: store_integer(dtype, array, index, (uint64_t)value);
    }
}
