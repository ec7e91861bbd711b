// SPDX-License-Identifier: Apache-2.0
/* LoRA (Hu et al., 2021): y = x W' + b + (alpha / rank) (drop(x) A') B' with A [rank, inputs] and
 * B [outputs, rank], which train; B begins at 0, so the model begins as it was.
 *
 * Maps that read the same x draw the same mask on it: one dropped x is made and kept for all of
 * them. Names are PEFT's: "<map>.lora_A.weight", "<map>.lora_B.weight". */
#include <math.h>

#include "passes/training/method.h"
#include "runtime/base/check.h"

typedef struct lora {
    rt_adaptation *adaptation;
    int64_t rank;
    double scale, rate;
} lora;

/* The number of the first chosen map that reads x: it addresses the mask. */
static int64_t place_of(const rt_places *places, rt_value x) {
    size_t i = 0;
    while (!rt_value_equal(places->linears[i].x, x)) ++i;
    return (int64_t)i;
}

static bool has_rows(const rt_graph *graph, rt_value x, rt_value rows) {
    return rt_value_is(rows) &&
           rt_dim_equal(rt_graph_type(graph, x).dims[0], rt_graph_type(graph, rows).dims[0]);
}

/* Of tokens, or of one vector per row of the batch. */
static rt_value drop(lora *l, rt_rewriter *r, rt_value old) {
    rt_value x = rt_rewriter_mapped(r, old);
    rt_value tokens = rt_graph_find_input(r->old, "token_examples");
    rt_value positions = rt_graph_find_input(r->old, "position_ids");
    rt_value rows = rt_graph_find_input(r->old, "example_ids");
    int64_t site = l->adaptation->first_site + place_of(&l->adaptation->places, old);
    if (l->rate == 0) return x;
    if (has_rows(r->old, old, tokens) && has_rows(r->old, old, positions))
        return rt_build_dropout(&r->b, x, rt_rewriter_mapped(r, tokens),
                                rt_rewriter_mapped(r, positions), l->rate, site);
    if (has_rows(r->old, old, rows))
        return rt_build_dropout(&r->b, x, rt_rewriter_mapped(r, rows),
                                rt_build_zeros(&r->b, rt_graph_type(r->old, rows)), l->rate, site);
    (void)rt_pass_fail_option(l->adaptation->context, "dropout", RT_UNSUPPORTED,
                              "the graph has no inputs that say which example a token is of");
    return RT_NO_VALUE;
}

/* W + scale B A; and back */
static void merge(lora *l, const rt_linear *linear, rt_parameter down, rt_parameter up) {
    rt_adaptation *a = l->adaptation;
    if (!a->merge) return;
    double scale = a->is_undoing ? -l->scale : l->scale;
    rt_builder b = rt_builder_begin(a->merge);
    rt_value w = rt_build_parameter(&b, linear->weight);
    rt_value change =
        rt_build_matmul(&b, rt_build_parameter(&b, up), rt_build_parameter(&b, down), false, false);
    rt_adaptation_merge(a, linear->weight, rt_build_add(&b, w, rt_build_scale(&b, change, scale)));
}

static bool add_low_rank(rt_rewriter *r, rt_node node) {
    lora *l = r->user;
    rt_adaptation *a = l->adaptation;
    const rt_node_info *info = rt_graph_node(r->old, node);
    const rt_linear *linear = rt_places_linear_of(&a->places, info->first_result);
    if (!linear || !a->has_linear[linear - a->places.linears]) return false;
    if (!rt_rewriter_copy(r, node)) return false;
    rt_added_parameter down = {.name = rt_adaptation_name(a, linear->name, "lora_A.weight"),
                               .rank = 2,
                               .dims = {l->rank, linear->inputs},
                               .initial = RT_INITIAL_UNIFORM,
                               .initial_value = 1 / sqrt((double)linear->inputs),
                               .is_decayed = true};
    rt_added_parameter up = {.name = rt_adaptation_name(a, linear->name, "lora_B.weight"),
                             .rank = 2,
                             .dims = {linear->outputs, l->rank},
                             .initial = RT_INITIAL_ZEROS,
                             .is_decayed = true};
    rt_parameter a_weight = rt_adaptation_add(a, &down, r->b.location);
    rt_parameter b_weight = rt_adaptation_add(a, &up, r->b.location);
    if (!rt_parameter_is(a_weight) || !rt_parameter_is(b_weight)) return false;
    rt_value u = rt_build_matmul(&r->b, drop(l, r, linear->x), rt_build_parameter(&r->b, a_weight),
                                 false, true); /* [.., rank] */
    u = rt_build_scale(&r->b, u, l->scale);
    rt_value added = rt_build_matmul(&r->b, u, rt_build_parameter(&r->b, b_weight), false, true);
    merge(l, linear, a_weight, b_weight);
    rt_value y = rt_rewriter_mapped(r, linear->y);
    rt_rewriter_set(r, linear->y, rt_build_add(&r->b, y, added));
    rt_pass_count(a->context, "maps adapted", 1);
    return true;
}

rt_status apply_lora(rt_adaptation *a) {
    lora l = {.adaptation = a, .rank = 8};
    double alpha = 8;
    RT_TRY(rt_pass_option_integer(a->context, "rank", 1, 65536, &l.rank));
    RT_TRY(rt_pass_option_real(a->context, "alpha", 0, 1e6, &alpha));
    RT_TRY(rt_pass_option_real(a->context, "dropout", 0, 0.99, &l.rate));
    RT_TRY(rt_adaptation_targets(a, "query value"));
    l.scale = alpha / (double)l.rank;
    for (size_t i = 0; i < a->places.linear_count; ++i) {
        const rt_linear *linear = &a->places.linears[i];
        int64_t most = linear->inputs < linear->outputs ? linear->inputs : linear->outputs;
        if (a->has_linear[i] && l.rank > most)
            return rt_pass_fail_option(a->context, "rank", RT_INVALID_ARGUMENT,
                                       "'rank' is %lld, but '%s' is %lld by %lld; at most %lld has "
                                       "a meaning",
                                       (long long)l.rank, linear->name, (long long)linear->outputs,
                                       (long long)linear->inputs, (long long)most);
    }
    return rt_adaptation_rewrite(a, add_low_rank, &l);
}
