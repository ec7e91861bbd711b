// SPDX-License-Identifier: Apache-2.0
/* The tables of runtime/abi.h as constants. Fields stand in the header's order; LLVM lays plain
 * structs out as C does. */
#include "runtime/abi.h"

#include <string.h>

#include "compiler/codegen/lower_impl.h"
#include "runtime/base/check.h"
#include "runtime/base/dtype.h"

_Static_assert((int)RETORT_MAX_RANK == (int)RT_MAX_RANK, "shapes of the ABI hold any shape");

static LLVMValueRef word(rt_lower_state *s, uint64_t value) {
    return LLVMConstInt(s->e.i32, value, false);
}

static LLVMValueRef wide(rt_lower_state *s, uint64_t value) {
    return LLVMConstInt(s->e.i64, value, false);
}

static LLVMValueRef make_struct(rt_lower_state *s, LLVMValueRef *fields, unsigned count) {
    return LLVMConstStructInContext(s->e.context, fields, count, false);
}

/* The address of a constant array, NULL of none. Elements have one type. */
static LLVMValueRef make_array(rt_lower_state *s, LLVMValueRef *elements, size_t count,
                               const char *name) {
    if (!count) return LLVMConstNull(s->e.pointer);
    LLVMValueRef array = LLVMConstArray2(LLVMTypeOf(elements[0]), elements, count);
    return rt_emit_global(&s->e, array, name);
}

static LLVMValueRef text(rt_lower_state *s, const char *string) {
    if (!string) return LLVMConstNull(s->e.pointer);
    LLVMValueRef bytes = LLVMConstStringInContext2(s->e.context, string, strlen(string), false);
    return rt_emit_global(&s->e, bytes, "text");
}

static LLVMValueRef *room(rt_lower_state *s, size_t count) {
    return RT_NEW_ARRAY(s->arena, LLVMValueRef, count + 1);
}

/* ---- sizes */

static LLVMValueRef make_term(rt_lower_state *s, const rt_dim_term *term) {
    LLVMValueRef *symbols = room(s, term->symbol_count);
    if (!symbols) return NULL;
    for (uint32_t i = 0; i < term->symbol_count; ++i) symbols[i] = word(s, term->symbols[i]);
    LLVMValueRef fields[] = {wide(s, (uint64_t)term->coefficient), word(s, term->symbol_count),
                             make_array(s, symbols, term->symbol_count, "symbols")};
    return make_struct(s, fields, 3);
}

static LLVMValueRef make_size(rt_lower_state *s, rt_dim dim) {
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(rt_module_dims(s->lowering->module), dim, &count);
    LLVMValueRef *grown = rt_arena_grow(s->arena, s->size_terms, &s->size_room,
                                        (size_t)dim.index + 1, sizeof *s->size_terms);
    LLVMValueRef none[] = {word(s, 0), LLVMConstNull(s->e.pointer)};
    if (!grown) return make_struct(s, none, 2);
    s->size_terms = grown;
    if (!s->size_terms[dim.index]) {
        LLVMValueRef *values = room(s, count);
        for (size_t i = 0; values && i < count; ++i) values[i] = make_term(s, &terms[i]);
        if (rt_arena_failed(s->arena)) return make_struct(s, none, 2);
        s->size_terms[dim.index] = make_array(s, values, count, "terms");
    }
    LLVMValueRef fields[] = {word(s, count), s->size_terms[dim.index]};
    return make_struct(s, fields, 2);
}

static LLVMValueRef make_shape(rt_lower_state *s, rt_type type) {
    LLVMValueRef dims[RETORT_MAX_RANK];
    for (int i = 0; i < RETORT_MAX_RANK; ++i)
        dims[i] = make_size(s, i < type.rank ? type.dims[i] : (rt_dim){0});
    LLVMValueRef fields[] = {word(s, type.dtype), word(s, (uint64_t)type.rank),
                             LLVMConstArray2(LLVMTypeOf(dims[0]), dims, RETORT_MAX_RANK)};
    return make_struct(s, fields, 3);
}

static rt_dim bytes_of(const rt_schedule *schedule, rt_value value) {
    rt_dim_table *dims = rt_module_dims(rt_graph_module(schedule->graph));
    rt_type type = rt_graph_type(schedule->graph, value);
    rt_dim element = rt_dim_constant(dims, (int64_t)rt_dtype_bytes(type.dtype));
    return rt_dim_multiply(dims, rt_type_elements(dims, type), element);
}

/* ---- entries */

static LLVMValueRef make_buffer(rt_lower_state *s, const rt_buffer *buffer) {
    LLVMValueRef fields[] = {
        text(s, buffer->name),       word(s, buffer->kind),       word(s, 0),
        make_shape(s, buffer->type), make_size(s, buffer->bytes), word(s, buffer->first),
        word(s, buffer->last)};
    return make_struct(s, fields, RT_COUNT_OF(fields));
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
    LLVMValueRef fields[] = {text(s, name), text(s, call->range.kind),
                             make_size(s, call->range.flops),
                             make_size(s, bytes_moved(schedule, call->group))};
    return make_struct(s, fields, 4);
}

/* A polynomial that is at least as large as a and b wherever symbols are not negative: monomial by
 * monomial the larger coefficient. */
static rt_dim upper_bound(rt_dim_table *dims, rt_dim a, rt_dim b) {
    size_t a_count, b_count;
    const rt_dim_term *x = rt_dim_terms(dims, a, &a_count), *y = rt_dim_terms(dims, b, &b_count);
    rt_dim sum = a;
    for (size_t i = 0; i < b_count; ++i) {
        int64_t present = 0;
        for (size_t k = 0; k < a_count; ++k)
            if (x[k].symbol_count == y[i].symbol_count &&
                !memcmp(x[k].symbols, y[i].symbols, x[k].symbol_count * sizeof *x[k].symbols))
                present = x[k].coefficient;
        if (y[i].coefficient <= present) continue;
        rt_dim more = rt_dim_constant(dims, y[i].coefficient - present);
        for (uint32_t k = 0; k < y[i].symbol_count; ++k)
            more = rt_dim_multiply(dims, more,
                                   rt_dim_symbol(dims, rt_dim_symbol_name(dims, y[i].symbols[k])));
        sum = rt_dim_add(dims, sum, more);
    }
    return sum;
}

/* Of a preparing graph: the weights that are in memory only while it reads them. */
static LLVMValueRef *list_passing(rt_lower_state *s, const rt_schedule *schedule, size_t *count) {
    size_t parameters = rt_module_parameter_count(s->lowering->module);
    LLVMValueRef *list = room(s, parameters);
    *count = 0;
    if (!list || !rt_graph_is_preparation(schedule->graph)) return list;
    for (uint32_t i = 0; i < parameters; ++i) {
        uint32_t first, last;
        if (!s->is_passing[i] || !rt_find_readers(schedule, i, &first, &last)) continue;
        LLVMValueRef fields[] = {word(s, i), word(s, first), word(s, last)};
        list[(*count)++] = make_struct(s, fields, 3);
    }
    return list;
}

static LLVMValueRef make_entry(rt_lower_state *s, const rt_lowered_graph *graph) {
    const rt_schedule *schedule = graph->schedule;
    rt_dim_table *dims = rt_module_dims(rt_graph_module(schedule->graph));
    LLVMValueRef *buffers = room(s, schedule->buffer_count);
    LLVMValueRef *nodes = room(s, schedule->group_count);
    rt_dim scratch = {0};
    size_t passing_count;
    LLVMValueRef *passing = list_passing(s, schedule, &passing_count);
    if (!buffers || !nodes || !passing) return NULL;
    for (size_t i = 0; i < schedule->buffer_count; ++i)
        buffers[i] = make_buffer(s, &schedule->buffers[i]);
    for (size_t i = 0; i < schedule->group_count; ++i) {
        nodes[i] = make_node(s, schedule, &graph->calls[i]);
        scratch = upper_bound(dims, scratch, graph->calls[i].range.scratch_bytes);
    }
    LLVMValueRef fields[] = {text(s, rt_graph_name(schedule->graph)),
                             graph->function,
                             word(s, schedule->buffer_count),
                             word(s, schedule->group_count),
                             make_array(s, buffers, schedule->buffer_count, "buffers"),
                             make_array(s, nodes, schedule->group_count, "nodes"),
                             make_size(s, scratch),
                             word(s, passing_count),
                             word(s, 0),
                             make_array(s, passing, passing_count, "passing")};
    return make_struct(s, fields, RT_COUNT_OF(fields));
}

/* ---- parameters */

static LLVMValueRef make_parameter(rt_lower_state *s, size_t index) {
    const rt_module *module = s->lowering->module;
    const rt_parameter_info *info = rt_module_parameter(module, (rt_parameter){(uint32_t)index});
    LLVMValueRef dims[RETORT_MAX_RANK];
    int64_t sizes[RT_MAX_RANK] = {0};
    rt_type_is_static(rt_module_dims(module), info->type, sizes, NULL);
    for (int i = 0; i < RETORT_MAX_RANK; ++i)
        dims[i] = wide(s, i < info->type.rank ? (uint64_t)sizes[i] : 0);
    const char *symbol = s->lowering->embedded ? s->lowering->embedded[index] : NULL;
    LLVMValueRef embedded = LLVMConstNull(s->e.pointer);
    if (symbol) embedded = LLVMAddGlobal(s->e.module, s->e.i8, symbol);
    uint64_t checksum = s->lowering->checksums ? s->lowering->checksums[index] : 0;
    LLVMValueRef fields[] = {
        text(s, info->name),
        word(s, info->type.dtype),
        word(s, (uint64_t)info->type.rank),
        LLVMConstArray2(s->e.i64, dims, RETORT_MAX_RANK),
        word(s, info->kind),
        word(s, rt_parameter_is(info->of) ? info->of.index : UINT32_MAX),
        word(s, info->is_trainable),
        word(s, info->initial),
        LLVMConstReal(s->e.f64, info->initial_value),
        word(s, info->source.file),
        word(s, info->source.dtype),
        word(s, info->source.transform),
        wide(s, info->source.offset),
        wide(s, info->source.size_bytes),
        wide(s, checksum),
        embedded,
        text(s, info->source.tensor_name),
    };
    return make_struct(s, fields, RT_COUNT_OF(fields));
}

static LLVMValueRef make_file(rt_lower_state *s, size_t index) {
    LLVMValueRef path = text(s, rt_module_file_path(s->lowering->module, (uint32_t)index));
    return make_struct(s, &path, 1);
}

static LLVMValueRef make_symbol(rt_lower_state *s, size_t index) {
    return text(s, rt_dim_symbol_name(rt_module_dims(s->lowering->module), (uint32_t)index));
}

static LLVMValueRef make_table(rt_lower_state *s, size_t count, const char *name,
                               LLVMValueRef (*make)(rt_lower_state *, size_t)) {
    LLVMValueRef *values = room(s, count);
    for (size_t i = 0; values && i < count; ++i) values[i] = make(s, i);
    if (rt_arena_failed(s->arena)) return LLVMConstNull(s->e.pointer);
    return make_array(s, values, count, name);
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
                                          word(s, RETORT_ABI_VERSION), "");
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
        word(s, RETORT_ABI_VERSION),
        word(s, symbols),
        word(s, parameters),
        word(s, files),
        word(s, lowering->schedule_count),
        word(s, 0),
        text(s, lowering->name),
        text(s, lowering->target->cpu),
        text(s, lowering->target->features),
        make_table(s, symbols, "symbol_names", make_symbol),
        make_table(s, parameters, "parameters", make_parameter),
        make_table(s, files, "files", make_file),
        make_table(s, lowering->schedule_count, "entries", make_graph),
        text(s, lowering->settings),
    };
    if (rt_arena_failed(s->arena)) return false;
    emit_query(s, rt_emit_global(&s->e, make_struct(s, fields, RT_COUNT_OF(fields)), "program"));
    return true;
}
