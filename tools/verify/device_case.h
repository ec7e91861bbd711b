// SPDX-License-Identifier: Apache-2.0
/* A model as an ahead-of-time library for another machine, run here by an emulator: a runner for
 * tools/forward.h, so that the same stored arrays go through it. */
#ifndef RETORT_TOOLS_VERIFY_DEVICE_CASE_H
#define RETORT_TOOLS_VERIFY_DEVICE_CASE_H

#include "tools/build/build.h"
#include "tools/forward.h"

typedef struct device_case {
    rt_error *error;
    build_request request;
    build build;
    const char *folder; /* of the library; deleted when closed */
    const struct emulator *emulator;
    forward_runner runner;
} device_case;

/* Builds the library and the program that runs it. RT_UNSUPPORTED where the target's compiler or
 * emulator is not there. The case is closed by the caller in either case, and must not move. */
RT_MUST_CHECK rt_status device_case_open(const char *model_path, const char *target,
                                         device_case *device, rt_error *error);
void device_case_close(device_case *device); /* also of a zeroed struct */

#endif
