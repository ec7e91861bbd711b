// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernels/kernel.h"

#include <stddef.h>

#include "compiler/kernels/kernel_rules.h"
#include "runtime/abi.h"
#include "runtime/base/check.h"

/* ---- the table: an operator of class KERNEL without a row does not compile */

enum row_number {
#define KERNEL(id, ...) ROW_##id,
#include "compiler/kernels/kernels.def"
#undef KERNEL
    ROW_COUNT
};

static const rt_kernel_row rows[ROW_COUNT] = {
#define KERNEL(id, kind, grain, range, scratch, flops) \
    [ROW_##id] = {RT_OP_##id, kind, range, grain, scratch, emit_##id, flops},
#include "compiler/kernels/kernels.def"
#undef KERNEL
};

#define ROW_OF_SOURCE(id)
#define ROW_OF_SCALAR(id)
#define ROW_OF_REDUCE(id)
#define ROW_OF_MOVE(id)
#define ROW_OF_VIEW(id)
#define ROW_OF_KERNEL(id) [RT_OP_##id] = &rows[ROW_##id],
#define ROW_OF_EXPAND(id)
static const rt_kernel_row *const row_of_op[RT_OP_COUNT] = {
#define OP(id, text, least, most, results, infer, vjp, lower) ROW_OF_##lower(id)
#include "ir/ops.def"
};

const rt_kernel_row *rt_kernel_find(rt_op op) {
    return row_of_op[op];
}

/* ---- the context; targets are little-endian, so the low half stands first */

LLVMValueRef rt_emit_context_seed(rt_emitter *e, LLVMValueRef context) {
    return rt_emit_context_field(e, context, offsetof(retort_context, seed), e->i32);
}

LLVMValueRef rt_emit_context_step(rt_emitter *e, LLVMValueRef context) {
    return rt_emit_context_field(e, context, offsetof(retort_context, step), e->i32);
}

/* ---- facts of the node */

bool kernel_has_operand(const rt_graph *graph, rt_node node, uint32_t operand) {
    const rt_node_info *info = rt_graph_node(graph, node);
    return operand < info->operand_count && rt_value_is(info->operands[operand]);
}

rt_type kernel_operand_type(const rt_graph *graph, rt_node node, uint32_t operand) {
    return rt_graph_type(graph, rt_graph_node(graph, node)->operands[operand]);
}

rt_type kernel_result_type(const rt_graph *graph, rt_node node, int result) {
    return rt_graph_type(graph, rt_graph_result(graph, node, result));
}

rt_dim_table *kernel_dims(const rt_graph *graph) {
    return rt_module_dims(rt_graph_module(graph));
}

int64_t kernel_constant(const rt_graph *graph, rt_dim dim) {
    int64_t value = 0;
    bool is_constant = rt_dim_is_constant(kernel_dims(graph), dim, &value);
    RT_ASSERT(is_constant);
    (void)is_constant;
    return value;
}

rt_dim kernel_extent(const rt_graph *graph, rt_type type, int first, int last) {
    rt_dim extent = rt_dim_constant(kernel_dims(graph), 1);
    for (int i = first; i < last; ++i)
        extent = rt_dim_multiply(kernel_dims(graph), extent, type.dims[i]);
    return extent;
}

rt_dim kernel_scaled(const rt_graph *graph, rt_dim dim, int64_t factor) {
    return rt_dim_multiply(kernel_dims(graph), dim, rt_dim_constant(kernel_dims(graph), factor));
}

/* ---- sizes in emitted code */

LLVMValueRef emit_extent(rt_kernel_build *build, rt_type type, int first, int last) {
    LLVMValueRef extent = rt_emit_i64(build->e, 1);
    for (int i = first; i < last; ++i)
        extent = mul(build->e, extent, build->size(build, type.dims[i]));
    return extent;
}

LLVMValueRef emit_round_up(rt_emitter *e, LLVMValueRef size, int64_t multiple) {
    RT_ASSERT((multiple & (multiple - 1)) == 0);
    size = add(e, size, rt_emit_i64(e, multiple - 1));
    return LLVMBuildAnd(e->builder, size, rt_emit_i64(e, -multiple), "");
}

LLVMValueRef emit_less_of(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return rt_emit_min(e, a, b, true);
}

LLVMValueRef emit_greater_of(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    return rt_emit_max(e, a, b, true);
}

LLVMValueRef emit_at(rt_emitter *e, LLVMValueRef base, LLVMValueRef row, LLVMValueRef stride,
                     size_t bytes) {
    return rt_emit_address(e, base, mul(e, row, stride), bytes);
}

/* ---- memory */

LLVMValueRef emit_load_index(rt_emitter *e, rt_dtype dtype, LLVMValueRef base, LLVMValueRef index) {
    LLVMValueRef value = rt_emit_load(e, dtype, base, index, 1, NULL);
    return LLVMBuildIntCast2(e->builder, value, e->i64, true, "");
}

void emit_copy_bytes(rt_emitter *e, LLVMValueRef to, LLVMValueRef from, LLVMValueRef bytes) {
    LLVMBuildMemCpy(e->builder, to, 1, from, 1, bytes);
}

void emit_zero_bytes(rt_emitter *e, LLVMValueRef to, LLVMValueRef bytes) {
    LLVMBuildMemSet(e->builder, to, rt_emit_int(e, e->i8, 0), bytes, 1);
}

packed_row emit_packed_row(rt_emitter *e, LLVMValueRef offsets, LLVMValueRef row) {
    LLVMValueRef first = emit_load_index(e, RT_I32, offsets, row);
    LLVMValueRef end = emit_load_index(e, RT_I32, offsets, add(e, row, rt_emit_i64(e, 1)));
    return (packed_row){first, sub(e, end, first)};
}

vector_loop emit_vector_loop(rt_emitter *e, LLVMValueRef count, unsigned lanes) {
    vector_loop v = {.lanes = lanes};
    v.loop = rt_emit_loop_begin(e, rt_emit_i64(e, 0), count, rt_emit_i64(e, lanes), "vector");
    if (lanes > 1) v.mask = rt_emit_tail_mask(e, v.loop.index, count, lanes);
    return v;
}
