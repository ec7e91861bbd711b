// SPDX-License-Identifier: Apache-2.0
/* Rows decoded by a table, z = x table' + bias [N,V], some columns after the other: a product, what
 * is taken from it, and so on, each of which is in memory but for its turn.
 *
 * Log sum exp of all columns is that of the chunks' log sum exp; a mean under softmax is that of
 * the chunks' means under the softmax of these. Source of the idea: Milakov and Gimelshein, "Online
 * normalizer calculation for softmax" (2018). */
#include "passes/expand_rules.h"
#include "runtime/base/check.h"

enum { MOST_CHUNKS = 256, STEP = 64 };

static const int64_t last_axis[] = {-1};

/* A decoder and the columns [first, first + columns) of it. */
typedef struct decoder {
    rt_builder *b;
    rt_value x, table, bias;
    double scale;
    rt_dim rows; /* N */
    int64_t width, all_columns;
} decoder;

typedef struct chunk {
    int64_t first, columns;
} chunk;

static decoder open_decoder(rt_rewriter *r, rt_node node, int first, double scale) {
    decoder d = {&r->b, rt_rewriter_operand(r, node, first),
                 rt_rewriter_operand(r, node, first + 1), rt_rewriter_operand(r, node, first + 2),
                 scale};
    const rt_dim_table *dims = rt_module_dims(r->b.module);
    rt_type table = rt_builder_type(d.b, d.table);
    d.rows = rt_builder_type(d.b, d.x).dims[0];
    rt_dim_is_constant(dims, table.dims[0], &d.all_columns);
    rt_dim_is_constant(dims, table.dims[1], &d.width);
    return d;
}

/* Chunks of at most `most` columns, all but the last of one size, a multiple of STEP where that can
 * be: few kernels serve them all, and products have no ragged ends. Those of a gradient are a step
 * smaller: equal products would be merged, and kept in memory from the one to the other. */
static size_t cut(const decoder *d, int64_t most, bool is_gradient, chunk *chunks) {
    int64_t count = (d->all_columns + most - 1) / most;
    if (count >= MOST_CHUNKS) count = MOST_CHUNKS / 2;
    int64_t columns = count ? (d->all_columns + count - 1) / count : 1;
    int64_t rounded = (columns + STEP - 1) / STEP * STEP;
    if (rounded <= most) columns = rounded;
    if (is_gradient && columns > 1) columns -= columns > STEP ? STEP : 1;
    size_t made = 0;
    for (int64_t first = 0; first < d->all_columns && made < MOST_CHUNKS; first += columns) {
        int64_t left = d->all_columns - first;
        chunks[made++] = (chunk){first, left < columns ? left : columns};
    }
    return made;
}

static rt_value part(const decoder *d, rt_value value, const chunk *c) {
    return rt_build_slice(d->b, value, 0, rt_module_constant_dim(d->b->module, c->first),
                          rt_module_constant_dim(d->b->module, c->columns), 1);
}

/* z of the chunk, [N,columns]. */
static rt_value decode(const decoder *d, const chunk *c) {
    rt_value z = rt_build_matmul(d->b, d->x, part(d, d->table, c), false, true);
    return rt_build_scale(d->b, rt_build_add(d->b, z, part(d, d->bias, c)), d->scale);
}

static rt_value as_column(const decoder *d, rt_value row) {
    rt_dim dims[2] = {d->rows, rt_module_constant_dim(d->b->module, 1)};
    return rt_build_reshape(d->b, row, dims, 2);
}

static rt_value as_row(const decoder *d, rt_value column) {
    return rt_build_reshape(d->b, column, &d->rows, 1);
}

/* z where the column is the row's label, else 0. */
static rt_value pick(const decoder *d, rt_value z, rt_value labels, const chunk *c) {
    rt_type type = rt_type_with_dtype(rt_builder_type(d->b, z), RT_I32);
    rt_value first = rt_build_scalar_int(d->b, RT_I32, c->first);
    rt_value label = as_column(d, rt_build_sub(d->b, labels, first));
    rt_value is_label = rt_build_equal(d->b, rt_build_iota(d->b, RT_I32, 1, type), label);
    return rt_build_select(d->b, is_label, z, rt_build_scalar(d->b, RT_F32, 0));
}

static rt_value largest_of(const decoder *d, rt_value z) {
    return rt_build_reduce(d->b, RT_OP_reduce_max, z, last_axis, 1, true);
}

/* ln sum e^z of a chunk whose largest elements are known, [N,1]. */
static rt_value log_sum_exp(const decoder *d, rt_value z, rt_value largest) {
    rt_value power = rt_build_exp(d->b, rt_build_sub(d->b, z, largest));
    return rt_build_add(d->b, largest, rt_build_log(d->b, rt_build_sum_last(d->b, power, true)));
}

static rt_value sum_of(rt_builder *b, const rt_value *values, size_t count) {
    rt_value sum = values[0];
    for (size_t i = 1; i < count; ++i) sum = rt_build_add(b, sum, values[i]);
    return sum;
}

static rt_value maximum_of(rt_builder *b, const rt_value *values, size_t count) {
    rt_value most = values[0];
    for (size_t i = 1; i < count; ++i) most = rt_build_maximum(b, most, values[i]);
    return most;
}

/* ln sum e^v of single values. */
static rt_value log_sum_exp_of(rt_builder *b, const rt_value *values, size_t count) {
    rt_value most = maximum_of(b, values, count), powers[MOST_CHUNKS];
    if (count < 2) return most;
    for (size_t i = 0; i < count; ++i)
        powers[i] = rt_build_exp(b, rt_build_sub(b, values[i], most));
    return rt_build_add(b, most, rt_build_log(b, sum_of(b, powers, count)));
}

static void set(rt_rewriter *r, rt_node node, int result, rt_value value) {
    rt_rewriter_set(r, rt_graph_result(r->old, node, result), value);
}

static int64_t chunk_of(const rt_rewriter *r, rt_node node, rt_attr_id attr) {
    return rt_graph_attr(r->old, node, attr).integer;
}

bool expand_decode_scores(rt_rewriter *r, rt_node node) {
    chunk chunks[MOST_CHUNKS];
    rt_value sums[MOST_CHUNKS], own[MOST_CHUNKS], largest[MOST_CHUNKS];
    decoder d = open_decoder(r, node, 0, 1);
    size_t count = cut(&d, chunk_of(r, node, RT_ATTR_decode_scores_chunk), false, chunks);
    if (RT_NEVER(count == 0)) return false;
    rt_value labels = rt_rewriter_operand(r, node, 3);
    for (size_t i = 0; i < count; ++i) {
        rt_value z = decode(&d, &chunks[i]);
        largest[i] = largest_of(&d, z);
        sums[i] = log_sum_exp(&d, z, largest[i]);
        own[i] = rt_build_sum_last(d.b, pick(&d, z, labels, &chunks[i]), true);
    }
    set(r, node, 0, as_row(&d, log_sum_exp_of(d.b, sums, count)));
    set(r, node, 1, as_row(&d, sum_of(d.b, own, count)));
    set(r, node, 2, as_row(&d, maximum_of(d.b, largest, count)));
    return true;
}

/* The gradients by x, table and bias, of those by each chunk. */
typedef struct gradients {
    rt_value x[MOST_CHUNKS], table[MOST_CHUNKS], bias[MOST_CHUNKS];
} gradients;

static void add_gradient(const decoder *d, const chunk *c, rt_value dz, size_t index,
                         gradients *g) {
    const int64_t rows = 0;
    g->x[index] = rt_build_matmul(d->b, dz, part(d, d->table, c), false, false);
    g->table[index] = rt_build_matmul(d->b, dz, d->x, true, false);
    g->bias[index] = rt_build_reduce_sum(d->b, dz, &rows, 1, false);
}

static void set_gradients(rt_rewriter *r, rt_node node, const gradients *g, size_t count) {
    set(r, node, 0, sum_of(&r->b, g->x, count));
    set(r, node, 1, rt_build_concat(&r->b, g->table, count, 0));
    set(r, node, 2, rt_build_concat(&r->b, g->bias, count, 0));
}

/* dz = d_log_sum_exp e^(z - log_sum_exp) + (d_own where the column is the label) */
bool expand_decode_scores_gradient(rt_rewriter *r, rt_node node) {
    chunk chunks[MOST_CHUNKS];
    gradients g;
    decoder d = open_decoder(r, node, 2, 1);
    size_t count = cut(&d, chunk_of(r, node, RT_ATTR_decode_scores_gradient_chunk), true, chunks);
    if (RT_NEVER(count == 0)) return false;
    rt_value d_sum = as_column(&d, rt_rewriter_operand(r, node, 0));
    rt_value d_own = as_column(&d, rt_rewriter_operand(r, node, 1));
    rt_value labels = rt_rewriter_operand(r, node, 5);
    rt_value sum = as_column(&d, rt_rewriter_operand(r, node, 6));
    for (size_t i = 0; i < count; ++i) {
        rt_value z = decode(&d, &chunks[i]);
        rt_type type = rt_builder_type(d.b, z);
        rt_value share = rt_build_exp(d.b, rt_build_sub(d.b, z, sum));
        rt_value own = rt_build_broadcast(d.b, d_own, type.dims, 2);
        rt_value dz =
            rt_build_add(d.b, rt_build_mul(d.b, share, d_sum), pick(&d, own, labels, &chunks[i]));
        add_gradient(&d, &chunks[i], dz, i, &g);
    }
    set_gradients(r, node, &g, count);
    return true;
}

/* With p* = softmax(z*): sum p* (ln p* - ln p) = sum p* (z* - z) - log_sum_exp* + log_sum_exp. */
bool expand_decode_divergence(rt_rewriter *r, rt_node node) {
    chunk chunks[MOST_CHUNKS];
    rt_value sums[MOST_CHUNKS], goal_sums[MOST_CHUNKS], means[MOST_CHUNKS];
    double scale = rt_graph_attr(r->old, node, RT_ATTR_decode_divergence_scale).real;
    decoder d = open_decoder(r, node, 0, scale), goal = open_decoder(r, node, 3, scale);
    size_t count = cut(&d, chunk_of(r, node, RT_ATTR_decode_divergence_chunk), false, chunks);
    if (RT_NEVER(count == 0)) return false;
    for (size_t i = 0; i < count; ++i) {
        rt_value z = decode(&d, &chunks[i]), aim = decode(&goal, &chunks[i]);
        sums[i] = log_sum_exp(&d, z, largest_of(&d, z));
        goal_sums[i] = log_sum_exp(&d, aim, largest_of(&d, aim));
        rt_value share = rt_build_exp(d.b, rt_build_sub(d.b, aim, goal_sums[i]));
        rt_value excess = rt_build_mul(d.b, share, rt_build_sub(d.b, aim, z));
        means[i] = rt_build_sum_last(d.b, excess, true);
    }
    rt_value sum = log_sum_exp_of(d.b, sums, count),
             goal_sum = log_sum_exp_of(d.b, goal_sums, count);
    for (size_t i = 0; i < count; ++i) {
        rt_value share = rt_build_exp(d.b, rt_build_sub(d.b, goal_sums[i], goal_sum));
        means[i] = rt_build_mul(d.b, share, means[i]);
    }
    rt_value mean = sum_of(d.b, means, count);
    set(r, node, 0, as_row(&d, rt_build_add(d.b, mean, rt_build_sub(d.b, sum, goal_sum))));
    set(r, node, 1, as_row(&d, sum));
    set(r, node, 2, as_row(&d, goal_sum));
    return true;
}

/* d(scale z) = scale d_divergence (softmax(z) - softmax(z*)) */
bool expand_decode_divergence_gradient(rt_rewriter *r, rt_node node) {
    chunk chunks[MOST_CHUNKS];
    gradients g;
    double scale = rt_graph_attr(r->old, node, RT_ATTR_decode_divergence_gradient_scale).real;
    decoder d = open_decoder(r, node, 1, scale), goal = open_decoder(r, node, 4, scale);
    size_t count =
        cut(&d, chunk_of(r, node, RT_ATTR_decode_divergence_gradient_chunk), true, chunks);
    if (RT_NEVER(count == 0)) return false;
    rt_value by = as_column(&d, rt_rewriter_operand(r, node, 0));
    rt_value sum = as_column(&d, rt_rewriter_operand(r, node, 7));
    rt_value goal_sum = as_column(&d, rt_rewriter_operand(r, node, 8));
    by = rt_build_scale(d.b, by, scale);
    for (size_t i = 0; i < count; ++i) {
        rt_value share = rt_build_exp(d.b, rt_build_sub(d.b, decode(&d, &chunks[i]), sum));
        rt_value aim = rt_build_exp(d.b, rt_build_sub(d.b, decode(&goal, &chunks[i]), goal_sum));
        rt_value dz = rt_build_mul(d.b, rt_build_sub(d.b, share, aim), by);
        add_gradient(&d, &chunks[i], dz, i, &g);
    }
    set_gradients(r, node, &g, count);
    return true;
}
