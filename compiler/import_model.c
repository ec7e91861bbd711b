// SPDX-License-Identifier: Apache-2.0
#include "compiler/import_model.h"

#include <stdlib.h>

#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "passes/pass_manager.h"

static rt_status raise_patterns(rt_module *module) {
    rt_pass_manager *manager = rt_pass_manager_create(rt_module_diagnostics(module));
    if (!manager) return RT_OUT_OF_MEMORY;
    rt_status status = rt_pass_manager_add(manager, "raise");
    if (status == RT_OK) status = rt_pass_manager_add(manager, "simplify");
    if (status == RT_OK) status = rt_pass_manager_run(manager, module);
    rt_pass_manager_destroy(manager);
    return status;
}

static int64_t count_classes(const rt_graph *graph) {
    rt_value logits = rt_graph_find_output(graph, "logits");
    int64_t classes = 0;
    if (!rt_value_is(logits)) return 0;
    rt_type type = rt_graph_type(graph, logits);
    bool is_known = type.rank == 2 && rt_dim_is_constant(rt_module_dims(rt_graph_module(graph)),
                                                         type.dims[1], &classes);
    return is_known ? classes : 0;
}

rt_status rt_import_model(rt_module *module, const char *path, const char *graph_name,
                          const char *parameter_prefix, rt_location location, rt_arena *arena,
                          rt_imported_model *model) {
    rt_error error;
    rt_onnx_source source;
    *model = (rt_imported_model){0};
    /* The program reads the weights from wherever it is started. */
    char *real = realpath(path, NULL);
    if (real) path = rt_arena_copy_string(arena, real);
    free(real);
    if (!path) return RT_OUT_OF_MEMORY;
    rt_status status = rt_onnx_open(path, &source, &error);
    if (status != RT_OK)
        return rt_diagnose_error(rt_module_diagnostics(module), status, location, "%s", error.text);
    rt_onnx_import_options options = {.graph_name = graph_name,
                                      .parameter_prefix = parameter_prefix};
    bool is_imported = rt_onnx_import(source.model, path, &options, module) != NULL;
    rt_onnx_close(&source);
    if (!is_imported) return RT_INVALID_DATA;
    RT_TRY(raise_patterns(module));
    model->graph = rt_module_find_graph(module, graph_name);
    if (!model->graph) return RT_INTERNAL;
    model->classes = count_classes(model->graph);
    model->is_recognised = rt_recognise(model->graph, arena, &model->found);
    return RT_OK;
}
