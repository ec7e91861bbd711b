// SPDX-License-Identifier: Apache-2.0
/* Contraction, movement, indexing, packed rows. */
#include <math.h>

#include "runtime/base/check.h"
#include "tests/support/random_graph_impl.h"

static bool is_matrix(const random_builder *r, const random_value *value) {
    return random_is_float(r, value) && random_type(r, value->value).rank >= 2;
}
static bool has_axis(const random_builder *r, const random_value *value) {
    return random_type(r, value->value).rank > 0;
}
static bool is_any(const random_builder *r, const random_value *value) {
    (void)r, (void)value;
    return true;
}
static bool starts_with(const random_builder *r, const random_value *value, rt_dim dim) {
    rt_type type = random_type(r, value->value);
    return random_is_float(r, value) && type.rank > 0 && rt_dim_equal(type.dims[0], dim);
}
static bool has_tokens(const random_builder *r, const random_value *value) {
    return starts_with(r, value, r->tokens);
}
static bool has_rows(const random_builder *r, const random_value *value) {
    return starts_with(r, value, r->rows);
}
/* f32[T, a constant] */
static bool is_token_matrix(const random_builder *r, const random_value *value) {
    rt_type type = random_type(r, value->value);
    return has_tokens(r, value) && type.rank == 2 && type.dtype == RT_F32 &&
           rt_dim_is_constant(rt_module_dims(r->module), type.dims[1], NULL);
}
/* [.., C] with rows of one kind: T tokens, or a constant shape. */
static bool is_token_rows(const random_builder *r, const random_value *value) {
    return has_tokens(r, value) && random_type(r, value->value).rank == 2;
}

static rt_dim constant(random_builder *r, int64_t value) {
    return rt_module_constant_dim(r->module, value);
}

static rt_value matrix_input(random_builder *r, rt_dim rows, rt_dim columns) {
    rt_dim dims[] = {rows, columns};
    return random_input(r, rt_type_make(RT_F32, 2, dims));
}

/* ---- contraction */

static bool add_matmul(random_builder *r) {
    const random_value *picked = random_pick(r, is_matrix);
    if (!picked) return false;
    random_value x = *picked;
    rt_type type = random_type(r, x.value), other = type;
    bool transposes_x = random_chance(r, 30), transposes_y = random_chance(r, 30);
    rt_dim inner = type.dims[type.rank - (transposes_x ? 2 : 1)];
    rt_dim columns = random_chance(r, 20) ? r->tokens : constant(r, 1 + random_below(r, 7));
    if (random_chance(r, 50)) { /* one matrix for all */
        other.rank = 2;
    } else if (type.rank > 2 && random_chance(r, 50)) {
        other.dims[0] = constant(r, 1);
    }
    other = rt_type_make(other.dtype, other.rank, other.dims);
    other.dims[other.rank - (transposes_y ? 1 : 2)] = inner;
    other.dims[other.rank - (transposes_y ? 2 : 1)] = columns;
    for (int i = other.rank; i < RT_MAX_RANK; ++i) other.dims[i] = (rt_dim){0};
    double bound = x.bound * 4 * (double)random_dim_size(r, inner);
    if (bound > 1e4 || random_elements(r, other) > RANDOM_MAX_ELEMENTS) return false;
    rt_value y = random_input(r, other);
    bool is_panelled = other.rank == 2 && !transposes_x && random_chance(r, 30) &&
                       rt_dim_is_constant(rt_module_dims(r->module), columns, NULL);
    if (is_panelled) {
        int64_t width = random_chance(r, 50) ? 16 : 1 + random_below(r, 5);
        return random_keep(r, rt_build_panel_matmul(&r->b, x.value, y, transposes_y, width),
                           fmax(bound, 1), false);
    }
    return random_keep(r, rt_build_matmul(&r->b, x.value, y, transposes_x, transposes_y),
                       fmax(bound, 1), false);
}

/* Panels of 1 to 3 times `width` numbers of a dtype. */
static rt_type panels_type(random_builder *r, rt_dtype dtype, int64_t panels, int64_t rows,
                           int64_t size) {
    rt_dim dims[] = {constant(r, panels), constant(r, rows), constant(r, size)};
    return rt_type_make(dtype, 3, dims);
}

/* Both with an inner size of 16, the least that four bits have. */
static bool add_narrow_product(random_builder *r) {
    enum { INNER = 16 };
    static const rt_dtype dtypes[] = {RT_U8, RT_I8, RT_I16, RT_F32};
    rt_dtype dtype = dtypes[random_below(r, 4)];
    int64_t width = random_chance(r, 50) ? 16 : 1 + random_below(r, 5);
    int64_t columns = 1 + random_below(r, 3 * width), panels = (columns - 1) / width + 1;
    rt_dim rows = random_chance(r, 50) ? r->tokens : constant(r, 1 + random_below(r, 7));
    rt_attr attr = {.integer = columns};
    rt_type type = rt_type_make(dtype, 2, (rt_dim[]){rows, constant(r, INNER)});
    rt_value operands[3] = {dtype == RT_U8
                                ? random_index_input(r, RT_U8, type, constant(r, 5), false)
                                : random_input(r, type)};
    if (dtype == RT_F32) {
        operands[1] = random_index_input(r, RT_U8, panels_type(r, RT_U8, panels, INNER / 2, width),
                                         constant(r, 256), false);
        operands[2] = random_input(r, panels_type(r, RT_F32, panels, 1, width));
        return random_keep(r, rt_build(&r->b, RT_OP_matmul_int4, operands, 3, &attr),
                           INNER * 4 * 8 * 4, false);
    }
    int64_t group = dtype == RT_I16 ? 2 : 4;
    operands[1] = random_input(r, panels_type(r, RT_I8, panels, INNER / group, width * group));
    return random_keep(r, rt_build(&r->b, RT_OP_matmul_integer, operands, 2, &attr), INNER * 4 * 4,
                       true);
}

/* ---- movement */

static bool add_reshape(random_builder *r) {
    const random_value *picked = random_pick(r, is_any);
    random_value x = *picked;
    rt_type type = random_type(r, x.value);
    rt_dim dims[RT_MAX_RANK + 1];
    size_t rank = 0;
    int64_t size, at = type.rank ? random_below(r, type.rank) : 0;
    bool is_even = type.rank &&
                   rt_dim_is_constant(rt_module_dims(r->module), type.dims[at], &size) &&
                   size % 2 == 0;
    if (random_chance(r, 25)) { /* one dimension of all */
        dims[rank++] = rt_type_elements(rt_module_dims(r->module), type);
    } else {
        int64_t merged =
            type.rank > 1 && random_chance(r, 50) ? random_below(r, type.rank - 1) : -1;
        for (int i = 0; i < type.rank; ++i) {
            if (i == at && is_even && merged < 0) { /* halves */
                dims[rank++] = constant(r, 2);
                dims[rank++] = constant(r, size / 2);
            } else if (i == merged) {
                dims[rank++] =
                    rt_dim_multiply(rt_module_dims(r->module), type.dims[i], type.dims[i + 1]);
                ++i;
            } else {
                dims[rank++] = type.dims[i];
            }
        }
        if (rank < 5 && random_chance(r, 30)) dims[rank++] = constant(r, 1);
    }
    if (rank > 6) return false;
    return random_keep(r, rt_build_reshape(&r->b, x.value, dims, rank), x.bound, x.is_exact);
}

static bool add_transpose(random_builder *r) {
    const random_value *picked = random_pick(r, has_axis);
    if (!picked) return false;
    random_value x = *picked;
    int rank = random_type(r, x.value).rank;
    int64_t permutation[RT_MAX_RANK];
    for (int i = 0; i < rank; ++i) {
        int64_t k = random_below(r, i + 1);
        permutation[i] = permutation[k];
        permutation[k] = i;
    }
    return random_keep(r, rt_build_transpose(&r->b, x.value, permutation, (size_t)rank), x.bound,
                       x.is_exact);
}

static bool add_broadcast(random_builder *r) {
    random_value x = *random_pick(r, is_any);
    rt_type type = random_type(r, x.value);
    int64_t size;
    for (int i = 0; i < type.rank; ++i) {
        if (rt_dim_is_constant(rt_module_dims(r->module), type.dims[i], &size) && size == 1 &&
            random_chance(r, 60)) {
            type.dims[i] = random_chance(r, 30) ? r->rows : constant(r, 1 + random_below(r, 4));
        }
    }
    if (type.rank < 4 && random_chance(r, 50)) {
        for (int i = type.rank++; i > 0; --i) type.dims[i] = type.dims[i - 1];
        type.dims[0] = constant(r, 1 + random_below(r, 3));
    }
    if (random_elements(r, type) > RANDOM_MAX_ELEMENTS) return false;
    return random_keep(r, rt_build_broadcast(&r->b, x.value, type.dims, (size_t)type.rank), x.bound,
                       x.is_exact);
}

static bool add_concat(random_builder *r) {
    const random_value *picked = random_pick(r, has_axis);
    if (!picked) return false;
    random_value x = *picked;
    rt_type type = random_type(r, x.value);
    int64_t axis = random_below(r, type.rank);
    rt_value parts[3] = {x.value, x.value};
    size_t count = 2 + (size_t)random_below(r, 2);
    for (size_t i = 1; i < count; ++i) {
        type.dims[axis] = random_chance(r, 30) ? r->tokens : constant(r, random_below(r, 4));
        if (random_elements(r, type) > RANDOM_MAX_ELEMENTS) return false;
        parts[i] = random_input(r, type);
    }
    return random_keep(r, rt_build_concat(&r->b, parts, count, axis), fmax(x.bound, 4), x.is_exact);
}

static bool add_slice(random_builder *r) {
    const random_value *picked = random_pick(r, has_axis);
    if (!picked) return false;
    random_value x = *picked;
    rt_type type = random_type(r, x.value);
    rt_dim_table *dims = rt_module_dims(r->module);
    int64_t axis = random_below(r, type.rank), whole, step = random_chance(r, 50) ? 1 : -1;
    rt_dim start, size;
    if (rt_dim_is_constant(dims, type.dims[axis], &whole)) {
        if (whole == 0) return false;
        int64_t first = random_below(r, whole), room = step > 0 ? whole - first : first + 1;
        if (random_chance(r, 40)) step *= 2;
        room = (room + 1) / (step * step > 1 ? 2 : 1);
        int64_t taken = room > 1 ? random_below(r, room) : 1;
        start = constant(r, first);
        size = constant(r, taken);
    } else { /* all of it, backwards */
        step = -1;
        start = rt_dim_subtract(dims, type.dims[axis], constant(r, 1));
        size = type.dims[axis];
    }
    return random_keep(r, rt_build_slice(&r->b, x.value, axis, start, size, step), x.bound,
                       x.is_exact);
}

static bool add_pad(random_builder *r) {
    const random_value *picked = random_pick(r, has_axis);
    if (!picked) return false;
    random_value x = *picked;
    rt_type type = random_type(r, x.value);
    if (type.dtype == RT_BOOL) return false;
    rt_dim before = random_chance(r, 20) ? r->rows : constant(r, random_below(r, 3));
    rt_dim after = constant(r, random_below(r, 3));
    rt_value y = rt_build_pad(&r->b, x.value, random_below(r, type.rank), before, after,
                              (double)random_below(r, 3) - 1);
    return random_keep(r, y, fmax(x.bound, 1), x.is_exact);
}

/* ---- indexing */

static bool add_gather(random_builder *r) {
    const random_value *picked = random_pick(r, has_axis);
    if (!picked) return false;
    random_value x = *picked;
    rt_type type = random_type(r, x.value), shape = random_shape(r, RT_I32);
    int64_t axis = random_below(r, type.rank);
    if (shape.rank > 2 || random_dim_size(r, type.dims[axis]) == 0) return false;
    /* Where the symbol is 0 there must be no index. */
    if (!rt_dim_is_constant(rt_module_dims(r->module), type.dims[axis], NULL)) {
        shape = rt_type_make(RT_I32, 1, &type.dims[axis]);
    }
    rt_value indices = random_index_input(r, random_chance(r, 50) ? RT_I32 : RT_I64, shape,
                                          type.dims[axis], random_chance(r, 50));
    if (!rt_value_is(indices)) return false;
    return random_keep(r, rt_build_gather(&r->b, x.value, indices, axis), x.bound, x.is_exact);
}

static bool add_scatter_add(random_builder *r) {
    const random_value *picked = random_pick(r, has_axis);
    if (!picked || !random_is_number(r, picked)) return false;
    random_value x = *picked;
    rt_type type = random_type(r, x.value);
    int lead = 1 + (int)random_below(r, type.rank < 2 ? type.rank : 2);
    rt_type shape = rt_type_make(RT_I32, lead, type.dims);
    double bound = x.bound * (double)random_elements(r, shape);
    rt_dim size = random_chance(r, 40) ? type.dims[0] : constant(r, 1 + random_below(r, 6));
    if (bound > 1e4 || random_dim_size(r, size) == 0) return false;
    rt_value indices = random_index_input(r, RT_I32, shape, size, false);
    if (!rt_value_is(indices)) return false;
    return random_keep(r, rt_build_scatter_add(&r->b, indices, x.value, size), fmax(bound, 1),
                       !random_is_float(r, &x));
}

/* ---- packed rows */

static bool add_segment(random_builder *r) {
    const random_value *picked = random_pick(r, random_chance(r, 50) ? has_tokens : has_rows);
    if (!picked) return false;
    random_value x = *picked;
    rt_value offsets = random_row_offsets(r);
    if (has_rows(r, &x)) {
        rt_value y = rt_build_segment_repeat(&r->b, x.value, offsets, r->tokens);
        return random_keep(r, y, x.bound, x.is_exact);
    }
    double bound = x.bound * (double)random_dim_size(r, r->longest);
    if (bound > 1e4) return false;
    return random_keep(r, rt_build_segment_sum(&r->b, x.value, offsets), bound, false);
}

static bool add_shift_rows(random_builder *r) {
    const random_value *picked = random_pick(r, is_token_rows);
    if (!picked) return false;
    random_value x = *picked;
    rt_value y = rt_build_shift_rows(&r->b, x.value, random_row_offsets(r), random_chance(r, 50));
    return random_keep(r, y, x.bound, x.is_exact);
}

static bool add_dropout(random_builder *r) {
    const random_value *picked = random_pick(r, is_token_rows);
    if (!picked || !r->options->has_dropout || picked->bound > 1e4) return false;
    random_value x = *picked;
    rt_value example = random_row_input(r, &r->token_examples, "token_examples", r->tokens);
    rt_value position = random_row_input(r, &r->token_positions, "token_positions", r->tokens);
    rt_value y = rt_build_dropout(&r->b, x.value, example, position, 0.25, random_below(r, 9));
    return random_keep(r, y, x.bound * 2, false);
}

/* q, k, v of one shape, heads that divide its width; the gradient from the same operands. */
static bool add_attention(random_builder *r) {
    const random_value *picked = random_pick(r, is_token_matrix);
    if (!picked) return false;
    random_value q = random_tame(r, *picked, 3);
    rt_type type = random_type(r, q.value);
    int64_t width = random_dim_size(r, type.dims[1]), heads = width % 2 || width == 0 ? 1 : 2;
    if (width == 0) return false;
    bool drops = r->options->has_dropout && random_chance(r, 30);
    bool has_mask = random_chance(r, 50);
    rt_value operands[9] = {q.value,
                            random_input(r, type),
                            random_input(r, type),
                            random_row_offsets(r),
                            RT_NO_VALUE,
                            RT_NO_VALUE};
    if (has_mask) operands[4] = random_row_input(r, &r->key_mask, "key_mask", r->tokens);
    if (drops) operands[5] = random_row_input(r, &r->example_ids, "example_ids", r->rows);
    rt_attr attrs[] = {{.integer = heads},
                       {.real = 1 / sqrt((double)(width / heads))},
                       {.integer = random_chance(r, 30)},
                       {.real = drops ? 0.25 : 0},
                       {.integer = random_below(r, 9)},
                       {.dim = r->longest}};
    rt_value results[2], gradients[3];
    size_t count = drops ? 6 : has_mask ? 5 : 4;
    if (!rt_build_results(&r->b, RT_OP_attention, operands, count, attrs, results)) {
        r->has_failed = true;
        return false;
    }
    /* Without a mask every query has a key, and lse is finite. */
    bool is_kept = random_keep(r, results[0], 4 / 0.75, false) &&
                   (has_mask || random_keep(r, results[1], 40 * (double)width, false));
    if (!is_kept || !random_chance(r, 40)) return is_kept;
    rt_value backward[] = {random_input(r, type), operands[0], operands[1],
                           operands[2],           results[0],  results[1],
                           operands[3],           operands[4], operands[5]};
    if (!rt_build_results(&r->b, RT_OP_attention_gradient, backward, count + 3, attrs, gradients)) {
        r->has_failed = true;
        return false;
    }
    double bound = 64 * (double)(width * random_dim_size(r, r->tokens));
    return random_keep(r, gradients[0], bound, false) &&
           random_keep(r, gradients[1], bound, false) && random_keep(r, gradients[2], bound, false);
}

static bool add_lstm(random_builder *r) {
    int64_t hidden = 1 + random_below(r, 3);
    rt_dim wide = constant(r, 4 * hidden), narrow = constant(r, hidden);
    rt_attr reverse = {.integer = random_chance(r, 50)};
    rt_value operands[] = {matrix_input(r, r->tokens, wide), matrix_input(r, wide, narrow),
                           random_row_offsets(r)};
    rt_value results[3];
    if (!rt_build_results(&r->b, RT_OP_lstm, operands, 3, &reverse, results)) {
        r->has_failed = true;
        return false;
    }
    double steps = (double)random_dim_size(r, r->longest);
    bool is_kept = random_keep(r, results[0], 1, false) &&
                   random_keep(r, results[1], steps, false) && random_keep(r, results[2], 1, false);
    if (!is_kept || random_chance(r, 50)) return is_kept;
    rt_value backward[] = {matrix_input(r, r->tokens, narrow), results[1], results[2], operands[1],
                           operands[2]};
    return random_keep(r, rt_build(&r->b, RT_OP_lstm_gradient, backward, 5, &reverse), 1e6, false);
}

bool random_add_tensor(random_builder *r) {
    static const random_family families[] = {
        add_matmul,    add_matmul,    add_narrow_product, add_reshape,
        add_transpose, add_broadcast, add_concat,         add_slice,
        add_pad,       add_gather,    add_segment,        add_shift_rows,
        add_dropout,   add_attention, add_lstm,           add_scatter_add,
    };
    return families[random_below(r, RT_COUNT_OF(families))](r);
}
