// SPDX-License-Identifier: Apache-2.0
/* Files of one tensor, by their ending: .npy of NumPy, or .pb, a serialised TensorProto of ONNX. */
#ifndef RETORT_TOOLS_TENSOR_FILE_H
#define RETORT_TOOLS_TENSOR_FILE_H

#include "ir/tensor.h"
#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

/* Reads a file into `arena`; errors name it. RT_INVALID_ARGUMENT for another ending. */
RT_MUST_CHECK rt_status tensor_file_read(const char *path, rt_arena *arena, rt_tensor *tensor,
                                         rt_error *error);

/* Whether the ending says how to write. */
bool tensor_file_has_ending(const char *path);

/* Writes to what was opened for `path`: the caller commits it. `name` goes into a .pb. */
RT_MUST_CHECK rt_status tensor_file_write(rt_writer *writer, const char *path, const char *name,
                                          const rt_tensor *tensor, rt_error *error);

#endif
