// SPDX-License-Identifier: Apache-2.0
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/dtype.h"
#include "tests/support/test.h"

/* A 16-bit float read by the definition of IEEE 754: exponent and fraction fields to a real number,
 * exact in double. */
static double value_of(uint16_t bits, int fraction_bits) {
    int exponent_bits = 15 - fraction_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1);
    double fraction = ldexp(bits & ((1 << fraction_bits) - 1), -fraction_bits);
    double sign = bits >> 15 ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1) return fraction != 0 ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, 1 - bias);
    return sign * ldexp(1 + fraction, exponent - bias);
}

static bool is_same(double a, double b) {
    return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

static void test_every_f16_and_bf16_decodes(void) {
    int wrong = 0;
    for (unsigned bits = 0; bits < 0x10000; ++bits) {
        wrong += !is_same(rt_f16_to_f32((uint16_t)bits), value_of((uint16_t)bits, 10));
        wrong += !is_same(rt_bf16_to_f32((uint16_t)bits), value_of((uint16_t)bits, 7));
    }
    CU_ASSERT_EQUAL(wrong, 0);
}

/* What encoding must give at, just below and just above the middle of every two neighbours, and at
 * the neighbours themselves. Codes of one sign are in the order of their values; behind the largest
 * finite one the middle is where the next would be, and from there on it is infinity. */
static int count_wrong_encodings(uint16_t (*encode)(double), int fraction_bits) {
    int wrong = 0;
    unsigned infinity = ((1u << (15 - fraction_bits)) - 1) << fraction_bits;
    for (unsigned code = 0; code < infinity; ++code) {
        double here = value_of((uint16_t)code, fraction_bits);
        double next = code + 1 < infinity
                          ? value_of((uint16_t)(code + 1), fraction_bits)
                          : 2 * here - value_of((uint16_t)(code - 1), fraction_bits);
        double middle = here + (next - here) / 2;
        unsigned even = code & 1 ? code + 1 : code;
        for (unsigned sign = 0; sign < 2; ++sign) {
            double s = sign ? -1.0 : 1.0;
            wrong += encode(s * here) != (sign << 15 | code);
            wrong += encode(s * middle) != (sign << 15 | even);
            wrong += encode(s * nextafter(middle, 0)) != (sign << 15 | code);
            wrong += encode(s * nextafter(middle, INFINITY)) != (sign << 15 | (code + 1));
        }
    }
    wrong += encode(INFINITY) != infinity;
    wrong += encode(-INFINITY) != (0x8000 | infinity);
    wrong += encode(DBL_MAX) != infinity;
    wrong += encode(DBL_MIN) != 0;
    wrong += encode(-5e-324) != 0x8000;
    wrong += !isnan(value_of(encode(NAN), fraction_bits));
    wrong += !isnan(value_of(encode(-NAN), fraction_bits));
    return wrong;
}

static void test_every_rounding_to_16_bits(void) {
    CU_ASSERT_EQUAL(count_wrong_encodings(rt_f64_to_f16, 10), 0);
    CU_ASSERT_EQUAL(count_wrong_encodings(rt_f64_to_bf16, 7), 0);
}

static void test_every_rounding_of_f32_to_bf16(void) {
    int wrong = 0;
    for (uint32_t code = 0; code < 0x10000; ++code) {
        for (uint32_t low = 0; low < 0x10000; low += low == 0 || low >= 0x7FFF ? 1 : 0x1FFF) {
            if (low > 0x8002) break;
            uint32_t bits = code << 16 | low;
            float value;
            memcpy(&value, &bits, sizeof value);
            uint16_t got = rt_f32_to_bf16(value);
            wrong += isnan(value) ? !isnan(value_of(got, 7)) : got != rt_f64_to_bf16(value);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    /* A NaN whose payload lies in the lost bits alone stays a NaN. */
    uint32_t bits = 0x7F800001;
    float value;
    memcpy(&value, &bits, sizeof value);
    CU_ASSERT_TRUE(isnan(rt_bf16_to_f32(rt_f32_to_bf16(value))));
}

static void test_double_is_rounded_once(void) {
    /* Just above the middle of 1 and its neighbour in bf16, by less than f32 can hold. */
    double value = 1 + ldexp(1, -8) + ldexp(1, -40);
    CU_ASSERT_EQUAL(rt_f64_to_bf16(value), 0x3F81);
    CU_ASSERT_EQUAL(rt_f32_to_bf16((float)value), 0x3F80);
    uint16_t stored;
    int64_t integer = ((INT64_C(1) << 8) + 1) << 54;
    rt_element_set_int64(RT_BF16, &stored, 0, integer + 1);
    CU_ASSERT_EQUAL(rt_bf16_to_f32(stored), ldexp(129, 55));
    rt_element_set_int64(RT_BF16, &stored, 0, integer - 1);
    CU_ASSERT_EQUAL(rt_bf16_to_f32(stored), ldexp(128, 55));
    rt_element_set_int64(RT_BF16, &stored, 0, -integer - 1);
    CU_ASSERT_EQUAL(rt_bf16_to_f32(stored), -ldexp(129, 55));
    rt_element_set_int64(RT_BF16, &stored, 0, INT64_MAX);
    CU_ASSERT_EQUAL(rt_bf16_to_f32(stored), ldexp(1, 63));
}

static void test_names_and_sizes(void) {
    static const size_t bytes[] = {4, 8, 2, 2, 1, 2, 4, 8, 1, 2, 4, 8, 1};
    for (int i = 0; i < RT_DTYPE_COUNT; ++i) {
        rt_dtype dtype = (rt_dtype)i, found = RT_DTYPE_COUNT;
        const char *text = rt_dtype_text(dtype);
        CU_ASSERT_EQUAL(rt_dtype_bytes(dtype), bytes[i]);
        CU_ASSERT_TRUE(rt_dtype_from_text(text, strlen(text), &found));
        CU_ASSERT_EQUAL(found, dtype);
        CU_ASSERT_TRUE(rt_dtype_from_safetensors(rt_dtype_safetensors(dtype), &found));
        CU_ASSERT_EQUAL(found, dtype);
        CU_ASSERT_EQUAL(rt_dtype_is_float(dtype), dtype <= RT_BF16);
        CU_ASSERT_EQUAL(rt_dtype_is_integer(dtype), dtype >= RT_I8 && dtype <= RT_U64);
        CU_ASSERT_EQUAL(rt_dtype_is_signed(dtype), dtype >= RT_I8 && dtype <= RT_I64);
    }
    rt_dtype dtype;
    CU_ASSERT_TRUE(rt_dtype_from_text("f32[8]", 3, &dtype));
    CU_ASSERT_FALSE(rt_dtype_from_text("f32", 2, &dtype));
    CU_ASSERT_FALSE(rt_dtype_from_text("F32", 3, &dtype));
    CU_ASSERT_FALSE(rt_dtype_from_safetensors("F8_E4M3", &dtype));
    CU_ASSERT_FALSE(rt_dtype_from_safetensors("f32", &dtype));
}

typedef struct integer_case {
    rt_dtype dtype;
    int64_t stored;
    int64_t read;
} integer_case;

static void test_integers_wrap_to_their_width(void) {
    static const integer_case cases[] = {
        {RT_I8, 128, -128},
        {RT_I8, -129, 127},
        {RT_U8, -1, 255},
        {RT_U8, 256, 0},
        {RT_I16, 32768, -32768},
        {RT_U16, 65537, 1},
        {RT_I32, 1LL << 31, INT32_MIN},
        {RT_U32, -1, UINT32_MAX},
        {RT_I64, INT64_MIN, INT64_MIN},
        {RT_U64, -1, -1},
        {RT_BOOL, 256, 1},
        {RT_BOOL, 0, 0},
        {RT_F32, 16777217, 16777216},
        {RT_F64, -7, -7},
        {RT_F16, 2049, 2048},
        {RT_F16, 2051, 2052},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i) {
        uint8_t array[33] = {0}; /* element 1 of an array that is not aligned */
        rt_element_set_int64(cases[i].dtype, array + 1, 1, cases[i].stored);
        CU_ASSERT_EQUAL(rt_element_as_int64(cases[i].dtype, array + 1, 1), cases[i].read);
        CU_ASSERT_EQUAL(rt_element_as_int64(cases[i].dtype, array + 1, 0), 0);
        CU_ASSERT_EQUAL(rt_element_as_int64(cases[i].dtype, array + 1, 2), 0);
    }
}

typedef struct double_case {
    rt_dtype dtype;
    double stored;
    double read;
} double_case;

static void test_doubles_into_every_type(void) {
    static const double_case cases[] = {
        {RT_F32, 1e300, INFINITY}, {RT_F32, 0.1, 0.1f},      {RT_F64, 0.1, 0.1},
        {RT_F16, 65520, INFINITY}, {RT_F16, 65519, 65504},   {RT_BF16, 3.0, 3.0},
        {RT_I8, -1.9, -1},         {RT_I8, 200.5, -56},      {RT_I32, NAN, 0},
        {RT_I64, 1e30, 0x1p63},    {RT_I64, -1e30, -0x1p63}, {RT_U64, 0x1.8p63, 0x1.8p63},
        {RT_U64, 1e30, 0x1p64},    {RT_U64, -1, 0x1p64},     {RT_U32, 4294967295.0, 4294967295.0},
        {RT_BOOL, 0.5, 1},         {RT_BOOL, -0.0, 0},       {RT_BOOL, NAN, 1},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i) {
        uint8_t array[33] = {0};
        rt_element_set_double(cases[i].dtype, array + 1, 2, cases[i].stored);
        CU_ASSERT_EQUAL(rt_element_as_double(cases[i].dtype, array + 1, 2), cases[i].read);
        CU_ASSERT_EQUAL(rt_element_as_double(cases[i].dtype, array + 1, 1), 0);
    }
    uint8_t two = 2;
    CU_ASSERT_EQUAL(rt_element_as_double(RT_BOOL, &two, 0), 1);
    float infinite = -INFINITY;
    CU_ASSERT_EQUAL(rt_element_as_int64(RT_F32, &infinite, 0), INT64_MIN);
}

TEST_MAIN("dtype", TEST(test_every_f16_and_bf16_decodes), TEST(test_every_rounding_to_16_bits),
          TEST(test_every_rounding_of_f32_to_bf16), TEST(test_double_is_rounded_once),
          TEST(test_names_and_sizes), TEST(test_integers_wrap_to_their_width),
          TEST(test_doubles_into_every_type))
