// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/philox.h"
#include "tests/support/test.h"

typedef struct vector {
    uint32_t counter[4], key[2], words[4];
} vector;

/* Known answers of philox4x32-10 that accompany the publication (Random123, kat_vectors). */
static const vector vectors[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void test_known_answers(void) {
    for (size_t i = 0; i < RT_COUNT_OF(vectors); ++i) {
        rt_philox_words got = rt_philox(vectors[i].counter, vectors[i].key);
        CU_ASSERT_EQUAL(memcmp(got.word, vectors[i].words, sizeof got.word), 0);
    }
}

static void test_draws_are_addressed(void) {
    rt_random random = rt_random_begin(UINT64_C(0x299f31d0a4093822), UINT64_C(0x0370734413198a2e));
    for (int i = 0; i < 4; ++i) {
        const uint32_t counter[4] = {(uint32_t)i, 0, 0x13198a2e, 0x03707344};
        rt_philox_words words = rt_philox(counter, vectors[2].key);
        for (int w = 0; w < 4; ++w) CU_ASSERT_EQUAL(rt_random_u32(&random), words.word[w]);
    }
    rt_random zero = rt_random_begin(0, 0);
    CU_ASSERT_EQUAL(rt_random_u32(&zero), 0x6627e8d5);
    rt_random copy = zero;
    for (int i = 0; i < 9; ++i) CU_ASSERT_EQUAL(rt_random_u32(&zero), rt_random_u32(&copy));
}

static void test_streams_and_seeds_differ(void) {
    rt_random a = rt_random_begin(1, 0), b = rt_random_begin(1, 1), c = rt_random_begin(2, 0);
    int same = 0;
    for (int i = 0; i < 1000; ++i) {
        uint32_t x = rt_random_u32(&a), y = rt_random_u32(&b), z = rt_random_u32(&c);
        same += (x == y) + (y == z) + (x == z);
    }
    CU_ASSERT_EQUAL(same, 0);
}

static void test_below_is_uniform(void) {
    enum { LIMIT = 7, DRAWS = 70000 };
    rt_random random = rt_random_begin(3, 0);
    int counts[LIMIT] = {0};
    for (int i = 0; i < DRAWS; ++i) {
        uint64_t draw = rt_random_below(&random, LIMIT);
        CU_ASSERT_TRUE_FATAL(draw < LIMIT);
        ++counts[draw];
    }
    /* Chi-squared with 6 degrees of freedom: above 22.5 once in a thousand seeds. */
    double chi = 0, expected = DRAWS / LIMIT;
    for (int i = 0; i < LIMIT; ++i) chi += pow(counts[i] - expected, 2) / expected;
    CU_ASSERT_TRUE(chi < 22.5);
    for (int i = 0; i < 100; ++i) CU_ASSERT_EQUAL(rt_random_below(&random, 1), 0);
}

/* With a limit of 3/4 of 2^64 a quarter of the draws is thrown away; taken modulo the limit
 * instead, the lowest third would come twice as often. */
static void test_below_is_unbiased_at_huge_limits(void) {
    uint64_t limit = UINT64_C(3) << 62;
    rt_random random = rt_random_begin(4, 0);
    int lowest = 0;
    for (int i = 0; i < 30000; ++i) {
        uint64_t draw = rt_random_below(&random, limit);
        CU_ASSERT_TRUE_FATAL(draw < limit);
        lowest += draw < limit / 3;
    }
    CU_ASSERT_TRUE(abs(lowest - 10000) < 4 * 82); /* four standard deviations */
}

/* Mean, variance and fourth moment within five standard errors. */
static void test_uniform_and_normal_moments(void) {
    enum { DRAWS = 200000 };
    rt_random random = rt_random_begin(5, 9);
    double sum = 0, squares = 0, least = 1, most = 0;
    for (int i = 0; i < DRAWS; ++i) {
        double u = rt_random_uniform(&random);
        sum += u, squares += u * u;
        if (u < least) least = u;
        if (u > most) most = u;
    }
    CU_ASSERT_TRUE(least >= 0 && most < 1 && least < 1e-4 && most > 1 - 1e-4);
    CU_ASSERT_TRUE(fabs(sum / DRAWS - 0.5) < 5 * sqrt(1.0 / 12 / DRAWS));
    CU_ASSERT_TRUE(fabs(squares / DRAWS - 1.0 / 3) < 5 * sqrt(4.0 / 45 / DRAWS));
    double first = 0, second = 0, fourth = 0;
    for (int i = 0; i < DRAWS; ++i) {
        double x = rt_random_normal(&random);
        first += x, second += x * x, fourth += x * x * x * x;
    }
    CU_ASSERT_TRUE(fabs(first / DRAWS) < 5 * sqrt(1.0 / DRAWS));
    CU_ASSERT_TRUE(fabs(second / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    CU_ASSERT_TRUE(fabs(fourth / DRAWS - 3) < 5 * sqrt(96.0 / DRAWS));
}

TEST_MAIN("philox", TEST(test_known_answers), TEST(test_draws_are_addressed),
          TEST(test_streams_and_seeds_differ), TEST(test_below_is_uniform),
          TEST(test_below_is_unbiased_at_huge_limits), TEST(test_uniform_and_normal_moments))
