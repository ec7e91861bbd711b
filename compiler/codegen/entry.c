// SPDX-License-Identifier: Apache-2.0
/* Entry points: straight-line code that hands each kernel its pointers and sizes, in the order of
 * the schedule. All kernels are called through one function, `launch`, which traces, and which runs
 * small work on the calling thread. */
#include <stddef.h>

#include "compiler/codegen/lower_impl.h"
#include "runtime/abi.h"
#include "runtime/base/check.h"

static LLVMTypeRef trace_type(const rt_emitter *e) {
    LLVMTypeRef types[] = {e->pointer, e->i32, e->i32};
    return LLVMFunctionType(e->none, types, 3, false);
}

static LLVMTypeRef run_type(const rt_emitter *e) {
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->pointer, e->pointer, e->i64, e->i64};
    return LLVMFunctionType(e->none, types, 6, false);
}

/* context, kernel, pointers, sizes, count, grain, work, node */
static LLVMTypeRef launch_type(const rt_emitter *e) {
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->pointer, e->pointer,
                           e->i64,     e->i64,     e->i64,     e->i32};
    return LLVMFunctionType(e->none, types, 8, false);
}

static void emit_trace(rt_emitter *e, LLVMValueRef context, LLVMValueRef node, int is_end) {
    LLVMValueRef trace =
        rt_emit_context_field(e, context, offsetof(retort_context, trace), e->pointer);
    LLVMValueRef is_traced = LLVMBuildIsNotNull(e->builder, trace, "");
    rt_branch branch = rt_emit_if_begin(e, is_traced, "trace");
    LLVMValueRef arguments[] = {context, node, rt_emit_int(e, e->i32, is_end)};
    LLVMBuildCall2(e->builder, trace_type(e), trace, arguments, 3, "");
    rt_emit_if_end(e, &branch);
}

void rt_emit_launch(rt_lower_state *state) {
    rt_emitter *e = &state->e;
    LLVMValueRef launch = rt_emit_function_begin(e, "launch", launch_type(e));
    LLVMSetLinkage(launch, LLVMInternalLinkage);
    LLVMValueRef a[8], zero = rt_emit_i64(e, 0);
    for (unsigned i = 0; i < 8; ++i) a[i] = LLVMGetParam(launch, i);
    emit_trace(e, a[0], a[7], 0);
    LLVMValueRef has_work = LLVMBuildICmp(e->builder, LLVMIntSGT, a[4], zero, "");
    LLVMValueRef limit = rt_emit_i64(e, state->lowering->least_shared_work);
    LLVMValueRef is_small = LLVMBuildICmp(e->builder, LLVMIntSLT, a[6], limit, "");
    LLVMValueRef is_alone = LLVMBuildAnd(e->builder, has_work, is_small, "");
    rt_branch alone = rt_emit_if_begin(e, is_alone, "alone");
    LLVMValueRef direct[] = {a[0], a[2], a[3], zero, a[4], rt_emit_int(e, e->i32, 0)};
    LLVMBuildCall2(e->builder, rt_emit_kernel_type(e), a[1], direct, 6, "");
    rt_emit_if_end(e, &alone);
    LLVMValueRef is_big = LLVMBuildNot(e->builder, is_small, "");
    LLVMValueRef is_shared = LLVMBuildAnd(e->builder, has_work, is_big, "");
    rt_branch shared = rt_emit_if_begin(e, is_shared, "shared");
    LLVMValueRef run = rt_emit_context_field(e, a[0], offsetof(retort_context, run), e->pointer);
    LLVMBuildCall2(e->builder, run_type(e), run, a, 6, "");
    rt_emit_if_end(e, &shared);
    emit_trace(e, a[0], a[7], 1);
    LLVMBuildRetVoid(e->builder);
    state->launch = launch;
}

/* What the entry function holds while its calls are emitted. */
typedef struct entry {
    rt_lower_state *state;
    rt_emitter *e;
    const rt_schedule *schedule;
    const rt_dim_table *dims;
    LLVMValueRef context, symbols, buffers, parameters; /* loaded once */
    LLVMValueRef pointer_room, size_room;
    LLVMValueRef *constants; /* by value: globals */
} entry;

static LLVMValueRef load_slot(entry *n, LLVMValueRef array, LLVMTypeRef type, size_t index) {
    return LLVMBuildLoad2(n->e->builder, type, rt_emit_slot(n->e, array, type, index), "");
}

static void store_slot(entry *n, LLVMValueRef array, size_t index, LLVMValueRef value) {
    LLVMBuildStore(n->e->builder, value, rt_emit_slot(n->e, array, LLVMTypeOf(value), index));
}

static LLVMValueRef size_value(entry *n, rt_dim dim) {
    rt_emitter *e = n->e;
    size_t count;
    const rt_dim_term *terms = rt_dim_terms(n->dims, dim, &count);
    LLVMValueRef sum = rt_emit_i64(e, 0);
    for (size_t i = 0; i < count; ++i) {
        LLVMValueRef product = rt_emit_i64(e, terms[i].coefficient);
        for (uint32_t k = 0; k < terms[i].symbol_count; ++k)
            product = LLVMBuildMul(e->builder, product,
                                   load_slot(n, n->symbols, e->i64, terms[i].symbols[k]), "");
        sum = LLVMBuildAdd(e->builder, sum, product, "");
    }
    return sum;
}

static LLVMValueRef constant_address(entry *n, uint32_t value) {
    rt_emitter *e = n->e;
    if (n->constants[value]) return n->constants[value];
    const rt_graph *graph = n->schedule->graph;
    rt_node node = rt_graph_definition(graph, (rt_value){value});
    const rt_tensor *tensor = rt_graph_attr(graph, node, RT_ATTR_constant_value).tensor;
    LLVMValueRef bytes =
        LLVMConstStringInContext2(e->context, tensor->data, rt_tensor_bytes(tensor), true);
    n->constants[value] = rt_emit_global(e, bytes, "constant");
    LLVMSetAlignment(n->constants[value], 64);
    return n->constants[value];
}

static LLVMValueRef value_address(entry *n, rt_value value) {
    if (!rt_value_is(value)) return LLVMConstNull(n->e->pointer);
    rt_storage storage = rt_schedule_storage(n->schedule, value);
    switch (storage.kind) {
    case RT_STORAGE_BUFFER: return load_slot(n, n->buffers, n->e->pointer, storage.index);
    case RT_STORAGE_PARAMETER: return load_slot(n, n->parameters, n->e->pointer, storage.index);
    case RT_STORAGE_CONSTANT: return constant_address(n, storage.index);
    case RT_STORAGE_NONE: break;
    }
    RT_ASSERT(!"stored");
    return LLVMConstNull(n->e->pointer);
}

static void emit_launch(entry *n, LLVMValueRef function, const rt_kernel_range *range,
                        size_t index) {
    rt_emitter *e = n->e;
    LLVMValueRef arguments[] = {n->context,
                                function,
                                n->pointer_room,
                                n->size_room,
                                size_value(n, range->count),
                                rt_emit_i64(e, range->grain),
                                size_value(n, range->work),
                                rt_emit_int(e, e->i32, (int64_t)index)};
    LLVMBuildCall2(e->builder, launch_type(e), n->state->launch, arguments, 8, "");
}

static void emit_call(entry *n, const rt_call *call, size_t index) {
    rt_emitter *e = n->e;
    const rt_group *group = call->group;
    /* A block of its own: the code generator's work grows faster than the size of a block. */
    LLVMBasicBlockRef block = LLVMAppendBasicBlockInContext(e->context, e->function, "call");
    LLVMBuildBr(e->builder, block);
    LLVMPositionBuilderAtEnd(e->builder, block);
    rt_debug_node(&n->state->debug, group->lead);
    for (size_t i = 0; i < group->input_count; ++i)
        store_slot(n, n->pointer_room, i, value_address(n, group->inputs[i]));
    for (size_t i = 0; i < group->output_count; ++i)
        store_slot(n, n->pointer_room, group->input_count + i, value_address(n, group->outputs[i]));
    for (size_t i = 0; i < call->key.symbol_count; ++i)
        store_slot(n, n->size_room, i, load_slot(n, n->symbols, e->i64, call->key.symbols[i]));
    for (size_t i = 0; i < call->key.site_count; ++i)
        store_slot(n, n->size_room, call->key.symbol_count + i, rt_emit_i64(e, call->key.sites[i]));
    if (group->rider_count)
        store_slot(n, n->pointer_room, group->input_count + group->output_count,
                   load_slot(n, n->buffers, e->pointer, group->parts_buffer));
    emit_launch(n, call->function, &call->range, index);
    if (group->rider_count) emit_launch(n, call->parts_function, &call->parts_range, index);
}

static LLVMValueRef make_room(entry *n, size_t count) {
    LLVMTypeRef type = LLVMArrayType2(n->e->i64, count ? count : 1);
    LLVMValueRef room = LLVMBuildAlloca(n->e->builder, type, "");
    LLVMSetAlignment(room, 16);
    return room;
}

void rt_emit_entry(rt_lower_state *state, rt_lowered_graph *graph) {
    rt_emitter *e = &state->e;
    const rt_schedule *schedule = graph->schedule;
    entry n = {.state = state,
               .e = e,
               .schedule = schedule,
               .dims = rt_module_dims(rt_graph_module(schedule->graph))};
    n.constants =
        RT_NEW_ARRAY(state->arena, LLVMValueRef, rt_graph_value_count(schedule->graph) + 1);
    if (!n.constants) return;
    LLVMTypeRef type = LLVMFunctionType(e->none, &e->pointer, 1, false);
    const char *name = rt_arena_format(state->arena, "entry.%s", rt_graph_name(schedule->graph));
    if (!name) return;
    graph->function = rt_emit_function_begin(e, name, type);
    LLVMSetLinkage(graph->function, LLVMInternalLinkage);
    rt_debug_function(&state->debug, rt_graph_name(schedule->graph), RT_NO_NODE);
    n.context = LLVMGetParam(graph->function, 0);
    size_t pointers = 0, sizes = 0;
    for (size_t i = 0; i < schedule->group_count; ++i) {
        const rt_call *call = &graph->calls[i];
        size_t count = call->group->input_count + call->group->output_count + 1;
        if (count > pointers) pointers = count;
        count = call->key.symbol_count + call->key.site_count;
        if (count > sizes) sizes = count;
    }
    n.pointer_room = make_room(&n, pointers);
    n.size_room = make_room(&n, sizes);
    n.symbols = rt_emit_context_field(e, n.context, offsetof(retort_context, symbols), e->pointer);
    n.buffers = rt_emit_context_field(e, n.context, offsetof(retort_context, buffers), e->pointer);
    n.parameters =
        rt_emit_context_field(e, n.context, offsetof(retort_context, parameters), e->pointer);
    for (size_t i = 0; i < schedule->group_count; ++i) emit_call(&n, &graph->calls[i], i);
    LLVMBuildRetVoid(e->builder);
}
