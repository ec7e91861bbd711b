// SPDX-License-Identifier: Apache-2.0
/* Reductions, contraction, movement and indexing. Loops run over (outer, axis, inner) where an
 * operator works along one axis, and over a multi-index elsewhere. */
#include <math.h>

#include "ir/eval_rules.h"

/* ---- reductions */

/* Strides of the result for an index of the operand: 0 along the reduced axes. */
static void reduced_strides(const rt_array *x, const rt_attr *axes, int64_t *strides) {
    int64_t stride = 1;
    for (int i = x->rank - 1; i >= 0; --i) {
        bool is_reduced = false;
        for (uint32_t a = 0; a < axes->count; ++a) is_reduced |= axes->ints[a] == i;
        strides[i] = is_reduced ? 0 : stride;
        if (!is_reduced) stride *= x->dims[i];
    }
}

typedef struct reduce_rule {
    rt_attr_id axes;
    double real_start;
    int64_t integer_start;
    double (*real)(double sum, double x);
    int64_t (*integer)(rt_dtype dtype, int64_t sum, int64_t x);
} reduce_rule;

static rt_status reduce(rt_eval *eval, reduce_rule rule) {
    const rt_array *x = eval->operands[0];
    rt_array *y = &eval->results[0];
    int64_t index[RT_MAX_RANK] = {0}, strides[RT_MAX_RANK];
    rt_attr axes = eval_attr(eval, rule.axes);
    reduced_strides(x, &axes, strides);
    for (int64_t i = 0; i < y->count; ++i) {
        if (y->real)
            y->real[i] = rule.real_start;
        else
            y->integer[i] = rule.integer_start;
    }
    for (int64_t i = 0; i < x->count; ++i) {
        int64_t to = eval_offset(x->rank, index, strides);
        if (y->real)
            y->real[to] = rule.real(y->real[to], x->real[i]);
        else
            y->integer[to] = rule.integer(x->dtype, y->integer[to], x->integer[i]);
        eval_advance(x->rank, x->dims, index);
    }
    return RT_OK;
}

static double real_sum(double sum, double x) {
    return sum + x;
}
static int64_t integer_sum(rt_dtype dtype, int64_t sum, int64_t x) {
    (void)dtype;
    return (int64_t)((uint64_t)sum + (uint64_t)x);
}
static double real_product(double product, double x) {
    return product * x;
}
static int64_t integer_product(rt_dtype dtype, int64_t product, int64_t x) {
    (void)dtype;
    return (int64_t)((uint64_t)product * (uint64_t)x);
}
static double real_max(double most, double x) {
    return isnan(most) || most > x ? most : x;
}
static int64_t integer_max(rt_dtype dtype, int64_t most, int64_t x) {
    return eval_is_less(dtype, most, x) ? x : most;
}
static double real_min(double least, double x) {
    return isnan(least) || least < x ? least : x;
}
static int64_t integer_min(rt_dtype dtype, int64_t least, int64_t x) {
    return eval_is_less(dtype, x, least) ? x : least;
}

/* The least and the largest integer of a type, as its bits in 64 bits. */
static int64_t least_integer(rt_dtype dtype) {
    return rt_dtype_is_signed(dtype) ? INT64_MIN >> (64 - 8 * rt_dtype_bytes(dtype)) : 0;
}
static int64_t most_integer(rt_dtype dtype) {
    size_t unused_bits = 64 - 8 * rt_dtype_bytes(dtype);
    if (dtype == RT_BOOL) return 1;
    if (rt_dtype_is_signed(dtype)) return INT64_MAX >> unused_bits;
    return (int64_t)(UINT64_MAX >> unused_bits);
}

rt_status eval_reduce_sum(rt_eval *eval) {
    return reduce(eval, (reduce_rule){RT_ATTR_reduce_sum_axes, 0, 0, real_sum, integer_sum});
}
rt_status eval_reduce_prod(rt_eval *eval) {
    return reduce(eval,
                  (reduce_rule){RT_ATTR_reduce_prod_axes, 1, 1, real_product, integer_product});
}
/* Of nothing: the least value there is, -inf for floating types. */
rt_status eval_reduce_max(rt_eval *eval) {
    int64_t start = least_integer(eval->operands[0]->dtype);
    return reduce(eval,
                  (reduce_rule){RT_ATTR_reduce_max_axes, -INFINITY, start, real_max, integer_max});
}
rt_status eval_reduce_min(rt_eval *eval) {
    int64_t start = most_integer(eval->operands[0]->dtype);
    return reduce(eval,
                  (reduce_rule){RT_ATTR_reduce_min_axes, INFINITY, start, real_min, integer_min});
}

/* The shape seen from one axis: element (o, a, i) stands at (o * size + a) * inner + i. */
typedef struct axis_view {
    int64_t outer, size, inner;
} axis_view;

static axis_view view_along(const rt_array *array, int64_t axis) {
    return (axis_view){eval_extent(array, 0, (int)axis), array->dims[axis],
                       eval_extent(array, (int)axis + 1, array->rank)};
}

static int64_t at(axis_view view, int64_t o, int64_t a, int64_t i) {
    return (o * view.size + a) * view.inner + i;
}

rt_status eval_argmax(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    axis_view view = view_along(x, eval_attr(eval, RT_ATTR_argmax_axis).integer);
    for (int64_t o = 0; o < view.outer; ++o) {
        for (int64_t i = 0; i < view.inner; ++i) {
            int64_t best = 0;
            for (int64_t a = 1; a < view.size; ++a) {
                int64_t p = at(view, o, a, i), q = at(view, o, best, i);
                if (x->real ? x->real[p] > x->real[q]
                            : eval_is_less(x->dtype, x->integer[q], x->integer[p]))
                    best = a;
            }
            eval->results[0].integer[o * view.inner + i] = best;
        }
    }
    return RT_OK;
}

rt_status eval_cumsum(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    rt_array *y = &eval->results[0];
    axis_view view = view_along(x, eval_attr(eval, RT_ATTR_cumsum_axis).integer);
    bool is_exclusive = eval_attr(eval, RT_ATTR_cumsum_exclusive).integer;
    bool is_reverse = eval_attr(eval, RT_ATTR_cumsum_reverse).integer;
    for (int64_t o = 0; o < view.outer; ++o) {
        for (int64_t i = 0; i < view.inner; ++i) {
            for (int64_t k = 0; k < view.size; ++k) {
                int64_t a = is_reverse ? view.size - 1 - k : k, before = is_reverse ? a + 1 : a - 1;
                int64_t here = at(view, o, a, i);
                if (k > 0) eval_copy(y, here, y, at(view, o, before, i));
                if (!is_exclusive)
                    eval_accumulate(y, here, x, here);
                else if (k > 0)
                    eval_accumulate(y, here, x, at(view, o, before, i));
            }
        }
    }
    return RT_OK;
}

/* ---- contraction */

/* One matrix of a batch: element (i, j) stands at base + i * rows + j * columns. */
typedef struct matrix_view {
    int64_t base, rows, columns;
} matrix_view;

static matrix_view matrix_at(const rt_array *array, bool is_transposed, int64_t base) {
    int64_t width = array->dims[array->rank - 1];
    return is_transposed ? (matrix_view){base, 1, width} : (matrix_view){base, width, 1};
}

/* z += x y for one matrix each; z is [rows, columns] at `base`. */
static void multiply_matrices(const rt_eval *eval, const rt_array *b, matrix_view x, matrix_view y,
                              int64_t inner, int64_t base) {
    const rt_array *a = eval->operands[0];
    rt_array *c = &eval->results[0];
    int64_t rows = c->dims[c->rank - 2], columns = c->dims[c->rank - 1];
    for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
            int64_t to = base + i * columns + j;
            for (int64_t k = 0; k < inner; ++k) {
                int64_t p = x.base + i * x.rows + k * x.columns;
                int64_t q = y.base + k * y.rows + j * y.columns;
                if (c->real)
                    c->real[to] += a->real[p] * b->real[q];
                else
                    c->integer[to] = (int64_t)((uint64_t)c->integer[to] +
                                               (uint64_t)a->integer[p] * (uint64_t)b->integer[q]);
            }
        }
    }
}

/* Where element (k, j) of a matrix stands in its panels of `width` columns and groups of rows. */
static int64_t in_panels(const rt_array *panels, int64_t group, int64_t k, int64_t j) {
    int64_t rows = panels->dims[1], size = panels->dims[2], width = size / group;
    return (j / width * rows + k / group) * size + j % width * group + k % group;
}

/* The matrix of the panels, [inner, columns]. */
static rt_array *unpack_panels(rt_eval *eval, const rt_array *panels, int64_t columns,
                               int64_t group) {
    int64_t inner = panels->dims[1] * group, dims[] = {inner, columns};
    rt_array *matrix = rt_array_create(panels->dtype, 2, dims, eval->arena);
    for (int64_t k = 0; matrix && k < inner; ++k)
        for (int64_t j = 0; j < columns; ++j)
            eval_copy(matrix, k * columns + j, panels, in_panels(panels, group, k, j));
    return matrix;
}

rt_status eval_pack_panels(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    rt_array *y = &eval->results[0];
    bool is_transposed = eval_attr(eval, RT_ATTR_pack_panels_transpose).integer;
    int64_t group = eval_attr(eval, RT_ATTR_pack_panels_group).integer;
    int64_t inner = x->dims[is_transposed ? 1 : 0], columns = x->dims[is_transposed ? 0 : 1];
    for (int64_t j = 0; j < columns; ++j)
        for (int64_t k = 0; k < inner; ++k)
            eval_copy(y, in_panels(y, group, k, j), x,
                      is_transposed ? j * inner + k : k * columns + j);
    return RT_OK;
}

/* z = x y, where y is one matrix for all rows of x. */
static rt_status multiply_rows(rt_eval *eval, const rt_array *y) {
    const rt_array *x = eval->operands[0], *z = &eval->results[0];
    if (!y) return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory for a product");
    int64_t inner = y->dims[0], rows = z->dims[z->rank - 2], columns = z->dims[z->rank - 1];
    int64_t matrices = eval_extent(z, 0, z->rank - 2);
    for (int64_t i = 0; i < matrices; ++i)
        multiply_matrices(eval, y, matrix_at(x, false, i * rows * inner), matrix_at(y, false, 0),
                          inner, i * rows * columns);
    return RT_OK;
}

rt_status eval_matmul_integer(rt_eval *eval) {
    int64_t columns = eval_attr(eval, RT_ATTR_matmul_integer_panel_columns).integer;
    int64_t group = 4 / (int64_t)rt_dtype_bytes(eval->operands[0]->dtype);
    return multiply_rows(eval, unpack_panels(eval, eval->operands[1], columns, group));
}

rt_status eval_matmul_int4(rt_eval *eval) {
    int64_t columns = eval_attr(eval, RT_ATTR_matmul_int4_panel_columns).integer;
    const rt_array *panels = eval->operands[1], *scales = eval->operands[2];
    int64_t inner = 2 * panels->dims[1], dims[] = {inner, columns};
    int64_t group = scales->dims[1] ? inner / scales->dims[1] : 1;
    rt_array *matrix = rt_array_create(RT_F32, 2, dims, eval->arena);
    for (int64_t k = 0; matrix && k < inner; ++k)
        for (int64_t j = 0; j < columns; ++j) {
            int64_t pair = panels->integer[in_panels(panels, 1, k / 2, j)];
            int64_t number = (k % 2 ? pair >> 4 : pair & 15) - 8;
            matrix->real[k * columns + j] =
                (double)number * scales->real[in_panels(scales, 1, k / group, j)];
        }
    return multiply_rows(eval, matrix);
}

rt_status eval_matmul(rt_eval *eval) {
    int64_t columns = eval_attr(eval, RT_ATTR_matmul_panel_columns).integer;
    const rt_array *x = eval->operands[0];
    const rt_array *y =
        columns ? unpack_panels(eval, eval->operands[1], columns, 1) : eval->operands[1];
    const rt_array *z = &eval->results[0];
    if (!y) return rt_fail(eval->error, RT_OUT_OF_MEMORY, "no memory for a product");
    bool transpose_x = eval_attr(eval, RT_ATTR_matmul_transpose_a).integer;
    bool transpose_y = eval_attr(eval, RT_ATTR_matmul_transpose_b).integer;
    int64_t inner = x->dims[x->rank - (transpose_x ? 2 : 1)];
    int batch_rank = z->rank - 2;
    int64_t batches = eval_extent(z, 0, batch_rank);
    int64_t index[RT_MAX_RANK] = {0}, x_strides[RT_MAX_RANK], y_strides[RT_MAX_RANK];
    eval_broadcast_strides(x, z->rank, x_strides);
    eval_broadcast_strides(y, z->rank, y_strides);
    for (int64_t i = 0; i < batches; ++i) {
        matrix_view a = matrix_at(x, transpose_x, eval_offset(batch_rank, index, x_strides));
        matrix_view b = matrix_at(y, transpose_y, eval_offset(batch_rank, index, y_strides));
        multiply_matrices(eval, y, a, b, inner, i * z->dims[batch_rank] * z->dims[batch_rank + 1]);
        eval_advance(batch_rank, z->dims, index);
    }
    return RT_OK;
}

/* ---- movement */

rt_status eval_stop_gradient(rt_eval *eval) {
    for (int64_t i = 0; i < eval->results[0].count; ++i)
        eval_copy(&eval->results[0], i, eval->operands[0], i);
    return RT_OK;
}

rt_status eval_reshape(rt_eval *eval) {
    rt_array *y = &eval->results[0];
    if (y->count != eval->operands[0]->count)
        return rt_fail(eval->error, RT_INVALID_ARGUMENT, "%lld elements cannot become %lld",
                       (long long)eval->operands[0]->count, (long long)y->count);
    for (int64_t i = 0; i < y->count; ++i) eval_copy(y, i, eval->operands[0], i);
    return RT_OK;
}

rt_status eval_transpose(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    rt_array *y = &eval->results[0];
    const int64_t *permutation = eval_attr(eval, RT_ATTR_transpose_permutation).ints;
    int64_t index[RT_MAX_RANK] = {0}, strides[RT_MAX_RANK];
    for (int i = 0; i < y->rank; ++i) strides[i] = eval_extent(x, (int)permutation[i] + 1, x->rank);
    for (int64_t i = 0; i < y->count; ++i) {
        eval_copy(y, i, x, eval_offset(y->rank, index, strides));
        eval_advance(y->rank, y->dims, index);
    }
    return RT_OK;
}

rt_status eval_broadcast(rt_eval *eval) {
    rt_array *y = &eval->results[0];
    int64_t index[RT_MAX_RANK] = {0}, strides[RT_MAX_RANK];
    eval_broadcast_strides(eval->operands[0], y->rank, strides);
    for (int64_t i = 0; i < y->count; ++i) {
        eval_copy(y, i, eval->operands[0], eval_offset(y->rank, index, strides));
        eval_advance(y->rank, y->dims, index);
    }
    return RT_OK;
}

rt_status eval_concat(rt_eval *eval) {
    rt_array *y = &eval->results[0];
    int64_t axis = eval_attr(eval, RT_ATTR_concat_axis).integer, first = 0;
    axis_view to = view_along(y, axis);
    for (size_t k = 0; k < eval->operand_count; ++k) {
        const rt_array *x = eval->operands[k];
        axis_view from = view_along(x, axis);
        for (int64_t o = 0; o < from.outer; ++o)
            for (int64_t a = 0; a < from.size; ++a)
                for (int64_t i = 0; i < from.inner; ++i)
                    eval_copy(y, at(to, o, first + a, i), x, at(from, o, a, i));
        first += from.size;
    }
    return RT_OK;
}

rt_status eval_slice(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    int64_t axis = eval_attr(eval, RT_ATTR_slice_axis).integer, start;
    int64_t step = eval_attr(eval, RT_ATTR_slice_step).integer;
    axis_view from = view_along(x, axis), to = view_along(&eval->results[0], axis);
    RT_TRY(eval_dim_value(eval, eval_attr(eval, RT_ATTR_slice_start).dim, &start));
    int64_t last = start + (to.size - 1) * step;
    if (to.size > 0 && (start < 0 || start >= from.size || last < 0 || last >= from.size))
        return rt_fail(eval->error, RT_INVALID_ARGUMENT,
                       "elements %lld to %lld of a dimension of %lld", (long long)start,
                       (long long)last, (long long)from.size);
    for (int64_t o = 0; o < to.outer; ++o)
        for (int64_t a = 0; a < to.size; ++a)
            for (int64_t i = 0; i < to.inner; ++i)
                eval_copy(&eval->results[0], at(to, o, a, i), x, at(from, o, start + a * step, i));
    return RT_OK;
}

rt_status eval_pad(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    rt_array *y = &eval->results[0];
    int64_t axis = eval_attr(eval, RT_ATTR_pad_axis).integer, before, after;
    double value = eval_attr(eval, RT_ATTR_pad_value).real;
    axis_view from = view_along(x, axis), to = view_along(y, axis);
    RT_TRY(eval_dim_value(eval, eval_attr(eval, RT_ATTR_pad_before).dim, &before));
    RT_TRY(eval_dim_value(eval, eval_attr(eval, RT_ATTR_pad_after).dim, &after));
    if (before < 0 || after < 0)
        return rt_fail(eval->error, RT_INVALID_ARGUMENT, "%lld elements before and %lld after",
                       (long long)before, (long long)after);
    for (int64_t i = 0; i < y->count; ++i) {
        if (y->real)
            y->real[i] = value;
        else
            y->integer[i] = (int64_t)value;
    }
    for (int64_t o = 0; o < from.outer; ++o)
        for (int64_t a = 0; a < from.size; ++a)
            for (int64_t i = 0; i < from.inner; ++i)
                eval_copy(y, at(to, o, before + a, i), x, at(from, o, a, i));
    return RT_OK;
}

/* ---- indexing */

/* A negative index counts from the end. */
static rt_status resolve_index(const rt_eval *eval, int64_t index, int64_t size,
                               int64_t *resolved) {
    *resolved = index < 0 ? index + size : index;
    if (*resolved < 0 || *resolved >= size)
        return rt_fail(eval->error, RT_INVALID_DATA, "index %lld into a dimension of %lld",
                       (long long)index, (long long)size);
    return RT_OK;
}

rt_status eval_gather(rt_eval *eval) {
    const rt_array *x = eval->operands[0], *indices = eval->operands[1];
    axis_view view = view_along(x, eval_attr(eval, RT_ATTR_gather_axis).integer);
    for (int64_t k = 0; k < indices->count; ++k) {
        int64_t a;
        RT_TRY(resolve_index(eval, indices->integer[k], view.size, &a));
        for (int64_t o = 0; o < view.outer; ++o)
            for (int64_t i = 0; i < view.inner; ++i)
                eval_copy(&eval->results[0], (o * indices->count + k) * view.inner + i, x,
                          at(view, o, a, i));
    }
    return RT_OK;
}

rt_status eval_scatter_add(rt_eval *eval) {
    const rt_array *indices = eval->operands[0], *updates = eval->operands[1];
    rt_array *y = &eval->results[0];
    int64_t inner = eval_extent(y, 1, y->rank);
    for (int64_t k = 0; k < indices->count; ++k) {
        int64_t a;
        RT_TRY(resolve_index(eval, indices->integer[k], y->dims[0], &a));
        for (int64_t i = 0; i < inner; ++i)
            eval_accumulate(y, a * inner + i, updates, k * inner + i);
    }
    return RT_OK;
}
