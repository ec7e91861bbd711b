// SPDX-License-Identifier: Apache-2.0
/* Where the time of a run goes: calls of kernels by node, as a table and as a trace that Chrome's
 * tracing and Perfetto open (Google, "Trace Event Format": complete events). */
#ifndef RETORT_RUNTIME_TRAIN_PROFILE_H
#define RETORT_RUNTIME_TRAIN_PROFILE_H

#include <stdio.h>

#include "runtime/instance.h"

typedef struct retort_profile retort_profile;

/* Counts from now on what the instance runs. */
RT_MUST_CHECK rt_status retort_profile_create(retort_instance *instance, retort_profile **profile,
                                              rt_error *error);
void retort_profile_destroy(retort_profile *profile); /* NULL is fine; the instance still lives */

/* Around each run of an entry. */
void retort_profile_begin(retort_profile *profile, int entry);
void retort_profile_end(retort_profile *profile);

/* The nodes that took longest, and sums by kind of kernel: time, its share, rates of arithmetic and
 * of memory, and what share these are of what the machine can do, which is measured here
 * (base/machine_speed.h). Bytes are what kernels read and write, wherever it lies: what fits the
 * caches may be above 100 %. Operations are counted for batches whose rows all have the longest
 * row's length, so attention over uneven rows seems faster than it is. */
void retort_profile_print(const retort_profile *profile, FILE *stream);

/* The first 200,000 calls as a file: a thread for each entry, with operations and bytes of each
 * call. */
RT_MUST_CHECK rt_status retort_profile_write_trace(const retort_profile *profile, const char *path,
                                                   rt_error *error);

#endif
