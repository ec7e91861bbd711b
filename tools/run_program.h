// SPDX-License-Identifier: Apache-2.0
/* Other programs: a linker, an emulator. */
#ifndef RETORT_TOOLS_RUN_PROGRAM_H
#define RETORT_TOOLS_RUN_PROGRAM_H

#include <stdbool.h>

#include "runtime/base/status.h"

/* Runs arguments[0], found as a shell finds it, with NULL behind the last argument, and waits for
 * it. *exit_status is 128 where it was killed. RT_NOT_FOUND where there is no such program. */
RT_MUST_CHECK rt_status run_program(const char *const *arguments, int *exit_status,
                                    rt_error *error);

/* Whether a shell would find the program. */
bool has_program(const char *name);

#endif
