// SPDX-License-Identifier: Apache-2.0
#include "compiler/target_passes.h"

#include <stdio.h>

#include "compiler/kernels/product.h"
#include "compiler/target/target.h"

static bool has_pass(const rt_pass_manager *manager, rt_pass pass) {
    for (size_t i = 0; i < manager->step_count; ++i)
        if (manager->steps[i].pass == pass) return true;
    return false;
}

static rt_status set_number(rt_pass_manager *manager, rt_pass pass, const char *key,
                            int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return rt_pass_manager_set(manager, pass, key, text);
}

enum { INT4_GROUP = 32 };

static rt_quantize_form form_on(const rt_target *target) {
    rt_integer_product integers = rt_integer_product_on(target);
    return (rt_quantize_form){.width = rt_product_panel_on(target, RT_F32),
                              .integer_width = integers.width,
                              .activations = integers.dtype,
                              .group = INT4_GROUP};
}

rt_status rt_quantize_form_on(const char *target, const rt_precision_choice *choice,
                              rt_quantize_form *form, rt_error *error) {
    rt_arena arena = {0};
    rt_target found;
    rt_status status = rt_target_find(target, &found, &arena, error);
    if (status == RT_OK) *form = form_on(&found);
    if (status == RT_OK && choice->group) form->group = choice->group;
    rt_arena_deinit(&arena);
    return status;
}

rt_status rt_passes_choose_precision(rt_pass_manager *manager, const rt_precision_choice *choice) {
    if (choice->precision)
        RT_TRY(rt_pass_manager_set(manager, RT_PASS_quantize, "precision", choice->precision));
    if (choice->layers)
        RT_TRY(rt_pass_manager_set(manager, RT_PASS_quantize, "layers", choice->layers));
    return choice->group ? set_number(manager, RT_PASS_quantize, "group", choice->group) : RT_OK;
}

static rt_status choose_panels(rt_pass_manager *manager, const rt_target *target) {
    rt_quantize_form form = form_on(target);
    if (has_pass(manager, RT_PASS_panels))
        RT_TRY(set_number(manager, RT_PASS_panels, "width", form.width));
    static const rt_pass both[] = {RT_PASS_imitate, RT_PASS_quantize};
    for (int i = 0; i < 2; ++i) {
        if (!has_pass(manager, both[i])) continue;
        RT_TRY(set_number(manager, both[i], "width", form.width));
        RT_TRY(set_number(manager, both[i], "integer_width", form.integer_width));
    }
    if (!has_pass(manager, RT_PASS_quantize)) return RT_OK;
    return rt_pass_manager_set(manager, RT_PASS_quantize, "activations",
                               rt_dtype_text(form.activations));
}

rt_status rt_passes_choose_target(rt_pass_manager *manager, const char *target) {
    rt_arena arena = {0};
    rt_target found;
    rt_error error;
    rt_status status = rt_target_find(target, &found, &arena, &error);
    if (status != RT_OK)
        rt_diagnose(manager->diagnostics, RT_ERROR, (rt_location){0}, "%s", error.text);
    else
        status = choose_panels(manager, &found);
    rt_arena_deinit(&arena);
    return status;
}
