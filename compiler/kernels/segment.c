// SPDX-License-Identifier: Apache-2.0
/* Operators on packed rows that add or move tokens; units are rows. */
#include "compiler/kernels/kernel_rules.h"

enum { X = 0, OFFSETS = 1 };

rt_dim packed_rows_range(const rt_graph *graph, rt_node node) {
    rt_dim_table *dims = kernel_dims(graph);
    rt_dim behind = kernel_operand_type(graph, node, OFFSETS).dims[0]; /* B + 1 */
    return rt_dim_subtract(dims, behind, rt_dim_constant(dims, 1));
}

typedef struct segment {
    rt_dtype dtype;
    size_t bytes;       /* of an element */
    LLVMValueRef inner; /* elements of a token */
    rt_loop row;
    packed_row tokens;
} segment;

static segment begin_rows(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    rt_type x = kernel_operand_type(build->graph, build->node, X);
    segment s = {.dtype = x.dtype,
                 .bytes = rt_dtype_bytes(x.dtype),
                 .inner = emit_extent(build, x, 1, x.rank)};
    s.row = rt_emit_loop_begin(e, build->begin, build->end, rt_emit_i64(e, 1), "row");
    s.tokens = emit_packed_row(e, build->operands[OFFSETS], s.row.index);
    return s;
}

static LLVMValueRef bytes_of_tokens(rt_emitter *e, const segment *s, LLVMValueRef tokens) {
    return mul(e, tokens, mul(e, s->inner, rt_emit_i64(e, (int64_t)s->bytes)));
}

/* Token by token for each vector of columns: the sum stays in a register. */
void emit_segment_sum(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    segment s = begin_rows(build);
    unsigned lanes = rt_emit_target_lanes(e, (unsigned)s.bytes);
    vector_loop v = emit_vector_loop(e, s.inner, lanes > 16 ? 16 : lanes);
    LLVMValueRef from = emit_at(e, build->operands[X], s.tokens.first, s.inner, s.bytes);
    LLVMValueRef to = emit_at(e, build->results[0], s.row.index, s.inner, s.bytes);
    rt_loop token =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), s.tokens.length, rt_emit_i64(e, 1), "token");
    LLVMValueRef at = add(e, mul(e, token.index, s.inner), v.loop.index);
    LLVMValueRef x = rt_emit_load(e, s.dtype, from, at, v.lanes, v.mask);
    LLVMValueRef sum = rt_emit_loop_carry(e, &token, LLVMConstNull(LLVMTypeOf(x)));
    rt_emit_loop_next(e, &token, sum, add(e, sum, x));
    rt_emit_loop_end(e, &token);
    rt_emit_store(e, s.dtype, rt_emit_loop_result(&token, sum), to, v.loop.index, v.mask);
    rt_emit_loop_end(e, &v.loop);
    rt_emit_loop_end(e, &s.row);
}

void emit_segment_repeat(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    segment s = begin_rows(build);
    LLVMValueRef one = rt_emit_i64(e, 1);
    LLVMValueRef from = emit_at(e, build->operands[X], s.row.index, s.inner, s.bytes);
    LLVMValueRef end = add(e, s.tokens.first, s.tokens.length);
    rt_loop token = rt_emit_loop_begin(e, s.tokens.first, end, one, "token");
    emit_copy_bytes(e, emit_at(e, build->results[0], token.index, s.inner, s.bytes), from,
                    bytes_of_tokens(e, &s, one));
    rt_emit_loop_end(e, &token);
    rt_emit_loop_end(e, &s.row);
}

/* All tokens but one are moved at once, by one token; the one left becomes zero. */
void emit_shift_rows(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    bool is_reverse = rt_graph_attr(build->graph, build->node, RT_ATTR_shift_rows_reverse).integer;
    segment s = begin_rows(build);
    LLVMValueRef one = rt_emit_i64(e, 1), first = s.tokens.first;
    LLVMValueRef has_tokens =
        LLVMBuildICmp(e->builder, LLVMIntSGT, s.tokens.length, rt_emit_i64(e, 0), "");
    rt_branch branch = rt_emit_if_begin(e, has_tokens, "tokens");
    LLVMValueRef moved = sub(e, s.tokens.length, one), second = add(e, first, one);
    LLVMValueRef to = is_reverse ? first : second, from = is_reverse ? second : first;
    LLVMValueRef empty = is_reverse ? add(e, first, moved) : first;
    emit_copy_bytes(e, emit_at(e, build->results[0], to, s.inner, s.bytes),
                    emit_at(e, build->operands[X], from, s.inner, s.bytes),
                    bytes_of_tokens(e, &s, moved));
    emit_zero_bytes(e, emit_at(e, build->results[0], empty, s.inner, s.bytes),
                    bytes_of_tokens(e, &s, one));
    rt_emit_if_end(e, &branch);
    rt_emit_loop_end(e, &s.row);
}
