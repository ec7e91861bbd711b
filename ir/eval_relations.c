// SPDX-License-Identifier: Apache-2.0
/* Losses between the scores of two models, row by row and head by head. */
#include <math.h>

#include "ir/eval_rules.h"

/* One model's scores: s_ij = scale q_i k_j. Token t of head h is d numbers from (t * heads + h) *
 * d.
 */
typedef struct side {
    const double *q, *k;
    int64_t d;
    double scale;
} side;

typedef struct relation_view {
    side own, target;
    const rt_array *offsets, *key_mask, *query_mask;
    int64_t heads;
    bool is_divergence;
} relation_view;

/* One query of one head in one row. */
typedef struct query_view {
    int64_t row, head, query;
    int64_t first, end; /* tokens of the row */
} query_view;

static side view_side(const rt_eval *eval, size_t first, int64_t heads, double scale) {
    return (side){.q = eval->operands[first]->real,
                  .k = eval->operands[first + 1]->real,
                  .d = eval->operands[first]->dims[1] / heads,
                  .scale = scale};
}

/* The operands of both sides stand from `first`; the attributes are the forward's. */
static relation_view view_relation(const rt_eval *eval, size_t first) {
    const rt_attr *attrs = eval->attrs;
    int64_t heads = attrs[RT_ATTR_relation_loss_heads - RT_ATTR_relation_loss_heads].integer;
    return (relation_view){
        .own = view_side(eval, first, heads,
                         attrs[RT_ATTR_relation_loss_scale - RT_ATTR_relation_loss_heads].real),
        .target =
            view_side(eval, first + 2, heads,
                      attrs[RT_ATTR_relation_loss_target_scale - RT_ATTR_relation_loss_heads].real),
        .offsets = eval->operands[first + 4],
        .key_mask = eval_operand(eval, first + 5),
        .query_mask = eval_operand(eval, first + 6),
        .heads = heads,
        .is_divergence =
            attrs[RT_ATTR_relation_loss_divergence - RT_ATTR_relation_loss_heads].integer};
}

typedef void (*visit_query)(const relation_view *r, query_view at, rt_eval *eval);

static void visit_queries(const relation_view *r, rt_eval *eval, visit_query visit) {
    for (int64_t b = 0; b + 1 < r->offsets->count; ++b) {
        query_view at = {
            .row = b, .first = r->offsets->integer[b], .end = r->offsets->integer[b + 1]};
        for (at.head = 0; at.head < r->heads; ++at.head)
            for (at.query = at.first; at.query < at.end; ++at.query)
                if (!r->query_mask || r->query_mask->integer[at.query]) visit(r, at, eval);
    }
}

static bool counts(const relation_view *r, int64_t key) {
    return !r->key_mask || r->key_mask->integer[key];
}

static int64_t head_at(const relation_view *r, side s, query_view at, int64_t token) {
    return (token * r->heads + at.head) * s.d;
}

static double score(const relation_view *r, side s, query_view at, int64_t key) {
    const double *q = s.q + head_at(r, s, at, at.query), *k = s.k + head_at(r, s, at, key);
    double sum = 0;
    for (int64_t i = 0; i < s.d; ++i) sum += q[i] * k[i];
    return s.scale * sum;
}

/* log sum exp over the keys that count; -inf where none does. */
static double log_sum(const relation_view *r, side s, query_view at) {
    double most = -INFINITY, sum = 0;
    for (int64_t key = at.first; key < at.end; ++key)
        if (counts(r, key)) most = fmax(most, score(r, s, at, key));
    for (int64_t key = at.first; key < at.end; ++key)
        if (counts(r, key)) sum += exp(score(r, s, at, key) - most);
    return most + log(sum);
}

/* The query's share of the loss. */
static double loss_of(const relation_view *r, query_view at) {
    double sum = 0, own = 0, target = 0;
    if (r->is_divergence) {
        own = log_sum(r, r->own, at);
        target = log_sum(r, r->target, at);
    }
    for (int64_t key = at.first; key < at.end; ++key) {
        if (!counts(r, key)) continue;
        double s = score(r, r->own, at, key) - own, t = score(r, r->target, at, key) - target;
        sum += r->is_divergence ? exp(t) * (t - s) : (s - t) * (s - t);
    }
    return sum;
}

static void add_loss(const relation_view *r, query_view at, rt_eval *eval) {
    eval->results[0].real[at.row * r->heads + at.head] += loss_of(r, at);
}

static rt_status check_rows(const rt_eval *eval, const relation_view *r, size_t first) {
    return eval_check_offsets(eval, r->offsets, eval->operands[first]->dims[0]);
}

rt_status eval_relation_loss(rt_eval *eval) {
    relation_view r = view_relation(eval, 0);
    RT_TRY(check_rows(eval, &r, 0));
    visit_queries(&r, eval, add_loss);
    return RT_OK;
}

/* With P, Q the softmax of targets and own scores and D their divergence at the query:
 *   squares:    d/ds = 2 (s - t),  d/dt = 2 (t - s)
 *   divergence: d/ds = Q - P,      d/dt = P (log P - log Q - D) */
static void add_gradient(const relation_view *r, query_view at, rt_eval *eval) {
    bool is_of_target = eval_attr(eval, RT_ATTR_relation_loss_gradient_of_target).integer;
    side s = is_of_target ? r->target : r->own;
    double d_loss = eval->operands[0]->real[at.row * r->heads + at.head];
    double own = 0, target = 0, divergence = 0;
    int64_t query = head_at(r, s, at, at.query);
    if (r->is_divergence) {
        own = log_sum(r, r->own, at);
        target = log_sum(r, r->target, at);
        divergence = loss_of(r, at);
    }
    for (int64_t token = at.first; token < at.end; ++token) {
        if (!counts(r, token)) continue;
        double a = score(r, r->own, at, token) - own, b = score(r, r->target, at, token) - target;
        double d = !r->is_divergence ? (is_of_target ? 2 * (b - a) : 2 * (a - b))
                   : is_of_target    ? exp(b) * (b - a - divergence)
                                     : exp(a) - exp(b);
        int64_t key = head_at(r, s, at, token);
        for (int64_t i = 0; i < s.d; ++i) {
            eval->results[0].real[query + i] += d_loss * s.scale * d * s.k[key + i];
            eval->results[1].real[key + i] += d_loss * s.scale * d * s.q[query + i];
        }
    }
}

rt_status eval_relation_loss_gradient(rt_eval *eval) {
    relation_view r = view_relation(eval, 1);
    RT_TRY(check_rows(eval, &r, 1));
    visit_queries(&r, eval, add_gradient);
    return RT_OK;
}
