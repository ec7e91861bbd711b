// SPDX-License-Identifier: Apache-2.0
/* Facts about the machine and about this process's use of it. */
#ifndef RETORT_RUNTIME_BASE_CPU_H
#define RETORT_RUNTIME_BASE_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Cores that the calling thread may run on (its affinity mask), but no more than its control group
 * has time for; at least 1. */
uint32_t rt_cpu_usable_cores(void);

/* How many cores' time the process's control groups allow it, as in "1.5"; 0 where they do not
 * limit it. `root` stands before /proc and /sys: "" but in tests. */
double rt_cpu_quota(const char *root);

/* The processor's name as the system tells it ("AMD EPYC 9R14"), cut to `size` bytes with its NUL;
 * the name of the architecture where it tells none. */
void rt_cpu_name(char *name, size_t size);

/* Whether this processor has the features of an LLVM feature string ("+avx2,+fma,-sse4a"): compiled
 * code that uses one it lacks would end in an illegal instruction. `missing` receives the first one
 * it lacks. Names that are not known here count as there. */
bool rt_cpu_supports(const char *features, char *missing, size_t size);

/* Asks the system to let this process use the tile registers of AMX, whose state it saves only for
 * processes that asked; threads have what was granted, whenever they were started. False where the
 * processor or the system has none. */
bool rt_cpu_request_tiles(void);

/* Largest resident memory of this process so far, in bytes, since its start or the last reset; 0
 * where the system does not tell. Pages of mapped files count while they are resident. */
uint64_t rt_memory_peak_bytes(void);

/* Resident memory of this process now, in bytes; 0 where the system does not tell. */
uint64_t rt_memory_resident_bytes(void);

/* Lets the peak begin again at what is resident now; false where the system does not allow it. */
bool rt_memory_peak_reset(void);

#endif
