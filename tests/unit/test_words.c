// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/words.h"

#include "runtime/base/check.h"
#include "tests/support/test.h"

static rt_arena arena;

static void test_distance(void) {
    CU_ASSERT_EQUAL(rt_words_distance("", ""), 0);
    CU_ASSERT_EQUAL(rt_words_distance("", "abc"), 3);
    CU_ASSERT_EQUAL(rt_words_distance("kitten", "sitting"), 3);
    CU_ASSERT_EQUAL(rt_words_distance("epcohs", "epochs"), 1);
    CU_ASSERT_EQUAL(rt_words_distance("ca", "abc"), 3);
    char longest[66] = {0};
    for (int i = 0; i < 65; ++i) longest[i] = 'a';
    CU_ASSERT_EQUAL(rt_words_distance(longest, "a"), SIZE_MAX);
}

static void test_nearest(void) {
    static const char *const names[] = {"epochs", NULL, "steps", "seed"};
    CU_ASSERT_STRING_EQUAL(rt_words_nearest("epoch", names, 4), "epochs");
    CU_ASSERT_STRING_EQUAL(rt_words_nearest("seeds", names, 4), "seed");
    CU_ASSERT_PTR_NULL(rt_words_nearest("learning_rate", names, 4));
    CU_ASSERT_PTR_NULL(rt_words_nearest("seed", names, 3));
}

static void test_lists(void) {
    CU_ASSERT_STRING_EQUAL(rt_words_choices("a", &arena), "a");
    CU_ASSERT_STRING_EQUAL(rt_words_choices("a|b", &arena), "a or b");
    CU_ASSERT_STRING_EQUAL(rt_words_choices("a|b|c|d", &arena), "a, b, c or d");
    CU_ASSERT_STRING_EQUAL(rt_words_bounds("a number", 0, 1e6, &arena), "a number of at least 0");
    CU_ASSERT_STRING_EQUAL(rt_words_bounds("a number", 0, 1, &arena), "a number from 0 to 1");
}

static void test_counts(void) {
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {{0, "0"},
                 {999, "999"},
                 {1000, "1,000"},
                 {-1234567, "-1,234,567"},
                 {INT64_MIN, "-9,223,372,036,854,775,808"}};
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i)
        CU_ASSERT_STRING_EQUAL(rt_words_count(cases[i].value, &arena), cases[i].text);
}

static void test_bytes(void) {
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 B"},
                 {999, "999 B"},
                 {1000, "1.0 kB"},
                 {999949, "999.9 kB"},
                 {999950, "1.0 MB"},
                 {45200000, "45.2 MB"},
                 {1760000000, "1.76 GB"},
                 {17600000000, "17.6 GB"},
                 {UINT64_MAX, "18.4 EB"}};
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i)
        CU_ASSERT_STRING_EQUAL(rt_words_bytes(cases[i].bytes, &arena), cases[i].text);
}

static void test_durations(void) {
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{-1, "0.00 s"},
                 {0.4242, "0.42 s"},
                 {0.999, "1.0 s"},
                 {9.96, "10 s"},
                 {59.4, "59 s"},
                 {59.6, "1:00"},
                 {272, "4:32"},
                 {3872, "1:04:32"},
                 {86400, "1 day 0:00:00"},
                 {176672, "2 days 1:04:32"}};
    for (size_t i = 0; i < RT_COUNT_OF(cases); ++i)
        CU_ASSERT_STRING_EQUAL(rt_words_duration(cases[i].seconds, &arena), cases[i].text);
    rt_arena_deinit(&arena);
}

TEST_MAIN("words", TEST(test_distance), TEST(test_nearest), TEST(test_lists), TEST(test_counts),
          TEST(test_bytes), TEST(test_durations))
