// SPDX-License-Identifier: Apache-2.0
#include "tools/slice_check.h"

#include <string.h>

rt_status slice_checks_collect(const rt_graph *graph, rt_arena *arena, slice_checks *checks) {
    rt_node *nodes;
    size_t count = 0;
    *checks = (slice_checks){.dims = rt_module_dims(rt_graph_module(graph))};
    if (!rt_graph_order(graph, arena, &nodes, &count)) return RT_OUT_OF_MEMORY;
    checks->items = rt_arena_array(arena, count + 1, sizeof *checks->items);
    if (!checks->items) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, nodes[i]);
        if (info->op != RT_OP_slice) continue;
        int64_t axis = rt_graph_attr(graph, nodes[i], RT_ATTR_slice_axis).integer;
        rt_type from = rt_graph_type(graph, info->operands[0]);
        if (axis < 0) axis += from.rank;
        checks->items[checks->count++] = (struct slice_check){
            .available = from.dims[axis],
            .start = rt_graph_attr(graph, nodes[i], RT_ATTR_slice_start).dim,
            .size = rt_graph_attr(graph, nodes[i], RT_ATTR_slice_size).dim,
            .step = rt_graph_attr(graph, nodes[i], RT_ATTR_slice_step).integer,
            .name = info->location.name ? rt_arena_copy_string(arena, info->location.name) : NULL,
        };
    }
    return rt_arena_failed(arena) ? RT_OUT_OF_MEMORY : RT_OK;
}

/* Whether all symbols of the dimension are known: then *value is its size. */
static bool evaluate(const rt_dim_table *dims, rt_dim dim, const bool *is_known,
                     const int64_t *values, int64_t *value) {
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(dims, dim, &count);
    for (size_t t = 0; t < count; ++t)
        for (size_t i = 0; i < terms[t].symbol_count; ++i)
            if (!is_known[terms[t].symbols[i]]) return false;
    return rt_dim_evaluate(dims, dim, values, value);
}

static rt_status check_slice(const slice_checks *checks, const struct slice_check *slice,
                             const bool *is_known, const int64_t *values, rt_error *error) {
    int64_t available, start, size;
    if (!evaluate(checks->dims, slice->available, is_known, values, &available) ||
        !evaluate(checks->dims, slice->start, is_known, values, &start) ||
        !evaluate(checks->dims, slice->size, is_known, values, &size) || !size)
        return RT_OK;
    int64_t last = start + (size - 1) * slice->step;
    if (size > 0 && start >= 0 && start < available && last >= 0 && last < available) return RT_OK;
    return rt_fail(error, RT_INVALID_ARGUMENT,
                   "inputs of these sizes do not fit: '%s' takes %lld values from an axis of %lld",
                   slice->name ? slice->name : "slice", (long long)size, (long long)available);
}

rt_status slice_checks_apply(const slice_checks *checks, const char *const *symbols,
                             const int64_t *values, size_t count, rt_arena *arena,
                             rt_error *error) {
    size_t known_count = rt_dim_symbol_count(checks->dims);
    int64_t *known = RT_NEW_ARRAY(arena, int64_t, known_count + 1);
    bool *is_known = RT_NEW_ARRAY(arena, bool, known_count + 1);
    if (!known || !is_known) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < known_count; ++i)
        for (size_t k = 0; k < count; ++k)
            if (strcmp(rt_dim_symbol_name(checks->dims, (uint32_t)i), symbols[k]) == 0) {
                known[i] = values[k];
                is_known[i] = true;
            }
    for (size_t i = 0; i < checks->count; ++i)
        RT_TRY(check_slice(checks, &checks->items[i], is_known, known, error));
    return RT_OK;
}
