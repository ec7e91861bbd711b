// SPDX-License-Identifier: Apache-2.0
/* What this machine can do at most, measured in a tenth of a second: what profiles are held
 * against. */
#ifndef RETORT_RUNTIME_BASE_MACHINE_SPEED_H
#define RETORT_RUNTIME_BASE_MACHINE_SPEED_H

#include "runtime/base/threads.h"

typedef struct rt_machine_speed {
    double flops; /* f32 multiply-adds on registers, multiply and add counted apart, per second */
    double bytes; /* read and written in memory beyond the caches, per second */
} rt_machine_speed;

/* The best of a few short runs on all workers of the pool together: other work on the machine only
 * lowers it. Takes 128 MB for the time of the call; RT_OUT_OF_MEMORY where there are none. */
RT_MUST_CHECK rt_status rt_machine_measure(rt_threads *threads, rt_machine_speed *speed,
                                           rt_error *error);

#endif
