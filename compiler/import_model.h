// SPDX-License-Identifier: Apache-2.0
/* An ONNX file as a graph of a module, its patterns raised, and what it is a model of. */
#ifndef RETORT_COMPILER_IMPORT_MODEL_H
#define RETORT_COMPILER_IMPORT_MODEL_H

#include "models/recognise.h"

typedef struct rt_imported_model {
    rt_graph *graph;
    bool is_recognised;   /* of a family: found.config; else found.reason says why not */
    rt_recognition found; /* in the arena */
    int64_t classes;      /* columns of the output "logits", or 0 */
} rt_imported_model;

/* Adds the file's graph under `graph_name`, and its weights as parameters under `parameter_prefix`,
 * which must keep them apart from the names that the module uses otherwise. The passes raise and
 * simplify run on the whole module. Where `location` names a file, errors stand there. */
RT_MUST_CHECK rt_status rt_import_model(rt_module *module, const char *path, const char *graph_name,
                                        const char *parameter_prefix, rt_location location,
                                        rt_arena *arena, rt_imported_model *model);

#endif
