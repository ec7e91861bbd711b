// SPDX-License-Identifier: Apache-2.0
/* The clock and the peak of the core that a benchmark runs on, measured beside each case. */
#ifndef RETORT_TESTS_BENCH_MACHINE_H
#define RETORT_TESTS_BENCH_MACHINE_H

#include <stdint.h>

/* Nanoseconds of a clock that only goes forward. */
double machine_now(void);

/* Cycles of the core per nanosecond, at this moment: a chain of integer multiplications (three
 * cycles on every x86-64 core of the last fifteen years) and exclusive ors (one) against the clock.
 * The largest of a few short runs, as an interruption only lowers it. */
double machine_cycles_per_ns(void);

/* Floating-point operations per nanosecond that one thread reaches in f32 multiply-adds of the
 * target's vectors on registers: the largest of a few short runs. */
double machine_peak(void);

/* Compiles what the two above run. */
void machine_begin(void);
void machine_end(void);

/* Least and median of `count` numbers, which are sorted. */
typedef struct spread {
    double least, median;
} spread;
spread machine_spread(double *numbers, int count);

#endif
