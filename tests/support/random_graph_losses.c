// SPDX-License-Identifier: Apache-2.0
/* Losses that are made up inside a kernel or in chunks: relations of tokens, rows decoded by a
 * table. Each with its gradient from the same operands. */
#include "runtime/base/check.h"
#include "tests/support/random_graph_impl.h"

static rt_value matrix(random_builder *r, rt_dim rows, int64_t columns) {
    rt_dim dims[] = {rows, rt_module_constant_dim(r->module, columns)};
    return random_input(r, rt_type_make(RT_F32, 2, dims));
}

static rt_value vector(random_builder *r, rt_dim size) {
    return random_input(r, rt_type_make(RT_F32, 1, &size));
}

/* All results go to the pool. */
static bool add_results(random_builder *r, rt_op op, const rt_value *operands, size_t count,
                        const rt_attr *attrs, rt_value results[3], double bound) {
    bool is_kept = rt_build_results(&r->b, op, operands, count, attrs, results);
    if (!is_kept) r->has_failed = true;
    for (size_t i = 0; is_kept && i < (size_t)rt_op_result_count(op); ++i)
        is_kept = random_keep(r, results[i], bound, false);
    return is_kept;
}

static bool add_relation(random_builder *r) {
    int64_t heads = 1 + random_below(r, 2), width = heads * (1 + random_below(r, 3));
    int64_t target_width = heads * (1 + random_below(r, 3));
    bool has_mask = random_chance(r, 50), has_both = has_mask && random_chance(r, 50);
    rt_value mask =
        has_mask ? random_row_input(r, &r->key_mask, "key_mask", r->tokens) : RT_NO_VALUE;
    rt_value operands[] = {RT_NO_VALUE,
                           matrix(r, r->tokens, width),
                           matrix(r, r->tokens, width),
                           matrix(r, r->tokens, target_width),
                           matrix(r, r->tokens, target_width),
                           random_row_offsets(r),
                           mask,
                           has_both ? mask : RT_NO_VALUE};
    rt_attr attrs[] = {{.integer = heads},  {.real = 0.25},
                       {.real = 0.5},       {.integer = random_chance(r, 50)},
                       {.dim = r->longest}, {.integer = random_chance(r, 50)}};
    double tokens = (double)random_dim_size(r, r->tokens);
    double score = 16 * (double)(width + target_width);
    double bound = score * score * tokens * tokens;
    size_t count = has_both ? 8 : has_mask ? 7 : 6;
    rt_value results[3];
    if (!add_results(r, RT_OP_relation_loss, operands + 1, count - 1, attrs, results, bound))
        return false;
    if (random_chance(r, 50)) return true;
    operands[0] = matrix(r, r->rows, heads);
    return add_results(r, RT_OP_relation_loss_gradient, operands, count, attrs, results,
                       64 * bound);
}

enum { CHUNK = 3 };

/* Labels may name no column. */
static bool add_decoded_labels(random_builder *r) {
    int64_t width = 1 + random_below(r, 4), columns = 1 + random_below(r, 8);
    rt_dim size = rt_module_constant_dim(r->module, columns);
    rt_value labels =
        random_index_input(r, RT_I32, rt_type_make(RT_I32, 1, &r->tokens), size, true);
    rt_value x = matrix(r, r->tokens, width), table = matrix(r, size, width);
    rt_value forward[] = {x, table, vector(r, size), labels};
    rt_attr chunk = {.integer = CHUNK};
    double bound = 16 * (double)width + 8;
    rt_value results[3];
    if (!add_results(r, RT_OP_decode_scores, forward, 4, &chunk, results, bound)) return false;
    if (random_chance(r, 50)) return true;
    rt_value backward[] = {
        vector(r, r->tokens), vector(r, r->tokens), x, table, forward[2], labels, results[0]};
    return add_results(r, RT_OP_decode_scores_gradient, backward, 7, &chunk, results,
                       64 * (double)random_dim_size(r, r->tokens));
}

static bool add_decoded_divergence(random_builder *r) {
    int64_t width = 1 + random_below(r, 4), goal_width = 1 + random_below(r, 4);
    rt_dim size = rt_module_constant_dim(r->module, 1 + random_below(r, 8));
    rt_value forward[] = {
        matrix(r, r->tokens, width),      matrix(r, size, width),      vector(r, size),
        matrix(r, r->tokens, goal_width), matrix(r, size, goal_width), vector(r, size)};
    rt_attr attrs[] = {{.real = 0.5}, {.integer = CHUNK}};
    double bound = 16 * (double)(width + goal_width) + 16;
    rt_value results[3];
    if (!add_results(r, RT_OP_decode_divergence, forward, 6, attrs, results, bound)) return false;
    if (random_chance(r, 50)) return true;
    rt_value backward[] = {vector(r, r->tokens), forward[0], forward[1], forward[2], forward[3],
                           forward[4],           forward[5], results[1], results[2]};
    return add_results(r, RT_OP_decode_divergence_gradient, backward, 9, attrs, results,
                       64 * (double)random_dim_size(r, r->tokens));
}

bool random_add_loss(random_builder *r) {
    static const random_family families[] = {add_relation, add_decoded_labels,
                                             add_decoded_divergence};
    return families[random_below(r, RT_COUNT_OF(families))](r);
}
