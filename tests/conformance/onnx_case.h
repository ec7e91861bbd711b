// SPDX-License-Identifier: Apache-2.0
/* Running an ONNX model on stored values through the importer and the plain evaluator. */
#ifndef RETORT_TESTS_CONFORMANCE_ONNX_CASE_H
#define RETORT_TESTS_CONFORMANCE_ONNX_CASE_H

#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "ir/eval.h"

/* A model opened and imported; `module` is NULL where importing failed, with the reason in `text`.
 */
typedef struct onnx_case {
    rt_onnx_source source;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_arena arena;
    rt_array **parameters;
    char text[1000];
} onnx_case;

/* Imports; false with the reason in c->text. onnx_case_close in any case. */
bool onnx_case_open(onnx_case *c, const char *path, const rt_onnx_import_options *options);
void onnx_case_close(onnx_case *c);

/* Reads the values of all parameters from their sources, transformed as they ask for. */
bool onnx_case_load_parameters(onnx_case *c);

/* A stored value in `arena`; NULL with the reason in c->text. */
rt_tensor *onnx_case_read_value(onnx_case *c, const char *path, rt_arena *arena);

/* Evaluates with the graph's inputs in order; outputs[i] in `arena`. False with c->text. */
bool onnx_case_evaluate(onnx_case *c, const rt_array *const *inputs, rt_arena *arena,
                        rt_array **outputs);

/* Largest amount by which an element is off beyond what is allowed; 0 or less where all are close.
 * +inf where shapes or element types differ. `mask` (may be NULL) selects rows of the leading
 * dimensions that count. */
double onnx_case_excess(const rt_array *got, const rt_tensor *want, const rt_tensor *mask,
                        double relative, double absolute);

#endif
