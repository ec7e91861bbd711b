// SPDX-License-Identifier: Apache-2.0
/* Building graphs: infer, fold, merge, append.
 *
 *     rt_builder b = rt_builder_begin(graph);
 *     rt_value h = rt_build_matmul(&b, x, w, false, true);   // x w'
 *     h = rt_build_add(&b, h, bias);
 *
 * Each call infers the result's type, applies the rules of rules_*.c (x + 0, transposes into matmul
 * flags, small constants folded by the evaluator), returns an equal node where there is one, and
 * appends otherwise. New nodes carry builder.location. A call with a wrong shape diagnoses once and
 * returns RT_NO_VALUE; calls with RT_NO_VALUE operands return RT_NO_VALUE in silence, so that a
 * chain needs one check, at its end (rt_module_status). */
#ifndef RETORT_IR_BUILDER_H
#define RETORT_IR_BUILDER_H

#include "ir/graph.h"

typedef struct rt_builder {
    rt_graph *graph;
    rt_module *module;
    rt_location location;
} rt_builder;

rt_builder rt_builder_begin(rt_graph *graph);

/* The general form. `attrs` in the order of ops.def, NULL for all defaults. Returns the node (its
 * results by rt_graph_result), RT_NO_NODE on failure. Folding may return a node of another
 * operator whose results stand for those asked for; therefore take results only by
 * rt_build_results, which fills `results` with one value per result of `op`. */
bool rt_build_results(rt_builder *b, rt_op op, const rt_value *operands, size_t operand_count,
                      const rt_attr *attrs, rt_value *results);
/* The same for operators with one result. */
rt_value rt_build(rt_builder *b, rt_op op, const rt_value *operands, size_t operand_count,
                  const rt_attr *attrs);

rt_type rt_builder_type(const rt_builder *b, rt_value value);

/* Sources. */
rt_value rt_build_input(rt_builder *b, const char *name, rt_type type);
/* i32 numbers of rows, each greater than the one before. */
rt_value rt_build_ascending_input(rt_builder *b, const char *name, rt_dim count);
rt_value rt_build_parameter(rt_builder *b, rt_parameter parameter); /* merged: one node each */
rt_value rt_build_constant(rt_builder *b,
                           const rt_tensor *tensor); /* bytes must outlive the module */
rt_value rt_build_scalar(rt_builder *b, rt_dtype dtype, double value); /* rank 0 */
rt_value rt_build_scalar_int(rt_builder *b, rt_dtype dtype, int64_t value);
rt_value rt_build_zeros(rt_builder *b, rt_type type); /* a broadcast scalar */
rt_value rt_build_dim(rt_builder *b, rt_dim size);
rt_value rt_build_iota(rt_builder *b, rt_dtype dtype, int axis, rt_type shape);
/* The size as a float scalar, e.g. for means. */
rt_value rt_build_dim_as(rt_builder *b, rt_dim size, rt_dtype dtype);

/* One operand: rt_build_exp(b, x) and so on. Two: rt_build_add(b, x, y) and so on. */
// clang-format off
#define RT_UNARY_OPS(X)                                                                            \
    X(neg) X(abs) X(sign) X(exp) X(log) X(sqrt) X(rsqrt) X(reciprocal) X(sin) X(cos) X(tanh)       \
    X(sigmoid) X(erf) X(gelu_slope) X(relu) X(floor) X(ceil) X(round) X(is_nan) X(is_inf) X(not) X(softmax)      \
    X(log_softmax) X(stop_gradient)
#define RT_BINARY_OPS(X)                                                                           \
    X(add) X(sub) X(mul) X(div) X(pow) X(maximum) X(minimum) X(equal) X(less) X(less_equal)        \
    X(and) X(or) X(xor)
// clang-format on
#define RT_DECLARE_UNARY(id) rt_value rt_build_##id(rt_builder *b, rt_value x);
#define RT_DECLARE_BINARY(id) rt_value rt_build_##id(rt_builder *b, rt_value x, rt_value y);
RT_UNARY_OPS(RT_DECLARE_UNARY)
RT_BINARY_OPS(RT_DECLARE_BINARY)

rt_value rt_build_gelu(rt_builder *b, rt_value x, bool tanh_form);
rt_value rt_build_cast(rt_builder *b, rt_value x, rt_dtype dtype);
rt_value rt_build_select(rt_builder *b, rt_value condition, rt_value x, rt_value y);
/* x * factor, with the factor in x's element type. */
rt_value rt_build_scale(rt_builder *b, rt_value x, double factor);
rt_value rt_build_dropout(rt_builder *b, rt_value x, rt_value example, rt_value position,
                          double rate, int64_t site);

/* Reductions; axes may be negative and in any order. */
rt_value rt_build_reduce(rt_builder *b, rt_op op, rt_value x, const int64_t *axes, size_t count,
                         bool keep_dims);
rt_value rt_build_reduce_sum(rt_builder *b, rt_value x, const int64_t *axes, size_t count,
                             bool keep_dims);
rt_value rt_build_reduce_mean(rt_builder *b, rt_value x, const int64_t *axes, size_t count,
                              bool keep_dims);
rt_value rt_build_sum_last(rt_builder *b, rt_value x, bool keep_dims);
rt_value rt_build_sum_all(rt_builder *b, rt_value x); /* to a scalar */

/* layer_norm's y; the statistics by `statistics[2]` (mean, 1/sigma) where not NULL. */
rt_value rt_build_layer_norm(rt_builder *b, rt_value x, rt_value scale, rt_value bias,
                             double epsilon, rt_value *statistics);

rt_value rt_build_matmul(rt_builder *b, rt_value x, rt_value y, bool transpose_x, bool transpose_y);
/* x y (or x y'), where y is a matrix, by way of y's panels of `width` columns. */
rt_value rt_build_panel_matmul(rt_builder *b, rt_value x, rt_value y, bool transpose_y,
                               int64_t width);

/* Movement. */
rt_value rt_build_reshape(rt_builder *b, rt_value x, const rt_dim *dims, size_t rank);
rt_value rt_build_transpose(rt_builder *b, rt_value x, const int64_t *permutation, size_t rank);
rt_value rt_build_broadcast(rt_builder *b, rt_value x, const rt_dim *dims, size_t rank);
rt_value rt_build_concat(rt_builder *b, const rt_value *parts, size_t count, int64_t axis);
rt_value rt_build_slice(rt_builder *b, rt_value x, int64_t axis, rt_dim start, rt_dim size,
                        int64_t step);
rt_value rt_build_pad(rt_builder *b, rt_value x, int64_t axis, rt_dim before, rt_dim after,
                      double value);
rt_value rt_build_gather(rt_builder *b, rt_value x, rt_value indices, int64_t axis);
rt_value rt_build_scatter_add(rt_builder *b, rt_value indices, rt_value updates, rt_dim size);

/* Packed rows. */
rt_value rt_build_segment_sum(rt_builder *b, rt_value x, rt_value row_offsets);
rt_value rt_build_segment_repeat(rt_builder *b, rt_value x, rt_value row_offsets, rt_dim tokens);
rt_value rt_build_shift_rows(rt_builder *b, rt_value x, rt_value row_offsets, bool reverse);

/* One softmax attention; see ops.def. key_mask and example_ids may be RT_NO_VALUE. */
typedef struct rt_attention {
    rt_value query, key, value, row_offsets, key_mask, example_ids;
    int64_t heads;
    double scale;
    bool is_causal;
    double dropout;
    int64_t site;
    rt_dim longest;
} rt_attention;
rt_value rt_build_attention(rt_builder *b, const rt_attention *attention);
/* Sums [B,heads] over pairs of tokens; see ops.def. The masks may be RT_NO_VALUE. */
typedef struct rt_relation {
    rt_value query, key, target_query, target_key, row_offsets, key_mask, query_mask;
    int64_t heads;
    double scale, target_scale;
    bool is_divergence;
    rt_dim longest;
} rt_relation;
rt_value rt_build_relation_loss(rt_builder *b, const rt_relation *relation);
rt_value rt_build_lstm(rt_builder *b, rt_value preactivations, rt_value recurrent,
                       rt_value row_offsets, bool reverse);

#endif
