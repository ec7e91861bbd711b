// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/checksum.h"
#include "tests/support/test.h"

typedef struct vector {
    size_t size;
    uint64_t sum;
} vector;

/* Of the bytes 11, 48, 85 … (i * 37 + 11 mod 256), by the reference library, version 0.8.1. Sizes
 * lie on both sides of every border of the algorithm: 4, 8, 32. */
static const vector vectors[] = {
    {1, UINT64_C(0xF592C0C7639C4CB6)},    {3, UINT64_C(0x22C08528601D4F27)},
    {4, UINT64_C(0xFB1E5CF2F1AE4D95)},    {5, UINT64_C(0x9D213ECA1F68F273)},
    {7, UINT64_C(0x5613AC510496C04E)},    {8, UINT64_C(0x57CB2B7521F3E21A)},
    {9, UINT64_C(0xC3F1D09775257B66)},    {12, UINT64_C(0x2F53B00266039E64)},
    {15, UINT64_C(0x90A9714EB00E8D29)},   {31, UINT64_C(0xE4A0E629E519A4AE)},
    {32, UINT64_C(0xCC6B8AAADA790B2D)},   {33, UINT64_C(0x35EC49850475A832)},
    {36, UINT64_C(0xBEBB6D8C24FB3CFA)},   {40, UINT64_C(0x3B21ED23EEA85C2D)},
    {43, UINT64_C(0x03C47EDF3964BB63)},   {63, UINT64_C(0xBF9F0BA3CF95B28A)},
    {64, UINT64_C(0x155CCCE4BF32BEFC)},   {65, UINT64_C(0xDA5EE441A595CFB8)},
    {100, UINT64_C(0x4826E367566EA023)},  {255, UINT64_C(0x178EA4A7D2319ABE)},
    {1000, UINT64_C(0x128DA10CFBDC59D9)},
};

static uint8_t bytes[1001];

static void fill(size_t begin) {
    for (size_t i = 0; i < 1000; ++i) bytes[begin + i] = (uint8_t)(i * 37 + 11);
}

static void test_published_values(void) {
    CU_ASSERT_EQUAL(rt_checksum(NULL, 0), UINT64_C(0xEF46DB3751D8E999));
    CU_ASSERT_EQUAL(rt_checksum("a", 1), UINT64_C(0xD24EC4F1A98C6E5B));
    CU_ASSERT_EQUAL(rt_checksum("abc", 3), UINT64_C(0x44BC2CF5AD770999));
}

static void test_reference_library(void) {
    for (size_t begin = 0; begin < 2; ++begin) {
        fill(begin);
        for (size_t i = 0; i < RT_COUNT_OF(vectors); ++i)
            CU_ASSERT_EQUAL(rt_checksum(bytes + begin, vectors[i].size), vectors[i].sum);
    }
}

static void test_pieces_equal_the_whole(void) {
    fill(0);
    for (size_t i = 0; i < RT_COUNT_OF(vectors); ++i) {
        for (size_t piece = 1; piece <= 70; ++piece) {
            rt_checksum_state state;
            rt_checksum_begin(&state);
            for (size_t at = 0; at < vectors[i].size; at += piece) {
                size_t left = vectors[i].size - at;
                rt_checksum_add(&state, bytes + at, left < piece ? left : piece);
                rt_checksum_add(&state, bytes, 0);
            }
            CU_ASSERT_EQUAL(rt_checksum_end(&state), vectors[i].sum);
            CU_ASSERT_EQUAL(rt_checksum_end(&state), vectors[i].sum);
        }
    }
}

static void test_every_bit_counts(void) {
    fill(0);
    for (size_t bit = 0; bit < 100 * 8; ++bit) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CU_ASSERT_NOT_EQUAL(rt_checksum(bytes, 100), UINT64_C(0x4826E367566EA023));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

TEST_MAIN("checksum", TEST(test_published_values), TEST(test_reference_library),
          TEST(test_pieces_equal_the_whole), TEST(test_every_bit_counts))
