// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "ir/parse.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "tests/support/test.h"

static const char text[] = "graph @g {\n"
                           "  %x: f32[3] = input \"x\"\n"
                           "  %zero: f32[] = constant 0\n"
                           "  %y = add %x, %zero\n"
                           "  %p = softmax %y\n"
                           "  output \"p\" = %p\n"
                           "}\n";

typedef struct fixture {
    rt_diagnostics sink;
    rt_arena arena;
    rt_module *module;
    rt_pass_manager *manager;
    char dumps[200];
} fixture;

static void dump(void *user, const rt_module *module, const char *pass) {
    (void)module;
    fixture *f = user;
    strncat(f->dumps, pass, sizeof f->dumps - strlen(f->dumps) - 2);
    strcat(f->dumps, " ");
}

static void setup(fixture *f) {
    *f = (fixture){.module = NULL};
    f->module = rt_parse_module(text, strlen(text), "t", &f->sink);
    f->manager = rt_pass_manager_create(&f->sink);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->module);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->manager);
    f->manager->dump = dump;
    f->manager->dump_user = f;
    memset(f->manager->dumps_after, true, sizeof f->manager->dumps_after);
}

/* Expects the diagnostics `want` (part of them; "" for none) and frees. */
static void finish(fixture *f, const char *want) {
    const char *said = rt_diagnostics_text(&f->sink, &f->arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    if (!strstr(said, want)) puts(said);
    CU_ASSERT_TRUE(*want ? strstr(said, want) != NULL : *said == '\0');
    rt_pass_manager_destroy(f->manager);
    rt_module_destroy(f->module);
    rt_arena_deinit(&f->arena);
    rt_diagnostics_deinit(&f->sink);
}

static size_t count_runs(const fixture *f) {
    size_t runs = 0;
    for (size_t i = 0; i < f->manager->step_count; ++i) runs += f->manager->steps[i].has_run;
    return runs;
}

static void test_runs_in_order_and_reports(void) {
    fixture f;
    setup(&f);
    CU_ASSERT_EQUAL(rt_pass_manager_add(f.manager, "simplify"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_add(f.manager, "expand"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_run(f.manager, f.module), RT_OK);
    CU_ASSERT_STRING_EQUAL(f.dumps, "simplify expand ");
    CU_ASSERT_EQUAL(f.manager->form, RT_FORM_LEGAL);
    const rt_pass_step *simplify = &f.manager->steps[0];
    CU_ASSERT_EQUAL(simplify->nodes_before, 4);
    CU_ASSERT_EQUAL(simplify->nodes_after, 2);
    CU_ASSERT_EQUAL_FATAL(simplify->counter_count, 1);
    CU_ASSERT_STRING_EQUAL(simplify->counters[0].name, "nodes saved");
    CU_ASSERT_EQUAL(simplify->counters[0].amount, 2);
    const char *report = rt_pass_manager_report(f.manager, &f.arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(report);
    CU_ASSERT_PTR_NOT_NULL(strstr(report, "2 nodes saved\n"));
    finish(&f, "");
}

static void test_stops_and_bisects(void) {
    fixture f;
    setup(&f);
    CU_ASSERT_EQUAL(rt_pass_manager_add_pipeline(f.manager, "inference"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_mark(f.manager, f.manager->stops_after, "raise"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_run(f.manager, f.module), RT_OK);
    CU_ASSERT_TRUE(f.manager->step_count > 1);
    CU_ASSERT_EQUAL(count_runs(&f), 1);
    finish(&f, "");
    for (int64_t limit = 0; limit < 3; ++limit) {
        setup(&f);
        CU_ASSERT_EQUAL(rt_pass_manager_add_pipeline(f.manager, "inference"), RT_OK);
        f.manager->limit = limit;
        CU_ASSERT_EQUAL(rt_pass_manager_run(f.manager, f.module), RT_OK);
        CU_ASSERT_EQUAL(count_runs(&f), (size_t)limit);
        finish(&f, "");
    }
}

static void test_unknown_names(void) {
    fixture f;
    setup(&f);
    CU_ASSERT_EQUAL(rt_pass_manager_add(f.manager, "simplif"), RT_NOT_FOUND);
    finish(&f, "error: there is no pass 'simplif'; there are: ");
    setup(&f);
    CU_ASSERT_EQUAL(rt_pass_manager_add_pipeline(f.manager, "infer"), RT_NOT_FOUND);
    finish(&f, "error: there is no pipeline 'infer'; there are: inference, training");
    setup(&f);
    CU_ASSERT_EQUAL(rt_pass_manager_set_text(f.manager, "expand:a=b"), RT_NOT_FOUND);
    finish(&f, "error: pass 'expand' is not among the passes to run");
}

static void test_options_that_no_pass_reads(void) {
    fixture f;
    setup(&f);
    CU_ASSERT_EQUAL(rt_pass_manager_add(f.manager, "simplify:speed=9"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_run(f.manager, f.module), RT_INVALID_ARGUMENT);
    finish(&f, "error: pass 'simplify': there is no option 'speed'");
    setup(&f);
    CU_ASSERT_EQUAL(rt_pass_manager_add(f.manager, "simplify:speed"), RT_INVALID_ARGUMENT);
    finish(&f, "error: pass 'simplify': expected key=value, not 'speed'");
}

static void test_options_reach_every_step_of_a_pass(void) {
    fixture f;
    setup(&f);
    CU_ASSERT_EQUAL(rt_pass_manager_add(f.manager, "simplify:a=1,b="), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_add(f.manager, "prune"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_add(f.manager, "simplify"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_set(f.manager, RT_PASS_simplify, "a", "x=y,z"), RT_OK);
    const rt_pass_step *steps = f.manager->steps;
    CU_ASSERT_EQUAL_FATAL(steps[0].option_count, 3);
    CU_ASSERT_EQUAL(steps[1].option_count, 0);
    CU_ASSERT_EQUAL_FATAL(steps[2].option_count, 1);
    CU_ASSERT_STRING_EQUAL(steps[0].options[1].key, "b");
    CU_ASSERT_STRING_EQUAL(steps[0].options[1].value, "");
    CU_ASSERT_STRING_EQUAL(steps[2].options[0].value, "x=y,z");
    finish(&f, "");
}

static void test_option_values(void) {
    rt_diagnostics sink = {0};
    rt_pass_option options[] = {{"n", "12", false},   {"x", "0.5", false}, {"flag", "true", false},
                                {"bad", "1y", false}, {"n", "13", false},  {"empty", "", false}};
    rt_pass_context context = {.diagnostics = &sink, .options = options, .option_count = 6};
    int64_t integer = 1;
    double real = 2;
    bool flag = false;
    CU_ASSERT_EQUAL(rt_pass_option_integer(&context, "none", 0, 9, &integer), RT_OK);
    CU_ASSERT_EQUAL(integer, 1);
    CU_ASSERT_EQUAL(rt_pass_option_integer(&context, "n", 0, 13, &integer), RT_OK);
    CU_ASSERT_EQUAL(integer, 13); /* the last one holds */
    CU_ASSERT_EQUAL(rt_pass_option_real(&context, "x", 0, 1, &real), RT_OK);
    CU_ASSERT_EQUAL(real, 0.5);
    CU_ASSERT_EQUAL(rt_pass_option_flag(&context, "flag", &flag), RT_OK);
    CU_ASSERT_TRUE(flag);
    CU_ASSERT_STRING_EQUAL(rt_pass_option_text(&context, "bad", "z"), "1y");
    CU_ASSERT_STRING_EQUAL(rt_pass_option_text(&context, "none", "z"), "z");
    CU_ASSERT_FALSE(rt_diagnostics_failed(&sink));
    CU_ASSERT_EQUAL(rt_pass_option_integer(&context, "n", 0, 12, &integer), RT_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_pass_option_integer(&context, "bad", 0, 9, &integer), RT_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_pass_option_integer(&context, "empty", 0, 9, &integer), RT_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_pass_option_real(&context, "bad", 0, 9, &real), RT_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(rt_pass_option_flag(&context, "bad", &flag), RT_INVALID_ARGUMENT);
    CU_ASSERT_EQUAL(integer, 13);
    CU_ASSERT_EQUAL(sink.error_count, 5);
    rt_diagnostics_deinit(&sink);
}

/* A module that is not well-typed is found out right after the first pass. */
static void test_verifies_what_a_pass_leaves(void) {
    fixture f;
    setup(&f);
    rt_graph *graph = rt_module_find_graph(f.module, "g");
    rt_graph_add_output(graph, "p", rt_graph_find_output(graph, "p"));
    CU_ASSERT_EQUAL(rt_pass_manager_add_pipeline(f.manager, "inference"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_run(f.manager, f.module), RT_INVALID_DATA);
    CU_ASSERT_EQUAL(count_runs(&f), 1);
    finish(&f, "error: graph 'g': two outputs are called 'p'\nnote: found after pass 'raise'");
}

static void test_every_row_can_be_found(void) {
    for (int i = 0; i < RT_PASS_COUNT; ++i) {
        const rt_pass_info *info = rt_pass_describe((rt_pass)i);
        rt_pass found = RT_PASS_COUNT;
        CU_ASSERT_TRUE(rt_pass_from_text(info->text, strlen(info->text), &found));
        CU_ASSERT_EQUAL(found, (rt_pass)i);
        CU_ASSERT_EQUAL(info->line[strlen(info->line) - 1], '.');
    }
}

TEST_MAIN("pass_manager", TEST(test_runs_in_order_and_reports), TEST(test_stops_and_bisects),
          TEST(test_unknown_names), TEST(test_options_that_no_pass_reads),
          TEST(test_options_reach_every_step_of_a_pass), TEST(test_option_values),
          TEST(test_verifies_what_a_pass_leaves), TEST(test_every_row_can_be_found))
