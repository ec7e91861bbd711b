// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>
#include <string.h>

#include "runtime/base/arena.h"
#include "tests/support/test.h"

static void test_memory_is_zeroed_and_aligned(void) {
    rt_arena arena = {0};
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *bytes = rt_arena_allocate(&arena, size);
        CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
        CU_ASSERT_EQUAL((uintptr_t)bytes % 16, 0);
        for (size_t i = 0; i < size; ++i) CU_ASSERT_EQUAL(bytes[i], 0);
        memset(bytes, 0xAB, size);
    }
    rt_arena_deinit(&arena);
}

static void test_large_blocks_keep_the_open_one(void) {
    rt_arena arena = {0};
    char *first = rt_arena_copy_string(&arena, "first");
    CU_ASSERT_PTR_NOT_NULL(rt_arena_allocate(&arena, 1 << 20));
    char *second = rt_arena_copy_string(&arena, "second");
    CU_ASSERT_EQUAL(second - first, 16);
    CU_ASSERT_STRING_EQUAL(first, "first");
    rt_arena_deinit(&arena);
}

static void test_overflow_fails_and_sticks(void) {
    rt_arena arena = {0};
    CU_ASSERT_PTR_NULL(rt_arena_array(&arena, SIZE_MAX / 2, 3));
    CU_ASSERT_TRUE(rt_arena_failed(&arena));
    rt_arena_deinit(&arena);
    CU_ASSERT_FALSE(rt_arena_failed(&arena));
}

static void test_grow_keeps_elements(void) {
    rt_arena arena = {0};
    int *numbers = NULL;
    size_t capacity = 0;
    for (int i = 0; i < 1000; ++i) {
        numbers = rt_arena_grow(&arena, numbers, &capacity, (size_t)i + 1, sizeof *numbers);
        CU_ASSERT_PTR_NOT_NULL_FATAL(numbers);
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; ++i) CU_ASSERT_EQUAL(numbers[i], i);
    rt_arena_deinit(&arena);
}

TEST_MAIN("arena", TEST(test_memory_is_zeroed_and_aligned),
          TEST(test_large_blocks_keep_the_open_one), TEST(test_overflow_fails_and_sticks),
          TEST(test_grow_keeps_elements))
