// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/lower.h"

#include <llvm-c/Analysis.h>
#include <stdio.h>
#include <string.h>

#include "compiler/codegen/device.h"
#include "compiler/codegen/lower_impl.h"
#include "compiler/codegen/row_parts.h"
#include "runtime/base/check.h"

LLVMValueRef rt_emit_global(rt_emitter *e, LLVMValueRef initial, const char *name) {
    LLVMValueRef global = LLVMAddGlobal(e->module, LLVMTypeOf(initial), name);
    LLVMSetInitializer(global, initial);
    LLVMSetGlobalConstant(global, true);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    return global;
}

/* Kernels by key: open addressing, twice as many slots as there are groups. */
typedef struct kernel_table {
    const rt_call **slots;
    size_t mask;
    size_t count;
} kernel_table;

static bool make_table(kernel_table *table, const rt_lowering *lowering, rt_arena *arena) {
    size_t groups = 0, slots = 16;
    for (size_t i = 0; i < lowering->schedule_count; ++i)
        groups += lowering->schedules[i].group_count;
    while (slots < 2 * groups) slots *= 2;
    *table = (kernel_table){RT_NEW_ARRAY(arena, const rt_call *, slots), slots - 1, 0};
    return table->slots != NULL;
}

/* The slot of the call's kernel: empty, or of a call with the same kernel. */
static const rt_call **find_kernel(kernel_table *table, const rt_call *call) {
    size_t at = call->key.hash & table->mask;
    while (table->slots[at] && strcmp(table->slots[at]->key.text, call->key.text))
        at = (at + 1) & table->mask;
    return &table->slots[at];
}

static const char *kernel_name(const rt_lower_state *state, const rt_schedule *schedule,
                               const rt_group *group) {
    const rt_node_info *info = rt_graph_node(schedule->graph, group->lead);
    const char *place = info->location.name;
    /* Never a plain word: it could be a function of the C library that other code calls. */
    return rt_arena_format(state->arena, "%s.%s", place && *place ? place : "kernel",
                           rt_op_text(info->op));
}

/* NULL without memory. */
static LLVMValueRef emit_function(rt_kernel_code *code, const char *name,
                                  void (*emit)(rt_kernel_code *)) {
    if (!name || !rt_kernel_code_begin(code, name)) return NULL;
    LLVMValueRef function = code->e->function;
    rt_debug_function(code->debug, name, code->group->lead);
    emit(code);
    rt_kernel_code_end(code);
    return function;
}

static bool emit_kernel(rt_lower_state *state, const rt_schedule *schedule, rt_call *call) {
    static void (*const emitters[])(rt_kernel_code *) = {
        [RT_GROUP_ROW] = rt_emit_row_kernel,
        [RT_GROUP_COLUMN] = rt_emit_column_kernel,
        [RT_GROUP_MOVE] = rt_emit_move_kernel,
        [RT_GROUP_KERNEL] = rt_emit_node_kernel,
    };
    rt_kernel_code code = {.e = &state->e,
                           .schedule = schedule,
                           .group = call->group,
                           .key = &call->key,
                           .debug = &state->debug,
                           .arena = state->arena};
    const char *name = kernel_name(state, schedule, call->group);
    call->function = emit_function(&code, name, emitters[call->group->kind]);
    if (call->function && call->group->rider_count)
        call->parts_function = emit_function(&code, name, rt_emit_row_parts_kernel);
    return !rt_arena_failed(state->arena);
}

static rt_status lower_graph(rt_lower_state *state, const rt_schedule *schedule,
                             kernel_table *table, rt_lowered_graph *graph) {
    *graph =
        (rt_lowered_graph){.schedule = schedule,
                           .calls = RT_NEW_ARRAY(state->arena, rt_call, schedule->group_count + 1)};
    if (!graph->calls) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < schedule->group_count; ++i) {
        rt_call *call = &graph->calls[i];
        call->group = &schedule->groups[i];
        call->range = rt_kernel_range_of(schedule, call->group, state->lowering->target);
        if (call->group->rider_count) call->parts_range = rt_parts_range_of(schedule, call->group);
        RT_TRY(rt_kernel_key_make(schedule, call->group, state->arena, &call->key));
        const rt_call **slot = find_kernel(table, call);
        if (*slot) {
            call->function = (*slot)->function;
            call->parts_function = (*slot)->parts_function;
            continue;
        }
        if (!emit_kernel(state, schedule, call)) return RT_OUT_OF_MEMORY;
        *slot = call;
        ++table->count;
    }
    rt_emit_entry(state, graph);
    return rt_arena_failed(state->arena) ? RT_OUT_OF_MEMORY : RT_OK;
}

static rt_status lower_graphs(rt_lower_state *state, rt_lowering_counts *counts) {
    const rt_lowering *lowering = state->lowering;
    kernel_table table;
    state->graphs = RT_NEW_ARRAY(state->arena, rt_lowered_graph, lowering->schedule_count + 1);
    if (!state->graphs || !make_table(&table, lowering, state->arena)) return RT_OUT_OF_MEMORY;
    rt_emit_launch(state);
    for (size_t i = 0; i < lowering->schedule_count; ++i) {
        const rt_schedule *schedule = &lowering->schedules[i];
        uint32_t line = lowering->debug_lines ? lowering->debug_lines[i] : 0;
        if (!rt_debug_graph(&state->debug, schedule->graph, line, state->arena))
            return RT_OUT_OF_MEMORY;
        RT_TRY(lower_graph(state, schedule, &table, &state->graphs[i]));
    }
    for (size_t i = 0; counts && i < lowering->schedule_count; ++i)
        counts->calls += lowering->schedules[i].group_count;
    if (counts) counts->kernels = table.count;
    bool is_described = lowering->device ? rt_emit_device_tables(state) : rt_emit_program(state);
    return is_described ? RT_OK : RT_OUT_OF_MEMORY;
}

rt_status rt_lower(const rt_lowering *lowering, LLVMModuleRef module, rt_lowering_counts *counts,
                   rt_error *error) {
    rt_arena arena = {0};
    rt_lower_state state = {.lowering = lowering, .arena = &arena};
    if (counts) *counts = (rt_lowering_counts){0};
    LLVMSetTarget(module, lowering->target->triple);
    rt_emitter_init(&state.e, module, lowering->target);
    state.e.optimizations = lowering->optimizations;
    rt_debug_begin(&state.debug, &state.e, lowering->debug_file);
    rt_status status = lower_graphs(&state, counts);
    rt_debug_end(&state.debug);
    rt_emitter_deinit(&state.e);
    rt_arena_deinit(&arena);
    if (status != RT_OK) return rt_fail(error, status, "no memory to lower the program");
    char *message = NULL;
    bool is_broken = LLVMVerifyModule(module, LLVMReturnStatusAction, &message);
    if (is_broken)
        status = rt_fail(error, RT_INTERNAL, "the emitted code is not valid: %s", message);
    LLVMDisposeMessage(message);
    if (status != RT_OK || !lowering->device) return status;
    return rt_device_link(module, lowering->target, lowering->device, error);
}
