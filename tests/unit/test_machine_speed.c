// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/machine_speed.h"
#include "tests/support/test.h"

/* No machine of this century adds less than a tenth of a billion numbers a second, and none more
 * than a thousand billion a core; memory likewise. */
static void test_plausible(void) {
    rt_threads *threads;
    rt_machine_speed speed;
    rt_error error;
    CU_ASSERT_EQUAL_FATAL(rt_threads_create(2, &threads, &error), RT_OK);
    CU_ASSERT_EQUAL(rt_machine_measure(threads, &speed, &error), RT_OK);
    CU_ASSERT(speed.flops > 1e8 && speed.flops < 2e12);
    CU_ASSERT(speed.bytes > 1e8 && speed.bytes < 2e12);
    if (getenv("RETORT_TEST_VERBOSE"))
        printf("  %.1f GFLOP/s, %.1f GB/s\n", speed.flops * 1e-9, speed.bytes * 1e-9);
    rt_threads_destroy(threads);
}

TEST_MAIN("machine_speed", TEST(test_plausible))
