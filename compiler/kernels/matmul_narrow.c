// SPDX-License-Identifier: Apache-2.0
/* Products by panels of numbers narrower than their sums: matmul_integer, matmul_int4, and matmul
 * by panels of 16-bit floats. All go by blocks of tiles (matmul_blocks.c) where the panels are as
 * wide as the target's tiles, and element by element where they are not. */
#include "compiler/kernels/matmul.h"

rt_dim panel_product_flops(const rt_graph *graph, rt_node node) {
    rt_type a = kernel_operand_type(graph, node, 0);
    rt_dim elements = matmul_range(graph, node);
    return kernel_scaled(graph, rt_dim_multiply(kernel_dims(graph), elements, a.dims[a.rank - 1]),
                         2);
}

bool matmul_is_tiled(const matmul *m) {
    return m->shape && m->panel == rt_tile_width(m->build->e, m->shape);
}

/* ---- element by element: units are elements of the result */

/* Where row k's number of a column stands: its panel's row, and the number in it. */
typedef struct element {
    const matmul *m;
    LLVMValueRef panel, column; /* of the panel */
} element;

/* In panels whose rows of `size` numbers stand for `steps` rows of the matrix each. */
static LLVMValueRef row_of_panel(const element *x, LLVMValueRef row, LLVMValueRef rows,
                                 int64_t size) {
    rt_emitter *e = x->m->build->e;
    return mul(e, add(e, mul(e, x->panel, rows), row), rt_emit_i64(e, size));
}

static LLVMValueRef load_integer(const element *x, LLVMValueRef k) {
    rt_emitter *e = x->m->build->e;
    int64_t group = rt_dot_group(x->m->a.dtype);
    LLVMValueRef size = rt_emit_i64(e, group), row = LLVMBuildUDiv(e->builder, k, size, "");
    LLVMValueRef at = row_of_panel(x, row, x->m->inner, x->m->panel * group);
    at = add(e, at, add(e, mul(e, x->column, size), LLVMBuildURem(e->builder, k, size, "")));
    LLVMValueRef b = rt_emit_load(e, RT_I8, x->m->build->operands[1], at, 1, NULL);
    return LLVMBuildSExt(e->builder, b, e->i32, "");
}

static LLVMValueRef load_real(const element *x, LLVMValueRef k) {
    rt_emitter *e = x->m->build->e;
    LLVMValueRef at = add(e, row_of_panel(x, k, x->m->inner, x->m->panel), x->column);
    return rt_emit_load(e, x->m->numbers.dtype, x->m->build->operands[1], at, 1, NULL);
}

static LLVMValueRef load_half_of_pair(const element *x, LLVMValueRef k) {
    const matmul *m = x->m;
    rt_emitter *e = m->build->e;
    LLVMValueRef two = rt_emit_i64(e, 2), steps = rt_emit_i64(e, m->numbers.scale_steps);
    LLVMValueRef step = LLVMBuildUDiv(e->builder, k, two, "");
    LLVMValueRef at = add(e, row_of_panel(x, step, m->inner, m->panel), x->column);
    LLVMValueRef pair = rt_emit_load(e, RT_U8, m->build->operands[1], at, 1, NULL);
    LLVMValueRef shift = mul(e, LLVMBuildURem(e->builder, k, two, ""), rt_emit_i64(e, 4));
    pair = LLVMBuildZExt(e->builder, pair, e->i32, "");
    pair = LLVMBuildLShr(e->builder, pair, LLVMBuildTrunc(e->builder, shift, e->i32, ""), "");
    pair = LLVMBuildAnd(e->builder, pair, rt_emit_int(e, e->i32, 15), "");
    LLVMValueRef number = sub(e, pair, rt_emit_int(e, e->i32, 8));
    LLVMValueRef groups = LLVMBuildUDiv(e->builder, m->inner, steps, "");
    step = LLVMBuildUDiv(e->builder, step, steps, "");
    at = add(e, row_of_panel(x, step, groups, m->panel), x->column);
    LLVMValueRef scale =
        rt_emit_load(e, m->numbers.scale_dtype, m->build->operands[2], at, 1, NULL);
    return mul(e, LLVMBuildSIToFP(e->builder, number, e->f32, ""), scale);
}

static LLVMValueRef load_b(const element *x, LLVMValueRef k) {
    if (x->m->c.dtype == RT_I32) return load_integer(x, k);
    return x->m->numbers.scale_steps ? load_half_of_pair(x, k) : load_real(x, k);
}

/* The number of a at `at`, as it is summed. */
static LLVMValueRef load_a(const matmul *m, LLVMValueRef at) {
    rt_emitter *e = m->build->e;
    LLVMValueRef a = rt_emit_load(e, m->a.dtype, m->build->operands[0], at, 1, NULL);
    if (m->c.dtype != RT_I32) return a;
    return LLVMBuildIntCast2(e->builder, a, e->i32, rt_dtype_is_signed(m->a.dtype), "");
}

void matmul_emit_elements(const matmul *m) {
    rt_kernel_build *build = m->build;
    rt_emitter *e = build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef inner = emit_extent(build, m->a, m->a.rank - 1, m->a.rank);
    LLVMValueRef panel = rt_emit_i64(e, m->panel);
    rt_loop unit = rt_emit_loop_begin(e, build->begin, build->end, one, "unit");
    LLVMValueRef row = LLVMBuildUDiv(e->builder, unit.index, m->columns, "");
    LLVMValueRef column = LLVMBuildURem(e->builder, unit.index, m->columns, "");
    element x = {.m = m,
                 .panel = LLVMBuildUDiv(e->builder, column, panel, ""),
                 .column = LLVMBuildURem(e->builder, column, panel, "")};
    LLVMTypeRef type = rt_emit_dtype(e, m->c.dtype);
    LLVMValueRef start = build->accumulates
                             ? rt_emit_load(e, m->c.dtype, build->results[0], unit.index, 1, NULL)
                             : LLVMConstNull(type);
    rt_loop k = rt_emit_loop_begin(e, zero, inner, one, "inner");
    LLVMValueRef sum = rt_emit_loop_carry(e, &k, start);
    LLVMValueRef a = load_a(m, add(e, mul(e, row, inner), k.index)), b = load_b(&x, k.index);
    LLVMValueRef next = is_real(sum) ? mul_add(e, a, b, sum) : add(e, sum, mul(e, a, b));
    rt_emit_loop_next(e, &k, sum, next);
    rt_emit_loop_end(e, &k);
    rt_emit_store(e, m->c.dtype, rt_emit_loop_result(&k, sum), build->results[0], unit.index, NULL);
    rt_emit_loop_end(e, &unit);
}

/* ---- the operators */

static void emit_narrow(const matmul *m) {
    rt_kernel_build *build = m->build;
    rt_emitter *e = build->e;
    LLVMValueRef has_work = LLVMBuildICmp(e->builder, LLVMIntSLT, build->begin, build->end, "");
    rt_branch work = rt_emit_if_begin(e, has_work, "work"); /* else divisors may be 0 */
    if (matmul_is_tiled(m))
        matmul_emit_blocks(m, MATMUL_PANELS);
    else
        matmul_emit_elements(m);
    rt_emit_if_end(e, &work);
}

void emit_matmul_integer(rt_kernel_build *build) {
    matmul m = matmul_describe_panels(build);
    emit_narrow(&m);
}

void emit_matmul_int4(rt_kernel_build *build) {
    matmul m = matmul_describe_panels(build);
    rt_type scales = kernel_operand_type(build->graph, build->node, 2);
    int64_t steps = kernel_constant(build->graph, m.b.dims[1]);
    int64_t groups = kernel_constant(build->graph, scales.dims[1]);
    m.numbers.scale_dtype = scales.dtype;
    m.numbers.scale_steps = groups ? steps / groups : RT_TILE_FETCH_INNER;
    emit_narrow(&m);
}
