// SPDX-License-Identifier: Apache-2.0
/* The steps of scheduling in their order: group, order, place. */
#include "compiler/schedule/schedule.h"

#include "compiler/schedule/schedule_impl.h"

/* A value that an output could not be written to directly: a source, or another output's. */
static bool needs_copy(const rt_graph *graph, rt_value root, const bool *is_claimed) {
    return rt_op_lower_class(rt_graph_op(graph, root)) == RT_LOWER_SOURCE || is_claimed[root.index];
}

rt_value rt_append_copy(rt_graph *graph, rt_value value) {
    rt_type type = rt_graph_type(graph, value);
    rt_attr shape = {.dims = type.dims, .count = (uint32_t)type.rank};
    rt_location location = rt_graph_node(graph, rt_graph_definition(graph, value))->location;
    rt_node node = rt_graph_append(graph, RT_OP_broadcast, &value, 1, &shape, &type, location);
    return rt_node_is(node) ? rt_graph_node(graph, node)->first_result : RT_NO_VALUE;
}

/* Every output becomes the only one that claims its memory. */
static bool separate_outputs(rt_graph *graph) {
    rt_arena scratch = {0};
    size_t count = rt_graph_output_count(graph);
    bool *is_claimed = RT_NEW_ARRAY(&scratch, bool, rt_graph_value_count(graph) + count + 1);
    bool is_done = is_claimed != NULL;
    for (size_t i = 0; is_done && i < count; ++i) {
        rt_value value = rt_graph_output(graph, i)->value;
        rt_value root = rt_storage_root(graph, value);
        if (needs_copy(graph, root, is_claimed)) {
            root = rt_append_copy(graph, value);
            is_done = rt_value_is(root);
            if (is_done) rt_graph_set_output(graph, i, root);
        }
        if (is_done) is_claimed[root.index] = true;
    }
    rt_arena_deinit(&scratch);
    return is_done;
}

rt_status rt_schedule_create(rt_graph *graph, rt_optimizations optimizations, rt_arena *arena,
                             rt_schedule *schedule, rt_error *error) {
    *schedule = (rt_schedule){.graph = graph, .optimizations = optimizations};
    if (!separate_outputs(graph))
        return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to schedule '%s'", rt_graph_name(graph));
    RT_TRY(rt_group_nodes(graph, arena, schedule, error));
    RT_TRY(rt_order_groups(schedule, arena, error));
    return rt_place_values(schedule, arena, error);
}

rt_storage rt_schedule_storage(const rt_schedule *schedule, rt_value value) {
    return schedule->storage[rt_storage_root(schedule->graph, value).index];
}
