// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "compiler/schedule/schedule.h"
#include "passes/pass_manager.h"
#include "tools/inspect/inspect.h"
#include "tools/tell.h"

/* The graphs of a spec's program are in their final form; those of a model get it here. */
static rt_status finish_graphs(model_file *m) {
    if (m->kind == MODEL_SPEC) return RT_OK;
    rt_pass_manager *manager = rt_pass_manager_create(&m->diagnostics);
    if (!manager) return RT_OUT_OF_MEMORY;
    rt_status status = rt_pass_manager_add_pipeline(manager, "inference");
    if (status == RT_OK) status = rt_pass_manager_run(manager, m->module);
    rt_pass_manager_destroy(manager);
    return status;
}

int inspect_fusion(model_file *m) {
    rt_status status = finish_graphs(m);
    if (status != RT_OK) {
        tell_diagnostics(&m->diagnostics);
        return 1;
    }
    for (size_t i = 0; i < rt_module_graph_count(m->module); ++i) {
        rt_schedule schedule;
        rt_error error;
        status = rt_schedule_create(rt_module_graph(m->module, i), (rt_optimizations){0}, &m->arena,
                                    &schedule, &error);
        if (status != RT_OK) return tell_error(&error);
        const char *text = rt_schedule_fusion_text(&schedule, &m->arena);
        if (!text || fputs(text, stdout) < 0) return 1;
    }
    return 0;
}
