// SPDX-License-Identifier: Apache-2.0
/* Weights of fewer bits: compiled code against the evaluator on the same graph, and how far each
 * precision is from f32. */
#include <math.h>
#include <stdio.h>

#include "passes/pass_manager.h"
#include "passes/quantize.h"
#include "tests/numeric/model.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

static bool begin(numeric_model *m, const char *precision, const char *activations) {
    if (!numeric_model_begin(m, "quantized.rtir")) return false;
    rt_pass_manager *manager = rt_pass_manager_create(&m->diagnostics);
    manager->skips[RT_PASS_hoist] = true; /* so that `predict` has all of it */
    bool is_done =
        rt_pass_manager_add_pipeline(manager, "inference") == RT_OK &&
        rt_pass_manager_set(manager, RT_PASS_quantize, "precision", precision) == RT_OK &&
        rt_pass_manager_set(manager, RT_PASS_quantize, "activations", activations) == RT_OK &&
        rt_pass_manager_run(manager, m->module) == RT_OK;
    rt_pass_manager_destroy(manager);
    if (!is_done) printf("%s", rt_diagnostics_text(&m->diagnostics, &m->arena));
    numeric_model_fill(m);
    return is_done;
}

/* Every value rounded to its type, as compiled code has it. */
static rt_array *evaluated(numeric_model *m) {
    const rt_eval_options rounded = {.rounds = true};
    rt_array *inputs[NUMERIC_MODEL_MAX], *outputs[NUMERIC_MODEL_MAX];
    rt_error error;
    const rt_graph *graph = rt_module_find_graph(m->module, "predict");
    numeric_model_inputs(m, graph, inputs);
    if (rt_eval_graph(graph, (const rt_array *const *)inputs,
                      (const rt_array *const *)m->parameters, &rounded, &m->arena, outputs,
                      &error) == RT_OK)
        return outputs[0];
    printf("  %s\n", error.text);
    return NULL;
}

/* Root of the mean square of the difference, relative to `want`. */
static double distance(const rt_array *got, const rt_array *want) {
    double sum = 0, all = 0;
    CU_ASSERT_EQUAL_FATAL(got->count, want->count);
    for (int64_t i = 0; i < want->count; ++i) {
        sum += (got->real[i] - want->real[i]) * (got->real[i] - want->real[i]);
        all += want->real[i] * want->real[i];
    }
    return sqrt(sum / all);
}

static rt_array *compiled(numeric_model *m, test_program *p) {
    rt_array *inputs[NUMERIC_MODEL_MAX], *outputs[NUMERIC_MODEL_MAX];
    numeric_model_inputs(m, rt_module_find_graph(m->module, "predict"), inputs);
    CU_ASSERT_TRUE_FATAL(test_program_begin(p, m->module, 1));
    test_program_set_symbol(p, "T", 9);
    CU_ASSERT_TRUE_FATAL(test_program_run(p, "predict", (const rt_array *const *)inputs,
                                          (const rt_array *const *)m->parameters, outputs));
    return outputs[0];
}

typedef struct bounds {
    const char *precision, *activations;
    double least, most; /* distance from f32 */
    double rounding;    /* of compiled code from the evaluator */
} bounds;

/* Rounding to bf16 is off by 2^-9 at most of each weight, in f16 by 2^-12; int8 by a 254th of the
 * largest of a column and a 510th of a row's range; int4 by a 14th of the largest of a group. A
 * number halfway between two integers may go either way in f32: one in some hundred thousand. */
static const bounds all[] = {
    {"bf16", "u8", 1e-4, 4e-3, 1e-6},    {"f16", "u8", 1e-5, 5e-4, 1e-6},
    {"int8", "u8", 1e-4, 1.5e-2, 1e-3},  {"int8", "i8", 1e-4, 1.5e-2, 1e-3},
    {"int8", "i16", 1e-4, 1.5e-2, 1e-3}, {"int4", "u8", 1e-3, 0.15, 1e-3},
};

static void test_precisions(void) {
    numeric_model plain;
    CU_ASSERT_TRUE_FATAL(begin(&plain, "f32", "u8"));
    const rt_array *want = evaluated(&plain);
    CU_ASSERT_PTR_NOT_NULL_FATAL(want);
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
        numeric_model m;
        test_program p;
        CU_ASSERT_TRUE_FATAL(begin(&m, all[i].precision, all[i].activations));
        const rt_array *same = evaluated(&m), *got = compiled(&m, &p);
        CU_ASSERT_PTR_NOT_NULL_FATAL(same);
        double off = distance(same, want), rounding = distance(got, same);
        CU_ASSERT(off >= all[i].least && off <= all[i].most);
        CU_ASSERT(rounding <= all[i].rounding);
        if (!(off >= all[i].least && off <= all[i].most) || !(rounding <= all[i].rounding))
            printf("  %s, %s: %g from f32, compiled off by %g\n", all[i].precision,
                   all[i].activations, off, rounding);
        test_program_end(&p);
        numeric_model_end(&m);
    }
    numeric_model_end(&plain);
}

/* The types that targets want for activations hold the same numbers. */
static void test_activations_agree(void) {
    static const char *const types[] = {"u8", "i8", "i16"};
    rt_array *first = NULL;
    numeric_model m[3];
    for (int i = 0; i < 3; ++i) {
        CU_ASSERT_TRUE_FATAL(begin(&m[i], "int8", types[i]));
        rt_array *y = evaluated(&m[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(y);
        if (i) CU_ASSERT_DOUBLE_EQUAL(distance(y, first), 0, 1e-13);
        if (!i) first = y;
    }
    for (int i = 0; i < 3; ++i) numeric_model_end(&m[i]);
}

static void test_weights_are_listed(void) {
    numeric_model m;
    rt_quantize_form form = {16, 16, RT_U8, 32};
    rt_quantizable *weights;
    size_t count;
    CU_ASSERT_TRUE_FATAL(numeric_model_begin(&m, "quantized.rtir"));
    CU_ASSERT_TRUE_FATAL(rt_quantizable_weights(m.module, &form, &m.arena, &weights, &count));
    CU_ASSERT_EQUAL_FATAL(count, 3);
    CU_ASSERT_STRING_EQUAL(weights[0].name, "table");
    CU_ASSERT_STRING_EQUAL(weights[1].name, "wide");
    CU_ASSERT_TRUE(weights[0].is_table && !weights[1].is_table);
    CU_ASSERT_EQUAL(weights[1].elements, 130 * 64);
    numeric_model_end(&m);
}

TEST_MAIN("quantize", TEST(test_precisions), TEST(test_activations_agree),
          TEST(test_weights_are_listed))
