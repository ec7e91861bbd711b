// SPDX-License-Identifier: Apache-2.0
/* Operators over rows: softmax and layer_norm along the last axis, and those over packed rows,
 * where row b of a batch is the tokens row_offsets[b] to row_offsets[b + 1] - 1. */
#include <math.h>

#include "ir/eval_rules.h"

/* ---- along the last axis */

static int64_t last_size(const rt_array *x) {
    return x->dims[x->rank - 1];
}

/* The largest of n numbers and the sum of exp(x - largest): log sum exp in two parts, because a
 * mask of -3.4e38 would swallow the logarithm. */
static double shifted_sum(const double *x, int64_t n, double *most) {
    double sum = 0;
    *most = -INFINITY;
    for (int64_t i = 0; i < n; ++i) *most = x[i] > *most ? x[i] : *most;
    for (int64_t i = 0; i < n; ++i) sum += exp(x[i] - *most);
    return sum;
}

rt_status eval_softmax(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    int64_t size = last_size(x);
    for (int64_t first = 0; first < x->count; first += size) {
        double most, sum = shifted_sum(x->real + first, size, &most);
        for (int64_t i = first; i < first + size; ++i)
            eval->results[0].real[i] = exp(x->real[i] - most) / sum;
    }
    return RT_OK;
}

rt_status eval_log_softmax(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    int64_t size = last_size(x);
    for (int64_t first = 0; first < x->count; first += size) {
        double most, sum = shifted_sum(x->real + first, size, &most);
        for (int64_t i = first; i < first + size; ++i)
            eval->results[0].real[i] = x->real[i] - most - log(sum);
    }
    return RT_OK;
}

rt_status eval_layer_norm(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    const rt_array *scale = eval_operand(eval, 1), *bias = eval_operand(eval, 2);
    double epsilon = eval_attr(eval, RT_ATTR_layer_norm_epsilon).real;
    int64_t size = last_size(x), rows = eval->results[1].count;
    for (int64_t r = 0; r < rows; ++r) {
        const double *row = x->real + r * size;
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < size; ++i) mean += row[i];
        mean /= (double)size; /* NaN where there is nothing to average, as of every mean */
        for (int64_t i = 0; i < size; ++i) variance += (row[i] - mean) * (row[i] - mean);
        double inverse = 1 / sqrt(variance / (double)size + epsilon);
        for (int64_t i = 0; i < size; ++i)
            eval->results[0].real[r * size + i] =
                (row[i] - mean) * inverse * (scale ? scale->real[i] : 1) +
                (bias ? bias->real[i] : 0);
        eval->results[1].real[r] = mean;
        eval->results[2].real[r] = inverse;
    }
    return RT_OK;
}

/* ---- packed rows */

/* Offsets start at 0, do not fall, and end at the number of tokens. */
rt_status eval_check_offsets(const rt_eval *eval, const rt_array *offsets, int64_t tokens) {
    int64_t rows = offsets->count - 1;
    bool is_sound = rows >= 0 && offsets->integer[0] == 0 && offsets->integer[rows] == tokens;
    for (int64_t b = 0; b < rows; ++b)
        is_sound = is_sound && offsets->integer[b] <= offsets->integer[b + 1];
    if (is_sound) return RT_OK;
    return rt_fail(eval->error, RT_INVALID_DATA,
                   "row offsets must rise from 0 to the number of tokens, %lld", (long long)tokens);
}

rt_status eval_segment_sum(rt_eval *eval) {
    const rt_array *x = eval->operands[0], *offsets = eval->operands[1];
    int64_t inner = eval_extent(x, 1, x->rank);
    RT_TRY(eval_check_offsets(eval, offsets, x->dims[0]));
    for (int64_t b = 0; b + 1 < offsets->count; ++b)
        for (int64_t t = offsets->integer[b]; t < offsets->integer[b + 1]; ++t)
            for (int64_t i = 0; i < inner; ++i)
                eval_accumulate(&eval->results[0], b * inner + i, x, t * inner + i);
    return RT_OK;
}

rt_status eval_segment_repeat(rt_eval *eval) {
    const rt_array *x = eval->operands[0], *offsets = eval->operands[1];
    rt_array *y = &eval->results[0];
    int64_t inner = eval_extent(x, 1, x->rank);
    RT_TRY(eval_check_offsets(eval, offsets, y->dims[0]));
    for (int64_t b = 0; b + 1 < offsets->count; ++b)
        for (int64_t t = offsets->integer[b]; t < offsets->integer[b + 1]; ++t)
            for (int64_t i = 0; i < inner; ++i) eval_copy(y, t * inner + i, x, b * inner + i);
    return RT_OK;
}

rt_status eval_shift_rows(rt_eval *eval) {
    const rt_array *x = eval->operands[0], *offsets = eval->operands[1];
    int64_t inner = eval_extent(x, 1, x->rank);
    int64_t shift = eval_attr(eval, RT_ATTR_shift_rows_reverse).integer ? 1 : -1;
    RT_TRY(eval_check_offsets(eval, offsets, x->dims[0]));
    for (int64_t b = 0; b + 1 < offsets->count; ++b) {
        int64_t first = offsets->integer[b], end = offsets->integer[b + 1];
        for (int64_t t = first; t < end; ++t) {
            if (t + shift < first || t + shift >= end) continue;
            for (int64_t i = 0; i < inner; ++i)
                eval_copy(&eval->results[0], t * inner + i, x, (t + shift) * inner + i);
        }
    }
    return RT_OK;
}

/* ---- attention */

/* What forward and gradient share. Token t of head h is d numbers from (t * heads + h) * d. */
typedef struct attention_view {
    const rt_eval *eval;
    const double *q, *k, *v;
    const rt_array *offsets, *key_mask, *example_ids;
    const rt_array *query_offsets; /* row_offsets where they were left out */
    const rt_array *query_positions;
    int64_t heads, d, site;
    double scale, dropout;
    bool is_causal;
} attention_view;

typedef struct attention_ids {
    rt_attr_id heads, scale, causal, dropout, site;
} attention_ids;

/* The operands q, k, v stand from `first`, row_offsets and the optional ones from `rows`. */
static attention_view view_attention(const rt_eval *eval, size_t first, size_t rows,
                                     attention_ids ids) {
    int64_t heads = eval_attr(eval, ids.heads).integer;
    const rt_array *query_offsets = eval_operand(eval, rows + 3);
    return (attention_view){.eval = eval,
                            .q = eval->operands[first]->real,
                            .k = eval->operands[first + 1]->real,
                            .v = eval->operands[first + 2]->real,
                            .offsets = eval->operands[rows],
                            .key_mask = eval_operand(eval, rows + 1),
                            .example_ids = eval_operand(eval, rows + 2),
                            .query_offsets = query_offsets ? query_offsets : eval->operands[rows],
                            .query_positions = eval_operand(eval, rows + 4),
                            .heads = heads,
                            .d = eval->operands[first]->dims[1] / heads,
                            .site = eval_attr(eval, ids.site).integer,
                            .scale = eval_attr(eval, ids.scale).real,
                            .dropout = eval_attr(eval, ids.dropout).real,
                            .is_causal = eval_attr(eval, ids.causal).integer};
}

/* One query of one head in one row. */
typedef struct query_view {
    int64_t row, head, query; /* index of the query */
    int64_t position;         /* of the query in the row */
    int64_t first, end;       /* tokens of the row */
} query_view;

typedef void (*visit_query)(const attention_view *a, query_view at, rt_eval *eval);

static void visit_queries(const attention_view *a, rt_eval *eval, visit_query visit) {
    for (int64_t b = 0; b + 1 < a->offsets->count; ++b) {
        query_view at = {
            .row = b, .first = a->offsets->integer[b], .end = a->offsets->integer[b + 1]};
        int64_t queries = a->query_offsets->integer[b], behind = a->query_offsets->integer[b + 1];
        for (at.head = 0; at.head < a->heads; ++at.head)
            for (at.query = queries; at.query < behind; ++at.query) {
                at.position =
                    a->query_positions ? a->query_positions->integer[at.query] : at.query - queries;
                visit(a, at, eval);
            }
    }
}

static double dot(const double *x, const double *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
    return sum;
}

static int64_t head_at(const attention_view *a, query_view at, int64_t token) {
    return (token * a->heads + at.head) * a->d;
}

/* scale * q k', or -inf where the query does not see the key. */
static double score(const attention_view *a, query_view at, int64_t key) {
    if (a->key_mask && !a->key_mask->integer[key]) return -INFINITY;
    if (a->is_causal && key - at.first > at.position) return -INFINITY;
    return a->scale * dot(a->q + head_at(a, at, at.query), a->k + head_at(a, at, key), a->d);
}

/* What dropout makes of a probability: 0 or 1 / (1 - rate). Counter (key / 4, query, example,
 * site * 4096 + head) with positions in the row, word key % 4; without example ids the example is
 * the row's number in the batch. */
static double dropout_factor(const attention_view *a, query_view at, int64_t key) {
    if (a->dropout <= 0) return 1;
    int64_t example = a->example_ids ? a->example_ids->integer[at.row] : at.row;
    int64_t position = key - at.first;
    const uint32_t counter[4] = {(uint32_t)(position / 4), (uint32_t)at.position, (uint32_t)example,
                                 (uint32_t)(a->site * 4096 + at.head)};
    return eval_is_kept(a->eval, counter, position, a->dropout) ? 1 / (1 - a->dropout) : 0;
}

/* out_i = sum_j drop(exp(s_ij - lse_i)) v_j */
static void attend(const attention_view *a, query_view at, rt_eval *eval) {
    double most = -INFINITY, sum = 0;
    for (int64_t key = at.first; key < at.end; ++key) most = fmax(most, score(a, at, key));
    for (int64_t key = at.first; key < at.end; ++key) {
        double s = score(a, at, key);
        if (s > -INFINITY) sum += exp(s - most);
    }
    double lse = sum > 0 ? most + log(sum) : INFINITY;
    double *out = eval->results[0].real + head_at(a, at, at.query);
    for (int64_t key = at.first; key < at.end; ++key) {
        double weight = exp(score(a, at, key) - lse) * dropout_factor(a, at, key);
        const double *v = a->v + head_at(a, at, key);
        for (int64_t i = 0; weight != 0 && i < a->d; ++i) out[i] += weight * v[i];
    }
    eval->results[1].real[at.query * a->heads + at.head] = lse;
}

rt_status eval_attention(rt_eval *eval) {
    attention_view a = view_attention(
        eval, 0, 3,
        (attention_ids){RT_ATTR_attention_heads, RT_ATTR_attention_scale, RT_ATTR_attention_causal,
                        RT_ATTR_attention_dropout, RT_ATTR_attention_site});
    RT_TRY(eval_check_offsets(eval, a.offsets, eval->operands[1]->dims[0]));
    RT_TRY(eval_check_offsets(eval, a.query_offsets, eval->operands[0]->dims[0]));
    if (a.dropout > 0) RT_TRY(eval_require_draws(eval));
    visit_queries(&a, eval, attend);
    return RT_OK;
}

/* With p_ij the probability, f_ij its dropout factor, D_i = d_out_i . out_i:
 *   d_v_j += p_ij f_ij d_out_i
 *   ds_ij  = p_ij (f_ij d_out_i . v_j - D_i)
 *   d_q_i += scale ds_ij k_j,  d_k_j += scale ds_ij q_i */
static void attend_back(const attention_view *a, query_view at, rt_eval *eval) {
    int64_t d = a->d, query = head_at(a, at, at.query);
    const double *d_out = eval->operands[0]->real + query, *out = eval->operands[4]->real + query;
    double lse = eval->operands[5]->real[at.query * a->heads + at.head];
    double mean = dot(d_out, out, d);
    if (isinf(lse)) return;
    for (int64_t token = at.first; token < at.end; ++token) {
        int64_t key = head_at(a, at, token);
        double p = exp(score(a, at, token) - lse), f = dropout_factor(a, at, token);
        double ds = p * (f * dot(d_out, a->v + key, d) - mean);
        for (int64_t i = 0; p != 0 && i < d; ++i) {
            eval->results[0].real[query + i] += a->scale * ds * a->k[key + i];
            eval->results[1].real[key + i] += a->scale * ds * a->q[query + i];
            eval->results[2].real[key + i] += p * f * d_out[i];
        }
    }
}

rt_status eval_attention_gradient(rt_eval *eval) {
    attention_view a = view_attention(
        eval, 1, 6,
        (attention_ids){RT_ATTR_attention_gradient_heads, RT_ATTR_attention_gradient_scale,
                        RT_ATTR_attention_gradient_causal, RT_ATTR_attention_gradient_dropout,
                        RT_ATTR_attention_gradient_site});
    RT_TRY(eval_check_offsets(eval, a.offsets, eval->operands[2]->dims[0]));
    RT_TRY(eval_check_offsets(eval, a.query_offsets, eval->operands[1]->dims[0]));
    if (a.dropout > 0) RT_TRY(eval_require_draws(eval));
    visit_queries(&a, eval, attend_back);
    return RT_OK;
}

/* ---- LSTM (Hochreiter and Schmidhuber, 1997, with forget gates; PyTorch's gate order) */

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* The tokens of a row in the order of time: token(k) for k in [0, length). */
typedef struct time_view {
    int64_t first, length;
    bool is_reverse;
} time_view;

static time_view row_times(const rt_array *offsets, int64_t row, bool is_reverse) {
    int64_t first = offsets->integer[row];
    return (time_view){first, offsets->integer[row + 1] - first, is_reverse};
}

static int64_t token_at(time_view times, int64_t k) {
    return times.first + (times.is_reverse ? times.length - 1 - k : k);
}

/* i, f, o = logistic(.), g = tanh(.) of a + h_previous R';  c = f c_previous + i g;  h = o tanh(c)
 */
static void lstm_step(rt_eval *eval, int64_t token, int64_t previous) {
    const rt_array *a = eval->operands[0], *recurrent = eval->operands[1];
    int64_t size = recurrent->dims[1];
    double *hidden = eval->results[0].real, *cell = eval->results[1].real;
    double *gates = eval->results[2].real + token * 4 * size;
    for (int64_t r = 0; r < 4 * size; ++r) {
        double sum = a->real[token * 4 * size + r];
        if (previous >= 0) sum += dot(recurrent->real + r * size, hidden + previous * size, size);
        gates[r] = r / size == 2 ? tanh(sum) : logistic(sum);
    }
    for (int64_t i = 0; i < size; ++i) {
        double before = previous >= 0 ? cell[previous * size + i] : 0;
        double c = gates[size + i] * before + gates[i] * gates[2 * size + i];
        cell[token * size + i] = c;
        hidden[token * size + i] = gates[3 * size + i] * tanh(c);
    }
}

rt_status eval_lstm(rt_eval *eval) {
    const rt_array *offsets = eval->operands[2];
    RT_TRY(eval_check_offsets(eval, offsets, eval->operands[0]->dims[0]));
    for (int64_t b = 0; b + 1 < offsets->count; ++b) {
        time_view times = row_times(offsets, b, eval_attr(eval, RT_ATTR_lstm_reverse).integer);
        for (int64_t k = 0; k < times.length; ++k)
            lstm_step(eval, token_at(times, k), k > 0 ? token_at(times, k - 1) : -1);
    }
    return RT_OK;
}

/* One unit of one token, backwards: d_hidden and *d_cell come from later in time; fills the four
 * pre-activations' gradients and leaves in *d_cell what goes to the previous cell. */
static void lstm_unit_back(const double *gates, double cell, double previous_cell, double d_hidden,
                           int64_t size, double *d_cell, double *d_preactivations) {
    double i = gates[0], f = gates[size], g = gates[2 * size], o = gates[3 * size];
    double t = tanh(cell), dc = *d_cell + d_hidden * o * (1 - t * t);
    d_preactivations[0] = dc * g * i * (1 - i);
    d_preactivations[size] = dc * previous_cell * f * (1 - f);
    d_preactivations[2 * size] = dc * i * (1 - g * g);
    d_preactivations[3 * size] = d_hidden * t * o * (1 - o);
    *d_cell = dc * f;
}

static void lstm_row_back(rt_eval *eval, time_view times, double *d_cell) {
    const double *d_hidden = eval->operands[0]->real, *cell = eval->operands[1]->real;
    const double *gates = eval->operands[2]->real;
    const rt_array *recurrent = eval->operands[3];
    double *d_preactivations = eval->results[0].real;
    int64_t size = recurrent->dims[1];
    for (int64_t i = 0; i < size; ++i) d_cell[i] = 0;
    for (int64_t k = times.length - 1; k >= 0; --k) {
        int64_t token = token_at(times, k);
        int64_t previous = k > 0 ? token_at(times, k - 1) : -1;
        int64_t next = k + 1 < times.length ? token_at(times, k + 1) : -1;
        for (int64_t i = 0; i < size; ++i) {
            double dh = d_hidden[token * size + i];
            for (int64_t r = 0; next >= 0 && r < 4 * size; ++r)
                dh += d_preactivations[next * 4 * size + r] * recurrent->real[r * size + i];
            lstm_unit_back(gates + token * 4 * size + i, cell[token * size + i],
                           previous >= 0 ? cell[previous * size + i] : 0, dh, size, &d_cell[i],
                           d_preactivations + token * 4 * size + i);
        }
    }
}

rt_status eval_lstm_gradient(rt_eval *eval) {
    const rt_array *offsets = eval->operands[4];
    RT_TRY(eval_check_offsets(eval, offsets, eval->operands[0]->dims[0]));
    double *d_cell = RT_NEW_ARRAY(eval->arena, double, (size_t)eval->operands[3]->dims[1]);
    if (!d_cell) return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory");
    for (int64_t b = 0; b + 1 < offsets->count; ++b)
        lstm_row_back(eval,
                      row_times(offsets, b, eval_attr(eval, RT_ATTR_lstm_gradient_reverse).integer),
                      d_cell);
    return RT_OK;
}
