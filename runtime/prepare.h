// SPDX-License-Identifier: Apache-2.0
/* Runs the entries that compute what derives from weights (retort_entry in abi.h). Weights that
 * nothing else reads pass through memory: each is read just before the first kernel that needs it,
 * into a place that the next ones share. */
#ifndef RETORT_RUNTIME_PREPARE_H
#define RETORT_RUNTIME_PREPARE_H

#include <stdbool.h>

#include "runtime/parameters.h"

/* Whether the parameter is in some entry's list of passing weights. */
bool retort_weight_is_passing(const retort_program *program, uint32_t parameter);

/* What retort_prepare_run allocates for the entry that needs most. */
RT_MUST_CHECK rt_status retort_preparing_bytes(const retort_program *program, uint32_t workers,
                                               uint64_t *bytes, rt_error *error);

/* Runs `entry` with buffers, scratch and passing weights of its own. `context` has the parameters
 * and the threads; parameters[i] of a passing weight is set for the time of the run. */
RT_MUST_CHECK rt_status retort_prepare_run(const retort_context *context,
                                           const retort_sources *sources, int entry,
                                           void **parameters, rt_error *error);

#endif
