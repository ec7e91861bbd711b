// SPDX-License-Identifier: Apache-2.0
/* The thread pool of compiled programs: ranges split statically, so that the same count of workers
 * gives the same parts, and nothing runs while there is nothing to do.
 *
 *     rt_threads *threads;
 *     RT_TRY(rt_threads_create(0, &threads, error));
 *     rt_threads_run(threads, scale_rows, &job, rows, 8);
 *     rt_threads_destroy(threads);
 *
 * A pool has one user at a time: runs of one pool from two threads may not overlap, except that a
 * function that is being run may call rt_threads_run on its own pool: such a call runs inline. */
#ifndef RETORT_RUNTIME_BASE_THREADS_H
#define RETORT_RUNTIME_BASE_THREADS_H

#include <stdint.h>

#include "runtime/base/status.h"

enum { RT_THREADS_MAX = 1024 };

typedef struct rt_threads rt_threads;

/* Works on [begin, end), never empty. `worker`, below the pool's number of workers, is different in
 * calls that run at the same time; so it indexes scratch memory. */
typedef void (*rt_threads_function)(void *argument, int64_t begin, int64_t end, uint32_t worker);

/* How many workers a pool has by default: the environment's RETORT_THREADS where it is set, else
 * the usable cores. An error where RETORT_THREADS is not an integer from 1 to RT_THREADS_MAX. */
RT_MUST_CHECK rt_status rt_threads_default(uint32_t *workers, rt_error *error);

/* Makes a pool of `workers` (0: the default), the caller's thread among them: it starts one thread
 * fewer. The threads block the signals that programs handle, which so reach the caller's thread. */
RT_MUST_CHECK rt_status rt_threads_create(uint32_t workers, rt_threads **threads, rt_error *error);
void rt_threads_destroy(rt_threads *threads); /* NULL is allowed; not during a run */

uint32_t rt_threads_workers(const rt_threads *threads);

/* Splits [0, count) into at most one contiguous range per worker, whose inner borders are multiples
 * of `grain` (from 1 on), in lengths that differ by at most `grain`; calls `function` on each and
 * returns when all are done. What the caller wrote before is visible to the function, and what the
 * function wrote to the caller. The caller's thread is worker 0 and takes the first range. */
void rt_threads_run(rt_threads *threads, rt_threads_function function, void *argument,
                    int64_t count, int64_t grain);

#endif
