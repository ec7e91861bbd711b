// SPDX-License-Identifier: Apache-2.0
#include "tools/bench_clock.h"

#include <time.h>

static double read_ms(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

double bench_now_ms(void) {
    return read_ms(CLOCK_MONOTONIC);
}

double bench_processor_ms(void) {
    return read_ms(CLOCK_PROCESS_CPUTIME_ID);
}
