// SPDX-License-Identifier: Apache-2.0
/* The machine's limits (compiler/codegen/probe.h): a JSON line each to standard output, a table to
 * standard error. */
#ifndef RETORT_TOOLS_BENCH_PEAK_H
#define RETORT_TOOLS_BENCH_PEAK_H

#include <stdint.h>

#include "runtime/base/status.h"

/* On one thread, and on `threads` (0: as many as the machine offers) at once. */
RT_MUST_CHECK rt_status bench_peak_run(int64_t rounds, uint32_t threads, rt_error *error);

#endif
