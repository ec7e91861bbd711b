// SPDX-License-Identifier: Apache-2.0
/* i, f, o = sigmoid(.), g = tanh(.) of preactivations + h_before R',  c = f c_before + i g,
 * h = o tanh(c); gate order i, f, g, o. */
#include "compiler/kernels/lstm.h"

#include "compiler/kernels/product.h"
#include "compiler/kernels/vector_math.h"

/* ---- shared with the gradient */

int64_t lstm_hidden_size(const rt_graph *graph, rt_node node, uint32_t wide_operand) {
    return kernel_constant(graph, kernel_operand_type(graph, node, wide_operand).dims[1]) / 4;
}

rt_dim lstm_rows(const rt_graph *graph, rt_node node, uint32_t offsets_operand) {
    rt_dim_table *dims = kernel_dims(graph);
    rt_dim behind = kernel_operand_type(graph, node, offsets_operand).dims[0]; /* B + 1 */
    return rt_dim_subtract(dims, behind, rt_dim_constant(dims, 1));
}

rt_dim lstm_row_bytes(const rt_graph *graph, rt_dim rows, int64_t per_row, int64_t fixed) {
    rt_dim_table *dims = kernel_dims(graph);
    return rt_dim_add(dims, kernel_scaled(graph, rows, per_row), rt_dim_constant(dims, fixed));
}

/* One product of [T,4H] with [4H,H]. */
rt_dim lstm_product_flops(const rt_graph *graph, rt_node node, uint32_t wide_operand) {
    rt_type wide = kernel_operand_type(graph, node, wide_operand);
    int64_t size = lstm_hidden_size(graph, node, wide_operand);
    return kernel_scaled(graph, wide.dims[0], 8 * size * size);
}

static LLVMValueRef longest_row(rt_kernel_build *build, LLVMValueRef offsets) {
    rt_emitter *e = build->e;
    rt_loop loop = rt_emit_loop_begin(e, build->begin, build->end, rt_emit_i64(e, 1), "row");
    LLVMValueRef longest = rt_emit_loop_carry(e, &loop, rt_emit_i64(e, 0));
    packed_row row = emit_packed_row(e, offsets, loop.index);
    rt_emit_loop_next(e, &loop, longest, emit_greater_of(e, longest, row.length));
    rt_emit_loop_end(e, &loop);
    return rt_emit_loop_result(&loop, longest);
}

lstm_facts lstm_describe(rt_kernel_build *build, uint32_t offsets_operand, int64_t size,
                         bool is_reverse) {
    LLVMValueRef offsets = build->operands[offsets_operand];
    rt_dim behind = kernel_operand_type(build->graph, build->node, offsets_operand).dims[0];
    return (lstm_facts){.build = build,
                        .size = size,
                        .is_reverse = is_reverse,
                        .offsets = offsets,
                        .rows = sub(build->e, build->size(build, behind), rt_emit_i64(build->e, 1)),
                        .longest = longest_row(build, offsets)};
}

LLVMValueRef lstm_token(const lstm_facts *f, packed_row row, LLVMValueRef step) {
    rt_emitter *e = f->build->e;
    if (!f->is_reverse) return add(e, row.first, step);
    LLVMValueRef last = add(e, row.first, sub(e, row.length, rt_emit_i64(e, 1)));
    return sub(e, last, step);
}

LLVMValueRef lstm_earlier(const lstm_facts *f, LLVMValueRef token) {
    return add(f->build->e, token, rt_emit_i64(f->build->e, f->is_reverse ? 1 : -1));
}

LLVMValueRef lstm_later(const lstm_facts *f, LLVMValueRef token) {
    return add(f->build->e, token, rt_emit_i64(f->build->e, f->is_reverse ? -1 : 1));
}

LLVMValueRef lstm_emit_active_rows(const lstm_facts *f, LLVMValueRef step, lstm_row_body body,
                                   void *state) {
    rt_kernel_build *build = f->build;
    rt_emitter *e = build->e;
    rt_loop loop = rt_emit_loop_begin(e, build->begin, build->end, rt_emit_i64(e, 1), "row");
    LLVMValueRef place = rt_emit_loop_carry(e, &loop, rt_emit_i64(e, 0));
    packed_row row = emit_packed_row(e, f->offsets, loop.index);
    LLVMValueRef is_active = LLVMBuildICmp(e->builder, LLVMIntSGT, row.length, step, "");
    LLVMValueRef count = add(e, place, LLVMBuildZExt(e->builder, is_active, e->i64, ""));
    rt_branch branch = rt_emit_if_begin(e, is_active, "active");
    body(f,
         &(lstm_row){.number = sub(e, loop.index, build->begin),
                     .token = lstm_token(f, row, step),
                     .place = place,
                     .length = row.length},
         state);
    rt_emit_if_end(e, &branch);
    rt_emit_loop_next(e, &loop, place, count);
    rt_emit_loop_end(e, &loop);
    return rt_emit_loop_result(&loop, place);
}

/* ---- forward */

enum { PREACTIVATIONS = 0, RECURRENT = 1, OFFSETS = 2, HIDDEN = 0, CELL = 1, GATES = 2 };

static int64_t padded(int64_t size) {
    return (size + RT_TRANSPOSE_PAD - 1) / RT_TRANSPOSE_PAD * RT_TRANSPOSE_PAD;
}

static int64_t transpose_bytes(int64_t size) {
    return 4 * padded(size) * padded(4 * size);
}

rt_dim lstm_range(const rt_graph *graph, rt_node node) {
    return lstm_rows(graph, node, OFFSETS);
}

/* R' once; for each row its token, its last hidden state and its product with R'. */
rt_dim lstm_scratch(const rt_graph *graph, rt_node node) {
    int64_t size = lstm_hidden_size(graph, node, PREACTIVATIONS);
    return lstm_row_bytes(graph, lstm_range(graph, node), 8 + 4 * 5 * size, transpose_bytes(size));
}

rt_dim lstm_flops(const rt_graph *graph, rt_node node) {
    return lstm_product_flops(graph, node, PREACTIVATIONS);
}

typedef struct forward {
    lstm_facts f;
    LLVMValueRef transposed, tokens, states, products; /* scratch */
    LLVMValueRef step, is_later;                       /* time, and whether it is not the first */
} forward;

static void gather_state(const lstm_facts *f, const lstm_row *row, void *state) {
    const forward *own = state;
    rt_emitter *e = f->build->e;
    LLVMValueRef bytes = rt_emit_i64(e, 4 * f->size);
    rt_emit_store(e, RT_I64, row->token, own->tokens, row->place, NULL);
    rt_branch branch = rt_emit_if_begin(e, own->is_later, "later");
    LLVMValueRef before =
        emit_at(e, f->build->results[HIDDEN], lstm_earlier(f, row->token), bytes, 1);
    emit_copy_bytes(e, emit_at(e, own->states, row->place, bytes, 1), before, bytes);
    rt_emit_if_end(e, &branch);
}

/* Lanes of gate `gate` of a [4H] row. */
static LLVMValueRef gate_index(const lstm_facts *f, const vector_loop *v, int gate) {
    return add(f->build->e, v->loop.index, rt_emit_i64(f->build->e, gate * f->size));
}

static void emit_gates(const forward *own, LLVMValueRef place) {
    const lstm_facts *f = &own->f;
    rt_kernel_build *build = f->build;
    rt_emitter *e = build->e;
    LLVMValueRef size = rt_emit_i64(e, f->size), wide = rt_emit_i64(e, 4 * f->size);
    LLVMValueRef token = rt_emit_load(e, RT_I64, own->tokens, place, 1, NULL);
    LLVMValueRef given = emit_at(e, build->operands[PREACTIVATIONS], token, wide, 4);
    LLVMValueRef product = emit_at(e, own->products, place, wide, 4);
    LLVMValueRef gates = emit_at(e, build->results[GATES], token, wide, 4);
    LLVMValueRef cell = emit_at(e, build->results[CELL], token, size, 4);
    LLVMValueRef cell_before = emit_at(e, build->results[CELL], lstm_earlier(f, token), size, 4);
    LLVMValueRef hidden = emit_at(e, build->results[HIDDEN], token, size, 4);
    unsigned lanes = rt_emit_target_lanes(e, 4);
    vector_loop v = emit_vector_loop(e, size, lanes);
    LLVMValueRef x[4];
    for (int g = 0; g < 4; ++g) {
        LLVMValueRef at = gate_index(f, &v, g);
        x[g] = add(e, rt_emit_load(e, RT_F32, given, at, lanes, v.mask),
                   rt_emit_load(e, RT_F32, product, at, lanes, v.mask));
        x[g] = g == 2 ? rt_emit_tanh(e, x[g]) : rt_emit_sigmoid(e, x[g]);
        rt_emit_store(e, RT_F32, x[g], gates, at, v.mask);
    }
    LLVMValueRef is_there =
        v.mask ? LLVMBuildAnd(e->builder, v.mask, rt_emit_splat(e, own->is_later, lanes), "")
               : own->is_later; /* a lane alone */
    LLVMValueRef before = rt_emit_load(e, RT_F32, cell_before, v.loop.index, lanes, is_there);
    LLVMValueRef c = mul_add(e, x[1], before, mul(e, x[0], x[2]));
    rt_emit_store(e, RT_F32, c, cell, v.loop.index, v.mask);
    rt_emit_store(e, RT_F32, mul(e, x[3], rt_emit_tanh(e, c)), hidden, v.loop.index, v.mask);
    rt_emit_loop_end(e, &v.loop);
}

static void emit_step(forward *own) {
    const lstm_facts *f = &own->f;
    rt_emitter *e = f->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef size = rt_emit_i64(e, f->size), wide = rt_emit_i64(e, 4 * f->size);
    LLVMValueRef count = lstm_emit_active_rows(f, own->step, gather_state, own);
    rt_emit_product(e, &(rt_product){.dtype = RT_F32,
                                     .a = own->states,
                                     .a_row = size,
                                     .a_inner = one,
                                     .b = own->transposed,
                                     .b_inner = rt_emit_i64(e, padded(4 * f->size)),
                                     .c = own->products,
                                     .c_row = wide,
                                     .rows = count,
                                     .columns = wide,
                                     .inner = where(e, own->is_later, size, zero)});
    rt_loop place = rt_emit_loop_begin(e, zero, count, one, "gates");
    emit_gates(own, place.index);
    rt_emit_loop_end(e, &place);
}

void emit_lstm(rt_kernel_build *build) {
    rt_emitter *e = build->e;
    int64_t size = lstm_hidden_size(build->graph, build->node, PREACTIVATIONS);
    bool is_reverse = rt_graph_attr(build->graph, build->node, RT_ATTR_lstm_reverse).integer;
    forward own = {.f = lstm_describe(build, OFFSETS, size, is_reverse)};
    LLVMValueRef rows = own.f.rows;
    own.transposed = build->scratch;
    own.tokens = rt_emit_address(e, build->scratch, rt_emit_i64(e, transpose_bytes(size)), 1);
    own.states = rt_emit_address(e, own.tokens, rows, 8);
    own.products = rt_emit_address(e, own.states, rows, (size_t)(4 * size));
    rt_emit_transpose(e, &(rt_transpose_job){.from = build->operands[RECURRENT],
                                             .from_row = rt_emit_i64(e, size),
                                             .rows = rt_emit_i64(e, 4 * size),
                                             .columns = rt_emit_i64(e, size),
                                             .to = own.transposed,
                                             .to_row = rt_emit_i64(e, padded(4 * size))});
    rt_loop step =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), own.f.longest, rt_emit_i64(e, 1), "step");
    own.step = step.index;
    own.is_later = LLVMBuildICmp(e->builder, LLVMIntSGT, step.index, rt_emit_i64(e, 0), "");
    emit_step(&own);
    rt_emit_loop_end(e, &step);
}
