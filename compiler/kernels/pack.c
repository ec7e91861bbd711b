// SPDX-License-Identifier: Apache-2.0
/* pack_panels: a matrix as the panels that products read. A unit of work is a block of the inner
 * index of one panel; units are numbered block by block, so that a matrix is read from front to end
 * and its lines are in the cache when the next panel takes its part of them. */
#include "compiler/kernels/kernel_rules.h"
#include "compiler/kernels/product.h"

enum { BLOCK = 128 };

static bool is_transposed(const rt_graph *graph, rt_node node) {
    return rt_graph_attr(graph, node, RT_ATTR_pack_panels_transpose).integer;
}

/* Elements of the result: borders between blocks of panels are found from it. */
rt_dim pack_panels_range(const rt_graph *graph, rt_node node) {
    return rt_type_elements(kernel_dims(graph), kernel_result_type(graph, node, 0));
}

/* One unit: rows [first_row, + rows) of the panel that begins at `first_column`. */
typedef struct unit {
    LLVMValueRef first_row, rows, first_column, columns, to;
} unit;

typedef struct packing {
    rt_kernel_build *build;
    rt_dtype dtype;
    bool is_transposed;
    int64_t width, group;
    LLVMValueRef inner, columns; /* of the matrix, as the product sees it, rows in groups */
} packing;

/* Element by element: any type, width and group. */
static void emit_elements(const packing *p, const unit *u, LLVMValueRef first_row) {
    rt_emitter *e = p->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef size = rt_emit_i64(e, p->width * p->group), group = rt_emit_i64(e, p->group);
    rt_loop row = rt_emit_loop_begin(e, first_row, u->rows, one, "row");
    rt_loop number = rt_emit_loop_begin(e, zero, size, one, "number");
    LLVMValueRef column = LLVMBuildUDiv(e->builder, number.index, group, "");
    LLVMValueRef k = mul(e, add(e, u->first_row, row.index), group);
    k = add(e, k, LLVMBuildURem(e->builder, number.index, group, ""));
    LLVMValueRef last = sub(e, u->columns, one);
    LLVMValueRef is_there = LLVMBuildICmp(e->builder, LLVMIntSLT, column, u->columns, "");
    LLVMValueRef j = add(e, u->first_column, where(e, is_there, column, last));
    LLVMValueRef from = p->is_transposed ? add(e, mul(e, j, mul(e, p->inner, group)), k)
                                         : add(e, mul(e, k, p->columns), j);
    LLVMValueRef x = rt_emit_load(e, p->dtype, p->build->operands[0], from, 1, NULL);
    x = where(e, is_there, x, LLVMConstNull(LLVMTypeOf(x)));
    rt_emit_store(e, p->dtype, x, u->to, add(e, mul(e, row.index, size), number.index), NULL);
    rt_emit_loop_end(e, &number);
    rt_emit_loop_end(e, &row);
}

/* Columns behind the last one become zero. */
static void emit_surplus(const packing *p, const unit *u, LLVMValueRef rows) {
    rt_emitter *e = p->build->e;
    LLVMValueRef width = rt_emit_i64(e, p->width);
    LLVMValueRef is_ragged = LLVMBuildICmp(e->builder, LLVMIntSLT, u->columns, width, "");
    rt_branch ragged = rt_emit_if_begin(e, is_ragged, "ragged");
    rt_emit_copy(e, &(rt_copy_job){.from = u->to,
                                   .from_row = width,
                                   .rows = rows,
                                   .columns = u->columns,
                                   .to = u->to,
                                   .width = p->width});
    rt_emit_if_end(e, &ragged);
}

static void emit_vectors(const packing *p, const unit *u) {
    rt_emitter *e = p->build->e;
    LLVMValueRef from = p->build->operands[0];
    if (!p->is_transposed) {
        from = emit_at(e, from, u->first_row, p->columns, 4);
        rt_emit_copy(e, &(rt_copy_job){.from = rt_emit_address(e, from, u->first_column, 4),
                                       .from_row = p->columns,
                                       .rows = u->rows,
                                       .columns = u->columns,
                                       .to = u->to,
                                       .width = p->width});
        return;
    }
    /* The transpose writes whole vectors of rows, which beyond these would be the next panel's. */
    LLVMValueRef whole =
        LLVMBuildAnd(e->builder, u->rows, rt_emit_i64(e, -(int64_t)RT_TRANSPOSE_PAD), "");
    from = emit_at(e, from, u->first_column, p->inner, 4);
    rt_emit_transpose(e, &(rt_transpose_job){.from = rt_emit_address(e, from, u->first_row, 4),
                                             .from_row = p->inner,
                                             .rows = u->columns,
                                             .columns = whole,
                                             .to = u->to,
                                             .to_row = rt_emit_i64(e, p->width)});
    emit_surplus(p, u, whole);
    emit_elements(p, u, whole);
}

static void emit_unit(const packing *p, LLVMValueRef number, LLVMValueRef panels) {
    rt_kernel_build *build = p->build;
    rt_emitter *e = build->e;
    LLVMValueRef width = rt_emit_i64(e, p->width), block = rt_emit_i64(e, BLOCK);
    LLVMValueRef panel = LLVMBuildURem(e->builder, number, panels, "");
    unit u = {.first_row = mul(e, LLVMBuildUDiv(e->builder, number, panels, ""), block),
              .first_column = mul(e, panel, width)};
    u.rows = emit_less_of(e, sub(e, p->inner, u.first_row), block);
    u.columns = emit_less_of(e, sub(e, p->columns, u.first_column), width);
    LLVMValueRef row = add(e, mul(e, panel, p->inner), u.first_row);
    size_t bytes = rt_dtype_bytes(p->dtype) * (size_t)p->group;
    u.to = emit_at(e, build->results[0], row, width, bytes);
    if (p->dtype == RT_F32 && p->group == 1 && p->width % RT_TRANSPOSE_PAD == 0)
        emit_vectors(p, &u);
    else
        emit_elements(p, &u, rt_emit_i64(e, 0));
}

void emit_pack_panels(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    rt_type x = kernel_operand_type(build->graph, build->node, 0);
    rt_type y = kernel_result_type(build->graph, build->node, 0);
    packing p = {.build = build,
                 .dtype = x.dtype,
                 .is_transposed = is_transposed(build->graph, build->node),
                 .group =
                     rt_graph_attr(build->graph, build->node, RT_ATTR_pack_panels_group).integer,
                 .inner = emit_extent(build, y, 1, 2)};
    p.width = kernel_constant(build->graph, y.dims[2]) / p.group;
    p.columns = emit_extent(build, x, p.is_transposed ? 0 : 1, p.is_transposed ? 1 : 2);
    LLVMValueRef has_work = LLVMBuildICmp(e->builder, LLVMIntSLT, build->begin, build->end, "");
    rt_branch work = rt_emit_if_begin(e, has_work, "work"); /* else divisors may be 0 */
    LLVMValueRef one = rt_emit_i64(e, 1), panels = emit_extent(build, y, 0, 1);
    LLVMValueRef block = rt_emit_i64(e, BLOCK), elements = emit_extent(build, y, 0, 3);
    LLVMValueRef blocks = add(e, p.inner, sub(e, block, one));
    LLVMValueRef units = mul(e, panels, LLVMBuildUDiv(e->builder, blocks, block, ""));
    LLVMValueRef begin = LLVMBuildUDiv(e->builder, mul(e, build->begin, units), elements, "");
    LLVMValueRef end = LLVMBuildUDiv(e->builder, mul(e, build->end, units), elements, "");
    rt_loop number = rt_emit_loop_begin(e, begin, end, one, "unit");
    emit_unit(&p, number.index, panels);
    rt_emit_loop_end(e, &number);
    rt_emit_if_end(e, &work);
}
