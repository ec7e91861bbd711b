// SPDX-License-Identifier: Apache-2.0
/* Random graphs: what the compiled program gives is what the evaluator gives. Operators meet here
 * in every composition, fused and apart, at several sizes of one compilation. */
#include <stdio.h>
#include <stdlib.h>

#include "ir/print.h"
#include "tests/support/program.h"
#include "tests/support/random_graph.h"
#include "tests/support/test.h"

enum { GRAPHS = 40, ADDITIONS = 50, SEED = 3 };

static const random_sizes sizes[] = {{3, 7, 4}, {1, 1, 1}, {5, 40, 8}, {2, 0, 1}, {0, 0, 0}};

/* Rounding through some tens of operators, relative to the bound of the output; with 16-bit types
 * anywhere before it, theirs. NaN, which becomes of empty rows, stays NaN. */
static bool is_close(double got, double want, double bound, bool mixes_types) {
    return test_is_close(got, want, 0, (mixes_types ? 5e-2 : 2e-5) * bound);
}

static bool same_arrays(const rt_array *got, const rt_array *want, double bound, bool mixes_types) {
    if (got->dtype != want->dtype || got->count != want->count) return false;
    for (int64_t i = 0; i < want->count; ++i) {
        if (want->real ? !is_close(got->real[i], want->real[i], bound, mixes_types)
                       : got->integer[i] != want->integer[i]) {
            printf("element %lld: %.9g, evaluator %.9g, bound %g\n", (long long)i,
                   want->real ? got->real[i] : (double)got->integer[i],
                   want->real ? want->real[i] : (double)want->integer[i], bound);
            return false;
        }
    }
    return true;
}

static void compare(random_graph *g, test_program *p, const rt_graph *original, random_sizes at,
                    const random_options *options) {
    rt_eval_options eval_options = {.seed = SEED};
    rt_error error = {""};
    size_t count = rt_graph_output_count(original);
    rt_array **want = RT_NEW_ARRAY(&g->arena, rt_array *, count);
    rt_array **got = RT_NEW_ARRAY(&g->arena, rt_array *, count);
    CU_ASSERT_TRUE_FATAL(random_graph_values(g, at));
    rt_status status =
        rt_eval_graph(original, g->inputs, g->parameters, &eval_options, &g->arena, want, &error);
    if (status != RT_OK) puts(error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    test_program_set_symbol(p, "B", at.rows);
    test_program_set_symbol(p, "T", at.tokens);
    test_program_set_symbol(p, "S", at.longest);
    bool has_run = test_program_run(p, "random", g->inputs, g->parameters, got);
    CU_ASSERT_TRUE(has_run);
    for (size_t i = 0; has_run && i < count; ++i) {
        bool is_same = same_arrays(got[i], want[i], g->bounds[i], options->mixes_types);
        if (!is_same) {
            rt_node node = rt_graph_definition(original, rt_graph_output(original, i)->value);
            printf("seed %llu, %lld tokens, output %zu: %s\n", (unsigned long long)options->seed,
                   (long long)at.tokens, i, rt_print_node(original, node, &g->arena));
        }
        CU_ASSERT_TRUE(is_same);
    }
}

static void check_graph(uint64_t seed) {
    random_options options = {.seed = seed,
                              .node_count = 1 + seed % ADDITIONS,
                              .is_symbolic = seed % 3 > 0,
                              .mixes_types = seed % 4 == 0,
                              .has_dropout = seed % 2 == 0};
    random_graph g;
    CU_ASSERT_TRUE_FATAL(random_graph_begin(&g, &options));
    const rt_graph *original = g.graph; /* compiling puts another graph in its place */
    test_program p = {0};
    bool is_compiled = test_program_begin(&p, g.module, SEED);
    if (!is_compiled) printf("seed %llu does not compile\n", (unsigned long long)seed);
    CU_ASSERT_TRUE(is_compiled);
    size_t count = options.is_symbolic ? sizeof sizes / sizeof *sizes : 1;
    for (size_t i = 0; is_compiled && i < count; ++i) compare(&g, &p, original, sizes[i], &options);
    test_program_end(&p);
    random_graph_end(&g);
}

/* RETORT_RANDOM_SEEDS=FIRST-LAST tries others. */
static void test_compiled_is_evaluated(void) {
    unsigned long long first = 0, last = GRAPHS - 1;
    const char *range = getenv("RETORT_RANDOM_SEEDS");
    if (range && sscanf(range, "%llu-%llu", &first, &last) == 1) last = first;
    for (unsigned long long seed = first; seed <= last; ++seed) check_graph(seed);
}

TEST_MAIN("random", TEST(test_compiled_is_evaluated))
