// SPDX-License-Identifier: Apache-2.0
/* Import rules: LSTM. What PyTorch exports (zero initial state, no peepholes) becomes the graph's
 * lstm over packed rows; everything else is unrolled over a sequence of known length. Rows that end
 * early are reversed within their length first, so that both directions run forward and what stands
 * behind the end is never read.
 *
 *     i, o, f = sigmoid, c = tanh of x W' + h R' + b;  cell' = f cell + i c;  h' = o tanh(cell')
 *
 * ONNX stores the gates in the order i, o, f, c; the graph's lstm takes i, f, c, o. */
#include <string.h>

#include "compiler/frontend/onnx_call.h"
#include "ir/rules.h"

enum { MAX_UNROLLED = 512 };

typedef struct lstm {
    onnx_call *call;
    rt_value x; /* [B, S, I] */
    rt_dim batch, steps, width;
    int64_t size; /* H */
    int directions;
    bool is_reverse; /* the only direction runs backwards */
    bool is_batch_first;
} lstm;

/* Results of one direction. */
typedef struct lstm_run {
    rt_value hidden;                 /* [B, S, H] */
    rt_value last_hidden, last_cell; /* [B, H] */
} lstm_run;

static bool has_usual_functions(onnx_call *call) {
    static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
    const rt_onnx_attribute *given = onnx_attribute(call, "activations");
    if (onnx_attribute(call, "clip") || onnx_int(call, "input_forget", 0)) return false;
    for (size_t i = 0; given && i < given->count; ++i) {
        if (!given->texts || strcmp(given->texts[i].bytes, usual[i % 3]) != 0) return false;
    }
    return true;
}

static bool read_lstm(onnx_call *call, lstm *l) {
    static const int64_t swap[] = {1, 0, 2};
    *l = (lstm){.call = call, .x = onnx_input(call, 0)};
    if (!onnx_needs(call, 3)) return false;
    rt_type weights = onnx_type(call, onnx_input(call, 1));
    rt_type recurrent = onnx_type(call, onnx_input(call, 2));
    bool is_both = onnx_is_text(call, "direction", "forward", "bidirectional");
    l->is_reverse = onnx_is_text(call, "direction", "forward", "reverse");
    l->directions = is_both ? 2 : 1;
    l->is_batch_first = onnx_int(call, "layout", 0) != 0;
    if (!has_usual_functions(call)) {
        onnx_fail(call, "other activations than sigmoid and tanh, clip and input_forget are not "
                        "supported");
        return false;
    }
    if (onnx_rank(call, l->x) != 3 || weights.rank != 3 || recurrent.rank != 3 ||
        !rt_dim_is_constant(call->dims, recurrent.dims[2], &l->size)) {
        onnx_fail(call, "x, W and R must have 3 dimensions");
        return false;
    }
    if (!l->is_batch_first) l->x = rt_build_transpose(call->b, l->x, swap, 3);
    rt_type type = onnx_type(call, l->x);
    l->batch = type.dims[0];
    l->steps = type.dims[1];
    l->width = type.dims[2];
    return true;
}

/* The part of an operand for one direction: its leading dimension taken away. */
static rt_value of_direction(onnx_call *call, size_t index, int direction) {
    rt_value x = onnx_input(call, index);
    if (!rt_value_is(x)) return x;
    rt_type type = onnx_type(call, x);
    return onnx_reshape(call, onnx_part(call, x, 0, direction, 1), type.dims + 1, type.rank - 1);
}

/* Initial states are [directions, B, H], or [B, directions, H] with layout 1. */
static rt_value initial_state(const lstm *l, size_t index, int direction) {
    static const int64_t swap[] = {1, 0, 2};
    onnx_call *call = l->call;
    rt_value x = onnx_input(call, index);
    rt_dim dims[2] = {l->batch, onnx_dim(call, l->size)};
    if (!rt_value_is(x))
        return rt_build_zeros(call->b, rt_type_make(onnx_type(call, l->x).dtype, 2, dims));
    if (l->is_batch_first) x = rt_build_transpose(call->b, x, swap, 3);
    return onnx_reshape(call, onnx_part(call, x, 0, direction, 1), dims, 2);
}

/* Gate `gate` of a matrix or vector of four; -> H rows. */
static rt_value gate_part(const lstm *l, rt_value x, int gate) {
    return onnx_part(l->call, x, 0, gate * l->size, l->size);
}

/* i, o, f, c to i, f, c, o. */
static rt_value reorder_gates(const lstm *l, rt_value x) {
    rt_value parts[4] = {gate_part(l, x, 0), gate_part(l, x, 2), gate_part(l, x, 3),
                         gate_part(l, x, 1)};
    return rt_build_concat(l->call->b, parts, 4, 0);
}

/* Both biases of a direction, [4H]. */
static rt_value summed_bias(const lstm *l, int direction) {
    rt_value bias = of_direction(l->call, 3, direction);
    if (!rt_value_is(bias)) return bias;
    return rt_build_add(l->call->b, onnx_part(l->call, bias, 0, 0, 4 * l->size),
                        onnx_part(l->call, bias, 0, 4 * l->size, 4 * l->size));
}

static bool is_zero(const lstm *l, size_t index) {
    double number;
    if (!onnx_has(l->call, index)) return true;
    return rt_value_is_splat(l->call->b->graph, onnx_input(l->call, index), &number) && number == 0;
}

static bool fits_rows(const lstm *l) {
    onnx_call *call = l->call;
    return onnx_type(call, l->x).dtype == RT_F32 && is_zero(l, 5) && is_zero(l, 6) &&
           !onnx_has(call, 7);
}

/* ---- over packed rows */

/* x W' + b for each token, gates in the graph's order: [B S, 4H]. */
static rt_value preactivations(const lstm *l, int direction, rt_value rows) {
    rt_builder *b = l->call->b;
    rt_value weights = reorder_gates(l, of_direction(l->call, 1, direction));
    rt_value bias = summed_bias(l, direction);
    rt_value sums = rt_build_matmul(b, rows, weights, false, true);
    return rt_value_is(bias) ? rt_build_add(b, sums, reorder_gates(l, bias)) : sums;
}

/* Rows as they are given, and what the steps of row b beyond length_b are, where lengths are
 * given. All index by place: b S + step. */
typedef struct row_order {
    rt_value starts;    /* [B] first place of each row */
    rt_value lengths;   /* [B], or RT_NO_VALUE */
    rt_value is_inside; /* [B S, 1] */
    rt_value reversed;  /* [B S] place of the token that mirrors this one in its row */
} row_order;

static row_order order_rows(const lstm *l) {
    onnx_call *call = l->call;
    rt_builder *b = call->b;
    rt_dim tokens = rt_dim_multiply(call->dims, l->batch, l->steps), one = onnx_dim(call, 1);
    rt_type rows = rt_type_make(RT_I32, 1, &l->batch);
    rt_type places = rt_type_make(RT_I32, 2, (rt_dim[]){l->batch, l->steps});
    row_order order = {.lengths = RT_NO_VALUE};
    order.starts =
        rt_build_mul(b, rt_build_iota(b, RT_I32, 0, rows), rt_build_dim_as(b, l->steps, RT_I32));
    if (!onnx_has(call, 4)) return order;
    order.lengths = onnx_cast(call, onnx_input(call, 4), RT_I32);
    rt_dim column[2] = {l->batch, one};
    rt_value lengths = onnx_reshape(call, order.lengths, column, 2);
    rt_value starts = onnx_reshape(call, order.starts, column, 2);
    rt_value step = rt_build_iota(b, RT_I32, 1, places);
    rt_value is_inside = rt_build_less(b, step, lengths);
    rt_value last = rt_build_sub(b, lengths, rt_build_scalar_int(b, RT_I32, 1));
    rt_value mirrored = rt_build_select(b, is_inside, rt_build_sub(b, last, step), step);
    order.is_inside = onnx_reshape(call, is_inside, (rt_dim[]){tokens, one}, 2);
    order.reversed = onnx_reshape(call, rt_build_add(b, starts, mirrored), &tokens, 1);
    return order;
}

/* States [B S, H] of one kind, in the order in which the rows ran: their values behind the last
 * step, [B, H], zero for a row without steps. */
static rt_value last_states(const lstm *l, const row_order *order, rt_value states,
                            bool is_mirror) {
    onnx_call *call = l->call;
    rt_builder *b = call->b;
    rt_dim column[2] = {l->batch, onnx_dim(call, 1)};
    rt_value zero = rt_build_scalar_int(b, RT_I32, 0), one = rt_build_scalar_int(b, RT_I32, 1);
    rt_value last =
        rt_value_is(order->lengths) ? order->lengths : rt_build_dim_as(b, l->steps, RT_I32);
    last = rt_build_sub(b, last, one);
    if (is_mirror) last = zero;
    rt_value place = rt_build_add(b, order->starts, rt_build_maximum(b, last, zero));
    rt_value found = rt_build_gather(b, states, place, 0);
    if (!rt_value_is(order->lengths)) return found;
    rt_value has_steps = onnx_reshape(call, rt_build_less(b, zero, order->lengths), column, 2);
    return rt_build_select(b, has_steps, found, onnx_scalar_like(call, found, 0));
}

static lstm_run run_rows(const lstm *l, int direction, bool is_reverse) {
    onnx_call *call = l->call;
    rt_builder *b = call->b;
    rt_dim tokens = rt_dim_multiply(call->dims, l->batch, l->steps);
    rt_dim ends = rt_dim_add(call->dims, l->batch, onnx_dim(call, 1));
    row_order order = order_rows(l);
    bool mirrors = is_reverse && rt_value_is(order.lengths);
    rt_value rows = onnx_reshape(call, l->x, (rt_dim[]){tokens, l->width}, 2);
    if (mirrors) rows = rt_build_gather(b, rows, order.reversed, 0);
    rt_value index = rt_build_iota(b, RT_I32, 0, rt_type_make(RT_I32, 1, &ends));
    rt_value offsets = rt_build_mul(b, index, rt_build_dim_as(b, l->steps, RT_I32));
    rt_value operands[3] = {preactivations(l, direction, rows),
                            reorder_gates(l, of_direction(call, 2, direction)), offsets};
    rt_value results[3];
    rt_attr attr = {.integer = is_reverse && !mirrors};
    rt_build_results(b, RT_OP_lstm, operands, 3, &attr, results);
    rt_dim whole[3] = {l->batch, l->steps, onnx_dim(call, l->size)};
    lstm_run run = {.last_hidden = last_states(l, &order, results[0], attr.integer),
                    .last_cell = last_states(l, &order, results[1], attr.integer)};
    rt_value hidden = results[0];
    if (mirrors) hidden = rt_build_gather(b, hidden, order.reversed, 0);
    if (rt_value_is(order.lengths))
        hidden = rt_build_select(b, order.is_inside, hidden, onnx_scalar_like(call, hidden, 0));
    run.hidden = onnx_reshape(call, hidden, whole, 3);
    return run;
}

/* ---- unrolled */

typedef struct lstm_state {
    rt_value hidden, cell; /* [B, H] */
    rt_value recurrent;    /* [4H, H] */
    rt_value peepholes;    /* [3H] in the order i, o, f, or RT_NO_VALUE */
} lstm_state;

static rt_value gate_sum(const lstm *l, const lstm_state *state, rt_value sums, int gate,
                         rt_value cell) {
    rt_value sum = onnx_part(l->call, sums, 1, gate * l->size, l->size);
    if (!rt_value_is(state->peepholes) || gate == 3) return sum;
    rt_value seen = rt_build_mul(l->call->b, gate_part(l, state->peepholes, gate), cell);
    return rt_build_add(l->call->b, sum, seen);
}

/* One step from preactivations [B, 4H] without the recurrent part. */
static void advance(const lstm *l, lstm_state *state, rt_value sums) {
    rt_builder *b = l->call->b;
    rt_value old = state->cell;
    sums = rt_build_add(b, sums, rt_build_matmul(b, state->hidden, state->recurrent, false, true));
    rt_value i = rt_build_sigmoid(b, gate_sum(l, state, sums, 0, old));
    rt_value f = rt_build_sigmoid(b, gate_sum(l, state, sums, 2, old));
    rt_value c = rt_build_tanh(b, gate_sum(l, state, sums, 3, old));
    rt_value cell = rt_build_add(b, rt_build_mul(b, f, old), rt_build_mul(b, i, c));
    rt_value o = rt_build_sigmoid(b, gate_sum(l, state, sums, 1, cell));
    state->cell = cell;
    state->hidden = rt_build_mul(b, o, rt_build_tanh(b, cell));
}

/* Beyond a row's length its state stays and its output is 0. */
static rt_value hold_short_rows(const lstm *l, const lstm_state *before, lstm_state *state,
                                int64_t step) {
    onnx_call *call = l->call;
    if (!onnx_has(call, 4)) return state->hidden;
    rt_value now = rt_build_scalar_int(call->b, RT_I64, step);
    rt_value lengths = onnx_align(call, onnx_cast(call, onnx_input(call, 4), RT_I64), 0, 2);
    rt_value runs = rt_build_less(call->b, now, lengths);
    rt_value zero = onnx_scalar_like(call, state->hidden, 0);
    rt_value output = rt_build_select(call->b, runs, state->hidden, zero);
    state->hidden = rt_build_select(call->b, runs, state->hidden, before->hidden);
    state->cell = rt_build_select(call->b, runs, state->cell, before->cell);
    return output;
}

static lstm_run run_unrolled(const lstm *l, int direction, bool is_reverse) {
    onnx_call *call = l->call;
    rt_builder *b = call->b;
    int64_t steps;
    lstm_run run = {RT_NO_VALUE, RT_NO_VALUE, RT_NO_VALUE};
    if (!rt_dim_is_constant(call->dims, l->steps, &steps) || steps < 1 || steps > MAX_UNROLLED) {
        onnx_fail(call,
                  "with initial states or peepholes the sequence must have a known length of at "
                  "most %d",
                  MAX_UNROLLED);
        return run;
    }
    rt_value sums = rt_build_matmul(b, l->x, of_direction(call, 1, direction), false, true);
    rt_value bias = summed_bias(l, direction),
             *outputs = RT_NEW_ARRAY(call->arena, rt_value, steps);
    if (rt_value_is(bias)) sums = rt_build_add(b, sums, bias);
    lstm_state state = {initial_state(l, 5, direction), initial_state(l, 6, direction),
                        of_direction(call, 2, direction), of_direction(call, 7, direction)};
    rt_dim one[3] = {l->batch, onnx_dim(call, 1), onnx_dim(call, l->size)};
    rt_dim wide[2] = {l->batch, onnx_dim(call, 4 * l->size)};
    for (int64_t t = 0; outputs && t < steps; ++t) {
        int64_t step = is_reverse ? steps - 1 - t : t;
        lstm_state before = state;
        advance(l, &state, onnx_reshape(call, onnx_part(call, sums, 1, step, 1), wide, 2));
        outputs[step] = onnx_reshape(call, hold_short_rows(l, &before, &state, step), one, 3);
    }
    run.hidden = outputs ? rt_build_concat(b, outputs, (size_t)steps, 1) : RT_NO_VALUE;
    run.last_hidden = state.hidden;
    run.last_cell = state.cell;
    return run;
}

/* ---- both directions */

/* [B, H] of each direction to [directions, B, H], or [B, directions, H]. */
static rt_value stack_states(const lstm *l, const rt_value *states) {
    onnx_call *call = l->call;
    rt_value parts[2];
    rt_dim one = onnx_dim(call, 1), size = onnx_dim(call, l->size);
    rt_dim dims[3] = {one, l->batch, size}, first[3] = {l->batch, one, size};
    for (int i = 0; i < l->directions; ++i) {
        parts[i] = onnx_reshape(call, states[i], l->is_batch_first ? first : dims, 3);
    }
    return rt_build_concat(call->b, parts, (size_t)l->directions, l->is_batch_first ? 1 : 0);
}

/* [B, S, H] of each direction to [S, directions, B, H], or [B, S, directions, H]. */
static rt_value stack_hidden(const lstm *l, const lstm_run *runs) {
    static const int64_t time_first[] = {1, 2, 0, 3};
    onnx_call *call = l->call;
    rt_value parts[2];
    rt_dim dims[4] = {l->batch, l->steps, onnx_dim(call, 1), onnx_dim(call, l->size)};
    for (int i = 0; i < l->directions; ++i) parts[i] = onnx_reshape(call, runs[i].hidden, dims, 4);
    rt_value all = rt_build_concat(call->b, parts, (size_t)l->directions, 2);
    if (l->is_batch_first || !rt_value_is(all)) return all;
    return rt_build_transpose(call->b, all, time_first, 4);
}

void import_lstm(onnx_call *call) {
    lstm l;
    lstm_run runs[2];
    rt_value hidden[2], cells[2];
    if (!read_lstm(call, &l)) return;
    for (int i = 0; i < l.directions; ++i) {
        bool is_reverse = l.is_reverse || i == 1;
        runs[i] = fits_rows(&l) ? run_rows(&l, i, is_reverse) : run_unrolled(&l, i, is_reverse);
        if (!rt_value_is(runs[i].hidden)) return;
        hidden[i] = runs[i].last_hidden;
        cells[i] = runs[i].last_cell;
    }
    onnx_set(call, 0, stack_hidden(&l, runs));
    onnx_set(call, 1, stack_states(&l, hidden));
    onnx_set(call, 2, stack_states(&l, cells));
}
