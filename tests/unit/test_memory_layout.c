// SPDX-License-Identifier: Apache-2.0
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/base/memory_layout.h"
#include "runtime/base/philox.h"
#include "tests/support/test.h"

enum { MOST = 8000 };
static rt_buffer_life lives[MOST];
static uint64_t offsets[MOST];

/* Pairs that are alive together and share a byte, and offsets out of place. */
static int count_wrong(size_t count, uint64_t total) {
    int wrong = 0;
    for (size_t i = 0; i < count; ++i) {
        const rt_buffer_life *a = &lives[i];
        wrong += offsets[i] % 64 != 0 || offsets[i] + a->size_bytes > total;
        for (size_t j = 0; j < i; ++j) {
            const rt_buffer_life *b = &lives[j];
            bool is_together = a->first <= b->last && b->first <= a->last;
            bool is_apart = offsets[i] + a->size_bytes <= offsets[j] ||
                            offsets[j] + b->size_bytes <= offsets[i];
            wrong += is_together && !is_apart && a->size_bytes && b->size_bytes;
        }
    }
    return wrong;
}

/* Lays out lives[count]; returns the total over the lower bound. */
static double lay_out(size_t count) {
    uint64_t total = 0, bound = 0;
    CU_ASSERT_EQUAL_FATAL(rt_memory_layout(lives, count, offsets, &total), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_memory_lower_bound(lives, count, &bound), RT_OK);
    CU_ASSERT_EQUAL(count_wrong(count, total), 0);
    CU_ASSERT_TRUE(total >= bound);
    return bound ? (double)total / (double)bound : 1;
}

static void test_small_cases(void) {
    uint64_t total = 1;
    CU_ASSERT_EQUAL(rt_memory_layout(NULL, 0, NULL, &total), RT_OK);
    CU_ASSERT_EQUAL(total, 0);
    lives[0] = (rt_buffer_life){100, 0, 1};
    lives[1] = (rt_buffer_life){1, 1, 2};
    lives[2] = (rt_buffer_life){100, 2, 3};
    lives[3] = (rt_buffer_life){0, 0, 9};
    CU_ASSERT_EQUAL(rt_memory_layout(lives, 4, offsets, &total), RT_OK);
    CU_ASSERT_EQUAL(offsets[0], 0);
    CU_ASSERT_EQUAL(offsets[1], 128); /* read and write in one step do not share */
    CU_ASSERT_EQUAL(offsets[2], 0);
    CU_ASSERT_EQUAL(offsets[3], 0);
    CU_ASSERT_EQUAL(total, 192);
}

static void test_wrong_arguments(void) {
    uint64_t total = 7;
    lives[0] = (rt_buffer_life){64, 2, 1};
    CU_ASSERT_EQUAL(rt_memory_layout(lives, 1, offsets, &total), RT_INVALID_ARGUMENT);
    lives[0] = (rt_buffer_life){UINT64_MAX, 0, 1};
    CU_ASSERT_EQUAL(rt_memory_layout(lives, 1, offsets, &total), RT_OUT_OF_RANGE);
    lives[0] = lives[1] = (rt_buffer_life){UINT64_C(1) << 62, 0, 1};
    CU_ASSERT_EQUAL(rt_memory_layout(lives, 2, offsets, &total), RT_OUT_OF_RANGE);
    CU_ASSERT_EQUAL(rt_memory_lower_bound(lives, 2, &total), RT_OUT_OF_RANGE);
    CU_ASSERT_EQUAL(total, 7);
    lives[0] = (rt_buffer_life){64, 0, UINT32_MAX};
    lives[1] = (rt_buffer_life){64, UINT32_MAX, UINT32_MAX};
    CU_ASSERT_EQUAL(rt_memory_layout(lives, 2, offsets, &total), RT_OK);
    CU_ASSERT_EQUAL(total, 128);
}

static void test_random_lives_never_overlap(void) {
    rt_random random = rt_random_begin(1, 0);
    double worst = 1;
    for (int round = 0; round < 300; ++round) {
        size_t count = 1 + rt_random_below(&random, 120);
        uint32_t steps = 1 + (uint32_t)rt_random_below(&random, 60);
        for (size_t i = 0; i < count; ++i) {
            uint32_t first = (uint32_t)rt_random_below(&random, steps);
            uint32_t last = first + (uint32_t)rt_random_below(&random, steps - first);
            uint64_t size = rt_random_below(&random, UINT64_C(1) << rt_random_below(&random, 20));
            lives[i] = (rt_buffer_life){size, first, last};
        }
        double ratio = lay_out(count);
        if (ratio > worst) worst = ratio;
    }
    CU_ASSERT_TRUE(worst < 1.25);
}

static void test_same_lives_same_layout(void) {
    rt_random random = rt_random_begin(2, 0);
    size_t count = 1000;
    for (size_t i = 0; i < count; ++i) {
        uint32_t first = (uint32_t)rt_random_below(&random, 400);
        uint32_t last = first + (uint32_t)rt_random_below(&random, 50);
        lives[i] = (rt_buffer_life){64 * rt_random_below(&random, 8), first, last}; /* many ties */
    }
    uint64_t total, again_total, *again = malloc(count * sizeof *again);
    CU_ASSERT_EQUAL(rt_memory_layout(lives, count, offsets, &total), RT_OK);
    CU_ASSERT_EQUAL(rt_memory_layout(lives, count, again, &again_total), RT_OK);
    CU_ASSERT_EQUAL(total, again_total);
    CU_ASSERT_EQUAL(memcmp(offsets, again, count * sizeof *again), 0);
    free(again);
}

/* A training step of `layers` layers: in each, what the backward needs lives from its forward step
 * to its backward step, and passing values live for a few steps. Returns the number of lives. */
static size_t make_training_lives(uint32_t layers, uint64_t token_bytes, rt_random *random) {
    enum { STEPS = 14 }; /* a layer's forward; its backward takes twice as many */
    static const uint8_t kept[] = {1, 1, 1, 2, 1, 1, 1, 4, 4, 1, 1}; /* in widths of a token */
    size_t count = 0;
    uint32_t forward = layers * STEPS;
    for (uint32_t layer = 0; layer < layers; ++layer) {
        for (uint32_t k = 0; k < STEPS; ++k) {
            uint32_t step = layer * STEPS + k;
            uint32_t back = forward + 2 * ((layers - 1 - layer) * STEPS + (STEPS - 1 - k));
            uint64_t width = k < sizeof kept ? kept[k] : 1;
            if (k < sizeof kept)
                lives[count++] = (rt_buffer_life){width * token_bytes, step, back + 1};
            lives[count++] = (rt_buffer_life){width * token_bytes, back, back + 2 + k % 3};
            for (int i = 0; i < 12; ++i) {
                uint32_t at = i % 2 ? step : back;
                uint64_t size = 4 + rt_random_below(random, token_bytes / 8);
                lives[count++] =
                    (rt_buffer_life){size, at, at + 1 + (uint32_t)rt_random_below(random, 4)};
            }
        }
    }
    return count;
}

static void test_training_steps_reach_the_bound(void) {
    rt_random random = rt_random_begin(3, 0);
    for (uint32_t layers = 1; layers <= 12; ++layers) {
        size_t count = make_training_lives(layers, 40000 + 1000 * layers, &random);
        CU_ASSERT_TRUE(lay_out(count) < 1.01);
    }
}

/* Processor time, so that other work on the machine does not count; with room for a sanitizer. */
static void test_thousands_of_buffers_are_quick(void) {
    rt_random random = rt_random_begin(4, 0);
    size_t count = 6000;
    for (size_t i = 0; i < count; ++i) {
        uint32_t first = (uint32_t)rt_random_below(&random, 2000);
        uint64_t size = rt_random_below(&random, UINT64_C(1) << rt_random_below(&random, 24));
        lives[i] = (rt_buffer_life){size, first, first + (uint32_t)rt_random_below(&random, 1000)};
    }
    uint64_t total;
    clock_t begin = clock();
    CU_ASSERT_EQUAL(rt_memory_layout(lives, count, offsets, &total), RT_OK);
    double seconds = (double)(clock() - begin) / CLOCKS_PER_SEC;
    CU_ASSERT_TRUE(seconds < 2);
    CU_ASSERT_EQUAL(count_wrong(count, total), 0);
}

TEST_MAIN("memory_layout", TEST(test_small_cases), TEST(test_wrong_arguments),
          TEST(test_random_lives_never_overlap), TEST(test_same_lives_same_layout),
          TEST(test_training_steps_reach_the_bound), TEST(test_thousands_of_buffers_are_quick))
