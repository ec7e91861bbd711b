// SPDX-License-Identifier: Apache-2.0
/* ONNX files to plain structs (onnx_model.h). The file stays mapped and tensor values stay in it.
 *
 *     rt_onnx_source source;
 *     RT_TRY(rt_onnx_open("model.onnx", &source, error));
 *     … source.model->graph …
 *     rt_onnx_close(&source);
 *
 * What is checked: lengths and nesting (at most 64 messages deep) before anything is allocated;
 * sizes of tensors against their dims; that every name is defined once and before it is read.
 * Memory is at most a small multiple of the file's size without its tensor values. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_READER_H
#define RETORT_COMPILER_FRONTEND_ONNX_READER_H

#include "compiler/frontend/onnx_files.h"
#include "compiler/frontend/onnx_model.h"
#include "runtime/base/arena.h"
#include "runtime/base/status.h"

typedef struct rt_onnx_source {
    const rt_onnx_model *model;   /* after rt_onnx_open and rt_onnx_read */
    const rt_onnx_tensor *tensor; /* after rt_onnx_open_tensor */
    rt_onnx_files files;
    rt_arena arena;
} rt_onnx_source;

/* Reads a ModelProto. External data is mapped too. On failure nothing is left open. */
RT_MUST_CHECK rt_status rt_onnx_open(const char *path, rt_onnx_source *source, rt_error *error);

/* The same from `size` bytes that the caller keeps until rt_onnx_close; `path` names them in
 * messages, and its folder is where external data is looked for. */
RT_MUST_CHECK rt_status rt_onnx_read(const void *bytes, size_t size, const char *path,
                                     rt_onnx_source *source, rt_error *error);

/* Reads a file that is one serialised TensorProto (test data). A SequenceProto or OptionalProto
 * is refused with RT_UNSUPPORTED. */
RT_MUST_CHECK rt_status rt_onnx_open_tensor(const char *path, rt_onnx_source *source,
                                            rt_error *error);
RT_MUST_CHECK rt_status rt_onnx_read_tensor(const void *bytes, size_t size, const char *path,
                                            rt_onnx_source *source, rt_error *error);

void rt_onnx_close(rt_onnx_source *source); /* also of a zeroed struct */

#endif
