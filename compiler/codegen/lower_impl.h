// SPDX-License-Identifier: Apache-2.0
/* What the parts of lowering hand to each other. */
#ifndef RETORT_COMPILER_CODEGEN_LOWER_IMPL_H
#define RETORT_COMPILER_CODEGEN_LOWER_IMPL_H

#include "compiler/codegen/kernel_code.h"
#include "compiler/codegen/lower.h"

/* A group's kernel and the arguments of its call. */
typedef struct rt_call {
    const rt_group *group;
    rt_kernel_key key;
    rt_kernel_range range;
    LLVMValueRef function;
    /* Of a row group with riders: the kernel that runs behind the first. */
    rt_kernel_range parts_range;
    LLVMValueRef parts_function;
} rt_call;

typedef struct rt_lowered_graph {
    const rt_schedule *schedule;
    rt_call *calls;        /* one per group, in order */
    LLVMValueRef function; /* void(context) */
} rt_lowered_graph;

typedef struct rt_lower_state {
    const rt_lowering *lowering;
    rt_emitter e;
    rt_debug_info debug;
    rt_arena *arena;
    rt_lowered_graph *graphs;
    LLVMValueRef launch;      /* see entry.c */
    LLVMValueRef *size_terms; /* by dimension: its constant array of terms, or NULL */
    size_t size_room;
    bool *is_passing; /* by parameter: see rt_find_passing_weights */
} rt_lower_state;

/* Emits the entry function of a graph whose kernels exist. */
void rt_emit_entry(rt_lower_state *state, rt_lowered_graph *graph);
/* Emits the function through which entries call kernels. */
void rt_emit_launch(rt_lower_state *state);

/* Emits the tables and retort_program_query. False where there is no memory. */
bool rt_emit_program(rt_lower_state *state);

/* Marks the weights that preparing entries alone read and nothing assigns: they need no memory of
 * their own. False where there is no memory. */
bool rt_find_passing_weights(rt_lower_state *state);

/* The first and last call of an entry that reads a parameter; false where none does. */
bool rt_find_readers(const rt_schedule *schedule, uint32_t parameter, uint32_t *first,
                     uint32_t *last);

/* A private constant with these bytes or elements. */
LLVMValueRef rt_emit_global(rt_emitter *e, LLVMValueRef initial, const char *name);

#endif
