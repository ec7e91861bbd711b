// SPDX-License-Identifier: Apache-2.0
/* Every stored value gets a place: a buffer with the steps in which it lives, or the memory of the
 * value that it replaces element by element. Offsets are found later, when sizes are known
 * (runtime/base/memory_layout.h). */
#include "compiler/schedule/memory_plan.h"

#include "compiler/schedule/schedule_impl.h"
#include "runtime/base/check.h"
#include "runtime/base/dtype.h"

typedef struct placing {
    rt_schedule *schedule;
    const rt_graph *graph;
    rt_dim_table *dims;
    uint32_t *last_use; /* by value: the last group that reads it */
    rt_value *held;     /* by buffer: the value in it now */
    size_t room;        /* of buffers */
} placing;

static rt_dim size_of(const placing *p, rt_type type) {
    rt_dim element = rt_dim_constant(p->dims, (int64_t)rt_dtype_bytes(type.dtype));
    return rt_dim_multiply(p->dims, rt_type_elements(p->dims, type), element);
}

/* `value` is what it is for, or RT_NO_VALUE. */
static uint32_t add_buffer(placing *p, rt_buffer_kind kind, const char *name, rt_type type,
                           rt_value value) {
    rt_schedule *s = p->schedule;
    uint32_t index = (uint32_t)s->buffer_count++;
    RT_ASSERT(index < p->room);
    s->buffers[index] =
        (rt_buffer){.kind = kind, .name = name, .type = type, .bytes = size_of(p, type)};
    if (kind != RT_BUFFER_LOCAL && s->group_count)
        s->buffers[index].last = (uint32_t)s->group_count - 1;
    p->held[index] = value;
    if (rt_value_is(value)) s->storage[value.index] = (rt_storage){RT_STORAGE_BUFFER, index};
    return index;
}

/* Memory for the parts of what is reduced over rows, in the widest type of accumulators. */
static void place_parts(placing *p, uint32_t index) {
    rt_group *group = &p->schedule->groups[index];
    rt_type type = {.dtype = RT_F32, .rank = 2};
    for (size_t i = 0; i < group->member_count; ++i) {
        rt_dtype dtype = rt_graph_type(p->graph, group->members[i].value).dtype;
        if (group->members[i].reduces_rows && rt_dtype_bytes(dtype) == 8) type.dtype = RT_F64;
    }
    type.dims[0] = rt_dim_constant(p->dims, (int64_t)group->rider_count * RT_ROW_PARTS);
    type.dims[1] = group->space.columns;
    group->parts_buffer = add_buffer(p, RT_BUFFER_LOCAL, NULL, type, RT_NO_VALUE);
    p->schedule->buffers[group->parts_buffer].first = index;
    p->schedule->buffers[group->parts_buffer].last = index;
}

static void place_inputs_and_outputs(placing *p) {
    for (size_t i = 0; i < rt_graph_input_count(p->graph); ++i) {
        rt_value value = rt_graph_input(p->graph, i);
        rt_node node = rt_graph_definition(p->graph, value);
        add_buffer(p, RT_BUFFER_INPUT, rt_graph_attr(p->graph, node, RT_ATTR_input_name).text,
                   rt_graph_type(p->graph, value), value);
    }
    for (size_t i = 0; i < rt_graph_output_count(p->graph); ++i) {
        const rt_output *output = rt_graph_output(p->graph, i);
        if (rt_parameter_is(output->parameter)) continue;
        add_buffer(p, RT_BUFFER_OUTPUT, output->name, rt_graph_type(p->graph, output->value),
                   rt_storage_root(p->graph, output->value));
    }
}

/* A dying local value in whose memory `value` may be written, or RT_NO_VALUE. */
static rt_value find_replaced(const placing *p, uint32_t index, rt_value value) {
    const rt_group *group = &p->schedule->groups[index];
    const rt_member *member = NULL;
    if (group->kind != RT_GROUP_ROW ||
        !rt_optimizes(p->schedule->optimizations, RT_OPTIMIZE_reuse_memory))
        return RT_NO_VALUE;
    for (size_t i = 0; i < group->member_count; ++i)
        if (rt_value_equal(group->members[i].value, value)) member = &group->members[i];
    rt_dim bytes = size_of(p, rt_graph_type(p->graph, value));
    for (size_t i = 0; member && i < group->input_count; ++i) {
        rt_value input = group->inputs[i];
        rt_storage storage = p->schedule->storage[input.index];
        if (storage.kind != RT_STORAGE_BUFFER || p->last_use[input.index] != index) continue;
        if (p->schedule->buffers[storage.index].kind != RT_BUFFER_LOCAL) continue;
        if (!rt_value_equal(p->held[storage.index], input)) continue;
        rt_type type = rt_graph_type(p->graph, input);
        if (!rt_dim_equal(bytes, size_of(p, type)) ||
            rt_dtype_bytes(type.dtype) != rt_dtype_bytes(rt_graph_type(p->graph, value).dtype))
            continue;
        if (rt_group_may_overwrite(group, member, input)) return input;
    }
    return RT_NO_VALUE;
}

static void place_output(placing *p, uint32_t index, rt_value value) {
    rt_schedule *s = p->schedule;
    if (s->storage[value.index].kind == RT_STORAGE_NONE) {
        rt_value replaced = find_replaced(p, index, value);
        if (rt_value_is(replaced)) {
            s->storage[value.index] = s->storage[replaced.index];
            p->held[s->storage[value.index].index] = value;
        } else {
            uint32_t buffer =
                add_buffer(p, RT_BUFFER_LOCAL, NULL, rt_graph_type(p->graph, value), value);
            s->buffers[buffer].first = index;
        }
    }
    rt_storage storage = s->storage[value.index];
    if (storage.kind != RT_STORAGE_BUFFER || s->buffers[storage.index].kind != RT_BUFFER_LOCAL)
        return;
    uint32_t last = p->last_use[value.index] > index ? p->last_use[value.index] : index;
    if (!rt_optimizes(s->optimizations, RT_OPTIMIZE_reuse_memory))
        last = (uint32_t)s->group_count - 1;
    if (last > s->buffers[storage.index].last) s->buffers[storage.index].last = last;
}

/* Parameters and constants are read where they are. */
static void place_source(placing *p, rt_value value) {
    rt_node node = rt_graph_definition(p->graph, value);
    rt_op op = rt_graph_node(p->graph, node)->op;
    if (op == RT_OP_parameter) {
        rt_parameter parameter =
            rt_graph_attr(p->graph, node, RT_ATTR_parameter_parameter).parameter;
        p->schedule->storage[value.index] = (rt_storage){RT_STORAGE_PARAMETER, parameter.index};
    } else if (op == RT_OP_constant) {
        p->schedule->storage[value.index] = (rt_storage){RT_STORAGE_CONSTANT, value.index};
    }
}

static void note_uses(placing *p, uint32_t index) {
    const rt_group *group = &p->schedule->groups[index];
    for (size_t i = 0; i < group->input_count; ++i) {
        if (!rt_value_is(group->inputs[i])) continue;
        p->last_use[group->inputs[i].index] = index;
        place_source(p, group->inputs[i]);
    }
}

rt_status rt_place_values(rt_schedule *schedule, rt_arena *arena, rt_error *error) {
    rt_arena scratch = {0};
    placing p = {.schedule = schedule,
                 .graph = schedule->graph,
                 .dims = rt_module_dims(rt_graph_module(schedule->graph)),
                 .room = rt_graph_value_count(schedule->graph) + schedule->group_count + 1};
    p.last_use = RT_NEW_ARRAY(&scratch, uint32_t, p.room);
    p.held = RT_NEW_ARRAY(&scratch, rt_value, p.room);
    schedule->buffers = RT_NEW_ARRAY(arena, rt_buffer, p.room);
    bool is_done = p.last_use && p.held && schedule->buffers;
    if (is_done) {
        place_inputs_and_outputs(&p);
        for (uint32_t g = 0; g < schedule->group_count; ++g) note_uses(&p, g);
        for (uint32_t g = 0; g < schedule->group_count; ++g) {
            for (size_t i = 0; i < schedule->groups[g].output_count; ++i)
                place_output(&p, g, schedule->groups[g].outputs[i]);
            if (schedule->groups[g].rider_count) place_parts(&p, g);
        }
    }
    rt_arena_deinit(&scratch);
    return is_done ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "no memory to place values");
}

rt_status rt_memory_plan_measure(const rt_schedule *schedule, const int64_t *symbols,
                                 rt_arena *arena, rt_memory_plan *plan, rt_error *error) {
    const rt_dim_table *dims = rt_module_dims(rt_graph_module(schedule->graph));
    rt_buffer_life *lives = RT_NEW_ARRAY(arena, rt_buffer_life, schedule->buffer_count + 1);
    plan->offsets = RT_NEW_ARRAY(arena, uint64_t, schedule->buffer_count + 1);
    plan->sizes = RT_NEW_ARRAY(arena, uint64_t, schedule->buffer_count + 1);
    if (!lives || !plan->offsets || !plan->sizes)
        return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to plan memory");
    for (size_t i = 0; i < schedule->buffer_count; ++i) {
        int64_t bytes;
        const rt_buffer *buffer = &schedule->buffers[i];
        if (!rt_dim_evaluate(dims, buffer->bytes, symbols, &bytes) || bytes < 0)
            return rt_fail(error, RT_OUT_OF_RANGE, "a buffer of '%s' is too large",
                           rt_graph_name(schedule->graph));
        plan->sizes[i] = (uint64_t)bytes;
        lives[i] = (rt_buffer_life){(uint64_t)bytes, buffer->first, buffer->last};
    }
    return rt_memory_layout(lives, schedule->buffer_count, plan->offsets, &plan->total_bytes);
}
