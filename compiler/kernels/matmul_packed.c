// SPDX-License-Identifier: Apache-2.0
/* f32 products through packed panels. A panel of b, as wide as the product's tiles, is copied to
 * scratch (transposed where b is), in blocks of the inner size that stay in the cache, and rows of
 * a are run over it, read in place. A tile of work is a chunk of rows of one panel, numbered panel
 * by panel: workers share the work evenly at any shape, and pack little twice.
 *
 * Blocks of the inner size continue each other's sums: the bits are those of one chain over all of
 * it, whatever the tiles are. */
#include "compiler/kernels/matmul.h"

enum {
    CHUNK_ROWS = 48, /* rows are split at multiples of it */
    FEW_ROWS = 16,   /* for which packing would only add to reading b */
    INNER_BLOCK = 1024
};

int64_t matmul_packed_bytes(void) {
    return 4 * INNER_BLOCK * RT_PRODUCT_MAX_PANEL;
}

static void emit_packed_panel(const matmul *m, const rt_product *product, LLVMValueRef first,
                              LLVMValueRef count) {
    rt_emitter *e = m->build->e;
    LLVMValueRef from = emit_at(e, product->b, first, product->b_inner, 4);
    LLVMValueRef to = m->build->scratch;
    if (m->transpose_b)
        rt_emit_transpose(e, &(rt_transpose_job){.from = from,
                                                 .from_row = m->b_stride,
                                                 .rows = product->columns,
                                                 .columns = count,
                                                 .to = to,
                                                 .to_row = rt_emit_i64(e, m->panel)});
    else
        rt_emit_copy(e, &(rt_copy_job){.from = from,
                                       .from_row = m->b_stride,
                                       .rows = count,
                                       .columns = product->columns,
                                       .to = to,
                                       .width = m->panel});
}

/* Block by block of the inner index; once where that is empty, to give zeros. */
static void emit_blocks(const matmul *m, const matmul_part *part) {
    rt_emitter *e = m->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), size = rt_emit_i64(e, INNER_BLOCK);
    LLVMValueRef end = emit_greater_of(e, m->inner, rt_emit_i64(e, 1));
    rt_product product = matmul_product(m, part);
    rt_loop block = rt_emit_loop_begin(e, zero, end, size, "block");
    LLVMValueRef count = emit_less_of(e, sub(e, m->inner, block.index), size);
    emit_packed_panel(m, &product, block.index, count);
    product.a = emit_at(e, product.a, block.index, product.a_inner, 4);
    product.b = m->build->scratch;
    product.b_inner = rt_emit_i64(e, m->panel);
    product.b_column = NULL;
    product.inner = count;
    LLVMValueRef is_later = LLVMBuildICmp(e->builder, LLVMIntSGT, block.index, zero, "");
    product.adds = LLVMBuildOr(e->builder, product.adds, is_later, "");
    rt_emit_product(e, &product);
    rt_emit_loop_end(e, &block);
}

static void emit_panel(const matmul *m, const matmul_part *part) {
    rt_emitter *e = m->build->e;
    if (m->transpose_b) {
        emit_blocks(m, part);
        return;
    }
    LLVMValueRef few = rt_emit_i64(e, FEW_ROWS);
    LLVMValueRef is_few = LLVMBuildICmp(e->builder, LLVMIntSLE, part->rows, few, "");
    rt_branch branch = rt_emit_if_begin(e, is_few, "few");
    rt_product product = matmul_product(m, part);
    rt_emit_product(e, &product);
    rt_emit_if_end(e, &branch);
    branch = rt_emit_if_begin(e, LLVMBuildNot(e->builder, is_few, ""), "many");
    emit_blocks(m, part);
    rt_emit_if_end(e, &branch);
}

void matmul_emit_packed(const matmul *m) {
    rt_emitter *e = m->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef chunk = rt_emit_i64(e, CHUNK_ROWS), width = rt_emit_i64(e, m->panel);
    LLVMValueRef chunks = matmul_divided_up(e, m->rows, chunk); /* of a panel */
    LLVMValueRef panels = matmul_divided_up(e, m->columns, width);
    matmul_tiles own = matmul_own_tiles(m, mul(e, m->matrices, mul(e, panels, chunks)));
    LLVMValueRef first = LLVMBuildUDiv(e->builder, own.begin, chunks, "");
    rt_loop panel =
        rt_emit_loop_begin(e, first, matmul_divided_up(e, own.end, chunks), one, "panel");
    LLVMValueRef origin = mul(e, panel.index, chunks);
    LLVMValueRef low = mul(e, emit_greater_of(e, sub(e, own.begin, origin), zero), chunk);
    LLVMValueRef high = mul(e, emit_less_of(e, sub(e, own.end, origin), chunks), chunk);
    LLVMValueRef column = mul(e, LLVMBuildURem(e->builder, panel.index, panels, ""), width);
    emit_panel(m, &(matmul_part){.matrix = LLVMBuildUDiv(e->builder, panel.index, panels, ""),
                                 .first_row = low,
                                 .rows = sub(e, emit_less_of(e, high, m->rows), low),
                                 .first_column = column,
                                 .columns = emit_less_of(e, sub(e, m->columns, column), width)});
    rt_emit_loop_end(e, &panel);
}
