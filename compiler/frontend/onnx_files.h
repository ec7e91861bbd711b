// SPDX-License-Identifier: Apache-2.0
/* The files of one model: the model itself and the files beside it that hold tensor values. Each is
 * mapped once. A model may only name regular files inside its own folder. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_FILES_H
#define RETORT_COMPILER_FRONTEND_ONNX_FILES_H

#include "compiler/frontend/onnx_model.h"
#include "runtime/base/arena.h"
#include "runtime/base/status.h"

typedef struct rt_onnx_files {
    char *folder; /* real path of the model's folder; NULL until something external is asked for */
    struct rt_onnx_open_file *newest;
} rt_onnx_files;

/* Maps `path`, a path the user gave. The result lives until rt_onnx_files_close. */
RT_MUST_CHECK rt_status rt_onnx_files_open(rt_onnx_files *files, rt_arena *arena, const char *path,
                                           const rt_onnx_file **file, rt_error *error);

/* Maps the external file `location`, named relative to the folder of `model_path`. Refused where
 * the name is absolute or empty, has a ".." component, or leads out of the folder through a link.
 */
RT_MUST_CHECK rt_status rt_onnx_files_open_external(rt_onnx_files *files, rt_arena *arena,
                                                    const char *model_path, const char *location,
                                                    const rt_onnx_file **file, rt_error *error);

void rt_onnx_files_close(rt_onnx_files *files);

#endif
