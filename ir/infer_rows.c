// SPDX-License-Identifier: Apache-2.0
/* Type rules of operators on packed rows: segments, attention, recurrence. */
#include "ir/infer_impl.h"

/* The number of rows B from row_offsets i32[B+1]. */
static bool row_count(rt_infer *infer, size_t operand, rt_dim *rows) {
    rt_type offsets = infer->operands[operand];
    if (offsets.dtype != RT_I32 || offsets.rank != 1)
        return rt_infer_fail(infer, "row_offsets are %s; i32[B+1] is needed",
                             infer_type_text(infer, offsets));
    rt_dim_table *dims = infer_dims(infer);
    *rows = rt_dim_subtract(dims, offsets.dims[0], rt_dim_constant(dims, 1));
    return true;
}

static bool is_matrix(rt_infer *infer, size_t operand, const char *name, rt_type type) {
    if (rt_type_equal(infer->operands[operand], type)) return true;
    return rt_infer_fail(infer, "%s is %s; %s is needed", name,
                         infer_type_text(infer, infer->operands[operand]),
                         infer_type_text(infer, type));
}

bool infer_segment_sum(rt_infer *infer) {
    rt_dim rows;
    if (!row_count(infer, 1, &rows)) return false;
    if (infer->operands[0].rank < 1) return rt_infer_fail(infer, "x has rank 0");
    infer->results[0] = infer->operands[0];
    infer->results[0].dims[0] = rows;
    return true;
}

bool infer_segment_repeat(rt_infer *infer) {
    rt_dim rows;
    rt_type x = infer->operands[0];
    if (!row_count(infer, 1, &rows)) return false;
    if (x.rank < 1 || !rt_dim_equal(x.dims[0], rows))
        return rt_infer_fail(infer, "x is %s; its first dimension must be %s",
                             infer_type_text(infer, x), infer_dim_text(infer, rows));
    infer->results[0] = x;
    infer->results[0].dims[0] = infer->attrs[0].dim;
    return true;
}

bool infer_shift_rows(rt_infer *infer) {
    rt_dim rows;
    if (!row_count(infer, 1, &rows)) return false;
    if (infer->operands[0].rank != 2)
        return rt_infer_fail(infer, "x is %s; a matrix is needed",
                             infer_type_text(infer, infer->operands[0]));
    infer->results[0] = infer->operands[0];
    return true;
}

static bool has_operand(const rt_infer *infer, size_t operand) {
    return infer->operand_count > operand && infer->is_present[operand];
}

/* query_offsets at `offsets`, then query_positions; without them a query for each of `tokens`. */
static bool check_queries(rt_infer *infer, size_t offsets, rt_type query, rt_dim tokens,
                          rt_type row_offsets) {
    if (has_operand(infer, offsets)) {
        if (!is_matrix(infer, offsets, "query_offsets", row_offsets)) return false;
    } else if (!rt_dim_equal(query.dims[0], tokens)) {
        return rt_infer_fail(infer, "%s queries of %s tokens need query_offsets",
                             infer_dim_text(infer, query.dims[0]), infer_dim_text(infer, tokens));
    }
    return !has_operand(infer, offsets + 1) ||
           is_matrix(infer, offsets + 1, "query_positions", rt_type_make(RT_I32, 1, query.dims));
}

/* Checks what attention and its gradient share: the operand at `first` is the query, then key and
 * value; `offsets` row_offsets, then key_mask, example_ids, query_offsets and query_positions. */
static bool check_attention(rt_infer *infer, size_t first, size_t offsets) {
    rt_type query = infer->operands[first];
    int64_t heads = infer->attrs[0].integer, width;
    rt_dim rows;
    if (query.rank != 2 || query.dtype != RT_F32)
        return rt_infer_fail(infer, "the query is %s; f32[T,heads*d] is needed",
                             infer_type_text(infer, query));
    if (!rt_dim_is_constant(infer_dims(infer), query.dims[1], &width) || heads < 1 || width % heads)
        return rt_infer_fail(infer, "%lld heads do not divide width %s", (long long)heads,
                             infer_dim_text(infer, query.dims[1]));
    rt_type key = query;
    if (infer->operands[first + 1].rank == 2) key.dims[0] = infer->operands[first + 1].dims[0];
    if (!is_matrix(infer, first + 1, "the key", key) ||
        !is_matrix(infer, first + 2, "the value", key) || !row_count(infer, offsets, &rows) ||
        !check_queries(infer, offsets + 3, query, key.dims[0], infer->operands[offsets]))
        return false;
    if (has_operand(infer, offsets + 1) &&
        !is_matrix(infer, offsets + 1, "key_mask", rt_type_make(RT_I32, 1, key.dims)))
        return false;
    if (has_operand(infer, offsets + 2) &&
        !is_matrix(infer, offsets + 2, "example_ids", rt_type_make(RT_I32, 1, &rows)))
        return false;
    double dropout = infer->attrs[3].real;
    if (!(dropout >= 0 && dropout < 1))
        return rt_infer_fail(infer, "dropout %g is not in [0, 1)", dropout);
    if (dropout > 0 && !has_operand(infer, offsets + 2))
        return rt_infer_fail(infer, "dropout needs example_ids");
    return true;
}

static rt_type lse_type(rt_infer *infer, rt_type query) {
    rt_type lse = query;
    lse.dims[1] = rt_dim_constant(infer_dims(infer), infer->attrs[0].integer);
    return lse;
}

bool infer_attention(rt_infer *infer) {
    if (!check_attention(infer, 0, 3)) return false;
    infer->results[0] = infer->operands[0];
    infer->results[1] = lse_type(infer, infer->operands[0]);
    return true;
}

bool infer_attention_gradient(rt_infer *infer) {
    if (!check_attention(infer, 1, 6)) return false;
    rt_type query = infer->operands[1];
    if (!is_matrix(infer, 0, "d_out", query) || !is_matrix(infer, 4, "out", query) ||
        !is_matrix(infer, 5, "lse", lse_type(infer, query)))
        return false;
    infer->results[0] = query;
    infer->results[1] = infer->results[2] = infer->operands[2];
    return true;
}

/* A matrix of the tokens whose width is so many heads. */
static bool check_heads(rt_infer *infer, size_t operand, int64_t heads) {
    rt_type type = infer->operands[operand];
    int64_t width;
    if (type.rank != 2 || type.dtype != RT_F32)
        return rt_infer_fail(infer, "a query is %s; f32[T,heads*d] is needed",
                             infer_type_text(infer, type));
    if (rt_dim_is_constant(infer_dims(infer), type.dims[1], &width) && heads >= 1 &&
        width % heads == 0)
        return true;
    return rt_infer_fail(infer, "%lld heads do not divide width %s", (long long)heads,
                         infer_dim_text(infer, type.dims[1]));
}

/* The operands from `first` on: both models' queries and keys, row_offsets, and masks. */
static bool check_relation(rt_infer *infer, size_t first, rt_type *loss) {
    rt_type query = infer->operands[first], target = infer->operands[first + 2];
    rt_type mask = rt_type_make(RT_I32, 1, query.dims);
    int64_t heads = infer->attrs[0].integer;
    rt_dim dims[2];
    if (!check_heads(infer, first, heads) || !check_heads(infer, first + 2, heads) ||
        !is_matrix(infer, first + 1, "the key", query) ||
        !is_matrix(infer, first + 3, "the target's key", target) ||
        !row_count(infer, first + 4, &dims[0]))
        return false;
    if (!rt_dim_equal(query.dims[0], target.dims[0]))
        return rt_infer_fail(infer, "the target has %s tokens, not %s",
                             infer_dim_text(infer, target.dims[0]),
                             infer_dim_text(infer, query.dims[0]));
    for (size_t i = first + 5; i < first + 7; ++i)
        if (has_operand(infer, i) && !is_matrix(infer, i, "a mask", mask)) return false;
    dims[1] = rt_dim_constant(infer_dims(infer), heads);
    *loss = rt_type_make(RT_F32, 2, dims);
    return true;
}

bool infer_relation_loss(rt_infer *infer) {
    return check_relation(infer, 0, &infer->results[0]);
}

bool infer_relation_loss_gradient(rt_infer *infer) {
    rt_type loss;
    bool is_of_target = infer->attrs[5].integer;
    if (!check_relation(infer, 1, &loss) || !is_matrix(infer, 0, "d_loss", loss)) return false;
    infer->results[0] = infer->results[1] = infer->operands[is_of_target ? 3 : 1];
    return true;
}

/* [T,H] of [T,4H]. */
static bool hidden_type(rt_infer *infer, size_t operand, rt_type *hidden) {
    rt_type wide = infer->operands[operand];
    int64_t width;
    if (wide.rank != 2 || wide.dtype != RT_F32 ||
        !rt_dim_is_constant(infer_dims(infer), wide.dims[1], &width) || width % 4)
        return rt_infer_fail(infer, "%s is not f32[T,4*H]", infer_type_text(infer, wide));
    *hidden = wide;
    hidden->dims[1] = rt_dim_constant(infer_dims(infer), width / 4);
    return true;
}

static bool check_recurrent(rt_infer *infer, size_t operand, rt_type wide, rt_type hidden) {
    rt_dim dims[2] = {wide.dims[1], hidden.dims[1]};
    return is_matrix(infer, operand, "the recurrent matrix", rt_type_make(RT_F32, 2, dims));
}

bool infer_lstm(rt_infer *infer) {
    rt_type hidden;
    rt_dim rows;
    if (!hidden_type(infer, 0, &hidden) || !check_recurrent(infer, 1, infer->operands[0], hidden) ||
        !row_count(infer, 2, &rows))
        return false;
    infer->results[0] = infer->results[1] = hidden;
    infer->results[2] = infer->operands[0];
    return true;
}

bool infer_lstm_gradient(rt_infer *infer) {
    rt_type hidden;
    rt_dim rows;
    if (!hidden_type(infer, 2, &hidden) || !is_matrix(infer, 0, "d_hidden", hidden) ||
        !is_matrix(infer, 1, "cell", hidden) ||
        !check_recurrent(infer, 3, infer->operands[2], hidden) || !row_count(infer, 4, &rows))
        return false;
    infer->results[0] = infer->operands[2];
    return true;
}
