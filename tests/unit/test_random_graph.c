// SPDX-License-Identifier: Apache-2.0
/* Properties of the text form, the passes and the evaluator over random graphs. */
#include <math.h>
#include <string.h>

#include "ir/parse.h"
#include "ir/print.h"
#include "passes/pass_manager.h"
#include "tests/support/random_graph.h"
#include "tests/support/test.h"

enum { GRAPHS = 100, ADDITIONS = 60 };

static random_options options_of(uint64_t seed) {
    return (random_options){.seed = seed,
                            .node_count = 1 + seed % ADDITIONS,
                            .is_symbolic = seed % 3 > 0,
                            .mixes_types = seed % 4 == 0,
                            .has_dropout = seed % 2 == 0};
}

static void begin(random_graph *g, uint64_t seed) {
    random_options options = options_of(seed);
    CU_ASSERT_TRUE_FATAL(random_graph_begin(g, &options));
}

static void test_print_parse_print_is_the_identity(void) {
    for (uint64_t seed = 0; seed < GRAPHS; ++seed) {
        random_graph g;
        begin(&g, seed);
        const char *first = rt_print_module(g.module, &g.arena);
        CU_ASSERT_PTR_NOT_NULL_FATAL(first);
        rt_module *again = rt_parse_module(first, strlen(first), "first", &g.diagnostics);
        CU_ASSERT_PTR_NOT_NULL(again);
        const char *second = again ? rt_print_module(again, &g.arena) : "";
        CU_ASSERT_STRING_EQUAL(first, second);
        rt_module_destroy(again);
        random_graph_end(&g);
    }
}

static void test_every_operator_occurs(void) {
    bool occurs[RT_OP_COUNT] = {false};
    for (uint64_t seed = 0; seed < 4 * GRAPHS; ++seed) {
        random_graph g;
        begin(&g, seed);
        for (uint32_t n = 0; n < rt_graph_node_count(g.graph); ++n) {
            occurs[rt_graph_node(g.graph, (rt_node){n})->op] = true;
        }
        random_graph_end(&g);
    }
    for (int op = 0; op < RT_OP_COUNT; ++op) {
        if (!occurs[op]) printf("no random graph has %s\n", rt_op_text((rt_op)op));
        CU_ASSERT_TRUE(occurs[op]);
    }
}

static void test_one_seed_is_one_graph(void) {
    random_graph a, b;
    begin(&a, 5);
    begin(&b, 5);
    CU_ASSERT_STRING_EQUAL(rt_print_module(a.module, &a.arena),
                           rt_print_module(b.module, &b.arena));
    random_graph_end(&b);
    begin(&b, 8);
    CU_ASSERT_STRING_NOT_EQUAL(rt_print_module(a.module, &a.arena),
                               rt_print_module(b.module, &b.arena));
    random_graph_end(&a);
    random_graph_end(&b);
}

static rt_array **evaluate(random_graph *g, random_sizes sizes) {
    rt_eval_options options = {.seed = 3, .step = 1};
    rt_error error;
    rt_array **outputs = RT_NEW_ARRAY(&g->arena, rt_array *, rt_graph_output_count(g->graph));
    CU_ASSERT_TRUE_FATAL(random_graph_values(g, sizes));
    rt_status status =
        rt_eval_graph(g->graph, g->inputs, g->parameters, &options, &g->arena, outputs, &error);
    if (status != RT_OK) puts(error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return outputs;
}

/* NaN and infinities only where both have them: a maximum over no elements, a query without keys.
 */
static bool same_arrays(const rt_array *a, const rt_array *b, double tolerance) {
    if (a->dtype != b->dtype || a->count != b->count) return false;
    for (int64_t i = 0; i < a->count; ++i) {
        if (a->real ? !test_is_close(a->real[i], b->real[i], 1e-9, tolerance)
                    : a->integer[i] != b->integer[i]) {
            return false;
        }
    }
    return true;
}

static bool within_bound(const rt_array *array, double bound) {
    for (int64_t i = 0; array->real && i < array->count; ++i) {
        if (!(fabs(array->real[i]) <= bound * (1 + 1e-9))) return false;
    }
    return true;
}

static void test_values_stay_within_their_bounds(void) {
    for (uint64_t seed = 0; seed < GRAPHS; ++seed) {
        random_graph g;
        begin(&g, seed);
        rt_array **outputs = evaluate(&g, (random_sizes){3, 7, 4});
        for (size_t i = 0; i < rt_graph_output_count(g.graph); ++i) {
            bool is_good = within_bound(outputs[i], g.bounds[i]);
            if (!is_good) {
                rt_node node = rt_graph_definition(g.graph, rt_graph_output(g.graph, i)->value);
                printf("seed %llu, bound %g: %s\n", (unsigned long long)seed, g.bounds[i],
                       rt_print_node(g.graph, node, &g.arena));
            }
            CU_ASSERT_TRUE(is_good);
        }
        random_graph_end(&g);
    }
}

/* Values before and after `passes`, at several sizes of the symbols, no rows among them;
 * `tolerance` is relative to the bound of an output. */
static void check_passes_keep_values(uint64_t seed, const char *const *passes, size_t count,
                                     double tolerance) {
    static const random_sizes sizes[] = {{3, 7, 4}, {1, 1, 1}, {5, 40, 8}, {0, 0, 0}};
    random_graph g;
    begin(&g, seed);
    rt_array **before[4];
    size_t size_count = options_of(seed).is_symbolic ? 4 : 1;
    for (size_t s = 0; s < size_count; ++s) before[s] = evaluate(&g, sizes[s]);
    rt_pass_manager *manager = rt_pass_manager_create(&g.diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(manager);
    for (size_t i = 0; i < count; ++i) {
        CU_ASSERT_EQUAL(rt_pass_manager_add(manager, passes[i]), RT_OK);
    }
    rt_status status = rt_pass_manager_run(manager, g.module);
    if (status != RT_OK) puts(rt_diagnostics_text(&g.diagnostics, &g.arena));
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    g.graph = rt_module_find_graph(g.module, "random");
    for (size_t s = 0; s < size_count; ++s) {
        rt_array **after = evaluate(&g, sizes[s]);
        for (size_t i = 0; i < rt_graph_output_count(g.graph); ++i) {
            bool is_same = same_arrays(before[s][i], after[i], tolerance * g.bounds[i]);
            if (!is_same) {
                rt_node node = rt_graph_definition(g.graph, rt_graph_output(g.graph, i)->value);
                printf("seed %llu, sizes %zu, output %zu: %s\n", (unsigned long long)seed, s, i,
                       rt_print_node(g.graph, node, &g.arena));
            }
            CU_ASSERT_TRUE(is_same);
        }
    }
    rt_pass_manager_destroy(manager);
    random_graph_end(&g);
}

static void test_simplify_keeps_values(void) {
    static const char *const passes[] = {"simplify"};
    for (uint64_t seed = 0; seed < GRAPHS; ++seed) check_passes_keep_values(seed, passes, 1, 1e-9);
}

/* What expanding makes of constants folds, each step rounded to f32; 16-bit types would hide a
 * mistake behind their rounding. */
static void test_expand_keeps_values(void) {
    static const char *const passes[] = {"expand", "simplify"};
    for (uint64_t seed = 0; seed < GRAPHS; ++seed) {
        if (!options_of(seed).mixes_types) check_passes_keep_values(seed, passes, 2, 1e-6);
    }
}

TEST_MAIN("random_graph", TEST(test_print_parse_print_is_the_identity),
          TEST(test_every_operator_occurs), TEST(test_one_seed_is_one_graph),
          TEST(test_values_stay_within_their_bounds), TEST(test_simplify_keeps_values),
          TEST(test_expand_keeps_values))
