// SPDX-License-Identifier: Apache-2.0
/* Which weights need no memory of their own, because only what derives from them is read. */
#include "compiler/codegen/lower_impl.h"

static bool reads(const rt_schedule *schedule, const rt_group *group, uint32_t parameter) {
    for (size_t i = 0; i < group->input_count; ++i) {
        if (!rt_value_is(group->inputs[i])) continue;
        rt_storage storage = rt_schedule_storage(schedule, group->inputs[i]);
        if (storage.kind == RT_STORAGE_PARAMETER && storage.index == parameter) return true;
    }
    return false;
}

bool rt_find_readers(const rt_schedule *schedule, uint32_t parameter, uint32_t *first,
                     uint32_t *last) {
    bool is_read = false;
    for (uint32_t g = 0; g < schedule->group_count; ++g) {
        if (!reads(schedule, &schedule->groups[g], parameter)) continue;
        if (!is_read) *first = g;
        *last = g;
        is_read = true;
    }
    return is_read;
}

/* By parameter: whether a graph that prepares (or any other) names it. */
static void mark_named(const rt_schedule *schedule, bool *is_named) {
    for (size_t g = 0; g < schedule->group_count; ++g) {
        const rt_group *group = &schedule->groups[g];
        for (size_t i = 0; i < group->input_count; ++i) {
            if (!rt_value_is(group->inputs[i])) continue;
            rt_storage storage = rt_schedule_storage(schedule, group->inputs[i]);
            if (storage.kind == RT_STORAGE_PARAMETER) is_named[storage.index] = true;
        }
    }
    for (size_t i = 0; i < rt_graph_output_count(schedule->graph); ++i) {
        rt_parameter assigned = rt_graph_output(schedule->graph, i)->parameter;
        if (rt_parameter_is(assigned)) is_named[assigned.index] = true;
    }
}

bool rt_find_passing_weights(rt_lower_state *state) {
    const rt_lowering *lowering = state->lowering;
    size_t count = rt_module_parameter_count(lowering->module);
    bool *is_prepared_from = RT_NEW_ARRAY(state->arena, bool, count + 1);
    bool *is_used = RT_NEW_ARRAY(state->arena, bool, count + 1);
    state->is_passing = RT_NEW_ARRAY(state->arena, bool, count + 1);
    if (!is_prepared_from || !is_used || !state->is_passing) return false;
    for (size_t i = 0; i < lowering->schedule_count; ++i) {
        const rt_schedule *schedule = &lowering->schedules[i];
        mark_named(schedule, rt_graph_is_preparation(schedule->graph) ? is_prepared_from : is_used);
    }
    for (uint32_t i = 0; i < count; ++i)
        state->is_passing[i] =
            rt_module_parameter(lowering->module, (rt_parameter){i})->kind == RT_PARAMETER_WEIGHT &&
            is_prepared_from[i] && !is_used[i];
    return true;
}
