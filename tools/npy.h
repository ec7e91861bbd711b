// SPDX-License-Identifier: Apache-2.0
/* NumPy's file of one array (.npy), as "NEP 1: A simple file format for NumPy arrays" has it:
 * versions 1.0 and 2.0, little-endian values in C order. */
#ifndef RETORT_TOOLS_NPY_H
#define RETORT_TOOLS_NPY_H

#include "ir/tensor.h"
#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

/* Reads a file; values are copied into `arena`, bool as 0 or 1. RT_INVALID_DATA where the file is
 * not what its header says, RT_UNSUPPORTED where the header says something that is not read
 * (big-endian values, Fortran order, records, complex numbers, more than RT_MAX_RANK axes), with
 * what to do about it. */
RT_MUST_CHECK rt_status npy_read(const char *path, rt_arena *arena, rt_tensor *tensor,
                                 rt_error *error);

/* The same from memory; `path` names it in messages. */
RT_MUST_CHECK rt_status npy_parse(const void *bytes, size_t size, const char *path, rt_arena *arena,
                                  rt_tensor *tensor, rt_error *error);

/* Writes an array as version 1.0. NumPy has no bf16: it is written as the f32 of the same value. */
void npy_write(rt_writer *writer, const rt_tensor *tensor);

#endif
