// SPDX-License-Identifier: Apache-2.0
/* The clocks of a benchmark, in milliseconds. */
#ifndef RETORT_TOOLS_BENCH_CLOCK_H
#define RETORT_TOOLS_BENCH_CLOCK_H

double bench_now_ms(void);       /* by the clock */
double bench_processor_ms(void); /* that this process has computed, all threads together */

#endif
