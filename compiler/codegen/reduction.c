// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/reduction.h"

#include <math.h>

#include "runtime/base/check.h"

/* By operator: of signed numbers and floats, of unsigned ones. */
static const rt_lane_reduction kinds[RT_OP_COUNT][2] = {
    [RT_OP_reduce_sum] = {RT_LANES_SUM, RT_LANES_SUM},
    [RT_OP_reduce_prod] = {RT_LANES_PROD, RT_LANES_PROD},
    [RT_OP_reduce_max] = {RT_LANES_MAX, RT_LANES_UMAX},
    [RT_OP_reduce_min] = {RT_LANES_MIN, RT_LANES_UMIN},
};

rt_reduction rt_reduction_of(const rt_loop_body *body, size_t index) {
    const rt_member *member = &body->group->members[index];
    rt_dtype dtype = rt_graph_type(body->code->schedule->graph, member->value).dtype;
    bool is_unsigned = rt_dtype_is_integer(dtype) && !rt_dtype_is_signed(dtype);
    return (rt_reduction){index, kinds[member->op][is_unsigned], dtype};
}

unsigned rt_find_reductions(const rt_loop_body *body, unsigned phase, rt_reduction *reductions) {
    unsigned count = 0;
    for (size_t m = 0; m < body->group->member_count; ++m) {
        const rt_member *member = &body->group->members[m];
        if (!member->is_reduction || member->reduces_rows) continue;
        if (phase != RT_ALL_PHASES && member->phase != phase) continue;
        RT_ASSERT(count < RT_MAX_REDUCTIONS);
        reductions[count++] = rt_reduction_of(body, m);
    }
    return count;
}

LLVMValueRef rt_emit_reduction_start(const rt_loop_body *body, const rt_reduction *reduction,
                                     unsigned lanes) {
    const rt_emitter *e = body->e;
    LLVMTypeRef element = rt_emit_dtype(e, rt_scratch_dtype(reduction->dtype));
    LLVMTypeRef type = rt_emit_vector_type(e, element, lanes);
    bool is_real = rt_dtype_is_float(reduction->dtype);
    bool is_signed = rt_dtype_is_signed(reduction->dtype);
    unsigned bits = 8 * (unsigned)rt_dtype_bytes(reduction->dtype);
    int64_t least = is_signed ? (int64_t)(UINT64_C(1) << (bits - 1)) : 0;
    int64_t most = is_signed ? (int64_t)((UINT64_C(1) << (bits - 1)) - 1) : -1;
    switch (reduction->kind) {
    case RT_LANES_SUM: return is_real ? rt_emit_real(e, type, 0) : rt_emit_int(e, type, 0);
    case RT_LANES_PROD: return is_real ? rt_emit_real(e, type, 1) : rt_emit_int(e, type, 1);
    case RT_LANES_MAX:
    case RT_LANES_UMAX:
        return is_real ? rt_emit_real(e, type, -INFINITY) : rt_emit_int(e, type, least);
    case RT_LANES_MIN:
    case RT_LANES_UMIN: break;
    }
    return is_real ? rt_emit_real(e, type, INFINITY) : rt_emit_int(e, type, most);
}

LLVMValueRef rt_emit_reduction_step(rt_loop_body *body, const rt_reduction *reduction,
                                    LLVMValueRef accumulator, unsigned part) {
    LLVMValueRef x = rt_loop_body_operand(body, reduction->member, 0, part);
    LLVMValueRef next = rt_emit_combine(body->e, x, accumulator, reduction->kind);
    if (!body->block->mask) return next;
    return LLVMBuildSelect(body->e->builder, body->block->mask, next, accumulator, "");
}
