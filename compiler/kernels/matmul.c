// SPDX-License-Identifier: Apache-2.0
/* matmul: f32 by OpenBLAS, the other types by the emitted product. The range is the number of
 * elements of the result; a border u of it becomes the border u * tiles / elements between tiles of
 * rows or of columns, whichever the matrices have more of, so that each worker reads as little as
 * possible of what all of them read. */
#include "compiler/kernels/blas.h"
#include "compiler/kernels/kernel_rules.h"
#include "compiler/kernels/product.h"

enum { TILE = 32 };

typedef struct matmul {
    rt_kernel_build *build;
    rt_type a, b, c;
    bool transpose_a, transpose_b;
    int batch_rank; /* leading dimensions of the result that are looped over; others join the rows
                     */
    LLVMValueRef rows, columns, inner;
    LLVMValueRef a_stride, b_stride;
} matmul;

rt_dim matmul_range(const rt_graph *graph, rt_node node) {
    return rt_type_elements(kernel_dims(graph), kernel_result_type(graph, node, 0));
}

rt_dim matmul_flops(const rt_graph *graph, rt_node node) {
    rt_type a = kernel_operand_type(graph, node, 0);
    bool transpose_a = rt_graph_attr(graph, node, RT_ATTR_matmul_transpose_a).integer;
    rt_dim inner = a.dims[a.rank - (transpose_a ? 2 : 1)];
    rt_dim elements = matmul_range(graph, node);
    return kernel_scaled(graph, rt_dim_multiply(kernel_dims(graph), elements, inner), 2);
}

static bool is_one(const rt_graph *graph, rt_dim dim) {
    int64_t value;
    return rt_dim_is_constant(kernel_dims(graph), dim, &value) && value == 1;
}

/* Whether the leading dimensions of the result are rows of one product: b is one matrix, and the
 * rows of a follow each other. */
static bool joins_rows(const matmul *m) {
    const rt_graph *graph = m->build->graph;
    for (int i = 0; i < m->b.rank - 2; ++i)
        if (!is_one(graph, m->b.dims[i])) return false;
    return !m->transpose_a && m->a.rank == m->c.rank;
}

static matmul describe(rt_kernel_build *build) {
    const rt_graph *graph = build->graph;
    matmul m = {.build = build,
                .a = kernel_operand_type(graph, build->node, 0),
                .b = kernel_operand_type(graph, build->node, 1),
                .c = kernel_result_type(graph, build->node, 0)};
    m.transpose_a = rt_graph_attr(graph, build->node, RT_ATTR_matmul_transpose_a).integer;
    m.transpose_b = rt_graph_attr(graph, build->node, RT_ATTR_matmul_transpose_b).integer;
    m.batch_rank = joins_rows(&m) ? 0 : m.c.rank - 2;
    m.rows = emit_extent(build, m.c, m.batch_rank, m.c.rank - 1);
    m.columns = emit_extent(build, m.c, m.c.rank - 1, m.c.rank);
    int inner = m.a.rank - (m.transpose_a ? 2 : 1);
    m.inner = emit_extent(build, m.a, inner, inner + 1);
    m.a_stride = m.transpose_a ? m.rows : m.inner;
    m.b_stride = m.transpose_b ? m.inner : m.columns;
    return m;
}

/* Elements of operand `type` before matrix number `index` of the result's batch, broadcast. */
static LLVMValueRef matrix_offset(const matmul *m, rt_type type, LLVMValueRef index) {
    rt_emitter *e = m->build->e;
    LLVMValueRef offset = rt_emit_i64(e, 0);
    LLVMValueRef stride = emit_extent(m->build, type, type.rank - 2, type.rank);
    for (int i = m->batch_rank - 1; i >= 0; --i) {
        LLVMValueRef size = m->build->size(m->build, m->c.dims[i]);
        LLVMValueRef here = LLVMBuildURem(e->builder, index, size, "");
        index = LLVMBuildUDiv(e->builder, index, size, "");
        int own = i - m->batch_rank + type.rank - 2; /* this dimension in the operand's shape */
        if (own < 0 || is_one(m->build->graph, type.dims[own])) continue;
        offset = add(e, offset, mul(e, here, stride));
        stride = mul(e, stride, m->build->size(m->build, type.dims[own]));
    }
    return offset;
}

/* A part of one matrix of the batch. */
typedef struct part {
    LLVMValueRef matrix, first_row, rows, first_column, columns;
} part;

static LLVMValueRef offset_in(const matmul *m, bool is_transposed, LLVMValueRef stride,
                              LLVMValueRef first_row) {
    return is_transposed ? first_row : mul(m->build->e, first_row, stride);
}

static void emit_part(const matmul *m, const part *p) {
    rt_kernel_build *build = m->build;
    rt_emitter *e = build->e;
    size_t bytes = rt_dtype_bytes(m->c.dtype);
    LLVMValueRef a = add(e, matrix_offset(m, m->a, p->matrix),
                         offset_in(m, m->transpose_a, m->a_stride, p->first_row));
    LLVMValueRef b = add(e, matrix_offset(m, m->b, p->matrix),
                         offset_in(m, !m->transpose_b, m->b_stride, p->first_column));
    LLVMValueRef c = add(e, mul(e, p->matrix, m->rows), p->first_row);
    c = add(e, mul(e, c, m->columns), p->first_column);
    a = rt_emit_address(e, build->operands[0], a, bytes);
    b = rt_emit_address(e, build->operands[1], b, bytes);
    c = rt_emit_address(e, build->results[0], c, bytes);
    if (m->c.dtype == RT_F32) {
        rt_emit_sgemm(e, &(rt_sgemm){m->transpose_a, m->transpose_b, p->rows, p->columns, m->inner,
                                     a, m->a_stride, b, m->b_stride, c, m->columns});
        return;
    }
    LLVMValueRef one = rt_emit_i64(e, 1);
    rt_emit_product(e, &(rt_product){.dtype = m->c.dtype,
                                     .a = a,
                                     .a_row = m->transpose_a ? one : m->a_stride,
                                     .a_inner = m->transpose_a ? m->a_stride : one,
                                     .b = b,
                                     .b_inner = m->transpose_b ? one : m->b_stride,
                                     .b_column = m->transpose_b ? m->b_stride : NULL,
                                     .c = c,
                                     .c_row = m->columns,
                                     .rows = p->rows,
                                     .columns = p->columns,
                                     .inner = m->inner});
}

/* The tile border of a border of the range. */
static LLVMValueRef tile_border(rt_emitter *e, LLVMValueRef unit, LLVMValueRef tiles,
                                LLVMValueRef units) {
    return LLVMBuildUDiv(e->builder, mul(e, unit, tiles), units, "");
}

void emit_matmul(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    matmul m = describe(build);
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1), tile = rt_emit_i64(e, TILE);
    LLVMValueRef matrices = emit_extent(build, m.c, 0, m.batch_rank);
    LLVMValueRef units = mul(e, matrices, mul(e, m.rows, m.columns));
    LLVMValueRef splits_rows = LLVMBuildICmp(e->builder, LLVMIntSGE, m.rows, m.columns, "");
    LLVMValueRef size = where(e, splits_rows, m.rows, m.columns);
    LLVMValueRef per_matrix = LLVMBuildUDiv(e->builder, emit_round_up(e, size, TILE), tile, "");
    LLVMValueRef tiles = mul(e, matrices, per_matrix);

    LLVMValueRef has_work = LLVMBuildICmp(e->builder, LLVMIntSLT, build->begin, build->end, "");
    rt_branch work = rt_emit_if_begin(e, has_work, "work"); /* else the divisors may be 0 */
    LLVMValueRef begin = tile_border(e, build->begin, tiles, units);
    LLVMValueRef end = tile_border(e, build->end, tiles, units);
    LLVMValueRef first = LLVMBuildUDiv(e->builder, begin, per_matrix, "");
    LLVMValueRef behind = add(e, end, sub(e, per_matrix, one));
    behind = LLVMBuildUDiv(e->builder, behind, per_matrix, "");
    rt_loop matrix = rt_emit_loop_begin(e, first, behind, one, "matrix");
    LLVMValueRef origin = mul(e, matrix.index, per_matrix);
    LLVMValueRef low = mul(e, emit_greater_of(e, sub(e, begin, origin), zero), tile);
    LLVMValueRef high = mul(e, emit_less_of(e, sub(e, end, origin), per_matrix), tile);
    LLVMValueRef count = sub(e, emit_less_of(e, high, size), low);
    emit_part(&m, &(part){.matrix = matrix.index,
                          .first_row = where(e, splits_rows, low, zero),
                          .rows = where(e, splits_rows, count, m.rows),
                          .first_column = where(e, splits_rows, zero, low),
                          .columns = where(e, splits_rows, m.columns, count)});
    rt_emit_loop_end(e, &matrix);
    rt_emit_if_end(e, &work);
}
