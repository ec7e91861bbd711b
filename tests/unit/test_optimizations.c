// SPDX-License-Identifier: Apache-2.0
#include "compiler/optimizations.h"

#include <string.h>

#include "tests/support/test.h"

static void test_sets(void) {
    rt_optimizations set = {0};
    rt_error error;
    for (int i = 0; i < RT_OPTIMIZATION_COUNT; ++i) CU_ASSERT(rt_optimizes(set, i));
    CU_ASSERT_EQUAL(rt_optimizations_leave_out(&set, "fuse", &error), RT_OK);
    CU_ASSERT_FALSE(rt_optimizes(set, RT_OPTIMIZE_fuse));
    CU_ASSERT(rt_optimizes(set, RT_OPTIMIZE_fuse_columns));
    CU_ASSERT_EQUAL(rt_optimizations_leave_out(&set, "reuse-memory,fuse-columns", &error), RT_OK);
    CU_ASSERT_FALSE(rt_optimizes(set, RT_OPTIMIZE_fuse));
    CU_ASSERT_FALSE(rt_optimizes(set, RT_OPTIMIZE_fuse_columns));
    CU_ASSERT_FALSE(rt_optimizes(set, RT_OPTIMIZE_reuse_memory));
    CU_ASSERT_EQUAL(rt_optimizations_leave_out(&set, "all", &error), RT_OK);
    for (int i = 0; i < RT_OPTIMIZATION_COUNT; ++i) CU_ASSERT_FALSE(rt_optimizes(set, i));
}

static void test_unknown_names(void) {
    static const char *const wrong[] = {"", "fus", "fuse,", ",fuse", "fuse,unknown", "al", "alls"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        rt_optimizations set = {0};
        rt_error error;
        CU_ASSERT_EQUAL(rt_optimizations_leave_out(&set, wrong[i], &error), RT_INVALID_ARGUMENT);
        CU_ASSERT_EQUAL(set.left_out, 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "there are all, fuse, "));
    }
}

static void test_listing(void) {
    rt_arena arena = {0};
    const char *text = rt_optimization_listing(&arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    for (int i = 0; i < RT_OPTIMIZATION_COUNT; ++i)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, rt_optimization_text((rt_optimization)i)));
    rt_arena_deinit(&arena);
}

TEST_MAIN("optimizations", TEST(test_sets), TEST(test_unknown_names), TEST(test_listing))
