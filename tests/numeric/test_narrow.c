// SPDX-License-Identifier: Apache-2.0
/* Computing only the rows that are read (selected.rtir) changes no number: loss and gradients with
 * the pass and without it, evaluated and compiled, dropout included. */
#include <math.h>
#include <stdio.h>

#include "passes/pass_manager.h"
#include "tests/numeric/model.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

enum { SEED = 17, STEP = 5 }; /* as numeric_model_run evaluates */

static bool begin(numeric_model *m, bool is_narrow) {
    if (!numeric_model_begin(m, "selected.rtir")) return false;
    rt_pass_manager *manager = rt_pass_manager_create(&m->diagnostics);
    manager->skips[RT_PASS_narrow] = !is_narrow;
    bool is_done = rt_pass_manager_add_pipeline(manager, "training") == RT_OK &&
                   rt_pass_manager_run(manager, m->module) == RT_OK;
    rt_pass_manager_destroy(manager);
    if (!is_done) printf("%s", rt_diagnostics_text(&m->diagnostics, &m->arena));
    numeric_model_fill(m);
    return is_done;
}

/* Nodes of an operator whose first result has the first dimension `rows`. */
static int count_with_rows(numeric_model *m, rt_op op, const char *rows) {
    const rt_graph *graph = rt_module_find_graph(m->module, "step");
    rt_dim_table *dims = rt_module_dims(m->module);
    rt_dim wanted = rt_dim_symbol(dims, rows);
    rt_node *nodes;
    size_t count;
    int found = 0;
    if (!rt_graph_order(graph, &m->arena, &nodes, &count)) return -1;
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, nodes[i]);
        rt_type type = rt_graph_type(graph, info->first_result);
        found += info->op == op && type.rank > 0 && rt_dim_equal(type.dims[0], wanted);
    }
    return found;
}

/* Relative to the largest element. */
static bool is_close(const rt_array *got, const rt_array *want, double tolerance,
                     const char *name) {
    double scale = 0.02;
    for (int64_t i = 0; i < want->count; ++i) scale = fmax(scale, fabs(want->real[i]));
    for (int64_t i = 0; i < want->count; ++i) {
        if (fabs(got->real[i] - want->real[i]) <= tolerance * scale) continue;
        printf("  %s, element %lld: %.17g instead of %.17g\n", name, (long long)i, got->real[i],
               want->real[i]);
        return false;
    }
    return true;
}

static rt_array *gradient_named(numeric_model *m, const char *name) {
    rt_parameter found = rt_module_find_parameter(m->module, name);
    return rt_parameter_is(found) ? m->parameters[found.index] : NULL;
}

static void test_evaluated(void) {
    numeric_model wide, narrow;
    double want = 0, got = 0;
    size_t compared = 0;
    CU_ASSERT_TRUE_FATAL(begin(&wide, false) && begin(&narrow, true));
    CU_ASSERT_EQUAL(count_with_rows(&wide, RT_OP_attention, "T"), 3);
    CU_ASSERT_EQUAL(count_with_rows(&narrow, RT_OP_attention, "T"), 1);
    CU_ASSERT_EQUAL(count_with_rows(&narrow, RT_OP_attention, "B"), 1);
    CU_ASSERT_EQUAL(count_with_rows(&narrow, RT_OP_attention, "M"), 1);
    CU_ASSERT_EQUAL(count_with_rows(&narrow, RT_OP_attention_gradient, "T"), 1);
    CU_ASSERT_EQUAL(count_with_rows(&narrow, RT_OP_gelu, "T"), 0);
    CU_ASSERT_TRUE_FATAL(numeric_model_apply(&wide, "step", "loss", &want));
    CU_ASSERT_TRUE_FATAL(numeric_model_apply(&narrow, "step", "loss", &got));
    CU_ASSERT_DOUBLE_EQUAL(got, want, 1e-13 * fabs(want));
    for (uint32_t i = 0; i < rt_module_parameter_count(wide.module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(wide.module, (rt_parameter){i});
        if (info->kind != RT_PARAMETER_GRADIENT) continue;
        rt_array *gradient = gradient_named(&narrow, info->name);
        CU_ASSERT_TRUE(gradient && is_close(gradient, wide.parameters[i], 1e-13, info->name));
        ++compared;
    }
    CU_ASSERT_EQUAL(compared, 15);
    numeric_model_end(&wide);
    numeric_model_end(&narrow);
}

/* What is compiled narrow against what is evaluated wide. */
static void test_compiled(void) {
    numeric_model wide, narrow;
    test_program p;
    rt_array *inputs[NUMERIC_MODEL_MAX], *outputs[NUMERIC_MODEL_MAX];
    double want = 0;
    CU_ASSERT_TRUE_FATAL(begin(&wide, false) && begin(&narrow, true));
    CU_ASSERT_TRUE_FATAL(test_program_begin(&p, narrow.module, SEED));
    test_program_set_symbol(&p, "T", 9);
    test_program_set_symbol(&p, "B", 3);
    test_program_set_symbol(&p, "M", 4);
    retort_instance_set_step(p.instance, STEP);
    numeric_model_inputs(&narrow, rt_module_find_graph(narrow.module, "step"), inputs);
    CU_ASSERT_TRUE_FATAL(test_program_run(&p, "step", (const rt_array *const *)inputs,
                                          (const rt_array *const *)narrow.parameters, outputs));
    CU_ASSERT_TRUE_FATAL(numeric_model_apply(&wide, "step", "loss", &want));
    CU_ASSERT_DOUBLE_EQUAL(outputs[0]->real[0], want, 1e-5 * fabs(want));
    for (uint32_t i = 0; i < rt_module_parameter_count(narrow.module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(narrow.module, (rt_parameter){i});
        if (info->kind != RT_PARAMETER_GRADIENT) continue;
        CU_ASSERT_TRUE(is_close(test_program_parameter(&p, i), gradient_named(&wide, info->name),
                                2e-5, info->name));
    }
    test_program_end(&p);
    numeric_model_end(&wide);
    numeric_model_end(&narrow);
}

TEST_MAIN("narrow", TEST(test_evaluated), TEST(test_compiled))
