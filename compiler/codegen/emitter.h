// SPDX-License-Identifier: Apache-2.0
/* The LLVM C API wrapped once: what every emitter of code holds and the helpers it shares.
 * Vectors are explicit: an emitter computes on <lanes x T> values (lanes 1 is a plain scalar), so
 * neither the loop vectoriser nor a mid-level optimiser is needed. */
#ifndef RETORT_COMPILER_CODEGEN_EMITTER_H
#define RETORT_COMPILER_CODEGEN_EMITTER_H

#include <llvm-c/Core.h>
#include <stdbool.h>
#include <stdint.h>

#include "compiler/optimizations.h"
#include "compiler/target/target.h"
#include "runtime/base/dtype.h"

typedef struct rt_emitter {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    const rt_target *target;
    LLVMTypeRef i1, i8, i16, i32, i64, f32, f64, pointer, none;
    LLVMValueRef function;          /* being emitted */
    rt_optimizations optimizations; /* all, unless set behind rt_emitter_init */
} rt_emitter;

/* Fills *e with the types and a builder for `module`, which stays the caller's. `target` outlives
 * the emitter. */
void rt_emitter_init(rt_emitter *e, LLVMModuleRef module, const rt_target *target);
void rt_emitter_deinit(rt_emitter *e);

/* Lanes of the target's vectors of elements of this many bytes; at least 1. */
unsigned rt_emit_target_lanes(const rt_emitter *e, unsigned element_bytes);

/* Adds a function and points the builder at its first block. The body is called and compiled for
 * the emitter's target; nothing in it may become a call of the C library. */
LLVMValueRef rt_emit_function_begin(rt_emitter *e, const char *name, LLVMTypeRef type);
/* The builder goes in front of an instruction for a while, and back to the end of its block. */
typedef struct rt_place {
    LLVMBasicBlockRef block;
    LLVMMetadataRef line;
} rt_place;
rt_place rt_emit_enter(rt_emitter *e, LLVMValueRef instruction);
void rt_emit_leave(rt_emitter *e, rt_place back);

/* void(context, pointers, sizes, i64 begin, i64 end, i32 worker): retort_kernel of the ABI. */
LLVMTypeRef rt_emit_kernel_type(const rt_emitter *e);

/* ---- types */
LLVMTypeRef rt_emit_dtype(const rt_emitter *e, rt_dtype dtype); /* in memory; bool is i8 */
LLVMTypeRef rt_emit_vector_type(const rt_emitter *e, LLVMTypeRef element, unsigned lanes);
unsigned rt_emit_lanes(LLVMValueRef value); /* 1 for scalars */
LLVMTypeRef rt_emit_element_type(LLVMValueRef value);

/* ---- constants: of a scalar or, with lanes > 1, a splat */
LLVMValueRef rt_emit_int(const rt_emitter *e, LLVMTypeRef type, int64_t value);
LLVMValueRef rt_emit_real(const rt_emitter *e, LLVMTypeRef type, double value);
LLVMValueRef rt_emit_i64(const rt_emitter *e, int64_t value);
/* A constant of the (vector) type of `like`. */
LLVMValueRef rt_emit_real_like(const rt_emitter *e, LLVMValueRef like, double value);
LLVMValueRef rt_emit_int_like(const rt_emitter *e, LLVMValueRef like, int64_t value);
/* All lanes = scalar; returns it unchanged for lanes 1. */
LLVMValueRef rt_emit_splat(rt_emitter *e, LLVMValueRef scalar, unsigned lanes);
LLVMValueRef rt_emit_lane_numbers(rt_emitter *e, LLVMTypeRef element, unsigned lanes); /* 0,1,2… */

/* ---- memory: `base` + index * bytes(dtype); index is i64. Narrow floats widen to f32 and bool to
 * i1 when loaded, and back when stored. `mask` (<lanes x i1>) may be NULL: all lanes. */
LLVMValueRef rt_emit_address(rt_emitter *e, LLVMValueRef base, LLVMValueRef index, size_t bytes);
LLVMValueRef rt_emit_load(rt_emitter *e, rt_dtype dtype, LLVMValueRef base, LLVMValueRef index,
                          unsigned lanes, LLVMValueRef mask);
void rt_emit_store(rt_emitter *e, rt_dtype dtype, LLVMValueRef value, LLVMValueRef base,
                   LLVMValueRef index, LLVMValueRef mask);

/* Address of element `index` of an array of pointers or of numbers of 64 bits. */
LLVMValueRef rt_emit_slot(rt_emitter *e, LLVMValueRef array, LLVMTypeRef type, size_t index);

/* The field of retort_context at this byte offset of this machine's, wherever the target has it. */
LLVMValueRef rt_emit_context_field(rt_emitter *e, LLVMValueRef context, size_t offset,
                                   LLVMTypeRef type);

/* The value as it would come back from memory: rounded where `dtype` is a narrow float. */
LLVMValueRef rt_emit_round(rt_emitter *e, rt_dtype dtype, LLVMValueRef value);
/* <lanes x i1>, true where first + lane < end: the mask of a loop's ragged end. */
LLVMValueRef rt_emit_tail_mask(rt_emitter *e, LLVMValueRef first, LLVMValueRef end, unsigned lanes);

/* ---- arithmetic. Floating point is strict: no flags, fused only where rt_emit_fma says so. */
LLVMValueRef rt_emit_fma(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c); /* a*b+c */
LLVMValueRef rt_emit_intrinsic(rt_emitter *e, const char *name, LLVMTypeRef *overloads,
                               unsigned overload_count, LLVMValueRef *arguments, unsigned count);
LLVMValueRef rt_emit_max(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, bool is_signed);
LLVMValueRef rt_emit_min(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, bool is_signed);
/* Sum, maximum, minimum over the lanes, in a fixed order (pairwise halving). */
typedef enum rt_lane_reduction {
    RT_LANES_SUM,
    RT_LANES_MAX,
    RT_LANES_MIN,
    RT_LANES_PROD,
    RT_LANES_UMAX, /* of unsigned integers */
    RT_LANES_UMIN
} rt_lane_reduction;
/* A NaN in either stays. */
LLVMValueRef rt_emit_combine(rt_emitter *e, LLVMValueRef a, LLVMValueRef b,
                             rt_lane_reduction reduction);
LLVMValueRef rt_emit_reduce_lanes(rt_emitter *e, LLVMValueRef vector, rt_lane_reduction reduction);

/* ---- control flow. A loop `for (i = begin; i < end; i += step)` with carried values:
 *     rt_loop loop = rt_emit_loop_begin(e, begin, end, step, "row");
 *     LLVMValueRef sum = rt_emit_loop_carry(e, &loop, zero);       // any number, before the body
 *     ... body, uses loop.index ...
 *     rt_emit_loop_next(e, &loop, sum, new_sum);
 *     rt_emit_loop_end(e, &loop);                                  // builder is behind the loop
 *     result = rt_emit_loop_result(&loop, sum);                    // value behind the loop
 * `begin`, `end`, `step` are i64. The loop may run zero times. */
enum { RT_LOOP_MAX_CARRIED = 64 };
typedef struct rt_loop {
    LLVMValueRef index;
    LLVMValueRef step;
    LLVMBasicBlockRef before, header, body, after;
    LLVMValueRef end;
    LLVMValueRef carried[RT_LOOP_MAX_CARRIED], next[RT_LOOP_MAX_CARRIED];
    unsigned carried_count;
} rt_loop;
rt_loop rt_emit_loop_begin(rt_emitter *e, LLVMValueRef begin, LLVMValueRef end, LLVMValueRef step,
                           const char *name);
LLVMValueRef rt_emit_loop_carry(rt_emitter *e, rt_loop *loop, LLVMValueRef initial);
void rt_emit_loop_next(rt_emitter *e, rt_loop *loop, LLVMValueRef carried, LLVMValueRef next);
void rt_emit_loop_end(rt_emitter *e, rt_loop *loop);
LLVMValueRef rt_emit_loop_result(const rt_loop *loop, LLVMValueRef carried);

/* if (condition) { … }: the builder is inside after _begin and behind after _end. */
typedef struct rt_branch {
    LLVMBasicBlockRef after;
} rt_branch;
rt_branch rt_emit_if_begin(rt_emitter *e, LLVMValueRef condition, const char *name);
void rt_emit_if_end(rt_emitter *e, rt_branch *branch);

#endif
