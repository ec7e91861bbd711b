// SPDX-License-Identifier: Apache-2.0
/* The tables of runtime/abi.h as constants. Fields stand in the header's order. */
#include "runtime/abi.h"

#include <string.h>

#include "compiler/codegen/lower_impl.h"
#include "compiler/codegen/tables.h"
#include "passes/derived.h"
#include "runtime/base/check.h"
#include "runtime/base/dtype.h"

_Static_assert((int)RETORT_MAX_RANK == (int)RT_MAX_RANK, "shapes of the ABI hold any shape");

static LLVMValueRef make_shape(rt_lower_state *s, rt_type type) {
    LLVMValueRef dims[RETORT_MAX_RANK];
    for (int i = 0; i < RETORT_MAX_RANK; ++i)
        dims[i] = rt_table_size(s, i < type.rank ? type.dims[i] : (rt_dim){0});
    LLVMValueRef fields[] = {rt_table_word(s, type.dtype), rt_table_word(s, (uint64_t)type.rank),
                             LLVMConstArray2(LLVMTypeOf(dims[0]), dims, RETORT_MAX_RANK)};
    return rt_table_struct(s, fields, 3);
}

static rt_dim bytes_of(const rt_schedule *schedule, rt_value value) {
    rt_dim_table *dims = rt_module_dims(rt_graph_module(schedule->graph));
    rt_type type = rt_graph_type(schedule->graph, value);
    rt_dim element = rt_dim_constant(dims, (int64_t)rt_dtype_bytes(type.dtype));
    return rt_dim_multiply(dims, rt_type_elements(dims, type), element);
}

/* ---- entries */

static LLVMValueRef make_buffer(rt_lower_state *s, const rt_buffer *buffer) {
    LLVMValueRef fields[] = {rt_table_text(s, buffer->name),
                             rt_table_word(s, buffer->kind),
                             rt_table_word(s, 0),
                             make_shape(s, buffer->type),
                             rt_table_size(s, buffer->bytes),
                             rt_table_word(s, buffer->first),
                             rt_table_word(s, buffer->last)};
    return rt_table_struct(s, fields, RT_COUNT_OF(fields));
}

static rt_dim bytes_moved(const rt_schedule *schedule, const rt_group *group) {
    rt_dim_table *dims = rt_module_dims(rt_graph_module(schedule->graph));
    rt_dim sum = {0};
    for (size_t i = 0; i < group->input_count; ++i)
        if (rt_value_is(group->inputs[i]))
            sum = rt_dim_add(dims, sum, bytes_of(schedule, group->inputs[i]));
    for (size_t i = 0; i < group->output_count; ++i)
        sum = rt_dim_add(dims, sum, bytes_of(schedule, group->outputs[i]));
    return sum;
}

static LLVMValueRef make_node(rt_lower_state *s, const rt_schedule *schedule, const rt_call *call) {
    const rt_node_info *info = rt_graph_node(schedule->graph, call->group->lead);
    const char *name = info->location.name ? info->location.name : rt_op_text(info->op);
    LLVMValueRef fields[] = {rt_table_text(s, name), rt_table_text(s, call->range.kind),
                             rt_table_size(s, call->range.flops),
                             rt_table_size(s, bytes_moved(schedule, call->group))};
    return rt_table_struct(s, fields, 4);
}

/* Of a preparing graph: the weights that are in memory only while it reads them. */
static LLVMValueRef *list_passing(rt_lower_state *s, const rt_schedule *schedule, size_t *count) {
    size_t parameters = rt_module_parameter_count(s->lowering->module);
    LLVMValueRef *list = rt_table_room(s, parameters);
    *count = 0;
    if (!list || !rt_graph_is_preparation(schedule->graph)) return list;
    for (uint32_t i = 0; i < parameters; ++i) {
        uint32_t first, last;
        if (!s->is_passing[i] || !rt_find_readers(schedule, i, &first, &last)) continue;
        LLVMValueRef fields[] = {rt_table_word(s, i), rt_table_word(s, first),
                                 rt_table_word(s, last)};
        list[(*count)++] = rt_table_struct(s, fields, 3);
    }
    return list;
}

static bool assigns_weights(const rt_graph *graph) {
    const rt_module *module = rt_graph_module(graph);
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        rt_parameter parameter = rt_graph_output(graph, i)->parameter;
        if (rt_parameter_is(parameter) &&
            rt_module_parameter(module, parameter)->kind == RT_PARAMETER_WEIGHT)
            return true;
    }
    return false;
}

/* Whether `graph` assigns a weight without all that `preparation` derives from it. */
static bool leaves_behind(rt_lower_state *s, const rt_graph *graph, const rt_graph *preparation) {
    for (size_t i = 0; i < rt_graph_output_count(preparation); ++i) {
        const rt_output *output = rt_graph_output(preparation, i);
        rt_derivation made;
        if (rt_graph_assigns(graph, output->parameter) ||
            !rt_derivation_of(preparation, output->value, s->arena, &made))
            continue;
        for (size_t w = 0; w < made.weight_count; ++w)
            if (rt_graph_assigns(graph, made.weights[w])) return true;
    }
    return false;
}

static uint64_t entry_flags(rt_lower_state *s, const rt_schedule *schedule) {
    if (!rt_graph_is_preparation(schedule->graph))
        return assigns_weights(schedule->graph) ? RETORT_ENTRY_ASSIGNS : 0;
    for (size_t i = 0; i < s->lowering->schedule_count; ++i) {
        const rt_graph *graph = s->graphs[i].schedule->graph;
        if (!rt_graph_is_preparation(graph) && leaves_behind(s, graph, schedule->graph))
            return RETORT_ENTRY_FOLLOWS;
    }
    return 0;
}

static LLVMValueRef make_entry(rt_lower_state *s, const rt_lowered_graph *graph) {
    const rt_schedule *schedule = graph->schedule;
    rt_dim_table *dims = rt_module_dims(rt_graph_module(schedule->graph));
    LLVMValueRef *buffers = rt_table_room(s, schedule->buffer_count);
    LLVMValueRef *nodes = rt_table_room(s, schedule->group_count);
    rt_dim scratch = {0};
    size_t passing_count;
    LLVMValueRef *passing = list_passing(s, schedule, &passing_count);
    if (!buffers || !nodes || !passing) return NULL;
    for (size_t i = 0; i < schedule->buffer_count; ++i)
        buffers[i] = make_buffer(s, &schedule->buffers[i]);
    for (size_t i = 0; i < schedule->group_count; ++i) {
        nodes[i] = make_node(s, schedule, &graph->calls[i]);
        scratch = rt_dim_upper_bound(dims, scratch, graph->calls[i].range.scratch_bytes);
    }
    LLVMValueRef fields[] = {rt_table_text(s, rt_graph_name(schedule->graph)),
                             graph->function,
                             rt_table_word(s, schedule->buffer_count),
                             rt_table_word(s, schedule->group_count),
                             rt_table_array(s, buffers, schedule->buffer_count, "buffers"),
                             rt_table_array(s, nodes, schedule->group_count, "nodes"),
                             rt_table_size(s, scratch),
                             rt_table_word(s, passing_count),
                             rt_table_word(s, entry_flags(s, schedule)),
                             rt_table_array(s, passing, passing_count, "passing")};
    return rt_table_struct(s, fields, RT_COUNT_OF(fields));
}

/* ---- parameters */

static LLVMValueRef make_parameter(rt_lower_state *s, size_t index) {
    const rt_module *module = s->lowering->module;
    const rt_parameter_info *info = rt_module_parameter(module, (rt_parameter){(uint32_t)index});
    LLVMValueRef dims[RETORT_MAX_RANK];
    int64_t sizes[RT_MAX_RANK] = {0};
    rt_type_is_static(rt_module_dims(module), info->type, sizes, NULL);
    for (int i = 0; i < RETORT_MAX_RANK; ++i)
        dims[i] = rt_table_wide(s, i < info->type.rank ? (uint64_t)sizes[i] : 0);
    const char *symbol = s->lowering->embedded ? s->lowering->embedded[index] : NULL;
    LLVMValueRef embedded = LLVMConstNull(s->e.pointer);
    if (symbol) embedded = LLVMAddGlobal(s->e.module, s->e.i8, symbol);
    uint64_t checksum = s->lowering->checksums ? s->lowering->checksums[index] : 0;
    LLVMValueRef fields[] = {
        rt_table_text(s, info->name),
        rt_table_word(s, info->type.dtype),
        rt_table_word(s, (uint64_t)info->type.rank),
        LLVMConstArray2(s->e.i64, dims, RETORT_MAX_RANK),
        rt_table_word(s, info->kind),
        rt_table_word(s, rt_parameter_is(info->of) ? info->of.index : UINT32_MAX),
        rt_table_word(s, info->is_trainable),
        rt_table_word(s, info->initial),
        LLVMConstReal(s->e.f64, info->initial_value),
        rt_table_word(s, info->source.file),
        rt_table_word(s, info->source.dtype),
        rt_table_word(s, info->source.transform),
        rt_table_wide(s, info->source.offset),
        rt_table_wide(s, info->source.size_bytes),
        rt_table_wide(s, checksum),
        embedded,
        rt_table_text(s, info->source.tensor_name),
    };
    return rt_table_struct(s, fields, RT_COUNT_OF(fields));
}

static LLVMValueRef make_file(rt_lower_state *s, size_t index) {
    LLVMValueRef path = rt_table_text(s, rt_module_file_path(s->lowering->module, (uint32_t)index));
    return rt_table_struct(s, &path, 1);
}

static LLVMValueRef make_symbol(rt_lower_state *s, size_t index) {
    return rt_table_text(s,
                         rt_dim_symbol_name(rt_module_dims(s->lowering->module), (uint32_t)index));
}

static LLVMValueRef make_table(rt_lower_state *s, size_t count, const char *name,
                               LLVMValueRef (*make)(rt_lower_state *, size_t)) {
    LLVMValueRef *values = rt_table_room(s, count);
    for (size_t i = 0; values && i < count; ++i) values[i] = make(s, i);
    if (rt_arena_failed(s->arena)) return LLVMConstNull(s->e.pointer);
    return rt_table_array(s, values, count, name);
}

static LLVMValueRef make_graph(rt_lower_state *s, size_t index) {
    return make_entry(s, &s->graphs[index]);
}

/* const retort_program *retort_program_query(uint32_t max_version) */
static void emit_query(rt_lower_state *s, LLVMValueRef program) {
    rt_emitter *e = &s->e;
    LLVMValueRef query = rt_emit_function_begin(e, "retort_program_query",
                                                LLVMFunctionType(e->pointer, &e->i32, 1, false));
    LLVMValueRef is_known = LLVMBuildICmp(e->builder, LLVMIntUGE, LLVMGetParam(query, 0),
                                          rt_table_word(s, RETORT_ABI_VERSION), "");
    LLVMValueRef none = LLVMConstNull(e->pointer);
    LLVMBuildRet(e->builder, LLVMBuildSelect(e->builder, is_known, program, none, ""));
}

bool rt_emit_program(rt_lower_state *s) {
    const rt_lowering *lowering = s->lowering;
    rt_dim_table *dims = rt_module_dims(lowering->module);
    size_t symbols = rt_dim_symbol_count(dims);
    size_t parameters = rt_module_parameter_count(lowering->module);
    size_t files = rt_module_file_count(lowering->module);
    if (!rt_find_passing_weights(s)) return false;
    LLVMValueRef fields[] = {
        rt_table_word(s, RETORT_ABI_VERSION),
        rt_table_word(s, symbols),
        rt_table_word(s, parameters),
        rt_table_word(s, files),
        rt_table_word(s, lowering->schedule_count),
        rt_table_word(s, 0),
        rt_table_text(s, lowering->name),
        rt_table_text(s, lowering->target->cpu),
        rt_table_text(s, lowering->target->features),
        make_table(s, symbols, "symbol_names", make_symbol),
        make_table(s, parameters, "parameters", make_parameter),
        make_table(s, files, "files", make_file),
        make_table(s, lowering->schedule_count, "entries", make_graph),
        rt_table_text(s, lowering->settings),
    };
    if (rt_arena_failed(s->arena)) return false;
    emit_query(s,
               rt_emit_global(&s->e, rt_table_struct(s, fields, RT_COUNT_OF(fields)), "program"));
    return true;
}
