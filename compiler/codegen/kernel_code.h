// SPDX-License-Identifier: Apache-2.0
/* A kernel being emitted: its arguments, and sizes as values. The function begins with a prologue
 * in which everything that holds for the whole call is computed. */
#ifndef RETORT_COMPILER_CODEGEN_KERNEL_CODE_H
#define RETORT_COMPILER_CODEGEN_KERNEL_CODE_H

#include "compiler/codegen/debug_info.h"
#include "compiler/codegen/emitter.h"
#include "compiler/codegen/kernel_key.h"

typedef struct rt_kernel_code {
    rt_emitter *e;
    const rt_schedule *schedule;
    const rt_group *group;
    const rt_kernel_key *key;
    rt_debug_info *debug;
    rt_arena *arena; /* for the emitter's own bookkeeping */
    LLVMValueRef context, pointers, sizes, begin, end, worker;
    LLVMBasicBlockRef prologue;
    LLVMValueRef *symbols; /* by the key's symbols, loaded when first asked for */
    LLVMValueRef scratch;  /* this worker's */
} rt_kernel_code;

/* Begins the function `name` of the type rt_emit_kernel_type; behind it the builder is in the body.
 * False where there is no memory. */
bool rt_kernel_code_begin(rt_kernel_code *code, const char *name);
void rt_kernel_code_end(rt_kernel_code *code);

/* The builder moves to the end of the prologue; back by rt_emit_leave. */
rt_place rt_kernel_code_enter_prologue(rt_kernel_code *code);

/* Computed in the prologue: valid everywhere. */
LLVMValueRef rt_kernel_code_size(rt_kernel_code *code, rt_dim dim);
LLVMValueRef rt_kernel_code_pointer(rt_kernel_code *code, size_t index);
LLVMValueRef rt_kernel_code_site(rt_kernel_code *code, size_t index);
LLVMValueRef rt_kernel_code_scratch(rt_kernel_code *code);

/* The emitters of the kinds of groups; each emits the whole body. */
void rt_emit_row_kernel(rt_kernel_code *code);
void rt_emit_column_kernel(rt_kernel_code *code);
void rt_emit_move_kernel(rt_kernel_code *code);
void rt_emit_node_kernel(rt_kernel_code *code);

/* Vectors of columns that one step of a column kernel sums. */
unsigned rt_column_parts(const rt_group *group);
/* Units of a move kernel. */
rt_dim rt_move_range(const rt_schedule *schedule, const rt_group *group);

/* How the call of a group's kernel is split: units of the range, borders at multiples of grain;
 * bytes of scratch per worker. The dimension 0 where there is none. */
typedef struct rt_kernel_range {
    rt_dim count;
    int64_t grain;
    rt_dim scratch_bytes;
    rt_dim work; /* about one addition per unit of work: small calls are not split */
    rt_dim flops;
    const char *kind;
} rt_kernel_range;
/* The same of the kernel that combines the parts of a row group with riders. */
rt_kernel_range rt_parts_range_of(const rt_schedule *schedule, const rt_group *group);
rt_kernel_range rt_kernel_range_of(const rt_schedule *schedule, const rt_group *group,
                                   const rt_target *target);

#endif
