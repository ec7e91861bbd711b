// SPDX-License-Identifier: Apache-2.0
/* An ONNX file as a graph in a module of its own, its patterns raised, and what it is a model of.
 */
#ifndef RETORT_COMPILER_IMPORT_MODEL_H
#define RETORT_COMPILER_IMPORT_MODEL_H

#include "compiler/frontend/onnx_import.h"
#include "models/recognise.h"

typedef struct rt_imported_model {
    rt_module *module; /* with the graph "forward" */
    rt_graph *graph;
    bool is_recognised;   /* of a family: found.config; else found.reason says why not */
    rt_recognition found; /* in the arena */
    /* The file's inputs in its order, initialisers left out; there also where the import failed. */
    const char **inputs;
    size_t input_count;
} rt_imported_model;

/* Imports the file, which `path` names in places and sources, and runs the passes raise and
 * simplify. `options` may be NULL; its graph_name is not read. Where it fails without a diagnostic,
 * `error` says why. Strings are in `arena`. The caller closes the model, also after a failure. */
RT_MUST_CHECK rt_status rt_import_model(const char *path, const rt_onnx_import_options *options,
                                        rt_arena *arena, rt_diagnostics *diagnostics,
                                        rt_imported_model *model, rt_error *error);
void rt_imported_model_close(rt_imported_model *model); /* also of a zeroed struct */

#endif
