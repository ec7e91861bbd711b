// SPDX-License-Identifier: Apache-2.0
/* What the emitters of kernels share: facts of the node, sizes as emitted values, small pieces of
 * code. Lengths, indices and strides are i64, strides in elements. */
#ifndef RETORT_COMPILER_KERNELS_KERNEL_RULES_H
#define RETORT_COMPILER_KERNELS_KERNEL_RULES_H

#include "compiler/kernels/arithmetic.h"
#include "compiler/kernels/kernel.h"

/* ---- facts of the node */

rt_type kernel_operand_type(const rt_graph *graph, rt_node node, uint32_t operand);
rt_type kernel_result_type(const rt_graph *graph, rt_node node, int result);
bool kernel_has_operand(const rt_graph *graph, rt_node node, uint32_t operand);
rt_dim_table *kernel_dims(const rt_graph *graph);
/* The value of a dimension that an operator's type rule made sure is constant. */
int64_t kernel_constant(const rt_graph *graph, rt_dim dim);
/* Product of dims[first] to dims[last - 1]. */
rt_dim kernel_extent(const rt_graph *graph, rt_type type, int first, int last);
rt_dim kernel_scaled(const rt_graph *graph, rt_dim dim, int64_t factor);

/* ---- sizes in emitted code */

/* Product of the sizes of dims[first] to dims[last - 1]; asks for the single dimensions only. */
LLVMValueRef emit_extent(rt_kernel_build *build, rt_type type, int first, int last);
LLVMValueRef emit_round_up(rt_emitter *e, LLVMValueRef size, int64_t multiple);
LLVMValueRef emit_less_of(rt_emitter *e, LLVMValueRef a, LLVMValueRef b);    /* minimum */
LLVMValueRef emit_greater_of(rt_emitter *e, LLVMValueRef a, LLVMValueRef b); /* maximum */
/* base + row * stride + column, for elements of `bytes`. */
LLVMValueRef emit_at(rt_emitter *e, LLVMValueRef base, LLVMValueRef row, LLVMValueRef stride,
                     size_t bytes);

/* ---- memory */

/* Element `index` of an i32 or i64 array, as i64. */
LLVMValueRef emit_load_index(rt_emitter *e, rt_dtype dtype, LLVMValueRef base, LLVMValueRef index);
/* For regions that do not overlap; bytes is i64. */
void emit_copy_bytes(rt_emitter *e, LLVMValueRef to, LLVMValueRef from, LLVMValueRef bytes);
void emit_zero_bytes(rt_emitter *e, LLVMValueRef to, LLVMValueRef bytes);

/* Row b of a batch: its first token and its length. */
typedef struct packed_row {
    LLVMValueRef first, length;
} packed_row;
packed_row emit_packed_row(rt_emitter *e, LLVMValueRef offsets, LLVMValueRef row);

/* A loop over [0, count) in vectors of `lanes`; the mask is of the ragged end, NULL for one lane.
 */
typedef struct vector_loop {
    rt_loop loop;
    LLVMValueRef mask;
    unsigned lanes;
} vector_loop;
vector_loop emit_vector_loop(rt_emitter *e, LLVMValueRef count, unsigned lanes);

/* ---- the rules named in kernels.def */

#define KERNEL(id, kind, grain, range, scratch, flops) void emit_##id(rt_kernel_build *build);
#include "compiler/kernels/kernels.def"
#undef KERNEL

typedef rt_dim (*kernel_size_rule)(const rt_graph *graph, rt_node node);

#define KERNEL_SIZE_RULE(name) rt_dim name(const rt_graph *graph, rt_node node);
KERNEL_SIZE_RULE(matmul_range)
KERNEL_SIZE_RULE(matmul_scratch)
KERNEL_SIZE_RULE(matmul_flops)
KERNEL_SIZE_RULE(panel_product_flops)
KERNEL_SIZE_RULE(pack_panels_range)
KERNEL_SIZE_RULE(attention_range)
KERNEL_SIZE_RULE(attention_scratch)
KERNEL_SIZE_RULE(attention_flops)
KERNEL_SIZE_RULE(attention_gradient_scratch)
KERNEL_SIZE_RULE(attention_gradient_flops)
KERNEL_SIZE_RULE(relation_range)
KERNEL_SIZE_RULE(relation_loss_scratch)
KERNEL_SIZE_RULE(relation_loss_flops)
KERNEL_SIZE_RULE(relation_loss_gradient_scratch)
KERNEL_SIZE_RULE(relation_loss_gradient_flops)
KERNEL_SIZE_RULE(lstm_range)
KERNEL_SIZE_RULE(lstm_scratch)
KERNEL_SIZE_RULE(lstm_flops)
KERNEL_SIZE_RULE(lstm_gradient_range)
KERNEL_SIZE_RULE(lstm_gradient_scratch)
KERNEL_SIZE_RULE(lstm_gradient_flops)
KERNEL_SIZE_RULE(gather_range)
KERNEL_SIZE_RULE(scatter_add_range)
KERNEL_SIZE_RULE(packed_rows_range)
KERNEL_SIZE_RULE(along_axis_range)
#undef KERNEL_SIZE_RULE

#endif
