// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "runtime/base/transform.h"
#include "tests/support/test.h"

static rt_unpacking begin(rt_transform transform, rt_dtype dtype, const void *bytes, size_t size) {
    const uint8_t *first = bytes;
    return (rt_unpacking){transform, dtype, first, first + size};
}

static void test_halves(void) {
    static const uint8_t bytes[] = {0x81, 0x7f, 0x0f};
    static const int8_t with_sign[] = {1, -8, -1, 7, -1};
    static const uint8_t without[] = {1, 8, 15, 7, 15};
    int8_t got[6] = {0};
    rt_unpacking u = begin(RT_TRANSFORM_HALVES, RT_I8, bytes, 3);
    CU_ASSERT_EQUAL(rt_unpack(&u, got, 5), 5);
    CU_ASSERT_EQUAL(memcmp(got, with_sign, 5), 0);
    CU_ASSERT_EQUAL(got[5], 0);
    u = begin(RT_TRANSFORM_HALVES, RT_U8, bytes, 3);
    CU_ASSERT_EQUAL(rt_unpack(&u, got, 2), 2); /* in pieces */
    CU_ASSERT_EQUAL(rt_unpack(&u, got + 2, 3), 3);
    CU_ASSERT_EQUAL(memcmp(got, without, 5), 0);
    CU_ASSERT_PTR_EQUAL(u.next, u.end);
}

static void test_varints(void) {
    /* 300, -1 in ten bytes, 0 */
    static const uint8_t bytes[] = {0xac, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    0xff, 0xff, 0xff, 0xff, 0x01, 0x00};
    int64_t wide[3];
    uint8_t narrow[3], truths[3];
    rt_unpacking u = begin(RT_TRANSFORM_VARINTS, RT_I64, bytes, sizeof bytes);
    CU_ASSERT_EQUAL(rt_unpack(&u, wide, 3), 3);
    CU_ASSERT(wide[0] == 300 && wide[1] == -1 && wide[2] == 0);
    u = begin(RT_TRANSFORM_VARINTS, RT_U8, bytes, sizeof bytes);
    CU_ASSERT_EQUAL(rt_unpack(&u, narrow, 3), 3);
    CU_ASSERT(narrow[0] == 300 - 256 && narrow[1] == 255 && narrow[2] == 0);
    u = begin(RT_TRANSFORM_VARINTS, RT_BOOL, bytes, sizeof bytes);
    CU_ASSERT_EQUAL(rt_unpack(&u, truths, 3), 3);
    CU_ASSERT(truths[0] == 1 && truths[1] == 1 && truths[2] == 0);
}

static void test_varint_halves(void) {
    static const uint8_t bytes[] = {0x9f, 0x01, 0x02}; /* 0x9f, 0x02 */
    int8_t got[4] = {0};
    rt_unpacking u = begin(RT_TRANSFORM_VARINT_HALVES, RT_I8, bytes, sizeof bytes);
    CU_ASSERT_EQUAL(rt_unpack(&u, got, 3), 3);
    CU_ASSERT(got[0] == -1 && got[1] == -7 && got[2] == 2 && got[3] == 0);
}

static void test_damage(void) {
    static const uint8_t cut[] = {0x05, 0x80}, long_one[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                                             0x80, 0x80, 0x80, 0x80, 0x01};
    int64_t got[4];
    rt_unpacking u = begin(RT_TRANSFORM_VARINTS, RT_I64, cut, sizeof cut);
    CU_ASSERT_EQUAL(rt_unpack(&u, got, 1), 1);
    CU_ASSERT_EQUAL(rt_unpack(&u, got, 1), -1);
    u = begin(RT_TRANSFORM_VARINTS, RT_I64, long_one, sizeof long_one);
    CU_ASSERT_EQUAL(rt_unpack(&u, got, 1), -1);
    u = begin(RT_TRANSFORM_VARINTS, RT_I64, cut, 1);
    CU_ASSERT_EQUAL(rt_unpack(&u, got, 4), 1); /* fewer than asked for */
}

TEST_MAIN("transform", TEST(test_halves), TEST(test_varints), TEST(test_varint_halves),
          TEST(test_damage))
