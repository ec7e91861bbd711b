// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernels/matmul.h"

#include "compiler/kernels/blas.h"

rt_dim matmul_range(const rt_graph *graph, rt_node node) {
    return rt_type_elements(kernel_dims(graph), kernel_result_type(graph, node, 0));
}

static int64_t known_size(const rt_graph *graph, rt_dim dim) {
    int64_t value;
    return rt_dim_is_constant(kernel_dims(graph), dim, &value) ? value : -1;
}

rt_dim matmul_scratch(const rt_graph *graph, rt_node node) {
    rt_type a = kernel_operand_type(graph, node, 0), c = kernel_result_type(graph, node, 0);
    bool transpose_a = rt_graph_attr(graph, node, RT_ATTR_matmul_transpose_a).integer;
    bool is_packed =
        c.dtype == RT_F32 && !rt_graph_attr(graph, node, RT_ATTR_matmul_panel_columns).integer;
    int64_t inner = known_size(graph, a.dims[a.rank - (transpose_a ? 2 : 1)]);
    int64_t columns = known_size(graph, c.dims[c.rank - 1]);
    int64_t bytes = is_packed ? matmul_blocks_bytes(inner, columns, transpose_a) : 0;
    return rt_dim_constant(kernel_dims(graph), bytes);
}

rt_dim matmul_flops(const rt_graph *graph, rt_node node) {
    rt_type a = kernel_operand_type(graph, node, 0);
    bool transpose_a = rt_graph_attr(graph, node, RT_ATTR_matmul_transpose_a).integer;
    rt_dim inner = a.dims[a.rank - (transpose_a ? 2 : 1)];
    rt_dim elements = matmul_range(graph, node);
    return kernel_scaled(graph, rt_dim_multiply(kernel_dims(graph), elements, inner), 2);
}

LLVMValueRef matmul_divided_up(rt_emitter *e, LLVMValueRef size, LLVMValueRef by) {
    size = add(e, size, sub(e, by, rt_emit_i64(e, 1)));
    return LLVMBuildUDiv(e->builder, size, by, "");
}

/* ---- shapes */

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
    m.matrices = emit_extent(build, m.c, 0, m.batch_rank);
    m.panel = rt_product_panel(build->e, m.c.dtype);
    m.shape = rt_tile_shape_of(build->e, m.a.dtype);
    m.numbers.dtype = m.b.dtype;
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

rt_product matmul_product(const matmul *m, const matmul_part *p) {
    rt_kernel_build *build = m->build;
    rt_emitter *e = build->e;
    size_t bytes = rt_dtype_bytes(m->c.dtype);
    LLVMValueRef one = rt_emit_i64(e, 1);
    LLVMValueRef adds = rt_emit_int(e, e->i1, build->accumulates);
    LLVMValueRef a = m->transpose_a ? p->first_row : mul(e, p->first_row, m->a_stride);
    LLVMValueRef b = m->transpose_b ? mul(e, p->first_column, m->b_stride) : p->first_column;
    LLVMValueRef c = add(e, mul(e, p->matrix, m->rows), p->first_row);
    a = add(e, matrix_offset(m, m->a, p->matrix), a);
    b = add(e, matrix_offset(m, m->b, p->matrix), b);
    c = add(e, mul(e, c, m->columns), p->first_column);
    return (rt_product){.dtype = m->c.dtype,
                        .a = rt_emit_address(e, build->operands[0], a, bytes),
                        .a_row = m->transpose_a ? one : m->a_stride,
                        .a_inner = m->transpose_a ? m->a_stride : one,
                        .b = rt_emit_address(e, build->operands[1], b, bytes),
                        .b_inner = m->transpose_b ? one : m->b_stride,
                        .b_column = m->transpose_b ? m->b_stride : NULL,
                        .c = rt_emit_address(e, build->results[0], c, bytes),
                        .c_row = m->columns,
                        .rows = p->rows,
                        .columns = p->columns,
                        .inner = m->inner,
                        .adds = adds};
}

/* ---- the range */

matmul_tiles matmul_own_tiles(const matmul *m, LLVMValueRef tiles) {
    rt_kernel_build *build = m->build;
    rt_emitter *e = build->e;
    LLVMValueRef units = mul(e, m->matrices, mul(e, m->rows, m->columns));
    return (matmul_tiles){LLVMBuildUDiv(e->builder, mul(e, build->begin, tiles), units, ""),
                          LLVMBuildUDiv(e->builder, mul(e, build->end, tiles), units, "")};
}

enum { CHUNK_ROWS = 24, LIBRARY_TILE = 32 };

/* Tiles are chunks of the rows of one matrix after the other. */
void matmul_emit_in_place(const matmul *m) {
    rt_emitter *e = m->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef chunk = rt_emit_i64(e, CHUNK_ROWS);
    LLVMValueRef chunks = matmul_divided_up(e, m->rows, chunk);
    matmul_tiles own = matmul_own_tiles(m, mul(e, m->matrices, chunks));
    rt_loop tile = rt_emit_loop_begin(e, own.begin, own.end, one, "tile");
    LLVMValueRef row = mul(e, LLVMBuildURem(e->builder, tile.index, chunks, ""), chunk);
    rt_product product = matmul_product(
        m, &(matmul_part){.matrix = LLVMBuildUDiv(e->builder, tile.index, chunks, ""),
                          .first_row = row,
                          .rows = emit_less_of(e, sub(e, m->rows, row), chunk),
                          .first_column = zero,
                          .columns = m->columns});
    rt_emit_product(e, &product);
    rt_emit_loop_end(e, &tile);
}

/* Tiles are of rows or of columns, whichever there are more of, so that each worker reads as little
 * as possible of what all of them read; a worker's tiles of one matrix are one call. */
void matmul_emit_library(const matmul *m) {
    rt_emitter *e = m->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef tile = rt_emit_i64(e, LIBRARY_TILE);
    LLVMValueRef by_rows = LLVMBuildICmp(e->builder, LLVMIntSGE, m->rows, m->columns, "");
    LLVMValueRef size = where(e, by_rows, m->rows, m->columns);
    LLVMValueRef tiles = matmul_divided_up(e, size, tile); /* of a matrix */
    matmul_tiles own = matmul_own_tiles(m, mul(e, m->matrices, tiles));
    LLVMValueRef first = LLVMBuildUDiv(e->builder, own.begin, tiles, "");
    rt_loop matrix =
        rt_emit_loop_begin(e, first, matmul_divided_up(e, own.end, tiles), one, "matrix");
    LLVMValueRef origin = mul(e, matrix.index, tiles);
    LLVMValueRef low = mul(e, emit_greater_of(e, sub(e, own.begin, origin), zero), tile);
    LLVMValueRef high = mul(e, emit_less_of(e, sub(e, own.end, origin), tiles), tile);
    LLVMValueRef count = sub(e, emit_less_of(e, high, size), low);
    rt_product p =
        matmul_product(m, &(matmul_part){.matrix = matrix.index,
                                         .first_row = where(e, by_rows, low, zero),
                                         .rows = where(e, by_rows, count, m->rows),
                                         .first_column = where(e, by_rows, zero, low),
                                         .columns = where(e, by_rows, m->columns, count)});
    rt_emit_sgemm(e,
                  &(rt_sgemm){m->transpose_a, m->transpose_b, p.rows, p.columns, p.inner, p.a,
                              m->a_stride, p.b, m->b_stride, p.c, p.c_row, m->build->accumulates});
    rt_emit_loop_end(e, &matrix);
}

/* OpenBLAS has no case left that it does better on this kind of machine; it stays for comparison.
 */
void emit_matmul(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    bool has_panels =
        rt_graph_attr(build->graph, build->node, RT_ATTR_matmul_panel_columns).integer;
    matmul m = has_panels ? matmul_describe_panels(build) : describe(build);
    bool is_tiled = m.c.dtype == RT_F32 && matmul_is_tiled(&m);
    LLVMValueRef has_work = LLVMBuildICmp(e->builder, LLVMIntSLT, build->begin, build->end, "");
    rt_branch work = rt_emit_if_begin(e, has_work, "work"); /* else divisors may be 0 */
    if (has_panels && is_tiled)
        matmul_emit_blocks(&m, MATMUL_PANELS);
    else if (has_panels && m.a.dtype != m.b.dtype)
        matmul_emit_elements(&m);
    else if (has_panels)
        matmul_emit_panels(&m);
    else if (!is_tiled)
        matmul_emit_in_place(&m);
    else if (rt_optimizes(e->optimizations, RT_OPTIMIZE_emit_products))
        matmul_emit_blocks(&m, m.transpose_b ? MATMUL_COLUMNS : MATMUL_ROWS);
    else
        matmul_emit_library(&m);
    rt_emit_if_end(e, &work);
}
