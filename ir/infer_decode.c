// SPDX-License-Identifier: Apache-2.0
/* Type rules of rows decoded by a table. */
#include "ir/infer_impl.h"

static bool has_type(rt_infer *infer, size_t operand, const char *name, rt_type type) {
    if (rt_type_equal(infer->operands[operand], type)) return true;
    return rt_infer_fail(infer, "%s is %s; %s is needed", name,
                         infer_type_text(infer, infer->operands[operand]),
                         infer_type_text(infer, type));
}

/* x [N,H] at operand `first`, table [V,H] and bias [V] behind it; gives f32[N] and f32[V]. */
static bool check_decoder(rt_infer *infer, size_t first, rt_type *row, rt_type *column) {
    rt_type x = infer->operands[first], table = infer->operands[first + 1];
    if (x.rank != 2 || table.rank != 2 || x.dtype != RT_F32 || table.dtype != RT_F32 ||
        !rt_dim_equal(x.dims[1], table.dims[1]))
        return rt_infer_fail(infer, "%s by %s; f32[N,H] by f32[V,H] is needed",
                             infer_type_text(infer, x), infer_type_text(infer, table));
    int64_t columns;
    if (!rt_dim_is_constant(infer_dims(infer), table.dims[0], &columns) || columns < 1)
        return rt_infer_fail(infer, "the table is %s; a constant number of rows is needed",
                             infer_type_text(infer, table));
    *row = rt_type_make(RT_F32, 1, &x.dims[0]);
    *column = rt_type_make(RT_F32, 1, &table.dims[0]);
    return has_type(infer, first + 2, "the bias", *column);
}

static bool check_chunk(rt_infer *infer, int attr) {
    int64_t chunk = infer->attrs[attr].integer;
    return chunk > 0 || rt_infer_fail(infer, "chunks of %lld columns", (long long)chunk);
}

static void give_gradients(rt_infer *infer, size_t x, rt_type column) {
    infer->results[0] = infer->operands[x];
    infer->results[1] = infer->operands[x + 1];
    infer->results[2] = column;
}

bool infer_decode_scores(rt_infer *infer) {
    rt_type row, column;
    if (!check_decoder(infer, 0, &row, &column) || !check_chunk(infer, 0) ||
        !has_type(infer, 3, "labels", rt_type_with_dtype(row, RT_I32)))
        return false;
    infer->results[0] = infer->results[1] = infer->results[2] = row;
    return true;
}

bool infer_decode_scores_gradient(rt_infer *infer) {
    rt_type row, column;
    if (!check_decoder(infer, 2, &row, &column) || !check_chunk(infer, 0) ||
        !has_type(infer, 0, "d_log_sum_exp", row) || !has_type(infer, 1, "d_own", row) ||
        !has_type(infer, 5, "labels", rt_type_with_dtype(row, RT_I32)) ||
        !has_type(infer, 6, "log_sum_exp", row))
        return false;
    give_gradients(infer, 2, column);
    return true;
}

/* Two decoders of the same rows and columns, the second three operands behind the first. */
static bool check_decoders(rt_infer *infer, size_t first, rt_type *row, rt_type *column) {
    rt_type goal_row, goal_column;
    if (!check_decoder(infer, first, row, column) ||
        !check_decoder(infer, first + 3, &goal_row, &goal_column) || !check_chunk(infer, 1))
        return false;
    if (rt_type_equal(*row, goal_row) && rt_type_equal(*column, goal_column)) return true;
    return rt_infer_fail(
        infer, "%s rows and %s columns against %s and %s of the goal",
        infer_dim_text(infer, row->dims[0]), infer_dim_text(infer, column->dims[0]),
        infer_dim_text(infer, goal_row.dims[0]), infer_dim_text(infer, goal_column.dims[0]));
}

bool infer_decode_divergence(rt_infer *infer) {
    rt_type row, column;
    if (!check_decoders(infer, 0, &row, &column)) return false;
    infer->results[0] = infer->results[1] = infer->results[2] = row;
    return true;
}

bool infer_decode_divergence_gradient(rt_infer *infer) {
    rt_type row, column;
    if (!check_decoders(infer, 1, &row, &column) || !has_type(infer, 0, "d_divergence", row) ||
        !has_type(infer, 7, "log_sum_exp", row) || !has_type(infer, 8, "goal_log_sum_exp", row))
        return false;
    give_gradients(infer, 1, column);
    return true;
}
