// SPDX-License-Identifier: Apache-2.0
/* Compiled code against the evaluator: every row of cases.def at every size. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/expand.h"
#include "runtime/base/file.h"
#include "tests/numeric/cases.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

enum { SEED = 5 };

/* The evaluator computes in double; compiled code in f32 with functions good to a few units in the
 * last place, over sums of at most some tens of terms. */
static double tolerance_of(rt_dtype dtype) {
    switch (dtype) {
    case RT_F64: return 1e-5; /* its transcendental functions may be those of f32 */
    case RT_F16: return 2e-3;
    case RT_BF16: return 1.6e-2;
    default: return 4e-6;
    }
}

static bool is_equal(const rt_array *got, const rt_array *want) {
    if (!got || got->count != want->count || got->rank != want->rank) {
        printf("  the shape differs\n");
        return false;
    }
    for (int64_t i = 0; i < want->count; ++i) {
        double a = got->real ? got->real[i] : (double)got->integer[i];
        double b = want->real ? want->real[i] : (double)want->integer[i];
        double tolerance = want->real ? tolerance_of(want->dtype) : 0;
        if (test_is_close(a, b, tolerance, tolerance)) continue;
        printf("  element %lld is %.9g instead of %.9g\n", (long long)i, a, b);
        return false;
    }
    return true;
}

/* Evaluates the case's graph and runs the program that was compiled from the same text. */
static bool compare(numeric_graph *g, test_program *p, const numeric_sizes *sizes) {
    rt_array *want[8] = {0}, *got[8] = {0};
    rt_eval_options options = {.seed = SEED};
    rt_error error;
    if (rt_eval_graph(g->graph, (const rt_array *const *)g->inputs, NULL, &options, &g->arena, want,
                      &error) != RT_OK) {
        printf("  evaluator: %s\n", error.text);
        return false;
    }
    test_program_set_symbol(p, "T", sizes->tokens);
    test_program_set_symbol(p, "B", sizes->rows);
    if (!test_program_run(p, "case", (const rt_array *const *)g->inputs, NULL, got)) return false;
    for (size_t i = 0; i < rt_graph_output_count(g->graph); ++i)
        if (!is_equal(got[i], want[i])) return false;
    return true;
}

/* One compilation serves all sizes. */
static bool run_case(const numeric_case *row, const char *target) {
    numeric_graph compiled, g;
    test_program p = {0};
    bool is_good = numeric_graph_begin(&compiled, row, numeric_sizes_at(0)) &&
                   test_program_begin_for(&p, compiled.module, SEED, target);
    for (size_t k = 0; is_good && k < numeric_sizes_count(); ++k) {
        is_good = numeric_graph_begin(&g, row, numeric_sizes_at(k)) &&
                  compare(&g, &p, numeric_sizes_at(k));
        if (!is_good) printf("  where T = %lld\n", (long long)numeric_sizes_at(k)->tokens);
        numeric_graph_end(&g);
    }
    if (!is_good && p.compilation)
        puts(retort_compilation_text(p.compilation, RETORT_TEXT_SCHEDULE));
    test_program_end(&p);
    numeric_graph_end(&compiled);
    return is_good;
}

static void run_cases(const char *target) {
    const char *only = getenv("RETORT_TEST_CASE");
    for (size_t i = 0; i < numeric_case_count(); ++i) {
        const numeric_case *row = numeric_case_at(i);
        if (only && !strstr(row->expression, only)) continue;
        bool is_good = run_case(row, target);
        if (!is_good) printf("%s with %s\n", row->expression, row->operands);
        CU_ASSERT(is_good);
    }
}

static void test_host(void) {
    run_cases(NULL);
}

/* Narrower vectors, and no masked memory: ragged ends go element by element. */
static void test_narrow_vectors(void) {
    if (__builtin_cpu_supports("avx2"))
        run_cases("x86_64-linux-gnu-v3");
    else
        test_skip("this machine has no AVX2");
}

/* No fused multiply-add, no instructions for halves. */
static void test_old_machine(void) {
    run_cases("x86_64-linux-gnu-v2");
}

/* Compiles a case; its object goes to a file of the test's folder where `writes`. */
static void compile_case(size_t index, const char *target, bool writes) {
    numeric_graph g;
    retort_compiler_options options;
    retort_compilation *compilation = NULL;
    rt_error error = {""};
    size_t size;
    CU_ASSERT_TRUE_FATAL(numeric_graph_begin(&g, numeric_case_at(index), numeric_sizes_at(0)));
    rt_module_put_graph(g.module, rt_expand_graph(g.graph));
    retort_compiler_options_init(&options);
    options.target = target;
    rt_status status = retort_compile(g.module, &options, &compilation, &error);
    if (status != RT_OK) printf("%s: %s\n", numeric_case_at(index)->expression, error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    const void *object = retort_compilation_object(compilation, &size);
    const char *path = rt_arena_format(&g.arena, "%s/case%zu.o", test_folder(), index);
    if (writes) CU_ASSERT_EQUAL(rt_file_replace(path, object, size, &error), RT_OK);
    retort_compilation_destroy(compilation);
    numeric_graph_end(&g);
}

/* What cannot run here must at least become an object. */
static void test_other_machine(void) {
    for (size_t i = 0; i < numeric_case_count(); ++i) compile_case(i, "aarch64-linux-gnu", false);
}

/* Compiled code asks for nothing of any library but to copy and to clear; of OpenBLAS only where
 * our own products are left out. */
static void test_undefined_symbols(void) {
    char command[400], symbol[200];
    for (size_t i = 0; i < numeric_case_count(); ++i) compile_case(i, NULL, true);
    snprintf(command, sizeof command, "nm -u %s/case*.o | awk '$1 == \"U\" {print $2}' | sort -u",
             test_folder());
    FILE *output = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    size_t count = 0;
    for (; fscanf(output, "%199s", symbol) == 1; ++count) {
        bool is_known = !strcmp(symbol, "memcpy") || !strcmp(symbol, "memset");
        if (!is_known) printf("  %s is asked for\n", symbol);
        CU_ASSERT_TRUE(is_known);
    }
    CU_ASSERT_NOT_EQUAL(count, 0);
    pclose(output);
}

TEST_MAIN("values", TEST(test_host), TEST(test_narrow_vectors), TEST(test_old_machine),
          TEST(test_other_machine), TEST(test_undefined_symbols))
