// SPDX-License-Identifier: Apache-2.0
/* Plain structs to an ONNX file. Tensor values are streamed from where they lie (mapped files or
 * the caller's memory); nothing is copied. The file is written whole and renamed. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_WRITER_H
#define RETORT_COMPILER_FRONTEND_ONNX_WRITER_H

#include "compiler/frontend/onnx_model.h"
#include "runtime/base/arena.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

/* Writes `model` with its producer set to Retort where model->producer is NULL. Strings may be NULL
 * for "" throughout. RT_UNSUPPORTED where the file would pass 2 GB, the format's limit. */
RT_MUST_CHECK rt_status rt_onnx_write(const char *path, const rt_onnx_model *model,
                                      rt_error *error);

/* Writes a file that is one TensorProto (test data). */
RT_MUST_CHECK rt_status rt_onnx_write_tensor(const char *path, const rt_onnx_tensor *tensor,
                                             rt_error *error);
/* The same into a file that the caller opened and commits. */
RT_MUST_CHECK rt_status rt_onnx_stream_tensor(rt_writer *writer, const rt_onnx_tensor *tensor,
                                              rt_error *error);

/* The same message in memory, for tests and small models: bytes in `arena`. */
RT_MUST_CHECK rt_status rt_onnx_write_bytes(const rt_onnx_model *model, rt_arena *arena,
                                            const uint8_t **bytes, size_t *size);

/* Fills a tensor whose raw values are `values`, which the caller keeps. `file` is filled too and
 * must live as long as the tensor. */
void rt_onnx_tensor_of_memory(rt_onnx_tensor *tensor, rt_onnx_file *file, const char *name,
                              rt_dtype dtype, const int64_t *dims, int rank, const void *values);

#endif
