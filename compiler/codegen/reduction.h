// SPDX-License-Identifier: Apache-2.0
/* Reductions inside the loops of row and column kernels. */
#ifndef RETORT_COMPILER_CODEGEN_REDUCTION_H
#define RETORT_COMPILER_CODEGEN_REDUCTION_H

#include "compiler/codegen/loop_body.h"

typedef struct rt_reduction {
    size_t member;
    rt_lane_reduction kind;
    rt_dtype dtype;
} rt_reduction;

enum { RT_MAX_REDUCTIONS = 48 };

rt_reduction rt_reduction_of(const rt_loop_body *body, size_t member);

/* The reductions of a group in `phase` (all with RT_ALL_PHASES) but those over the rows of a row
 * group, in order; returns their number. */
enum { RT_ALL_PHASES = 32 };
unsigned rt_find_reductions(const rt_loop_body *body, unsigned phase, rt_reduction *reductions);

/* What a reduction of nothing gives, in all lanes. */
LLVMValueRef rt_emit_reduction_start(const rt_loop_body *body, const rt_reduction *reduction,
                                     unsigned lanes);

/* The accumulator with one more vector of the current block; masked lanes stay. */
LLVMValueRef rt_emit_reduction_step(rt_loop_body *body, const rt_reduction *reduction,
                                    LLVMValueRef accumulator, unsigned part);

#endif
