// SPDX-License-Identifier: Apache-2.0
/* gather and scatter_add. An index below 0 counts from the end; one that is out of range, which the
 * data may cause, reads zeros and adds nothing. */
#include "compiler/kernels/kernel_rules.h"

/* The index resolved, and whether it is in range. */
typedef struct place {
    LLVMValueRef index, is_valid;
} place;

static place resolve(rt_emitter *e, LLVMValueRef index, LLVMValueRef size) {
    LLVMValueRef zero = rt_emit_i64(e, 0);
    LLVMValueRef is_negative = LLVMBuildICmp(e->builder, LLVMIntSLT, index, zero, "");
    index = where(e, is_negative, add(e, index, size), index);
    return (place){index, LLVMBuildICmp(e->builder, LLVMIntULT, index, size, "")};
}

/* ---- gather: unit u is index u % indices of outer part u / indices */

typedef struct gather_shape {
    rt_type x, indices;
    int axis;
} gather_shape;

static gather_shape describe_gather(const rt_graph *graph, rt_node node) {
    return (gather_shape){kernel_operand_type(graph, node, 0), kernel_operand_type(graph, node, 1),
                          (int)rt_graph_attr(graph, node, RT_ATTR_gather_axis).integer};
}

rt_dim gather_range(const rt_graph *graph, rt_node node) {
    gather_shape s = describe_gather(graph, node);
    return rt_dim_multiply(kernel_dims(graph), kernel_extent(graph, s.x, 0, s.axis),
                           rt_type_elements(kernel_dims(graph), s.indices));
}

/* Copies `inner` elements; one alone without a call. */
static void emit_elements(rt_kernel_build *build, const gather_shape *s, LLVMValueRef to,
                          LLVMValueRef from, LLVMValueRef inner) {
    rt_emitter *e = build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0);
    if (s->axis + 1 == s->x.rank) {
        rt_emit_store(e, s->x.dtype, rt_emit_load(e, s->x.dtype, from, zero, 1, NULL), to, zero,
                      NULL);
        return;
    }
    LLVMValueRef bytes = rt_emit_i64(e, (int64_t)rt_dtype_bytes(s->x.dtype));
    emit_copy_bytes(e, to, from, mul(e, inner, bytes));
}

void emit_gather(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    gather_shape s = describe_gather(build->graph, build->node);
    size_t bytes = rt_dtype_bytes(s.x.dtype);
    LLVMValueRef count = emit_extent(build, s.indices, 0, s.indices.rank);
    LLVMValueRef size = emit_extent(build, s.x, s.axis, s.axis + 1);
    LLVMValueRef inner = emit_extent(build, s.x, s.axis + 1, s.x.rank);
    rt_loop unit = rt_emit_loop_begin(e, build->begin, build->end, rt_emit_i64(e, 1), "unit");
    LLVMValueRef outer = LLVMBuildUDiv(e->builder, unit.index, count, "");
    LLVMValueRef number = LLVMBuildURem(e->builder, unit.index, count, "");
    place at = resolve(e, emit_load_index(e, s.indices.dtype, build->operands[1], number), size);
    LLVMValueRef to = emit_at(e, build->results[0], unit.index, inner, bytes);
    rt_branch valid = rt_emit_if_begin(e, at.is_valid, "valid");
    LLVMValueRef row = add(e, mul(e, outer, size), at.index);
    emit_elements(build, &s, to, emit_at(e, build->operands[0], row, inner, bytes), inner);
    rt_emit_if_end(e, &valid);
    rt_branch invalid = rt_emit_if_begin(e, LLVMBuildNot(e->builder, at.is_valid, ""), "invalid");
    emit_zero_bytes(e, to, mul(e, inner, rt_emit_i64(e, (int64_t)bytes)));
    rt_emit_if_end(e, &invalid);
    rt_emit_loop_end(e, &unit);
}

/* ---- scatter_add: units are rows of a large table, each worker going through all updates for its
 * own, or columns of a small one, whose rows may be few. Every row gets its updates in their order.
 */

enum { INDICES = 0, UPDATES = 1, LARGE_ROWS = 4096 };

static bool is_by_rows(const rt_graph *graph, rt_node node) {
    int64_t rows;
    rt_type result = kernel_result_type(graph, node, 0);
    return rt_dim_is_constant(kernel_dims(graph), result.dims[0], &rows) && rows >= LARGE_ROWS;
}

rt_dim scatter_add_range(const rt_graph *graph, rt_node node) {
    rt_type result = kernel_result_type(graph, node, 0);
    bool by_rows = is_by_rows(graph, node);
    return kernel_extent(graph, result, by_rows ? 0 : 1, by_rows ? 1 : result.rank);
}

typedef struct scatter {
    rt_kernel_build *build;
    rt_dtype dtype;
    size_t bytes;
    LLVMValueRef inner;
    LLVMValueRef first_row, end_row;       /* of this worker */
    LLVMValueRef first_column, end_column; /* in a row */
} scatter;

static scatter describe_scatter(rt_kernel_build *build) {
    rt_type result = kernel_result_type(build->graph, build->node, 0);
    LLVMValueRef zero = rt_emit_i64(build->e, 0);
    bool by_rows = is_by_rows(build->graph, build->node);
    scatter s = {.build = build,
                 .dtype = result.dtype,
                 .bytes = rt_dtype_bytes(result.dtype),
                 .inner = emit_extent(build, result, 1, result.rank),
                 .first_row = by_rows ? build->begin : zero,
                 .end_row = by_rows ? build->end : emit_extent(build, result, 0, 1),
                 .first_column = by_rows ? zero : build->begin};
    s.end_column = by_rows ? s.inner : build->end;
    return s;
}

/* Whole rows lie end to end. */
static void emit_zero_rows(const scatter *s) {
    rt_kernel_build *build = s->build;
    rt_emitter *e = build->e;
    LLVMValueRef element = rt_emit_i64(e, (int64_t)s->bytes);
    if (is_by_rows(build->graph, build->node)) {
        LLVMValueRef count = mul(e, sub(e, s->end_row, s->first_row), s->inner);
        emit_zero_bytes(e, emit_at(e, build->results[0], s->first_row, s->inner, s->bytes),
                        mul(e, count, element));
        return;
    }
    rt_loop row = rt_emit_loop_begin(e, s->first_row, s->end_row, rt_emit_i64(e, 1), "row");
    LLVMValueRef first = add(e, mul(e, row.index, s->inner), s->first_column);
    LLVMValueRef width = sub(e, s->end_column, s->first_column);
    emit_zero_bytes(e, rt_emit_address(e, build->results[0], first, s->bytes),
                    mul(e, width, element));
    rt_emit_loop_end(e, &row);
}

/* result row += update row, in the worker's columns */
static void emit_addition(const scatter *s, LLVMValueRef to, LLVMValueRef from) {
    rt_emitter *e = s->build->e;
    unsigned lanes = rt_emit_target_lanes(e, (unsigned)s->bytes);
    LLVMValueRef width = sub(e, s->end_column, s->first_column);
    vector_loop v = emit_vector_loop(e, width, lanes > 16 ? 16 : lanes);
    LLVMValueRef column = add(e, s->first_column, v.loop.index);
    LLVMValueRef x = rt_emit_load(e, s->dtype, to, column, v.lanes, v.mask);
    LLVMValueRef y = rt_emit_load(e, s->dtype, from, column, v.lanes, v.mask);
    rt_emit_store(e, s->dtype, add(e, x, y), to, column, v.mask);
    rt_emit_loop_end(e, &v.loop);
}

void emit_scatter_add(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    scatter s = describe_scatter(build);
    rt_type result = kernel_result_type(build->graph, build->node, 0);
    rt_type indices = kernel_operand_type(build->graph, build->node, INDICES);
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef size = emit_extent(build, result, 0, 1);
    if (!build->accumulates) emit_zero_rows(&s);
    LLVMValueRef count = emit_extent(build, indices, 0, indices.rank);
    rt_loop update = rt_emit_loop_begin(e, zero, count, one, "update");
    place at =
        resolve(e, emit_load_index(e, indices.dtype, build->operands[INDICES], update.index), size);
    LLVMValueRef distance = sub(e, at.index, s.first_row);
    LLVMValueRef rows = sub(e, s.end_row, s.first_row);
    LLVMValueRef is_own = LLVMBuildICmp(e->builder, LLVMIntULT, distance, rows, "");
    rt_branch own = rt_emit_if_begin(e, LLVMBuildAnd(e->builder, at.is_valid, is_own, ""), "own");
    emit_addition(&s, emit_at(e, build->results[0], at.index, s.inner, s.bytes),
                  emit_at(e, build->operands[UPDATES], update.index, s.inner, s.bytes));
    rt_emit_if_end(e, &own);
    rt_emit_loop_end(e, &update);
}
