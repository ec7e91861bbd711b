// SPDX-License-Identifier: Apache-2.0
/* Column groups: [outer, reduced, columns] summed over the middle. The range is the outer * columns
 * results; each is summed over its rows in order, so the split does not change it. A step takes
 * several vectors of columns at once: their sums stay in registers over all rows. */
#include "compiler/codegen/reduction.h"
#include "compiler/kernels/kernel.h"

enum { MAX_PARTS = RT_BLOCK_MAX_PARTS };

typedef struct column_loop {
    rt_loop_body *body;
    rt_reduction reductions[RT_MAX_REDUCTIONS];
    unsigned reduction_count;
    LLVMValueRef reduced; /* rows of one sum */
} column_loop;

unsigned rt_column_parts(const rt_group *group) {
    unsigned reductions = 0;
    for (size_t m = 0; m < group->member_count; ++m) reductions += group->members[m].is_reduction;
    return reductions <= 1 ? 8 : reductions <= 2 ? 4 : 2;
}

static void store_sums(column_loop *p, const rt_block *block, LLVMValueRef first,
                       LLVMValueRef (*sums)[MAX_PARTS]) {
    rt_emitter *e = p->body->e;
    for (unsigned r = 0; r < p->reduction_count; ++r)
        for (unsigned part = 0; part < block->parts; ++part) {
            LLVMValueRef offset = rt_emit_i64(e, (int64_t)part * block->lanes);
            LLVMValueRef index = LLVMBuildAdd(e->builder, first, block->column, "");
            index = LLVMBuildAdd(e->builder, index, offset, "");
            rt_emit_store(e, p->reductions[r].dtype, sums[r][part],
                          p->body->computed[p->reductions[r].member].output, index, block->mask);
        }
}

/* The sums of one block of columns of matrix `outer`. */
static void emit_block(column_loop *p, LLVMValueRef outer, const rt_block *block) {
    rt_emitter *e = p->body->e;
    LLVMValueRef sums[RT_MAX_REDUCTIONS][MAX_PARTS];
    LLVMValueRef first = LLVMBuildMul(e->builder, outer, p->reduced, "");
    rt_loop rows = rt_emit_loop_begin(e, first, LLVMBuildAdd(e->builder, first, p->reduced, ""),
                                      rt_emit_i64(e, 1), "row");
    for (unsigned r = 0; r < p->reduction_count; ++r)
        for (unsigned part = 0; part < block->parts; ++part)
            sums[r][part] = rt_emit_loop_carry(
                e, &rows, rt_emit_reduction_start(p->body, &p->reductions[r], block->lanes));
    rt_loop_body_enter_row(p->body, rows.index);
    rt_loop_body_compute(p->body, 0, block);
    for (unsigned r = 0; r < p->reduction_count; ++r)
        for (unsigned part = 0; part < block->parts; ++part)
            rt_emit_loop_next(
                e, &rows, sums[r][part],
                rt_emit_reduction_step(p->body, &p->reductions[r], sums[r][part], part));
    rt_emit_loop_end(e, &rows);
    store_sums(p, block, LLVMBuildMul(e->builder, outer, p->body->columns, ""), sums);
}

/* Columns [begin, end) of matrix `outer`: whole blocks, then single vectors, the last one masked
 * where masks are instructions, else single columns. */
static void emit_matrix(column_loop *p, LLVMValueRef outer, LLVMValueRef begin, LLVMValueRef end) {
    rt_emitter *e = p->body->e;
    bool has_masks = e->target->has_masked_memory && p->body->lanes > 1;
    rt_block block = {.lanes = p->body->lanes, .parts = rt_column_parts(p->body->group)};
    LLVMValueRef step = rt_emit_i64(e, (int64_t)block.lanes * block.parts);
    LLVMValueRef length = LLVMBuildSub(e->builder, end, begin, "");
    LLVMValueRef whole = LLVMBuildAnd(e->builder, length, LLVMBuildNeg(e->builder, step, ""), "");
    LLVMValueRef middle = LLVMBuildAdd(e->builder, begin, whole, "");
    rt_loop blocks = rt_emit_loop_begin(e, begin, middle, step, "block");
    block.column = blocks.index;
    emit_block(p, outer, &block);
    rt_emit_loop_end(e, &blocks);
    block.parts = 1;
    if (!has_masks) block.lanes = 1;
    rt_loop rest = rt_emit_loop_begin(e, middle, end, rt_emit_i64(e, block.lanes), "rest");
    block.column = rest.index;
    if (has_masks) block.mask = rt_emit_tail_mask(e, rest.index, end, block.lanes);
    emit_block(p, outer, &block);
    rt_emit_loop_end(e, &rest);
}

static LLVMValueRef limit(rt_emitter *e, LLVMValueRef value, LLVMValueRef least,
                          LLVMValueRef most) {
    return rt_emit_min(e, rt_emit_max(e, value, least, true), most, true);
}

void rt_emit_column_kernel(rt_kernel_code *code) {
    rt_emitter *e = code->e;
    rt_loop_body body;
    column_loop p = {.body = &body};
    if (!rt_loop_body_begin(&body, code)) return;
    p.reduction_count = rt_find_reductions(&body, RT_ALL_PHASES, p.reductions);
    p.reduced = rt_kernel_code_size(code, code->group->reduced);
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef has_work = LLVMBuildICmp(e->builder, LLVMIntSLT, code->begin, code->end, "");
    rt_branch work = rt_emit_if_begin(e, has_work, "work");
    LLVMValueRef first = LLVMBuildUDiv(e->builder, code->begin, body.columns, "");
    LLVMValueRef last = LLVMBuildSub(e->builder, code->end, one, "");
    last = LLVMBuildUDiv(e->builder, last, body.columns, "");
    rt_loop outer =
        rt_emit_loop_begin(e, first, LLVMBuildAdd(e->builder, last, one, ""), one, "outer");
    LLVMValueRef origin = LLVMBuildMul(e->builder, outer.index, body.columns, "");
    LLVMValueRef begin = LLVMBuildSub(e->builder, code->begin, origin, "");
    LLVMValueRef end = LLVMBuildSub(e->builder, code->end, origin, "");
    emit_matrix(&p, outer.index, limit(e, begin, zero, body.columns),
                limit(e, end, zero, body.columns));
    rt_emit_loop_end(e, &outer);
    rt_emit_if_end(e, &work);
}
