// SPDX-License-Identifier: Apache-2.0
/* Ranges, scratch and costs of the kernels of groups; and the emitter of kernel groups, which are
 * rows of kernels.def. */
#include "compiler/codegen/loop_body.h"
#include "compiler/kernels/kernel.h"
#include "compiler/schedule/traits.h"
#include "runtime/base/check.h"

enum {
    FLAT_GRAIN = 1024,
    PARTS_GRAIN = 64,
    SCRATCH_ELEMENT_BYTES = 8,
    SCRATCH_ALIGNMENT = 64,
    STREAM_COST = 8 /* additions in the time an element takes from or to far memory */
};

static rt_dim_table *dims_of(const rt_schedule *schedule) {
    return rt_module_dims(rt_graph_module(schedule->graph));
}

static rt_dim scaled(const rt_schedule *schedule, rt_dim dim, int64_t factor) {
    rt_dim_table *dims = dims_of(schedule);
    return rt_dim_multiply(dims, dim, rt_dim_constant(dims, factor));
}

/* Work per element of the space: arithmetic, and what waits for memory. */
static int64_t cost_of(const rt_group *group) {
    int64_t cost = 1;
    for (size_t m = 0; m < group->member_count; ++m) {
        const rt_member *member = &group->members[m];
        if (member->map == RT_ACCESS_FULL)
            cost += rt_op_cost(member->op) + (member->is_stored ? STREAM_COST : 0);
        for (unsigned k = 0; k < member->operand_count; ++k)
            if (member->accesses[k].member < 0 && member->accesses[k].kind == RT_ACCESS_FULL)
                cost += STREAM_COST;
    }
    return cost;
}

/* Elements of all results, each a stream out and one in. */
static rt_dim moved_work(const rt_schedule *schedule, const rt_group *group) {
    rt_dim_table *dims = dims_of(schedule);
    rt_dim elements = {0};
    for (size_t i = 0; i < group->output_count; ++i)
        elements =
            rt_dim_add(dims, elements,
                       rt_type_elements(dims, rt_graph_type(schedule->graph, group->outputs[i])));
    return scaled(schedule, elements, 2 * STREAM_COST);
}

static rt_kernel_range row_range(const rt_schedule *schedule, const rt_group *group) {
    rt_dim_table *dims = dims_of(schedule);
    rt_dim elements = rt_dim_multiply(dims, group->space.rows, group->space.columns);
    rt_kernel_range range = {.count = group->is_flat ? elements : group->space.rows,
                             .grain = group->is_flat ? FLAT_GRAIN : 1,
                             .work = scaled(schedule, elements, cost_of(group)),
                             .kind = "row"};
    if (group->rider_count) range.count = rt_dim_constant(dims, RT_ROW_PARTS);
    if (!group->scratch_rows) return range;
    rt_dim row = scaled(schedule, group->space.columns, SCRATCH_ELEMENT_BYTES);
    row = rt_dim_add(dims, row, rt_dim_constant(dims, SCRATCH_ALIGNMENT));
    range.scratch_bytes = scaled(schedule, row, group->scratch_rows);
    return range;
}

rt_kernel_range rt_parts_range_of(const rt_schedule *schedule, const rt_group *group) {
    int64_t rows = (int64_t)group->rider_count * RT_ROW_PARTS;
    return (rt_kernel_range){.count = group->space.columns,
                             .grain = PARTS_GRAIN,
                             .work = scaled(schedule, group->space.columns, rows),
                             .kind = "row"};
}

static rt_kernel_range column_range(const rt_schedule *schedule, const rt_group *group,
                                    const rt_target *target) {
    rt_dim_table *dims = dims_of(schedule);
    rt_dim elements = rt_dim_multiply(dims, group->space.rows, group->space.columns);
    return (rt_kernel_range){.count = rt_dim_multiply(dims, group->outer, group->space.columns),
                             .grain = (int64_t)(target->vector_bytes / 4 * rt_column_parts(group)),
                             .work = scaled(schedule, elements, cost_of(group)),
                             .kind = "column"};
}

rt_kernel_range rt_kernel_range_of(const rt_schedule *schedule, const rt_group *group,
                                   const rt_target *target) {
    if (group->kind == RT_GROUP_ROW) return row_range(schedule, group);
    if (group->kind == RT_GROUP_COLUMN) return column_range(schedule, group, target);
    if (group->kind == RT_GROUP_MOVE) {
        return (rt_kernel_range){.count = rt_move_range(schedule, group),
                                 .grain = 1,
                                 .work = moved_work(schedule, group),
                                 .kind = "move"};
    }
    const rt_kernel_row *row = rt_kernel_find(rt_graph_node(schedule->graph, group->lead)->op);
    RT_ASSERT(row);
    rt_kernel_range range = {
        .count = row->range(schedule->graph, group->lead), .grain = row->grain, .kind = row->kind};
    if (row->scratch) range.scratch_bytes = row->scratch(schedule->graph, group->lead);
    if (row->flops) range.flops = row->flops(schedule->graph, group->lead);
    range.work = row->flops ? range.flops : moved_work(schedule, group);
    return range;
}

static LLVMValueRef size_for_kernel(rt_kernel_build *build, rt_dim dim) {
    return rt_kernel_code_size(build->owner, dim);
}

void rt_emit_node_kernel(rt_kernel_code *code) {
    const rt_graph *graph = code->schedule->graph;
    const rt_group *group = code->group;
    rt_kernel_build build = {.e = code->e,
                             .graph = graph,
                             .node = group->lead,
                             .context = code->context,
                             .begin = code->begin,
                             .end = code->end,
                             .worker = code->worker,
                             .accumulates = group->accumulates,
                             .size = size_for_kernel,
                             .owner = code};
    const rt_kernel_row *row = rt_kernel_find(rt_graph_node(graph, group->lead)->op);
    RT_ASSERT(group->input_count <= RT_COUNT_OF(build.operands));
    for (size_t i = 0; i < group->input_count; ++i)
        if (rt_value_is(group->inputs[i])) build.operands[i] = rt_kernel_code_pointer(code, i);
    for (size_t i = 0; i < group->output_count; ++i)
        build.results[i] = rt_kernel_code_pointer(code, group->input_count + i);
    if (row->scratch) build.scratch = rt_kernel_code_scratch(code);
    if (code->key->site_count) build.site = rt_kernel_code_site(code, 0);
    row->emit(&build);
}
