// SPDX-License-Identifier: Apache-2.0
/* Row groups: a loop over rows, in it one loop over columns per phase. Flat groups have one row,
 * and the range is its columns. The range of the others is the rows, or parts of them
 * (row_parts.h).
 *
 *     for row in [begin, end)
 *         row values
 *         for each phase
 *             for column in steps of parts * lanes: compute, accumulate, store
 *             the ragged end, masked
 *             reductions become row values
 */
#include "compiler/codegen/row_parts.h"
#include "compiler/kernels/kernel.h"
#include "compiler/schedule/traits.h"
#include "runtime/base/check.h"

enum { MAX_PARTS = 4 };

typedef struct phase_loop {
    rt_loop_body *body;
    unsigned phase;
    rt_reduction reductions[RT_MAX_REDUCTIONS];
    unsigned reduction_count;
    LLVMValueRef sums[RT_MAX_REDUCTIONS][MAX_PARTS]; /* accumulators */
    LLVMValueRef ends[RT_MAX_REDUCTIONS]; /* of the ragged end where it goes one by one */
} phase_loop;

static bool is_written(const rt_member *member, unsigned phase) {
    bool is_first = member->computed && (unsigned)__builtin_ctz(member->computed) == phase;
    bool is_vector = member->map == RT_ACCESS_FULL || member->map == RT_ACCESS_COLUMN;
    return is_first && is_vector && !member->is_reduction &&
           (member->is_stored || member->scratch_row >= 0);
}

static bool has_work(const rt_group *group, unsigned phase) {
    for (size_t m = 0; m < group->member_count; ++m)
        if (is_written(&group->members[m], phase) ||
            (group->members[m].is_reduction && group->members[m].phase == phase))
            return true;
    return false;
}

/* After all loads and arithmetic of the block, because a value may be written over an operand. */
static void write_block(rt_loop_body *body, unsigned phase, const rt_block *block) {
    for (size_t m = 0; m < body->group->member_count; ++m) {
        const rt_member *member = &body->group->members[m];
        if (!is_written(member, phase)) continue;
        rt_dtype dtype = rt_graph_type(body->code->schedule->graph, member->value).dtype;
        if (!member->is_stored) dtype = rt_scratch_dtype(dtype);
        for (unsigned part = 0; part < block->parts; ++part) {
            LLVMValueRef offset = rt_emit_i64(body->e, (int64_t)part * block->lanes);
            LLVMValueRef column = LLVMBuildAdd(body->e->builder, block->column, offset, "");
            rt_emit_store(body->e, dtype, body->computed[m].parts[part], body->computed[m].row,
                          column, block->mask);
        }
    }
}

/* Columns [begin, end) in steps of parts * lanes, whose last may be ragged where `is_masked`;
 * `sums` holds the accumulators before and after. */
static void emit_columns(phase_loop *p, LLVMValueRef begin, LLVMValueRef end, rt_block block,
                         bool is_masked, LLVMValueRef (*sums)[MAX_PARTS]) {
    rt_emitter *e = p->body->e;
    LLVMValueRef step = rt_emit_i64(e, (int64_t)block.lanes * block.parts);
    rt_loop loop = rt_emit_loop_begin(e, begin, end, step, "column");
    for (unsigned r = 0; r < p->reduction_count; ++r)
        for (unsigned part = 0; part < block.parts; ++part)
            sums[r][part] = rt_emit_loop_carry(e, &loop, sums[r][part]);
    block.column = loop.index;
    block.mask = is_masked ? rt_emit_tail_mask(e, loop.index, end, block.lanes) : NULL;
    rt_loop_body_compute(p->body, p->phase, &block);
    for (unsigned r = 0; r < p->reduction_count; ++r)
        for (unsigned part = 0; part < block.parts; ++part)
            rt_emit_loop_next(
                e, &loop, sums[r][part],
                rt_emit_reduction_step(p->body, &p->reductions[r], sums[r][part], part));
    rt_emit_row_part_step(p->body, p->phase);
    write_block(p->body, p->phase, &block);
    rt_emit_loop_end(e, &loop);
}

static bool is_constant_equal(LLVMValueRef a, LLVMValueRef b) {
    return LLVMIsAConstantInt(a) && LLVMIsAConstantInt(b) &&
           LLVMConstIntGetSExtValue(a) == LLVMConstIntGetSExtValue(b);
}

/* Vectors per step: several where the work per vector is so little that the accumulators' latency
 * or the loop itself would show; fewer where a constant row does not divide. */
static unsigned choose_parts(const phase_loop *p, LLVMValueRef length) {
    const rt_group *group = p->body->group;
    unsigned cost = 0, parts;
    for (size_t m = 0; m < group->member_count; ++m)
        if (group->members[m].computed >> p->phase & 1) cost += rt_op_cost(group->members[m].op);
    if (p->reduction_count)
        parts = cost <= 8 ? 4 : cost <= 24 ? 2 : 1;
    else
        parts = cost <= 4 ? 2 : 1;
    while (p->reduction_count * parts > RT_LOOP_MAX_CARRIED / 2 && parts > 1) parts /= 2;
    while (parts > 1 && LLVMIsAConstantInt(length) &&
           LLVMConstIntGetSExtValue(length) % (p->body->lanes * parts))
        parts /= 2;
    return parts;
}

/* The accumulators in one number, pairwise. */
static LLVMValueRef join_sums(phase_loop *p, unsigned r, unsigned parts) {
    rt_emitter *e = p->body->e;
    rt_lane_reduction kind = p->reductions[r].kind;
    for (unsigned count = parts; count > 1; count /= 2)
        for (unsigned i = 0; i < count / 2; ++i)
            p->sums[r][i] = rt_emit_combine(e, p->sums[r][i], p->sums[r][i + count / 2], kind);
    LLVMValueRef sum = rt_emit_reduce_lanes(e, p->sums[r][0], kind);
    return p->ends[r] ? rt_emit_combine(e, p->ends[r], sum, kind) : sum;
}

/* The ragged end: masked where masks are instructions, else one element after the other. */
static void emit_end(phase_loop *p, LLVMValueRef begin, LLVMValueRef end) {
    rt_loop_body *body = p->body;
    if (body->e->target->has_masked_memory && body->lanes > 1) {
        emit_columns(p, begin, end, (rt_block){.lanes = body->lanes, .parts = 1}, true, p->sums);
        return;
    }
    LLVMValueRef ends[RT_MAX_REDUCTIONS][MAX_PARTS];
    for (unsigned r = 0; r < p->reduction_count; ++r)
        ends[r][0] = rt_emit_reduction_start(body, &p->reductions[r], 1);
    emit_columns(p, begin, end, (rt_block){.lanes = 1, .parts = 1}, false, ends);
    for (unsigned r = 0; r < p->reduction_count; ++r) p->ends[r] = ends[r][0];
}

static void emit_phase(rt_loop_body *body, unsigned phase, LLVMValueRef begin, LLVMValueRef end) {
    rt_emitter *e = body->e;
    phase_loop p = {.body = body, .phase = phase};
    if (!has_work(body->group, phase)) return;
    p.reduction_count = rt_find_reductions(body, phase, p.reductions);
    LLVMValueRef length = LLVMBuildSub(e->builder, end, begin, "");
    unsigned parts = choose_parts(&p, length);
    for (unsigned r = 0; r < p.reduction_count; ++r)
        for (unsigned part = 0; part < parts; ++part)
            p.sums[r][part] = rt_emit_reduction_start(body, &p.reductions[r], body->lanes);
    LLVMValueRef step = rt_emit_i64(e, -(int64_t)body->lanes * parts);
    LLVMValueRef middle =
        LLVMBuildAdd(e->builder, begin, LLVMBuildAnd(e->builder, length, step, ""), "");
    if (!is_constant_equal(begin, middle)) {
        rt_block block = {.lanes = body->lanes, .parts = parts};
        emit_columns(&p, begin, middle, block, false, p.sums);
    }
    if (!is_constant_equal(middle, end)) emit_end(&p, middle, end);
    for (unsigned r = 0; r < p.reduction_count; ++r) {
        LLVMValueRef sum = join_sums(&p, r, parts);
        rt_loop_body_set_scalar(body, p.reductions[r].member,
                                rt_emit_round(e, p.reductions[r].dtype, sum));
        rt_loop_body_store_scalar(body, p.reductions[r].member);
    }
}

static void emit_row(rt_loop_body *body, LLVMValueRef row, LLVMValueRef begin, LLVMValueRef end) {
    rt_loop_body_enter_row(body, row);
    for (unsigned phase = 0; phase < body->group->phase_count; ++phase) {
        emit_phase(body, phase, begin, end);
        rt_loop_body_row_members(body, phase + 1);
    }
}

static void emit_rows(rt_loop_body *body, LLVMValueRef begin, LLVMValueRef end) {
    rt_emitter *e = body->e;
    rt_loop loop = rt_emit_loop_begin(e, begin, end, rt_emit_i64(e, 1), "row");
    emit_row(body, loop.index, rt_emit_i64(e, 0), body->columns);
    rt_emit_loop_end(e, &loop);
}

void rt_emit_row_kernel(rt_kernel_code *code) {
    rt_emitter *e = code->e;
    rt_loop_body body;
    if (!rt_loop_body_begin(&body, code)) return;
    if (code->group->is_flat) {
        emit_row(&body, rt_emit_i64(e, 0), code->begin, code->end);
        return;
    }
    if (!code->group->rider_count) {
        emit_rows(&body, code->begin, code->end);
        return;
    }
    LLVMValueRef one = rt_emit_i64(e, 1);
    rt_loop part = rt_emit_loop_begin(e, code->begin, code->end, one, "part");
    rt_emit_row_part_start(&body, part.index);
    LLVMValueRef next = LLVMBuildAdd(e->builder, part.index, one, "");
    emit_rows(&body, rt_row_part_begin(&body, part.index), rt_row_part_begin(&body, next));
    rt_emit_loop_end(e, &part);
}
