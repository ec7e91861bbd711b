// SPDX-License-Identifier: Apache-2.0
/* argmax and cumsum: one element after the other along an axis. Unit u is the line of elements
 * through outer part u / inner and inner part u % inner. */
#include "compiler/kernels/scalar_rules.h"

#include "compiler/kernels/kernel_rules.h"

static int axis_of(const rt_graph *graph, rt_node node) {
    bool is_argmax = rt_graph_node(graph, node)->op == RT_OP_argmax;
    rt_attr_id attr = is_argmax ? RT_ATTR_argmax_axis : RT_ATTR_cumsum_axis;
    return (int)rt_graph_attr(graph, node, attr).integer;
}

rt_dim along_axis_range(const rt_graph *graph, rt_node node) {
    rt_type x = kernel_operand_type(graph, node, 0);
    int axis = axis_of(graph, node);
    return rt_dim_multiply(kernel_dims(graph), kernel_extent(graph, x, 0, axis),
                           kernel_extent(graph, x, axis + 1, x.rank));
}

/* A line: element a stands at first + a * step. */
typedef struct line {
    rt_type type;
    rt_loop unit;
    LLVMValueRef first, step, size;
} line;

static line begin_lines(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    rt_type x = kernel_operand_type(build->graph, build->node, 0);
    int axis = axis_of(build->graph, build->node);
    line l = {.type = x,
              .step = emit_extent(build, x, axis + 1, x.rank),
              .size = emit_extent(build, x, axis, axis + 1)};
    l.unit = rt_emit_loop_begin(e, build->begin, build->end, rt_emit_i64(e, 1), "line");
    LLVMValueRef outer = LLVMBuildUDiv(e->builder, l.unit.index, l.step, "");
    LLVMValueRef inner = LLVMBuildURem(e->builder, l.unit.index, l.step, "");
    l.first = add(e, mul(e, mul(e, outer, l.size), l.step), inner);
    return l;
}

/* The first of the largest; a NaN is not larger than anything, nor is anything larger than it. */
void emit_argmax(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    line l = begin_lines(build);
    LLVMValueRef x = build->operands[0], one = rt_emit_i64(e, 1);
    LLVMValueRef start = rt_emit_load(e, l.type.dtype, x, l.first, 1, NULL);
    rt_loop loop = rt_emit_loop_begin(e, one, l.size, one, "element");
    LLVMValueRef best = rt_emit_loop_carry(e, &loop, rt_emit_i64(e, 0));
    LLVMValueRef most = rt_emit_loop_carry(e, &loop, start);
    LLVMValueRef at = add(e, l.first, mul(e, loop.index, l.step));
    LLVMValueRef here = rt_emit_load(e, l.type.dtype, x, at, 1, NULL);
    LLVMValueRef is_larger = is_less_of(e, l.type.dtype, most, here);
    rt_emit_loop_next(e, &loop, best, where(e, is_larger, loop.index, best));
    rt_emit_loop_next(e, &loop, most, where(e, is_larger, here, most));
    rt_emit_loop_end(e, &loop);
    rt_emit_store(e, RT_I64, rt_emit_loop_result(&loop, best), build->results[0], l.unit.index,
                  NULL);
    rt_emit_loop_end(e, &l.unit);
}

void emit_cumsum(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    bool is_exclusive = rt_graph_attr(build->graph, build->node, RT_ATTR_cumsum_exclusive).integer;
    bool is_reverse = rt_graph_attr(build->graph, build->node, RT_ATTR_cumsum_reverse).integer;
    line l = begin_lines(build);
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    rt_loop loop = rt_emit_loop_begin(e, zero, l.size, one, "element");
    LLVMValueRef number = loop.index;
    if (is_reverse) number = sub(e, sub(e, l.size, one), number);
    LLVMValueRef at = add(e, l.first, mul(e, number, l.step));
    LLVMValueRef x = rt_emit_load(e, l.type.dtype, build->operands[0], at, 1, NULL);
    LLVMValueRef sum = rt_emit_loop_carry(e, &loop, LLVMConstNull(LLVMTypeOf(x)));
    LLVMValueRef next = add(e, sum, x);
    rt_emit_store(e, l.type.dtype, is_exclusive ? sum : next, build->results[0], at, NULL);
    rt_emit_loop_next(e, &loop, sum, next);
    rt_emit_loop_end(e, &loop);
    rt_emit_loop_end(e, &l.unit);
}
