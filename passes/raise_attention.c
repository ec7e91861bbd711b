// SPDX-License-Identifier: Apache-2.0
/* Attention as exporters write it, with heads split by reshape and transpose:
 *     S = scale * Q K' + mask;  O = softmax(S) V;  heads merged back to [B, S, width]
 * becomes one `attention` over the same tokens laid end to end: rows of S tokens each, with the
 * padding mask as the key mask. The mask may be written as a choice between 0 and a large negative
 * number (-10000 and below, the lowest float, -inf) or as (1 - mask) times such a number: these are
 * all exclusion of a key. */
#include <math.h>

#include "ir/match.h"
#include "ir/rules.h"
#include "passes/raise.h"

enum { EXCLUDING = -1000 };

typedef struct heads_view {
    rt_value tokens; /* [B, S, width] */
    int64_t heads, head_width;
} heads_view;

static bool has_permutation(const rt_graph *graph, rt_value value, const int64_t wanted[4],
                            rt_value *inner) {
    if (!rt_match(graph, value, RT_OP_transpose, inner, 1)) return false;
    rt_attr found =
        rt_graph_attr(graph, rt_graph_definition(graph, value), RT_ATTR_transpose_permutation);
    if (found.count != 4) return false;
    for (int i = 0; i < 4; ++i)
        if (found.ints[i] != wanted[i]) return false;
    return true;
}

static bool constant_dim(const rt_graph *graph, rt_dim dim, int64_t *value) {
    return rt_dim_is_constant(rt_module_dims(rt_graph_module(graph)), dim, value);
}

/* value = number * split heads of view->tokens, permuted. The factor may stand on either side of
 * the transpose. */
static bool match_split_heads(const rt_graph *graph, rt_value value, const int64_t permutation[4],
                              heads_view *view, double *number) {
    rt_value inner;
    double factor;
    while (rt_match_scaled(graph, value, &inner, &factor)) {
        *number *= factor;
        value = inner;
    }
    if (!has_permutation(graph, value, permutation, &inner)) return false;
    value = inner;
    while (rt_match_scaled(graph, value, &inner, &factor)) {
        *number *= factor;
        value = inner;
    }
    rt_type split = rt_graph_type(graph, value);
    if (!rt_match(graph, value, RT_OP_reshape, &view->tokens, 1)) return false;
    rt_type tokens = rt_graph_type(graph, view->tokens);
    return split.rank == 4 && tokens.rank == 3 && split.dtype == RT_F32 &&
           rt_dim_equal(split.dims[0], tokens.dims[0]) &&
           rt_dim_equal(split.dims[1], tokens.dims[1]) &&
           constant_dim(graph, split.dims[2], &view->heads) &&
           constant_dim(graph, split.dims[3], &view->head_width);
}

/* ---- the mask */

static rt_value skip_broadcasts(const rt_graph *graph, rt_value value) {
    rt_value inner;
    while (rt_match(graph, value, RT_OP_broadcast, &inner, 1)) value = inner;
    return value;
}

/* A bool that varies with batch and key alone: [B,1,1,S]. */
static bool is_per_key(const rt_graph *graph, rt_value value, rt_type tokens) {
    rt_type type = rt_graph_type(graph, value);
    int64_t heads, queries;
    return type.rank == 4 && rt_dim_equal(type.dims[0], tokens.dims[0]) &&
           constant_dim(graph, type.dims[1], &heads) && heads == 1 &&
           constant_dim(graph, type.dims[2], &queries) && queries == 1 &&
           rt_dim_equal(type.dims[3], tokens.dims[1]);
}

/* Which keys an additive mask keeps, as bool [B,1,1,S]; RT_NO_VALUE where it is something else. */
static rt_value kept_keys(rt_builder *b, rt_value mask, rt_type tokens) {
    const rt_graph *graph = b->graph;
    rt_value choice[3], complement, terms[2];
    double kept, excluded, factor, one;
    mask = skip_broadcasts(graph, mask);
    if (rt_match(graph, mask, RT_OP_select, choice, 3) &&
        rt_value_is_splat(graph, choice[1], &kept) &&
        rt_value_is_splat(graph, choice[2], &excluded)) {
        rt_value condition = skip_broadcasts(graph, choice[0]);
        if (!is_per_key(graph, condition, tokens)) return RT_NO_VALUE;
        if (kept == 0 && excluded <= EXCLUDING) return condition;
        if (excluded == 0 && kept <= EXCLUDING) return rt_build_not(b, condition);
        return RT_NO_VALUE;
    }
    if (rt_match_scaled(graph, mask, &complement, &factor) && factor <= EXCLUDING &&
        rt_match(graph, skip_broadcasts(graph, complement), RT_OP_sub, terms, 2) &&
        rt_value_is_splat(graph, terms[0], &one) && one == 1 && is_per_key(graph, terms[1], tokens))
        return rt_build_cast(b, terms[1], RT_BOOL);
    return RT_NO_VALUE;
}

/* ---- the whole */

typedef struct found_attention {
    heads_view query, key, value;
    rt_value mask; /* additive, or RT_NO_VALUE */
    double scale;
} found_attention;

/* Does `condition` tell, of each row of `probabilities` = softmax(scores), that every score was
 * -inf? Either the row is NaN, or its largest score is -inf. */
static bool tells_empty_rows(const rt_graph *graph, rt_value condition, rt_value probabilities) {
    rt_value tested, scores, largest;
    double number;
    if (rt_match(graph, condition, RT_OP_is_nan, &tested, 1))
        return rt_value_equal(tested, probabilities);
    if (!rt_match_with_number(graph, condition, RT_OP_equal, &tested, &number) ||
        number != -INFINITY || !rt_match(graph, tested, RT_OP_reduce_max, &largest, 1))
        return false;
    rt_node node = rt_graph_definition(graph, tested);
    rt_attr axes = rt_graph_attr(graph, node, RT_ATTR_reduce_max_axes);
    return axes.count == 1 && axes.ints[0] == rt_graph_type(graph, largest).rank - 1 &&
           rt_graph_attr(graph, node, RT_ATTR_reduce_max_keep_dims).integer &&
           rt_match(graph, probabilities, RT_OP_softmax, &scores, 1) &&
           rt_value_equal(largest, scores);
}

/* softmax(…) along the last axis, also where it is set to 0 in rows without a key. */
static bool match_probabilities(const rt_graph *graph, rt_value value, rt_value *scores) {
    rt_value choice[3];
    double zero;
    if (rt_match(graph, value, RT_OP_select, choice, 3) &&
        tells_empty_rows(graph, choice[0], choice[2]) &&
        rt_value_is_splat(graph, choice[1], &zero) && zero == 0)
        value = choice[2];
    return rt_match(graph, value, RT_OP_softmax, scores, 1);
}

/* The matmul behind factors, which multiply into *scale; RT_NO_VALUE where there is none. */
static rt_value skip_factors(const rt_graph *graph, rt_value value, double *scale) {
    rt_value inner;
    double factor;
    *scale = 1;
    while (rt_match_scaled(graph, value, &inner, &factor)) {
        *scale *= factor;
        value = inner;
    }
    return rt_graph_op(graph, value) == RT_OP_matmul ? value : RT_NO_VALUE;
}

static bool match_scores(const rt_graph *graph, rt_value scores, found_attention *found) {
    static const int64_t by_head[4] = {0, 2, 1, 3}, by_head_transposed[4] = {0, 2, 3, 1};
    rt_value product = skip_factors(graph, scores, &found->scale), terms[2], sides[2];
    found->mask = RT_NO_VALUE;
    if (rt_match(graph, scores, RT_OP_add, terms, 2))
        for (int i = 0; i < 2 && !rt_value_is(product); ++i) {
            product = skip_factors(graph, terms[i], &found->scale);
            found->mask = terms[1 - i];
        }
    if (!rt_value_is(product) || !rt_match(graph, product, RT_OP_matmul, sides, 2)) return false;
    rt_node node = rt_graph_definition(graph, product);
    bool flag = rt_graph_attr(graph, node, RT_ATTR_matmul_transpose_b).integer;
    return !rt_graph_attr(graph, node, RT_ATTR_matmul_transpose_a).integer &&
           match_split_heads(graph, sides[0], by_head, &found->query, &found->scale) &&
           match_split_heads(graph, sides[1], flag ? by_head : by_head_transposed, &found->key,
                             &found->scale);
}

static bool match_attention(const rt_graph *graph, rt_value merged, found_attention *found) {
    static const int64_t by_head[4] = {0, 2, 1, 3};
    rt_value product, operands[2], scores;
    double one = 1;
    if (!has_permutation(graph, merged, by_head, &product) ||
        !rt_match(graph, product, RT_OP_matmul, operands, 2))
        return false;
    rt_node node = rt_graph_definition(graph, product);
    if (rt_graph_attr(graph, node, RT_ATTR_matmul_transpose_a).integer ||
        rt_graph_attr(graph, node, RT_ATTR_matmul_transpose_b).integer ||
        !match_probabilities(graph, operands[0], &scores) ||
        !match_split_heads(graph, operands[1], by_head, &found->value, &one) || one != 1)
        return false;
    return match_scores(graph, scores, found) && found->query.heads == found->value.heads &&
           found->key.heads == found->value.heads &&
           rt_type_equal(rt_graph_type(graph, found->query.tokens),
                         rt_graph_type(graph, found->value.tokens)) &&
           rt_type_equal(rt_graph_type(graph, found->key.tokens),
                         rt_graph_type(graph, found->value.tokens));
}

/* row_offsets of B rows of S tokens each: 0, S, 2 S, … */
static rt_value even_offsets(rt_builder *b, rt_dim rows, rt_dim row_tokens) {
    rt_dim_table *dims = rt_module_dims(b->module);
    rt_dim count = rt_dim_add(dims, rows, rt_dim_constant(dims, 1));
    rt_value index = rt_build_iota(b, RT_I32, 0, rt_type_make(RT_I32, 1, &count));
    return rt_build_mul(b, index, rt_build_dim_as(b, row_tokens, RT_I32));
}

static rt_value flatten_tokens(rt_builder *b, rt_value x) {
    rt_type type = rt_builder_type(b, x);
    rt_dim flat[2] = {rt_dim_multiply(rt_module_dims(b->module), type.dims[0], type.dims[1]),
                      type.dims[2]};
    return rt_build_reshape(b, x, flat, 2);
}

rt_value rt_raise_attention(const rt_raise_root *root) {
    rt_builder *b = root->b;
    found_attention found;
    if (root->op != RT_OP_reshape || !match_attention(b->graph, root->operands[0], &found))
        return RT_NO_VALUE;
    rt_type tokens = rt_builder_type(b, found.value.tokens);
    const rt_attr *shape = &root->node->attrs[0];
    if (shape->count != 3 || !rt_dim_equal(shape->dims[0], tokens.dims[0]) ||
        !rt_dim_equal(shape->dims[1], tokens.dims[1]) ||
        !rt_dim_equal(shape->dims[2], tokens.dims[2]))
        return RT_NO_VALUE;
    rt_attention attention = {
        .query = flatten_tokens(b, found.query.tokens),
        .key = flatten_tokens(b, found.key.tokens),
        .value = flatten_tokens(b, found.value.tokens),
        .row_offsets = even_offsets(b, tokens.dims[0], tokens.dims[1]),
        .key_mask = RT_NO_VALUE,
        .example_ids = RT_NO_VALUE,
        .heads = found.value.heads,
        .scale = found.scale,
        .longest = tokens.dims[1],
    };
    if (rt_value_is(found.mask)) {
        rt_value kept = kept_keys(b, found.mask, tokens);
        if (!rt_value_is(kept)) return RT_NO_VALUE;
        rt_dim flat = rt_dim_multiply(rt_module_dims(b->module), tokens.dims[0], tokens.dims[1]);
        attention.key_mask = rt_build_reshape(b, rt_build_cast(b, kept, RT_I32), &flat, 1);
    }
    return rt_build_reshape(b, rt_build_attention(b, &attention), shape->dims, 3);
}
