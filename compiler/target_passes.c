// SPDX-License-Identifier: Apache-2.0
#include "compiler/target_passes.h"

#include "compiler/kernels/product.h"
#include "compiler/target/target.h"

static bool has_pass(const rt_pass_manager *manager, rt_pass pass) {
    for (size_t i = 0; i < manager->step_count; ++i)
        if (manager->steps[i].pass == pass) return true;
    return false;
}

rt_status rt_passes_choose_target(rt_pass_manager *manager, const char *target) {
    rt_arena arena = {0};
    rt_target found;
    rt_error error;
    if (!has_pass(manager, RT_PASS_panels)) return RT_OK;
    rt_status status = rt_target_find(target, &found, &arena, &error);
    if (status != RT_OK) {
        rt_diagnose(manager->diagnostics, RT_ERROR, (rt_location){0}, "%s", error.text);
    } else {
        const char *width = rt_arena_format(&arena, "%d", (int)rt_product_panel_on(&found, RT_F32));
        status =
            width ? rt_pass_manager_set(manager, RT_PASS_panels, "width", width) : RT_OUT_OF_MEMORY;
    }
    rt_arena_deinit(&arena);
    return status;
}
