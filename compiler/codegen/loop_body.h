// SPDX-License-Identifier: Apache-2.0
/* The inside of the loops of row and column kernels: what a group's members compute for one row and
 * for one block of columns. The kernels around it own the loops, the reductions and the stores.
 *
 *     rt_loop_body body;
 *     rt_loop_body_begin(&body, code);                  // prologue: pointers, uniform values
 *     … loop over rows …
 *         rt_loop_body_enter_row(&body, row);           // row values that need no reduction
 *         … loop over columns …
 *             rt_loop_body_compute(&body, phase, &block);
 *             v = rt_loop_body_operand(&body, member, 0, &block, i);
 */
#ifndef RETORT_COMPILER_CODEGEN_LOOP_BODY_H
#define RETORT_COMPILER_CODEGEN_LOOP_BODY_H

#include "compiler/codegen/kernel_code.h"

enum { RT_BLOCK_MAX_PARTS = 8 };

/* `parts` vectors of `lanes` columns from `column` on. */
typedef struct rt_block {
    LLVMValueRef column; /* i64 */
    unsigned lanes, parts;
    LLVMValueRef mask; /* of the only part, or NULL */
} rt_block;

/* A distinct operand in memory, or a literal. */
typedef struct rt_loop_source {
    const rt_access *access;
    rt_dtype dtype;
    LLVMValueRef base;   /* NULL of a literal */
    LLVMValueRef scalar; /* what is the same for a whole row */
    LLVMValueRef splat;
    LLVMValueRef row; /* address of column 0 of the row, of what is not */
    LLVMValueRef parts[RT_BLOCK_MAX_PARTS];
} rt_loop_source;

/* What a member is at the moment. */
typedef struct rt_loop_member {
    LLVMValueRef scalar, splat; /* UNIFORM and ROW members, reductions */
    LLVMValueRef parts[RT_BLOCK_MAX_PARTS];
    LLVMValueRef output; /* address of the value's memory, of stored members */
    LLVMValueRef row;    /* address of column 0 of the row there, or in scratch */
    LLVMValueRef site;
} rt_loop_member;

typedef struct rt_loop_body {
    rt_kernel_code *code;
    rt_emitter *e;
    const rt_group *group;
    unsigned lanes; /* of full vectors */
    rt_loop_source *sources;
    size_t source_count;
    uint32_t *source_of; /* by member * RT_MEMBER_MAX_OPERANDS + operand */
    rt_loop_member *computed;
    LLVMValueRef columns; /* i64 */
    LLVMValueRef row;
    LLVMValueRef seed, step; /* i32 */
    const rt_block *block;   /* being computed */
} rt_loop_body;

/* False where there is no memory. */
bool rt_loop_body_begin(rt_loop_body *body, rt_kernel_code *code);

void rt_loop_body_enter_row(rt_loop_body *body, LLVMValueRef row);

/* Computes the row members that become known with phase `phase` (0: before the first pass), stores
 * those that are stored. The reductions of the phase before have been set. */
void rt_loop_body_row_members(rt_loop_body *body, unsigned phase);
void rt_loop_body_set_scalar(rt_loop_body *body, size_t member, LLVMValueRef scalar);
/* Writes a stored row member at the current row. */
void rt_loop_body_store_scalar(rt_loop_body *body, size_t member);

/* Computes and reads back vector members of `phase` for one block. */
void rt_loop_body_compute(rt_loop_body *body, unsigned phase, const rt_block *block);
/* Operand of a member in the block just computed. */
LLVMValueRef rt_loop_body_operand(rt_loop_body *body, size_t member, unsigned operand,
                                  unsigned part);

/* Element type of a member's value in scratch: narrow floats stay wide. */
rt_dtype rt_scratch_dtype(rt_dtype dtype);

#endif
