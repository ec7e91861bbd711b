// SPDX-License-Identifier: Apache-2.0
/* Products whose b stands in panels already: nothing is packed. A tile of work is a chunk of rows
 * of one panel. Rows are taken in blocks that stay in the second cache while all panels pass by, so
 * that b comes once per block from wherever it is; within a block workers share panel by panel. */
#include "compiler/kernels/matmul.h"

enum {
    CHUNK_ROWS = 48, /* rows are split at multiples of it */
    BLOCK_ROWS = 192 /* at most in a block */
};

matmul matmul_describe_panels(rt_kernel_build *build) {
    const rt_graph *graph = build->graph;
    matmul m = {.build = build,
                .a = kernel_operand_type(graph, build->node, 0),
                .b = kernel_operand_type(graph, build->node, 1),
                .c = kernel_result_type(graph, build->node, 0)};
    m.rows = emit_extent(build, m.c, 0, m.c.rank - 1);
    m.columns = emit_extent(build, m.c, m.c.rank - 1, m.c.rank);
    m.inner = emit_extent(build, m.b, 1, 2);
    m.a_stride = m.inner;
    m.matrices = rt_emit_i64(build->e, 1);
    m.shape = rt_tile_shape_of(build->e, m.a.dtype);
    m.numbers.dtype = m.b.dtype;
    bool is_grouped =
        m.shape && rt_dtype_is_integer(m.shape->dtype) && m.b.dtype == RT_I8 && m.c.dtype == RT_I32;
    m.panel = kernel_constant(graph, m.b.dims[2]) / (is_grouped ? rt_dot_group(m.a.dtype) : 1);
    m.b_stride = rt_emit_i64(build->e, m.panel);
    return m;
}

/* Rows [first, first + rows) by panel number `panel`. */
static void emit_part(const matmul *m, LLVMValueRef panel, LLVMValueRef first, LLVMValueRef rows) {
    rt_kernel_build *build = m->build;
    rt_emitter *e = build->e;
    size_t bytes = rt_dtype_bytes(m->c.dtype);
    LLVMValueRef column = mul(e, panel, m->b_stride);
    rt_product product = {
        .dtype = m->c.dtype,
        .a = emit_at(e, build->operands[0], first, m->a_stride, bytes),
        .a_row = m->a_stride,
        .a_inner = rt_emit_i64(e, 1),
        .b = rt_emit_address(e, build->operands[1], mul(e, column, m->inner), bytes),
        .b_inner = m->b_stride,
        .c =
            rt_emit_address(e, build->results[0], add(e, mul(e, first, m->columns), column), bytes),
        .c_row = m->columns,
        .rows = rows,
        .columns = emit_less_of(e, sub(e, m->columns, column), m->b_stride),
        .inner = m->inner,
        .adds = rt_emit_int(e, e->i1, build->accumulates)};
    rt_emit_product(e, &product);
}

/* Tiles are numbered block by block, in it panel by panel, in it chunk by chunk; all blocks have
 * the same number of chunks, of which the last block's may be empty. */
void matmul_emit_panels(const matmul *m) {
    rt_emitter *e = m->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef chunk = rt_emit_i64(e, CHUNK_ROWS);
    LLVMValueRef blocks = matmul_divided_up(e, m->rows, rt_emit_i64(e, BLOCK_ROWS));
    LLVMValueRef chunks =
        matmul_divided_up(e, matmul_divided_up(e, m->rows, blocks), chunk); /* of a block */
    LLVMValueRef panels = matmul_divided_up(e, m->columns, m->b_stride);
    matmul_tiles own = matmul_own_tiles(m, mul(e, blocks, mul(e, panels, chunks)));
    LLVMValueRef first = LLVMBuildUDiv(e->builder, own.begin, chunks, "");
    rt_loop strip =
        rt_emit_loop_begin(e, first, matmul_divided_up(e, own.end, chunks), one, "strip");
    LLVMValueRef origin = mul(e, strip.index, chunks);
    LLVMValueRef low = emit_greater_of(e, sub(e, own.begin, origin), zero);
    LLVMValueRef high = emit_less_of(e, sub(e, own.end, origin), chunks);
    LLVMValueRef block = LLVMBuildUDiv(e->builder, strip.index, panels, "");
    LLVMValueRef before = mul(e, block, chunks); /* chunks */
    LLVMValueRef row = mul(e, add(e, before, low), chunk);
    LLVMValueRef end = emit_less_of(e, mul(e, add(e, before, high), chunk), m->rows);
    LLVMValueRef rows = emit_greater_of(e, sub(e, end, row), zero);
    emit_part(m, LLVMBuildURem(e->builder, strip.index, panels, ""), row, rows);
    rt_emit_loop_end(e, &strip);
}
