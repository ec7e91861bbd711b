// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/row_parts.h"

static rt_dtype accumulator_dtype(const rt_loop_body *body, size_t member) {
    const rt_graph *graph = body->code->schedule->graph;
    return rt_scratch_dtype(rt_graph_type(graph, body->group->members[member].value).dtype);
}

/* Bytes of an element of the buffer of parts. */
static size_t element_bytes(const rt_loop_body *body) {
    rt_buffer buffer = body->code->schedule->buffers[body->group->parts_buffer];
    return rt_dtype_bytes(buffer.type.dtype);
}

/* Row `part` of the parts of rider number `rider`. */
static LLVMValueRef part_row(rt_loop_body *body, unsigned rider, LLVMValueRef part) {
    rt_emitter *e = body->e;
    const rt_group *group = body->group;
    LLVMValueRef base =
        rt_kernel_code_pointer(body->code, group->input_count + group->output_count);
    LLVMValueRef row =
        LLVMBuildAdd(e->builder, part, rt_emit_i64(e, (int64_t)rider * RT_ROW_PARTS), "");
    return rt_emit_address(e, base, LLVMBuildMul(e->builder, row, body->columns, ""),
                           element_bytes(body));
}

LLVMValueRef rt_row_part_begin(rt_loop_body *body, LLVMValueRef part) {
    rt_emitter *e = body->e;
    LLVMValueRef rows = rt_kernel_code_size(body->code, body->group->space.rows);
    LLVMValueRef product = LLVMBuildMul(e->builder, rows, part, "");
    return LLVMBuildUDiv(e->builder, product, rt_emit_i64(e, RT_ROW_PARTS), "");
}

/* A pass over columns [begin, end): whole vectors, then the ragged end, masked where masks are
 * instructions, else one by one. */
typedef void (*column_step)(rt_loop_body *body, const rt_block *block, const void *what);

static void pass(rt_loop_body *body, LLVMValueRef begin, LLVMValueRef end, column_step step,
                 const void *what) {
    rt_emitter *e = body->e;
    bool has_masks = e->target->has_masked_memory && body->lanes > 1;
    LLVMValueRef lanes = rt_emit_i64(e, body->lanes);
    LLVMValueRef length = LLVMBuildSub(e->builder, end, begin, "");
    LLVMValueRef whole = LLVMBuildAnd(e->builder, length, LLVMBuildNeg(e->builder, lanes, ""), "");
    LLVMValueRef middle = LLVMBuildAdd(e->builder, begin, whole, "");
    rt_loop loop = rt_emit_loop_begin(e, begin, middle, lanes, "column");
    step(body, &(rt_block){.column = loop.index, .lanes = body->lanes, .parts = 1}, what);
    rt_emit_loop_end(e, &loop);
    rt_block block = {.lanes = has_masks ? body->lanes : 1, .parts = 1};
    rt_loop rest = rt_emit_loop_begin(e, middle, end, rt_emit_i64(e, block.lanes), "rest");
    block.column = rest.index;
    if (has_masks) block.mask = rt_emit_tail_mask(e, rest.index, end, block.lanes);
    step(body, &block, what);
    rt_emit_loop_end(e, &rest);
}

/* ---- in the loop over rows */

static void start_riders(rt_loop_body *body, const rt_block *block, const void *what) {
    (void)what;
    for (size_t m = 0; m < body->group->member_count; ++m) {
        if (!body->group->members[m].reduces_rows) continue;
        rt_reduction reduction = rt_reduction_of(body, m);
        LLVMValueRef start = rt_emit_reduction_start(body, &reduction, block->lanes);
        rt_emit_store(body->e, accumulator_dtype(body, m), start, body->computed[m].row,
                      block->column, block->mask);
    }
}

void rt_emit_row_part_start(rt_loop_body *body, LLVMValueRef part) {
    unsigned rider = 0;
    for (size_t m = 0; m < body->group->member_count; ++m)
        if (body->group->members[m].reduces_rows)
            body->computed[m].row = part_row(body, rider++, part);
    pass(body, rt_emit_i64(body->e, 0), body->columns, start_riders, NULL);
}

void rt_emit_row_part_step(rt_loop_body *body, unsigned phase) {
    rt_emitter *e = body->e;
    const rt_block *block = body->block;
    for (size_t m = 0; m < body->group->member_count; ++m) {
        const rt_member *member = &body->group->members[m];
        if (!member->reduces_rows || member->phase != phase) continue;
        rt_reduction reduction = rt_reduction_of(body, m);
        rt_dtype dtype = accumulator_dtype(body, m);
        for (unsigned part = 0; part < block->parts; ++part) {
            LLVMValueRef offset = rt_emit_i64(e, (int64_t)part * block->lanes);
            LLVMValueRef column = LLVMBuildAdd(e->builder, block->column, offset, "");
            LLVMValueRef sum =
                rt_emit_load(e, dtype, body->computed[m].row, column, block->lanes, block->mask);
            sum = rt_emit_reduction_step(body, &reduction, sum, part);
            rt_emit_store(e, dtype, sum, body->computed[m].row, column, block->mask);
        }
    }
}

/* ---- behind it */

typedef struct rider {
    size_t member;
    unsigned number;
} rider;

static void combine_parts(rt_loop_body *body, const rt_block *block, const void *what) {
    rt_emitter *e = body->e;
    const rider *r = what;
    rt_reduction reduction = rt_reduction_of(body, r->member);
    rt_dtype dtype = accumulator_dtype(body, r->member);
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    rt_loop parts = rt_emit_loop_begin(e, zero, rt_emit_i64(e, RT_ROW_PARTS), one, "part");
    LLVMValueRef sum =
        rt_emit_loop_carry(e, &parts, rt_emit_reduction_start(body, &reduction, block->lanes));
    LLVMValueRef part = rt_emit_load(e, dtype, part_row(body, r->number, parts.index),
                                     block->column, block->lanes, block->mask);
    rt_emit_loop_next(e, &parts, sum, rt_emit_combine(e, part, sum, reduction.kind));
    rt_emit_loop_end(e, &parts);
    rt_emit_store(e, reduction.dtype, rt_emit_loop_result(&parts, sum),
                  body->computed[r->member].output, block->column, block->mask);
}

void rt_emit_row_parts_kernel(rt_kernel_code *code) {
    rt_loop_body body;
    unsigned number = 0;
    if (!rt_loop_body_begin(&body, code)) return;
    for (size_t m = 0; m < body.group->member_count; ++m) {
        if (!body.group->members[m].reduces_rows) continue;
        rider r = {m, number++};
        pass(&body, code->begin, code->end, combine_parts, &r);
    }
}
