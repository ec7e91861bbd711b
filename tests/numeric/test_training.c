// SPDX-License-Identifier: Apache-2.0
/* A model that exists as text alone (transformer.rtir) trained by compiled code: its gradients and
 * its losses are the evaluator's, and the number of threads changes no bit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/pass_manager.h"
#include "runtime/program.h"
#include "tests/numeric/model.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

enum { SEED = 17, STEP = 5, UPDATES = 12 }; /* as numeric_model_run evaluates */

static bool begin(numeric_model *m, bool accumulates) {
    if (!numeric_model_begin(m, "transformer.rtir")) return false;
    rt_pass_manager *manager = rt_pass_manager_create(&m->diagnostics);
    bool is_done = rt_pass_manager_add_pipeline(manager, "training") == RT_OK &&
                   (!accumulates || rt_pass_manager_set(manager, RT_PASS_differentiate,
                                                        "accumulate", "true") == RT_OK) &&
                   rt_pass_manager_run(manager, m->module) == RT_OK;
    rt_pass_manager_destroy(manager);
    numeric_model_fill(m);
    m->learning_rate = 0.02;
    m->update_count = 1;
    return is_done;
}

static bool compile(test_program *p, numeric_model *m) {
    if (!test_program_begin(p, m->module, SEED)) return false;
    test_program_set_symbol(p, "T", 9);
    test_program_set_symbol(p, "B", 3);
    test_program_set_symbol(p, "M", 4);
    retort_instance_set_step(p->instance, STEP);
    return true;
}

/* Runs an entry of the program on the model's batch; *first is its first named output. */
static bool run(test_program *p, numeric_model *m, const char *entry,
                const rt_array *const *parameters, double *first) {
    rt_array *inputs[NUMERIC_MODEL_MAX], *outputs[NUMERIC_MODEL_MAX];
    numeric_model_inputs(m, rt_module_find_graph(m->module, entry), inputs);
    if (!test_program_run(p, entry, (const rt_array *const *)inputs, parameters, outputs))
        return false;
    *first = outputs[0]->real[0];
    return true;
}

/* Relative to the largest element: f32 through whole layers, forward and backward. Gradients that
 * are zero have the rounding of each of the `steps` that were summed. */
static bool is_close(const rt_array *got, const rt_array *want, double tolerance, int steps,
                     const char *name) {
    double scale = 0.02 * steps;
    for (int64_t i = 0; i < want->count; ++i) scale = fmax(scale, fabs(want->real[i]));
    for (int64_t i = 0; i < want->count; ++i) {
        if (fabs(got->real[i] - want->real[i]) <= tolerance * scale) continue;
        printf("  %s, element %lld: %.9g instead of %.9g\n", name, (long long)i, got->real[i],
               want->real[i]);
        return false;
    }
    return true;
}

static void test_gradients(void) {
    numeric_model m;
    test_program p;
    double got = 0, want = 0;
    CU_ASSERT_TRUE_FATAL(begin(&m, false) && compile(&p, &m));
    CU_ASSERT_TRUE_FATAL(run(&p, &m, "step", (const rt_array *const *)m.parameters, &got));
    CU_ASSERT_TRUE_FATAL(numeric_model_apply(&m, "step", "loss", &want));
    CU_ASSERT_DOUBLE_EQUAL(got, want, 1e-5 * fabs(want));
    size_t compared = 0;
    for (uint32_t i = 0; i < rt_module_parameter_count(m.module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(m.module, (rt_parameter){i});
        if (info->kind != RT_PARAMETER_GRADIENT) continue;
        CU_ASSERT_TRUE(
            is_close(test_program_parameter(&p, i), m.parameters[i], 2e-5, 1, info->name));
        ++compared;
    }
    CU_ASSERT_EQUAL(compared, 28);
    test_program_end(&p);
    numeric_model_end(&m);
}

/* Three batches into one sum of gradients: products and scattered updates add to what is there. */
static void test_accumulation(void) {
    numeric_model m;
    test_program p;
    double ignored = 0;
    CU_ASSERT_TRUE_FATAL(begin(&m, true) && compile(&p, &m));
    const char *schedule = retort_compilation_text(p.compilation, RETORT_TEXT_SCHEDULE);
    if (!getenv("RETORT_TEST_WITHOUT")) {
        CU_ASSERT_PTR_NOT_NULL(strstr(schedule, "{matmul added}"));
        CU_ASSERT_PTR_NOT_NULL(strstr(schedule, "{scatter_add added}"));
    }
    for (int batch = 0; batch < 3; ++batch) {
        const rt_array *const *parameters = (const rt_array *const *)m.parameters;
        CU_ASSERT_TRUE_FATAL(run(&p, &m, "step", batch ? NULL : parameters, &ignored));
        CU_ASSERT_TRUE_FATAL(numeric_model_apply(&m, "step", "loss", &ignored));
    }
    for (uint32_t i = 0; i < rt_module_parameter_count(m.module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(m.module, (rt_parameter){i});
        if (info->kind != RT_PARAMETER_GRADIENT) continue;
        CU_ASSERT_TRUE(
            is_close(test_program_parameter(&p, i), m.parameters[i], 2e-5, 3, info->name));
    }
    test_program_end(&p);
    numeric_model_end(&m);
}

/* Steps and updates in turn: the losses follow the evaluator's. AdamW divides by the size of the
 * gradient, so what rounding did to a small one grows from update to update. */
static void test_trajectory(void) {
    numeric_model m;
    test_program p;
    double got = 0, want = 0, first = 0, norm = 0;
    CU_ASSERT_TRUE_FATAL(begin(&m, false) && compile(&p, &m));
    for (; m.update_count <= UPDATES; ++m.update_count) {
        bool is_first = m.update_count == 1;
        const rt_array *const *parameters = (const rt_array *const *)m.parameters;
        CU_ASSERT_TRUE_FATAL(run(&p, &m, "step", is_first ? parameters : NULL, &got));
        CU_ASSERT_TRUE_FATAL(numeric_model_apply(&m, "step", "loss", &want));
        if (is_first) first = got;
        CU_ASSERT_DOUBLE_EQUAL(got, want, 1e-3 * fabs(want));
        CU_ASSERT_TRUE_FATAL(run(&p, &m, "update", NULL, &norm));
        CU_ASSERT_TRUE_FATAL(numeric_model_apply(&m, "update", "gradient_norm", &want));
        CU_ASSERT_DOUBLE_EQUAL(norm, want, 1e-3 * fabs(want));
    }
    CU_ASSERT_TRUE(got < 0.7 * first);
    test_program_end(&p);
    numeric_model_end(&m);
}

/* The bytes of all parameters after a few updates with so many threads. */
static uint64_t bits_after_updates(test_program *p, numeric_model *m, uint32_t workers) {
    retort_instance_options options;
    rt_error error;
    double ignored;
    uint64_t hash = 1469598103934665603u;
    retort_instance_destroy(p->instance);
    retort_instance_options_init(&options);
    options.workers = workers;
    options.seed = SEED;
    CU_ASSERT_EQUAL_FATAL(retort_instance_create(p->program, &options, &p->instance, &error),
                          RT_OK);
    for (m->update_count = 1; m->update_count <= 3; ++m->update_count) {
        retort_instance_set_step(p->instance, (uint64_t)m->update_count);
        CU_ASSERT_TRUE_FATAL(run(p, m, "step", NULL, &ignored));
        CU_ASSERT_TRUE_FATAL(run(p, m, "update", NULL, &ignored));
    }
    for (uint32_t i = 0; i < p->program->parameter_count; ++i) {
        const unsigned char *bytes = retort_instance_parameter(p->instance, (int)i);
        uint64_t size = retort_parameter_bytes(&p->program->parameters[i]);
        for (uint64_t k = 0; k < size; ++k) hash = (hash ^ bytes[k]) * 1099511628211u;
    }
    return hash;
}

static void test_threads_change_no_bit(void) {
    numeric_model m;
    test_program p;
    CU_ASSERT_TRUE_FATAL(begin(&m, false) && compile(&p, &m));
    uint64_t alone = bits_after_updates(&p, &m, 1);
    CU_ASSERT_EQUAL(bits_after_updates(&p, &m, 1), alone);
    CU_ASSERT_EQUAL(bits_after_updates(&p, &m, 2), alone);
    CU_ASSERT_EQUAL(bits_after_updates(&p, &m, 5), alone);
    test_program_end(&p);
    numeric_model_end(&m);
}

TEST_MAIN("training", TEST(test_gradients), TEST(test_accumulation), TEST(test_trajectory),
          TEST(test_threads_change_no_bit))
