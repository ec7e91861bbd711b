// SPDX-License-Identifier: Apache-2.0
/* Import rules: matrix products. Einsum becomes sums, transposes and one batched product per pair
 * of operands. */
#include <ctype.h>
#include <string.h>

#include "compiler/frontend/onnx_call.h"
#include "compiler/frontend/onnx_matmul.h"

/* Removes one dimension of size 1. */
static rt_value drop_dimension(onnx_call *call, rt_value x, int axis) {
    rt_type type = onnx_type(call, x);
    rt_dim dims[RT_MAX_RANK];
    int rank = 0;
    for (int i = 0; i < type.rank; ++i) {
        if (i != axis) dims[rank++] = type.dims[i];
    }
    return onnx_reshape(call, x, dims, rank);
}

/* A vector on the left is a row, on the right a column; that dimension is gone from the result. */
rt_value onnx_matmul(onnx_call *call, rt_value x, rt_value y) {
    rt_type a = onnx_type(call, x), b = onnx_type(call, y);
    rt_dim one = onnx_dim(call, 1);
    if (!rt_value_is(x) || !rt_value_is(y)) return RT_NO_VALUE;
    if (!a.rank || !b.rank) {
        onnx_fail(call, "operands of no dimensions");
        return RT_NO_VALUE;
    }
    if (a.rank == 1) x = onnx_reshape(call, x, (rt_dim[]){one, a.dims[0]}, 2);
    if (b.rank == 1) y = onnx_reshape(call, y, (rt_dim[]){b.dims[0], one}, 2);
    rt_value product = rt_build_matmul(call->b, x, y, false, false);
    if (b.rank == 1 && rt_value_is(product)) {
        product = drop_dimension(call, product, onnx_rank(call, product) - 1);
    }
    if (a.rank == 1 && rt_value_is(product)) {
        int rank = onnx_rank(call, product);
        product = drop_dimension(call, product, b.rank == 1 ? rank - 1 : rank - 2);
    }
    return product;
}

void import_matmul(onnx_call *call) {
    if (onnx_needs(call, 2)) {
        onnx_set(call, 0, onnx_matmul(call, onnx_input(call, 0), onnx_input(call, 1)));
    }
}

void import_fused_matmul(onnx_call *call) {
    rt_value x = onnx_input(call, 0), y = onnx_input(call, 1);
    if (!onnx_needs(call, 2)) return;
    if (onnx_int(call, "transBatchA", 0) || onnx_int(call, "transBatchB", 0)) {
        onnx_fail(call, "transBatchA and transBatchB are not supported");
        return;
    }
    rt_value product = rt_build_matmul(call->b, x, y, onnx_int(call, "transA", 0) != 0,
                                       onnx_int(call, "transB", 0) != 0);
    onnx_set(call, 0, rt_build_scale(call->b, product, onnx_float(call, "alpha", 1)));
}

/* alpha a b + beta c */
void import_gemm(onnx_call *call) {
    if (!onnx_needs(call, 2)) return;
    rt_value product =
        rt_build_matmul(call->b, onnx_input(call, 0), onnx_input(call, 1),
                        onnx_int(call, "transA", 0) != 0, onnx_int(call, "transB", 0) != 0);
    product = rt_build_scale(call->b, product, onnx_float(call, "alpha", 1));
    if (onnx_has(call, 2)) {
        rt_value c = rt_build_scale(call->b, onnx_input(call, 2), onnx_float(call, "beta", 1));
        product = rt_build_add(call->b, product, c);
    }
    onnx_set(call, 0, product);
}

/* ---- Einsum */

/* An index per dimension: a letter, or '0' to '7' for the dimensions that "..." stands for. */
typedef struct labelled {
    rt_value value;
    int rank;
    char labels[2 * RT_MAX_RANK];
} labelled;

enum { MAX_TERMS = 16 };

typedef struct equation {
    labelled terms[MAX_TERMS];
    size_t term_count;
    char result[2 * RT_MAX_RANK];
    int result_rank;
    int ellipsis_rank;
} equation;

static int find_label(const char *labels, int rank, char label) {
    for (int i = 0; i < rank; ++i) {
        if (labels[i] == label) return i;
    }
    return -1;
}

/* Writes the labels of one term; "..." stands for the last of `ellipsis_rank` outer dimensions. */
static bool parse_labels(const char *text, size_t length, int dots, int ellipsis_rank, char *labels,
                         int *rank) {
    *rank = 0;
    for (size_t i = 0; i < length; ++i) {
        if (text[i] == ' ') continue;
        if (*rank + dots > RT_MAX_RANK) return false;
        if (text[i] == '.') {
            if (i + 2 >= length || text[i + 1] != '.' || text[i + 2] != '.') return false;
            for (int k = 0; k < dots; ++k) {
                labels[(*rank)++] = (char)('0' + ellipsis_rank - dots + k);
            }
            i += 2;
        } else if (isalpha((unsigned char)text[i])) {
            labels[(*rank)++] = text[i];
        } else {
            return false;
        }
    }
    return *rank <= RT_MAX_RANK;
}

static int count_letters(const char *text, size_t length) {
    int count = 0;
    for (size_t i = 0; i < length; ++i) count += isalpha((unsigned char)text[i]) != 0;
    return count;
}

static bool parse_terms(onnx_call *call, const char *text, size_t length, equation *e) {
    const char *at = text, *end = text + length;
    while (at <= end && e->term_count < call->input_count && e->term_count < MAX_TERMS) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t size = (size_t)((comma ? comma : end) - at);
        labelled *term = &e->terms[e->term_count];
        int rank = onnx_rank(call, onnx_input(call, e->term_count));
        int dots = memchr(at, '.', size) ? rank - count_letters(at, size) : 0;
        if (dots < 0) return false;
        if (dots > e->ellipsis_rank) e->ellipsis_rank = dots;
        term->value = onnx_input(call, e->term_count++);
        /* Labelled from a fixed end, so that "..." of different lengths align on the right. */
        if (!parse_labels(at, size, dots, RT_MAX_RANK, term->labels, &term->rank)) return false;
        if (term->rank != rank) return false;
        at += size + 1;
        if (!comma) break;
    }
    return e->term_count == call->input_count && at == end + 1;
}

/* Without "->" the result has "..." and then, in order, the letters that occur once. */
static void infer_result(const equation *e, const char *text, size_t length, char *result,
                         int *rank) {
    *rank = 0;
    for (int k = RT_MAX_RANK - e->ellipsis_rank; k < RT_MAX_RANK; ++k) {
        result[(*rank)++] = (char)('0' + k);
    }
    for (int letter = 'A'; letter <= 'z'; ++letter) {
        int count = 0;
        for (size_t i = 0; i < length; ++i) count += text[i] == letter;
        if (isalpha(letter) && count == 1 && *rank < RT_MAX_RANK) result[(*rank)++] = (char)letter;
    }
}

static bool parse_equation(onnx_call *call, equation *e) {
    const char *text = onnx_text(call, "equation", ""), *arrow = strstr(text, "->");
    size_t length = arrow ? (size_t)(arrow - text) : strlen(text);
    *e = (equation){0};
    if (!parse_terms(call, text, length, e)) return false;
    if (!arrow) {
        infer_result(e, text, length, e->result, &e->result_rank);
        return true;
    }
    return parse_labels(arrow + 2, strlen(arrow + 2), e->ellipsis_rank, RT_MAX_RANK, e->result,
                        &e->result_rank);
}

static void remove_label(labelled *term, int axis) {
    for (int i = axis; i + 1 < term->rank; ++i) term->labels[i] = term->labels[i + 1];
    term->rank--;
}

/* A label that stands twice in a term takes its diagonal: x where both indices are equal, summed
 * over the second. */
static void take_diagonals(onnx_call *call, labelled *term) {
    for (int i = 0; i < term->rank; ++i) {
        for (int k = term->rank - 1; k > i; --k) {
            if (term->labels[k] != term->labels[i]) continue;
            rt_type type = onnx_type(call, term->value);
            rt_value is_diagonal =
                rt_build_equal(call->b, onnx_iota(call, type, i), onnx_iota(call, type, k));
            rt_value zero = onnx_scalar_like(call, term->value, 0);
            rt_value kept = rt_build_select(call->b, is_diagonal, term->value, zero);
            term->value = rt_build_reduce_sum(call->b, kept, (const int64_t[]){k}, 1, false);
            remove_label(term, k);
        }
    }
}

static bool is_needed(const equation *e, size_t from, const labelled *other, char label) {
    if (find_label(e->result, e->result_rank, label) >= 0) return true;
    if (other && find_label(other->labels, other->rank, label) >= 0) return true;
    for (size_t i = from; i < e->term_count; ++i) {
        if (find_label(e->terms[i].labels, e->terms[i].rank, label) >= 0) return true;
    }
    return false;
}

/* Sums over the labels that neither the result nor another term has. */
static void sum_unused(onnx_call *call, const equation *e, size_t from, const labelled *other,
                       labelled *term) {
    for (int i = term->rank - 1; i >= 0; --i) {
        if (is_needed(e, from, other, term->labels[i])) continue;
        term->value = rt_build_reduce_sum(call->b, term->value, (const int64_t[]){i}, 1, false);
        remove_label(term, i);
    }
}

/* The labels of two terms by what happens to them: kept by both, of one alone, summed. */
typedef struct label_groups {
    char batch[RT_MAX_RANK], left[RT_MAX_RANK], right[RT_MAX_RANK], inner[RT_MAX_RANK];
    int batch_count, left_count, right_count, inner_count;
} label_groups;

static void group_labels(const equation *e, size_t from, const labelled *a, const labelled *b,
                         label_groups *g) {
    *g = (label_groups){0};
    for (int i = 0; i < a->rank; ++i) {
        char label = a->labels[i];
        if (find_label(b->labels, b->rank, label) < 0) {
            g->left[g->left_count++] = label;
        } else if (is_needed(e, from, NULL, label)) {
            g->batch[g->batch_count++] = label;
        } else {
            g->inner[g->inner_count++] = label;
        }
    }
    for (int i = 0; i < b->rank; ++i) {
        if (find_label(a->labels, a->rank, b->labels[i]) < 0) {
            g->right[g->right_count++] = b->labels[i];
        }
    }
}

/* The size of a label in two terms: a 1 broadcasts. */
static rt_dim label_size(onnx_call *call, const labelled *a, const labelled *b, char label) {
    int at = find_label(a->labels, a->rank, label), bt = find_label(b->labels, b->rank, label);
    rt_dim one = onnx_dim(call, 1);
    rt_dim x = at >= 0 ? onnx_type(call, a->value).dims[at] : one;
    rt_dim y = bt >= 0 ? onnx_type(call, b->value).dims[bt] : one;
    return rt_dim_equal(x, one) ? y : x;
}

/* `term` as [batch.., first, second]: each group one dimension, batch labels one each. */
static rt_value arrange(onnx_call *call, const labelled *term, const labelled *other,
                        const label_groups *g, const char *first, int first_count,
                        const char *second, int second_count) {
    int64_t permutation[RT_MAX_RANK];
    int rank = 0;
    rt_type full = {.rank = term->rank};
    rt_dim dims[RT_MAX_RANK];
    for (int i = 0; i < g->batch_count; ++i) {
        permutation[rank++] = find_label(term->labels, term->rank, g->batch[i]);
    }
    for (int i = 0; i < first_count; ++i) {
        permutation[rank++] = find_label(term->labels, term->rank, first[i]);
    }
    for (int i = 0; i < second_count; ++i) {
        permutation[rank++] = find_label(term->labels, term->rank, second[i]);
    }
    if (!rt_value_is(term->value)) return term->value;
    for (int i = 0; i < rank; ++i) {
        full.dims[i] = label_size(call, term, other, term->labels[permutation[i]]);
    }
    rt_value turned = rt_build_transpose(call->b, term->value, permutation, (size_t)rank);
    turned = onnx_broadcast_to(call, turned, full);
    for (int i = 0; i < g->batch_count; ++i) dims[i] = full.dims[i];
    dims[g->batch_count] =
        onnx_product(call, full.dims, g->batch_count, g->batch_count + first_count);
    dims[g->batch_count + 1] = onnx_product(call, full.dims, g->batch_count + first_count, rank);
    return onnx_reshape(call, turned, dims, g->batch_count + 2);
}

/* a b as one batched product over the labels that only they have. */
static bool contract(onnx_call *call, const equation *e, size_t from, labelled *a, labelled *b) {
    label_groups g;
    rt_dim dims[2 * RT_MAX_RANK];
    labelled product = {.value = RT_NO_VALUE};
    sum_unused(call, e, from, b, a);
    sum_unused(call, e, from, a, b);
    group_labels(e, from, a, b, &g);
    if (g.batch_count + 2 > RT_MAX_RANK ||
        g.batch_count + g.left_count + g.right_count > RT_MAX_RANK) {
        return false;
    }
    rt_value x = arrange(call, a, b, &g, g.left, g.left_count, g.inner, g.inner_count);
    rt_value y = arrange(call, b, a, &g, g.inner, g.inner_count, g.right, g.right_count);
    for (int i = 0; i < g.batch_count; ++i) product.labels[product.rank++] = g.batch[i];
    for (int i = 0; i < g.left_count; ++i) product.labels[product.rank++] = g.left[i];
    for (int i = 0; i < g.right_count; ++i) product.labels[product.rank++] = g.right[i];
    for (int i = 0; i < product.rank; ++i) {
        dims[i] = label_size(call, a, b, product.labels[i]);
    }
    rt_value flat = rt_build_matmul(call->b, x, y, false, false);
    product.value = onnx_reshape(call, flat, dims, product.rank);
    *a = product;
    return true;
}

/* The result's order; a label of the result that no term has cannot be. */
static bool order_result(onnx_call *call, const equation *e, labelled *term, rt_value *result) {
    int64_t permutation[2 * RT_MAX_RANK];
    if (term->rank != e->result_rank) return false;
    for (int i = 0; i < e->result_rank; ++i) {
        permutation[i] = find_label(term->labels, term->rank, e->result[i]);
        if (permutation[i] < 0) return false;
    }
    *result = rt_value_is(term->value)
                  ? rt_build_transpose(call->b, term->value, permutation, (size_t)term->rank)
                  : term->value;
    return true;
}

void import_einsum(onnx_call *call) {
    equation e;
    rt_value result;
    if (!onnx_needs(call, call->input_count ? call->input_count : 1)) return;
    bool is_sound = parse_equation(call, &e);
    for (size_t i = 0; i < e.term_count && is_sound; ++i) take_diagonals(call, &e.terms[i]);
    labelled *total = &e.terms[0];
    for (size_t i = 1; i < e.term_count && is_sound; ++i) {
        is_sound = contract(call, &e, i + 1, total, &e.terms[i]);
    }
    if (is_sound) {
        sum_unused(call, &e, e.term_count, NULL, total);
        is_sound = order_result(call, &e, total, &result);
    }
    if (is_sound) {
        onnx_set(call, 0, result);
    } else {
        onnx_fail(call, "equation '%s' does not fit its operands or is not supported",
                  onnx_text(call, "equation", ""));
    }
}
