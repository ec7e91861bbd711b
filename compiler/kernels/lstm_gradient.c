// SPDX-License-Identifier: Apache-2.0
/* Backwards in time, with a' the later token's gradient of the pre-activations:
 *   dh = d_hidden + a' R,   dc = dh o (1 - tanh(c)^2) + what the later token left
 *   a = [dc g i (1 - i), dc c_before f (1 - f), dc i (1 - g^2), dh tanh(c) o (1 - o)]
 *   left for the earlier token: dc f */
#include "compiler/kernels/lstm.h"
#include "compiler/kernels/product.h"
#include "compiler/kernels/vector_math.h"

enum { D_HIDDEN = 0, CELL = 1, GATES = 2, RECURRENT = 3, OFFSETS = 4 };

rt_dim lstm_gradient_range(const rt_graph *graph, rt_node node) {
    return lstm_rows(graph, node, OFFSETS);
}

/* For each row: its token and number, its a', its a' R, its dc. */
rt_dim lstm_gradient_scratch(const rt_graph *graph, rt_node node) {
    int64_t size = lstm_hidden_size(graph, node, GATES);
    return lstm_row_bytes(graph, lstm_gradient_range(graph, node), 16 + 4 * 6 * size, 0);
}

rt_dim lstm_gradient_flops(const rt_graph *graph, rt_node node) {
    return lstm_product_flops(graph, node, GATES);
}

typedef struct backward {
    lstm_facts f;
    LLVMValueRef tokens, numbers, later, products, d_cells; /* scratch */
    LLVMValueRef step, is_later;                            /* whether an earlier step exists */
} backward;

/* a' of the row, or zeros where this is its last step; its dc then starts at 0 too. */
static void gather_later(const lstm_facts *f, const lstm_row *row, void *state) {
    const backward *own = state;
    rt_kernel_build *build = f->build;
    rt_emitter *e = build->e;
    LLVMValueRef bytes = rt_emit_i64(e, 4 * f->size), wide = rt_emit_i64(e, 16 * f->size);
    rt_emit_store(e, RT_I64, row->token, own->tokens, row->place, NULL);
    rt_emit_store(e, RT_I64, row->number, own->numbers, row->place, NULL);
    LLVMValueRef to = emit_at(e, own->later, row->place, wide, 1);
    LLVMValueRef behind = add(e, own->step, rt_emit_i64(e, 1));
    LLVMValueRef has_later = LLVMBuildICmp(e->builder, LLVMIntSGT, row->length, behind, "");
    rt_branch branch = rt_emit_if_begin(e, has_later, "later");
    emit_copy_bytes(e, to, emit_at(e, build->results[0], lstm_later(f, row->token), wide, 1), wide);
    rt_emit_if_end(e, &branch);
    branch = rt_emit_if_begin(e, LLVMBuildNot(e->builder, has_later, ""), "last");
    emit_zero_bytes(e, to, wide);
    emit_zero_bytes(e, emit_at(e, own->d_cells, row->number, bytes, 1), bytes);
    rt_emit_if_end(e, &branch);
}

/* x (1 - x) y */
static LLVMValueRef through_sigmoid(rt_emitter *e, LLVMValueRef x, LLVMValueRef y) {
    return mul(e, mul(e, x, sub(e, real(e, x, 1), x)), y);
}

/* (1 - x^2) y */
static LLVMValueRef through_tanh(rt_emitter *e, LLVMValueRef x, LLVMValueRef y) {
    return mul(e, sub(e, real(e, x, 1), mul(e, x, x)), y);
}

typedef struct unit_arrays {
    LLVMValueRef d_hidden, product, cell, cell_before, gates, d_cell, result;
} unit_arrays;

static unit_arrays find_arrays(const backward *own, LLVMValueRef place) {
    const lstm_facts *f = &own->f;
    rt_kernel_build *build = f->build;
    rt_emitter *e = build->e;
    LLVMValueRef size = rt_emit_i64(e, f->size), wide = rt_emit_i64(e, 4 * f->size);
    LLVMValueRef token = rt_emit_load(e, RT_I64, own->tokens, place, 1, NULL);
    LLVMValueRef number = rt_emit_load(e, RT_I64, own->numbers, place, 1, NULL);
    return (unit_arrays){.d_hidden = emit_at(e, build->operands[D_HIDDEN], token, size, 4),
                         .product = emit_at(e, own->products, place, size, 4),
                         .cell = emit_at(e, build->operands[CELL], token, size, 4),
                         .cell_before =
                             emit_at(e, build->operands[CELL], lstm_earlier(f, token), size, 4),
                         .gates = emit_at(e, build->operands[GATES], token, wide, 4),
                         .d_cell = emit_at(e, own->d_cells, number, size, 4),
                         .result = emit_at(e, build->results[0], token, wide, 4)};
}

static void emit_units(const backward *own, LLVMValueRef place) {
    const lstm_facts *f = &own->f;
    rt_emitter *e = f->build->e;
    unit_arrays arrays = find_arrays(own, place);
    unsigned lanes = rt_emit_target_lanes(e, 4);
    vector_loop v = emit_vector_loop(e, rt_emit_i64(e, f->size), lanes);
    LLVMValueRef at[4], gate[4], a[4], index = v.loop.index;
    for (int g = 0; g < 4; ++g) {
        at[g] = add(e, index, rt_emit_i64(e, g * f->size));
        gate[g] = rt_emit_load(e, RT_F32, arrays.gates, at[g], lanes, v.mask);
    }
    LLVMValueRef dh = add(e, rt_emit_load(e, RT_F32, arrays.d_hidden, index, lanes, v.mask),
                          rt_emit_load(e, RT_F32, arrays.product, index, lanes, v.mask));
    LLVMValueRef t = rt_emit_tanh(e, rt_emit_load(e, RT_F32, arrays.cell, index, lanes, v.mask));
    LLVMValueRef left = rt_emit_load(e, RT_F32, arrays.d_cell, index, lanes, v.mask);
    LLVMValueRef dc = add(e, left, through_tanh(e, t, mul(e, dh, gate[3])));
    LLVMValueRef is_there =
        LLVMBuildAnd(e->builder, v.mask, rt_emit_splat(e, own->is_later, lanes), "");
    LLVMValueRef before = rt_emit_load(e, RT_F32, arrays.cell_before, index, lanes, is_there);
    a[0] = through_sigmoid(e, gate[0], mul(e, dc, gate[2]));
    a[1] = through_sigmoid(e, gate[1], mul(e, dc, before));
    a[2] = through_tanh(e, gate[2], mul(e, dc, gate[0]));
    a[3] = through_sigmoid(e, gate[3], mul(e, dh, t));
    for (int g = 0; g < 4; ++g) rt_emit_store(e, RT_F32, a[g], arrays.result, at[g], v.mask);
    rt_emit_store(e, RT_F32, mul(e, dc, gate[1]), arrays.d_cell, index, v.mask);
    rt_emit_loop_end(e, &v.loop);
}

static void emit_step(backward *own) {
    const lstm_facts *f = &own->f;
    rt_emitter *e = f->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef size = rt_emit_i64(e, f->size), wide = rt_emit_i64(e, 4 * f->size);
    LLVMValueRef count = lstm_emit_active_rows(f, own->step, gather_later, own);
    rt_emit_product(e, &(rt_product){.dtype = RT_F32,
                                     .a = own->later,
                                     .a_row = wide,
                                     .a_inner = one,
                                     .b = f->build->operands[RECURRENT],
                                     .b_inner = size,
                                     .c = own->products,
                                     .c_row = size,
                                     .rows = count,
                                     .columns = size,
                                     .inner = wide});
    rt_loop place = rt_emit_loop_begin(e, zero, count, one, "units");
    emit_units(own, place.index);
    rt_emit_loop_end(e, &place);
}

void emit_lstm_gradient(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    int64_t size = lstm_hidden_size(build->graph, build->node, GATES);
    bool is_reverse =
        rt_graph_attr(build->graph, build->node, RT_ATTR_lstm_gradient_reverse).integer;
    backward own = {.f = lstm_describe(build, OFFSETS, size, is_reverse)};
    LLVMValueRef rows = own.f.rows, one = rt_emit_i64(e, 1);
    own.tokens = build->scratch;
    own.numbers = rt_emit_address(e, own.tokens, rows, 8);
    own.later = rt_emit_address(e, own.numbers, rows, 8);
    own.products = rt_emit_address(e, own.later, rows, (size_t)(16 * size));
    own.d_cells = rt_emit_address(e, own.products, rows, (size_t)(4 * size));
    rt_loop loop = rt_emit_loop_begin(e, rt_emit_i64(e, 0), own.f.longest, one, "step");
    own.step = sub(e, sub(e, own.f.longest, one), loop.index);
    own.is_later = LLVMBuildICmp(e->builder, LLVMIntSGT, own.step, rt_emit_i64(e, 0), "");
    emit_step(&own);
    rt_emit_loop_end(e, &loop);
}
