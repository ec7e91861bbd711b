// SPDX-License-Identifier: Apache-2.0
/* The importer's own state: names in scope, how weights are named. Rules see onnx_call.h alone. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_IMPORTER_H
#define RETORT_COMPILER_FRONTEND_ONNX_IMPORTER_H

#include "compiler/frontend/name_table.h"
#include "compiler/frontend/onnx_call.h"
#include "compiler/frontend/onnx_import.h"

/* What an initialiser is called in the checkpoint it was exported from. */
typedef struct onnx_weight {
    const rt_onnx_tensor *tensor;
    const char *name;             /* of the parameter */
    const rt_onnx_tensor *shared; /* the table this is a copy of, or NULL */
    bool is_transposed; /* the file holds [columns, rows] of the parameter (or of `shared`) */
} onnx_weight;

/* What the names in a model hide; zero it first. */
typedef struct onnx_recovered {
    rt_name_table weights; /* initialiser to onnx_weight, where that differs from what is written */
    rt_name_table aliases; /* output of an Identity node to the rt_onnx_tensor that it really is */
} onnx_recovered;
bool onnx_recover_names(const rt_onnx_graph *graph, rt_arena *arena, onnx_recovered *found);

/* A named value; an initialiser becomes a graph value when it is first read. */
typedef struct onnx_entry {
    rt_value value;
    const rt_onnx_tensor *tensor;
    int32_t narrow; /* RT_ONNX_INT4 or RT_ONNX_UINT4 where the value is of that type; else 0 */
} onnx_entry;

typedef struct onnx_scope {
    const struct onnx_scope *outer; /* whose names are visible too; NULL in a function */
    rt_name_table entries;
    const rt_onnx_opset *opsets;
    size_t opset_count;
    /* In a function's body: who called it, and where. */
    const rt_onnx_function *function;
    const rt_onnx_node *caller;
    const struct onnx_scope *caller_scope;
    const char *path; /* put before node names: "" or "function/" … */
    int depth;
} onnx_scope;

typedef struct onnx_importer {
    const rt_onnx_model *model;
    const rt_onnx_import_options *options;
    rt_module *module;
    rt_builder b;
    const char *path; /* of the model, interned */
    onnx_recovered recovered;
    rt_known_dims known;
    rt_arena scratch;
    size_t node_count; /* imported so far; a function counts at each call */
} onnx_importer;

/* The attribute that really holds, looked up at the callers where it is a reference; or NULL. */
const rt_onnx_attribute *onnx_resolve(const onnx_scope *scope, const rt_onnx_attribute *attribute);

/* The rule for a node, or NULL: then `least` is the oldest known version, 0 for no such operator.
 */
onnx_rule onnx_find_rule(const char *domain, const char *name, int64_t version, int *least);

/* Diagnoses every operator of the model that has no rule; false where there is one. */
bool onnx_check_operators(onnx_importer *importer);

const rt_onnx_function *onnx_find_function(const rt_onnx_model *model, const rt_onnx_node *node);
bool onnx_find_version(const rt_onnx_opset *opsets, size_t count, const char *domain,
                       int64_t *version);

#endif
