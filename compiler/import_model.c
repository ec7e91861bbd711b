// SPDX-License-Identifier: Apache-2.0
#include "compiler/import_model.h"

#include <string.h>

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

static bool is_initialiser(const rt_onnx_graph *graph, const char *name) {
    for (size_t i = 0; i < graph->initializer_count; ++i) {
        if (strcmp(graph->initializers[i].name, name) == 0) return true;
    }
    return false;
}

static void name_inputs(const rt_onnx_graph *graph, rt_arena *arena, rt_imported_model *model) {
    model->inputs = RT_NEW_ARRAY(arena, const char *, graph->input_count + 1);
    for (size_t i = 0; model->inputs && i < graph->input_count; ++i) {
        const char *name = graph->inputs[i].name;
        if (is_initialiser(graph, name)) continue;
        model->inputs[model->input_count++] = rt_arena_copy_string(arena, name);
    }
}

rt_status rt_import_model(const char *path, const rt_onnx_import_options *options, rt_arena *arena,
                          rt_diagnostics *diagnostics, rt_imported_model *model, rt_error *error) {
    rt_onnx_source source;
    rt_onnx_import_options import = options ? *options : (rt_onnx_import_options){0};
    import.graph_name = "forward";
    *model = (rt_imported_model){0};
    RT_TRY(rt_onnx_open(path, &source, error));
    name_inputs(&source.model->graph, arena, model);
    model->module = rt_arena_failed(arena) ? NULL : rt_module_create(diagnostics);
    bool is_imported =
        model->module && rt_onnx_import(source.model, path, &import, model->module) != NULL;
    rt_onnx_close(&source);
    rt_status status = is_imported     ? raise_patterns(model->module)
                       : model->module ? RT_INVALID_DATA
                                       : RT_OUT_OF_MEMORY;
    if (status != RT_OK) return rt_fail(error, status, "%s: %s", path, rt_status_text(status));
    model->graph = rt_module_find_graph(model->module, "forward");
    model->is_recognised = rt_recognise(model->graph, arena, &model->found);
    return RT_OK;
}

void rt_imported_model_close(rt_imported_model *model) {
    rt_module_destroy(model->module);
    *model = (rt_imported_model){0};
}
