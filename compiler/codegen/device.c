// SPDX-License-Identifier: Apache-2.0
/* retort_device_model_tables. Fields stand in the order of runtime/device/tables.h. */
#include "compiler/codegen/device.h"

#include <stdlib.h>

#include "compiler/codegen/tables.h"
#include "runtime/base/check.h"
#include "runtime/base/memory_layout.h"
#include "runtime/device/tables.h"

enum { ALIGNMENT = 64 };

static LLVMValueRef bytes_constant(rt_lower_state *s, const void *bytes, size_t count,
                                   const char *name) {
    if (!bytes) return LLVMConstNull(s->e.pointer);
    LLVMValueRef constant = LLVMConstStringInContext2(s->e.context, bytes, count, true);
    LLVMValueRef global = rt_emit_global(&s->e, constant, name);
    LLVMSetAlignment(global, ALIGNMENT);
    return global;
}

static LLVMValueRef wide_array(rt_lower_state *s, const uint64_t *values, size_t count,
                               const char *name) {
    LLVMValueRef *elements = rt_table_room(s, count);
    for (size_t i = 0; elements && i < count; ++i) elements[i] = rt_table_wide(s, values[i]);
    if (!elements) return LLVMConstNull(s->e.pointer);
    return rt_table_array(s, elements, count, name);
}

/* ---- buffers */

typedef struct placed {
    uint64_t offset;
    uint32_t index;
} placed;

static int compare_placed(const void *left, const void *right) {
    const placed *a = left, *b = right;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Buffers in the order of their places in the plan. */
static placed *plan(rt_lower_state *s, const rt_schedule *schedule) {
    const rt_dim_table *dims = rt_module_dims(s->lowering->module);
    size_t count = schedule->buffer_count;
    rt_buffer_life *lives = RT_NEW_ARRAY(s->arena, rt_buffer_life, count + 1);
    uint64_t *offsets = RT_NEW_ARRAY(s->arena, uint64_t, count + 1), total;
    placed *order = RT_NEW_ARRAY(s->arena, placed, count + 1);
    if (!lives || !offsets || !order) return NULL;
    for (size_t i = 0; i < count; ++i) {
        const rt_buffer *buffer = &schedule->buffers[i];
        int64_t bytes = 0;
        if (!rt_dim_evaluate(dims, buffer->bytes, s->lowering->device->planned, &bytes))
            return NULL;
        lives[i] = (rt_buffer_life){(uint64_t)bytes, buffer->first, buffer->last};
    }
    if (rt_memory_layout(lives, count, offsets, &total) != RT_OK) return NULL;
    for (size_t i = 0; i < count; ++i) order[i] = (placed){offsets[i], (uint32_t)i};
    qsort(order, count, sizeof *order, compare_placed);
    return order;
}

static LLVMValueRef make_order(rt_lower_state *s, const rt_schedule *schedule) {
    placed *order = plan(s, schedule);
    LLVMValueRef *elements = rt_table_room(s, schedule->buffer_count);
    if (!order || !elements) return NULL;
    for (size_t i = 0; i < schedule->buffer_count; ++i)
        elements[i] = rt_table_word(s, order[i].index);
    return rt_table_array(s, elements, schedule->buffer_count, "order");
}

static LLVMValueRef make_buffers(rt_lower_state *s, const rt_schedule *schedule) {
    LLVMValueRef *elements = rt_table_room(s, schedule->buffer_count);
    if (!elements) return NULL;
    for (size_t i = 0; i < schedule->buffer_count; ++i) {
        const rt_buffer *buffer = &schedule->buffers[i];
        LLVMValueRef fields[] = {rt_table_size(s, buffer->bytes), rt_table_word(s, buffer->first),
                                 rt_table_word(s, buffer->last)};
        elements[i] = rt_table_struct(s, fields, RT_COUNT_OF(fields));
    }
    return rt_table_array(s, elements, schedule->buffer_count, "buffers");
}

static LLVMValueRef make_inputs(rt_lower_state *s, const rt_schedule *schedule) {
    size_t count = rt_graph_input_count(schedule->graph);
    LLVMValueRef *elements = rt_table_room(s, count);
    if (!elements) return NULL;
    for (size_t i = 0; i < count; ++i) {
        const retort_device_input_facts *facts = &s->lowering->device->inputs[i];
        LLVMValueRef fields[] = {
            rt_table_word(s, rt_dtype_bytes(schedule->buffers[i].type.dtype)),
            rt_table_word(s, facts->fill),
            rt_table_word(s, facts->check),
            rt_table_word(s, facts->slot),
            rt_table_wide(s, (uint64_t)facts->limit),
        };
        elements[i] = rt_table_struct(s, fields, RT_COUNT_OF(fields));
    }
    return rt_table_array(s, elements, count, "inputs");
}

/* ---- all */

static size_t count_outputs(const rt_schedule *schedule) {
    size_t count = 0;
    for (size_t i = 0; i < schedule->buffer_count; ++i)
        count += schedule->buffers[i].kind == RT_BUFFER_OUTPUT;
    return count;
}

static rt_dim find_scratch(rt_lower_state *s, const rt_lowered_graph *graph) {
    rt_dim_table *dims = rt_module_dims(s->lowering->module);
    rt_dim scratch = {0};
    for (size_t i = 0; i < graph->schedule->group_count; ++i)
        scratch = rt_dim_upper_bound(dims, scratch, graph->calls[i].range.scratch_bytes);
    return scratch;
}

static LLVMValueRef make_build(rt_lower_state *s) {
    LLVMValueRef bytes[16];
    for (size_t i = 0; i < RT_COUNT_OF(bytes); ++i)
        bytes[i] = LLVMConstInt(s->e.i8, s->lowering->device->build[i], false);
    return LLVMConstArray2(s->e.i8, bytes, RT_COUNT_OF(bytes));
}

bool rt_emit_device_tables(rt_lower_state *s) {
    const retort_device_options *device = s->lowering->device;
    const rt_lowered_graph *graph = &s->graphs[0];
    const rt_schedule *schedule = graph->schedule;
    size_t symbols = rt_dim_symbol_count(rt_module_dims(s->lowering->module));
    size_t parameters = rt_module_parameter_count(s->lowering->module);
    LLVMValueRef buffers = make_buffers(s, schedule), inputs = make_inputs(s, schedule);
    LLVMValueRef order = make_order(s, schedule);
    if (!buffers || !inputs || !order || rt_arena_failed(s->arena)) return false;
    LLVMValueRef fields[] = {
        rt_table_word(s, symbols),
        rt_table_word(s, parameters),
        rt_table_word(s, schedule->buffer_count),
        rt_table_word(s, rt_graph_input_count(schedule->graph)),
        rt_table_word(s, count_outputs(schedule)),
        rt_table_word(s, (uint32_t)device->tokens),
        rt_table_word(s, (uint32_t)device->rows),
        rt_table_word(s, (uint32_t)device->longest),
        wide_array(s, (const uint64_t *)device->largest, symbols, "largest"),
        wide_array(s, device->offsets, parameters, "offsets"),
        rt_table_wide(s, device->weights_bytes),
        rt_table_wide(s, device->checksum),
        make_build(s),
        bytes_constant(s, device->weights, (size_t)device->weights_bytes, "weights"),
        buffers,
        order,
        inputs,
        rt_table_size(s, find_scratch(s, graph)),
        graph->function,
        bytes_constant(s, device->text, device->text_bytes, "text"),
        rt_table_wide(s, device->text_bytes),
    };
    if (rt_arena_failed(s->arena)) return false;
    LLVMValueRef tables = rt_table_struct(s, fields, RT_COUNT_OF(fields));
    LLVMValueRef global =
        LLVMAddGlobal(s->e.module, LLVMTypeOf(tables), "retort_device_model_tables");
    LLVMSetInitializer(global, tables);
    LLVMSetGlobalConstant(global, true);
    return true;
}
