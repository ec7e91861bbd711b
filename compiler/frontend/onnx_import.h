// SPDX-License-Identifier: Apache-2.0
/* ONNX models to graphs.
 *
 *     rt_graph *graph = rt_onnx_import(source.model, "model.onnx", &(rt_onnx_import_options){0},
 * module); if (!graph) … rt_module_diagnostics(module) …
 *
 * Symbolic axes of inputs become symbols of their names, axes without size or name get one of their
 * own ("<input>_<axis>"). Shape arithmetic is folded to dimensions, so that a shape never depends
 * on values; where it really does, that is an error. Operators that the graph does not have become
 * several; patterns are recognised later, by the pass `raise`. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_IMPORT_H
#define RETORT_COMPILER_FRONTEND_ONNX_IMPORT_H

#include "compiler/frontend/onnx_model.h"
#include "ir/graph.h"

/* The operator sets that are understood. Older models are read where their operators are still the
 * same. */
enum { RT_ONNX_OLDEST_OPSET = 11, RT_ONNX_NEWEST_OPSET = 28 };

/* An input whose value is given when compiling: it becomes a constant. */
typedef struct rt_onnx_known_input {
    const char *name;
    const rt_tensor *tensor; /* copied */
} rt_onnx_known_input;

typedef struct rt_onnx_import_options {
    const char *graph_name;       /* NULL: "forward" */
    const char *parameter_prefix; /* put before every parameter's name; NULL: nothing */
    const rt_onnx_known_input *known_inputs;
    size_t known_input_count;
} rt_onnx_import_options;

/* Imports the model's graph into `module` and returns it; NULL after diagnostics (all unknown
 * operators at once, otherwise the first error). `path` names the model in locations.
 *
 * Floating initialisers of at least two elements become trainable parameters with a source (file,
 * offset, size) and are not copied; neither is anything over 64 KB that can be used where it lies.
 * Everything else is copied into the module as constants, so the model may be closed afterwards.
 *
 * A weight that the exporter transposed and renamed (`onnx::MatMul_123`) gets its checkpoint name
 * and shape back (rt_transform), and a second copy of an embedding table becomes that table. */
rt_graph *rt_onnx_import(const rt_onnx_model *model, const char *path,
                         const rt_onnx_import_options *options, rt_module *module);

/* The table of operators, for `retort ops`: row `index`, or false behind the last. */
typedef struct rt_onnx_op_row {
    const char *domain; /* "" is ai.onnx */
    const char *name;
    int since_version; /* the oldest version of the operator that is understood */
} rt_onnx_op_row;
bool rt_onnx_op_row_at(size_t index, rt_onnx_op_row *row);

#endif
