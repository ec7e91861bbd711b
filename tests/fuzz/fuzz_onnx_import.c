// SPDX-License-Identifier: Apache-2.0
/* The ONNX importer on arbitrary bytes: whatever imports is a graph that verifies, also behind the
 * passes that look for patterns in it. */
#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "ir/verify.h"
#include "passes/pass_manager.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

/* The manager verifies after each pass. */
static bool survives_passes(rt_module *module, rt_diagnostics *diagnostics) {
    rt_pass_manager *manager = rt_pass_manager_create(diagnostics);
    if (!manager) abort();
    bool is_sound = rt_pass_manager_add(manager, "raise") == RT_OK &&
                    rt_pass_manager_add(manager, "simplify") == RT_OK &&
                    rt_pass_manager_run(manager, module) == RT_OK;
    rt_pass_manager_destroy(manager);
    return is_sound;
}

static void import(const rt_onnx_model *model) {
    rt_diagnostics diagnostics = {0};
    rt_module *module = rt_module_create(&diagnostics);
    if (!module) abort();
    rt_graph *graph = rt_onnx_import(model, "model.onnx", &(rt_onnx_import_options){0}, module);
    bool is_sound = !graph == rt_diagnostics_failed(&diagnostics);
    if (graph) is_sound &= rt_verify_graph(graph, RT_FORM_TYPED, &diagnostics) == RT_OK;
    if (graph && is_sound) is_sound = survives_passes(module, &diagnostics);
    if (!is_sound) {
        rt_arena arena = {0};
        fputs(rt_diagnostics_text(&diagnostics, &arena), stderr);
        abort();
    }
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rt_onnx_source source;
    rt_error error;
    if (rt_onnx_read(bytes, size, "model.onnx", &source, &error) != RT_OK) return 0;
    import(source.model);
    rt_onnx_close(&source);
    return 0;
}
