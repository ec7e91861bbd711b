// SPDX-License-Identifier: Apache-2.0
/* Reading a compiled program's tables (runtime/abi.h). */
#ifndef RETORT_RUNTIME_PROGRAM_H
#define RETORT_RUNTIME_PROGRAM_H

#include <stdbool.h>

#include "runtime/abi.h"
#include "runtime/base/status.h"

enum { RETORT_NOT_FOUND = -1 };

/* Whether this runtime can run the program: version and counts. */
RT_MUST_CHECK rt_status retort_program_check(const retort_program *program, rt_error *error);

/* Index by name, or RETORT_NOT_FOUND. */
int retort_program_find_entry(const retort_program *program, const char *name);
int retort_program_find_symbol(const retort_program *program, const char *name);
int retort_program_find_parameter(const retort_program *program, const char *name);
/* Index of an entry's input (or output) of that name, or RETORT_NOT_FOUND. */
int retort_entry_find_buffer(const retort_entry *entry, retort_buffer_kind kind, const char *name);

/* Whether the entry assigns derived parameters; *reader is the one entry that reads them, or
 * RETORT_NOT_FOUND for any. */
bool retort_entry_prepares(const retort_program *program, int entry, int *reader);

/* A size where symbol i is symbols[i]; RT_OUT_OF_RANGE where it overflows or is negative. */
RT_MUST_CHECK rt_status retort_size_evaluate(retort_size size, const int64_t *symbols,
                                             int64_t *result);

/* Binds the symbols of `shape` from an actual shape: a dimension that is one symbol gets its size
 * (symbols[i] == -1: not bound yet), all others must agree. The error names `what`. */
RT_MUST_CHECK rt_status retort_shape_bind(const retort_program *program, const retort_shape *shape,
                                          int rank, const int64_t *dims, int64_t *symbols,
                                          const char *what, rt_error *error);

/* Elements and bytes of a parameter. */
int64_t retort_parameter_elements(const retort_parameter *parameter);
uint64_t retort_parameter_bytes(const retort_parameter *parameter);

#endif
