// SPDX-License-Identifier: Apache-2.0
/* Losses over a vocabulary whose logits are made in chunks (vocabulary.rtir): the same losses and
 * gradients as of logits in memory, evaluated and compiled; and no buffer of tokens times
 * vocabulary in the plan of a program of BERT's vocabulary. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler/schedule/memory_plan.h"
#include "ir/parse.h"
#include "passes/pass_manager.h"
#include "tests/numeric/model.h"
#include "tests/support/program.h"
#include "tests/support/test.h"

enum { SEED = 17, STEP = 5 }; /* as numeric_model_run evaluates */

static const char terms[] = "2*soft(2)+0.5*soft(3 masked)+hard+"
                            "0.25*cosine(states last_hidden_state:last_hidden_state)";

static bool begin(numeric_model *m, bool is_chunked, bool is_compiled) {
    if (!numeric_model_begin(m, "vocabulary.rtir")) return false;
    rt_pass_manager *manager = rt_pass_manager_create(&m->diagnostics);
    manager->skips[RT_PASS_decode] = !is_chunked;
    manager->skips[RT_PASS_expand] = !is_compiled;
    bool is_done = rt_pass_manager_add_pipeline(manager, "training") == RT_OK &&
                   rt_pass_manager_set(manager, RT_PASS_distil, "masked", "true") == RT_OK &&
                   rt_pass_manager_set(manager, RT_PASS_distil, "terms", terms) == RT_OK &&
                   rt_pass_manager_set(manager, RT_PASS_decode, "least", "13") == RT_OK &&
                   rt_pass_manager_set(manager, RT_PASS_decode, "chunk", "4") == RT_OK &&
                   rt_pass_manager_run(manager, m->module) == RT_OK;
    rt_pass_manager_destroy(manager);
    if (!is_done) printf("%s", rt_diagnostics_text(&m->diagnostics, &m->arena));
    numeric_model_fill(m);
    return is_done;
}

static int count_of(numeric_model *m, const char *name, rt_op op) {
    const rt_graph *graph = rt_module_find_graph(m->module, name);
    rt_node *nodes;
    size_t count;
    int found = 0;
    if (!rt_graph_order(graph, &m->arena, &nodes, &count)) return -1;
    for (size_t i = 0; i < count; ++i) found += rt_graph_node(graph, nodes[i])->op == op;
    return found;
}

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

static const char *const outputs_of_step[] = {"loss", "soft", "soft.2", "hard", "cosine"};

/* By the operators' own evaluation, and expanded into chunks. */
static void check_evaluated(bool is_expanded) {
    numeric_model whole, chunked;
    size_t compared = 0;
    CU_ASSERT_TRUE_FATAL(begin(&whole, false, false) && begin(&chunked, true, is_expanded));
    if (!is_expanded) {
        CU_ASSERT_EQUAL(count_of(&whole, "step", RT_OP_log_softmax), 5);
        CU_ASSERT_EQUAL(count_of(&chunked, "step", RT_OP_log_softmax), 0);
        CU_ASSERT_EQUAL(count_of(&chunked, "step", RT_OP_decode_divergence), 2);
        CU_ASSERT_EQUAL(count_of(&chunked, "step", RT_OP_decode_scores), 1);
        CU_ASSERT_EQUAL(count_of(&chunked, "evaluate", RT_OP_decode_scores), 1);
        CU_ASSERT_EQUAL(count_of(&chunked, "evaluate", RT_OP_reduce_max), 0);
    }
    for (size_t i = 0; i < sizeof outputs_of_step / sizeof *outputs_of_step; ++i) {
        double want = 0, got = 1;
        CU_ASSERT_TRUE(numeric_model_apply(&whole, "step", outputs_of_step[i], &want));
        CU_ASSERT_TRUE(numeric_model_apply(&chunked, "step", outputs_of_step[i], &got));
        CU_ASSERT_DOUBLE_EQUAL(got, want, 1e-13 * fabs(want));
    }
    for (int i = 0; i < 2; ++i) {
        double want = 0, got = 1;
        const char *name = i ? "accuracy" : "loss";
        CU_ASSERT_TRUE(numeric_model_apply(&whole, "evaluate", name, &want));
        CU_ASSERT_TRUE(numeric_model_apply(&chunked, "evaluate", name, &got));
        CU_ASSERT_DOUBLE_EQUAL(got, want, 1e-13 * fabs(want));
    }
    for (uint32_t i = 0; i < rt_module_parameter_count(whole.module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(whole.module, (rt_parameter){i});
        if (info->kind != RT_PARAMETER_GRADIENT) continue;
        rt_array *gradient = gradient_named(&chunked, info->name);
        CU_ASSERT_TRUE(gradient && is_close(gradient, whole.parameters[i], 1e-12, info->name));
        ++compared;
    }
    CU_ASSERT_EQUAL(compared, 3);
    numeric_model_end(&whole);
    numeric_model_end(&chunked);
}

static void test_evaluated(void) {
    check_evaluated(false);
    check_evaluated(true);
}

/* What is compiled in chunks against what is evaluated whole. */
static void test_compiled(void) {
    numeric_model whole, chunked;
    test_program p;
    rt_array *inputs[NUMERIC_MODEL_MAX], *outputs[NUMERIC_MODEL_MAX];
    double want = 0;
    CU_ASSERT_TRUE_FATAL(begin(&whole, false, false) && begin(&chunked, true, true));
    CU_ASSERT_TRUE_FATAL(test_program_begin(&p, chunked.module, SEED));
    test_program_set_symbol(&p, "T", 9);
    test_program_set_symbol(&p, "M", 4);
    retort_instance_set_step(p.instance, STEP);
    numeric_model_inputs(&chunked, rt_module_find_graph(chunked.module, "step"), inputs);
    CU_ASSERT_TRUE_FATAL(test_program_run(&p, "step", (const rt_array *const *)inputs,
                                          (const rt_array *const *)chunked.parameters, outputs));
    CU_ASSERT_TRUE_FATAL(numeric_model_apply(&whole, "step", "loss", &want));
    CU_ASSERT_DOUBLE_EQUAL(outputs[0]->real[0], want, 1e-5 * fabs(want));
    for (uint32_t i = 0; i < rt_module_parameter_count(chunked.module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(chunked.module, (rt_parameter){i});
        if (info->kind != RT_PARAMETER_GRADIENT) continue;
        CU_ASSERT_TRUE(is_close(test_program_parameter(&p, i), gradient_named(&whole, info->name),
                                2e-5, info->name));
    }
    test_program_end(&p);
    numeric_model_end(&whole);
    numeric_model_end(&chunked);
}

/* A batch without masked tokens: no loss, and no numbers that are none. */
static void test_nothing_masked(void) {
    numeric_model m;
    test_program p;
    rt_array *inputs[NUMERIC_MODEL_MAX], *outputs[NUMERIC_MODEL_MAX];
    CU_ASSERT_TRUE_FATAL(begin(&m, true, true));
    CU_ASSERT_TRUE_FATAL(test_program_begin(&p, m.module, SEED));
    test_program_set_symbol(&p, "T", 9);
    test_program_set_symbol(&p, "M", 0);
    const rt_graph *graph = rt_module_find_graph(m.module, "evaluate");
    numeric_model_inputs(&m, graph, inputs);
    for (size_t i = 0; i < rt_graph_input_count(graph); ++i)
        if (inputs[i]->count == 4) inputs[i]->count = inputs[i]->dims[0] = 0;
    CU_ASSERT_TRUE_FATAL(test_program_run(&p, "evaluate", (const rt_array *const *)inputs,
                                          (const rt_array *const *)m.parameters, outputs));
    CU_ASSERT_EQUAL(outputs[0]->real[0], 0);
    CU_ASSERT_EQUAL(outputs[1]->real[0], 0);
    test_program_end(&p);
    numeric_model_end(&m);
}

/* ---- the memory plan of BERT's vocabulary */

enum { VOCABULARY = 30522, TOKENS = 1000 };

static const char models[] = "parameter @words: f32[30522,32] {trainable}\n"
                             "parameter @bias: f32[30522] {trainable}\n"
                             "parameter @goal: f32[30522,32]\n"
                             "graph @student {\n"
                             "  %ids: i32[T] = input \"ids\"\n"
                             "  %words = parameter @words\n"
                             "  %bias = parameter @bias\n"
                             "  %x = gather %words, %ids\n"
                             "  %h = gelu %x\n"
                             "  %z = matmul %h, %words {transpose_b = true}\n"
                             "  %logits = add %z, %bias\n"
                             "  output \"logits\" = %logits\n"
                             "}\n"
                             "graph @teacher {\n"
                             "  %ids: i32[T] = input \"ids\"\n"
                             "  %words = parameter @goal\n"
                             "  %bias = parameter @bias\n"
                             "  %x = gather %words, %ids\n"
                             "  %z = matmul %x, %words {transpose_b = true}\n"
                             "  %logits = add %z, %bias\n"
                             "  output \"logits\" = %logits\n"
                             "}\n";

static rt_module *make_program(bool is_chunked, rt_diagnostics *diagnostics) {
    rt_module *module = rt_parse_module(models, strlen(models), "models", diagnostics);
    rt_pass_manager *manager = rt_pass_manager_create(diagnostics);
    if (!module || !manager) return NULL;
    manager->skips[RT_PASS_decode] = !is_chunked;
    bool is_done =
        rt_pass_manager_add_pipeline(manager, "training") == RT_OK &&
        rt_pass_manager_set(manager, RT_PASS_distil, "masked", "true") == RT_OK &&
        rt_pass_manager_set(manager, RT_PASS_distil, "terms", "5*soft(2)+2*hard") == RT_OK &&
        rt_pass_manager_run(manager, module) == RT_OK;
    rt_pass_manager_destroy(manager);
    if (is_done) return module;
    rt_module_destroy(module);
    return NULL;
}

/* Elements of the largest buffer whose size depends on the batch, with TOKENS of everything. */
static int64_t largest_buffer(rt_module *module, const char *name) {
    rt_arena arena = {0};
    rt_error error;
    rt_schedule schedule;
    int64_t symbols[8], largest = 0;
    const rt_dim_table *dims = rt_module_dims(module);
    for (size_t i = 0; i < 8; ++i) symbols[i] = TOKENS;
    rt_graph *graph = rt_module_find_graph(module, name);
    if (rt_schedule_create(graph, (rt_optimizations){0}, &arena, &schedule, &error) != RT_OK)
        return -1;
    for (size_t i = 0; i < schedule.buffer_count; ++i) {
        int64_t bytes, constant;
        if (rt_dim_is_constant(dims, schedule.buffers[i].bytes, &constant)) continue;
        if (!rt_dim_evaluate(dims, schedule.buffers[i].bytes, symbols, &bytes)) return -1;
        if (bytes / 4 > largest) largest = bytes / 4;
    }
    rt_arena_deinit(&arena);
    return largest;
}

/* Bytes that the graph's values take together with `tokens` of everything. */
static int64_t planned_bytes(rt_module *module, const char *name, int64_t tokens) {
    rt_arena arena = {0};
    rt_error error;
    rt_schedule schedule;
    rt_memory_plan plan;
    int64_t symbols[8], bytes = -1;
    for (size_t i = 0; i < 8; ++i) symbols[i] = tokens;
    rt_graph *graph = rt_module_find_graph(module, name);
    if (rt_schedule_create(graph, (rt_optimizations){0}, &arena, &schedule, &error) == RT_OK &&
        rt_memory_plan_measure(&schedule, symbols, &arena, &plan, &error) == RT_OK)
        bytes = (int64_t)plan.total_bytes;
    rt_arena_deinit(&arena);
    return bytes;
}

static void test_memory_plan(void) {
    static const char *const graphs[] = {"step", "evaluate"};
    rt_diagnostics diagnostics = {0};
    rt_module *chunked = make_program(true, &diagnostics);
    rt_module *whole = make_program(false, &diagnostics);
    CU_ASSERT_FATAL(chunked && whole);
    for (size_t i = 0; i < 2; ++i) {
        CU_ASSERT_EQUAL(largest_buffer(whole, graphs[i]), (int64_t)TOKENS * VOCABULARY);
        int64_t largest = largest_buffer(chunked, graphs[i]);
        CU_ASSERT(largest > 0 && largest <= (int64_t)TOKENS * 4096);
        /* Nor do all chunks together stay: what more tokens take is some chunks of theirs. */
        int64_t more = planned_bytes(chunked, graphs[i], 3 * TOKENS) -
                       planned_bytes(chunked, graphs[i], 2 * TOKENS);
        CU_ASSERT(more > 0 && more < (int64_t)TOKENS * 4 * 3 * 4096);
    }
    rt_module_destroy(chunked);
    rt_module_destroy(whole);
    rt_diagnostics_deinit(&diagnostics);
}

TEST_MAIN("decode", TEST(test_evaluated), TEST(test_compiled), TEST(test_nothing_masked),
          TEST(test_memory_plan))
