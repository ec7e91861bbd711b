// SPDX-License-Identifier: Apache-2.0
/* Initial values of a program's parameters. */
#ifndef RETORT_RUNTIME_PARAMETERS_H
#define RETORT_RUNTIME_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/abi.h"
#include "runtime/base/status.h"

/* Fills memory[i], the zeroed memory of parameter i, for all parameters. Random values depend on
 * (seed, name) alone, never on order or threads. `weights` may be NULL; a folder: external files
 * are looked for there by their base name; a file: it stands for the only external file. */
RT_MUST_CHECK rt_status retort_parameters_initialise(const retort_program *program,
                                                     void *const *memory, uint64_t seed,
                                                     const char *weights, bool skips_checksum,
                                                     rt_error *error);

#endif
