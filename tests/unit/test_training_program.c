// SPDX-License-Identifier: Apache-2.0
/* Training programs of specs: a model that comes as an ONNX file is the same program as the one
 * that comes as a checkpoint. */
#include <stdio.h>
#include <string.h>

#include "compiler/training_program.h"
#include "ir/print.h"
#include "tests/support/test.h"

static rt_module *make(const char *text, rt_diagnostics *diagnostics) {
    const char *path = test_data("golden/kd_soft_temp/recipe.json");
    rt_arena arena = {0};
    rt_spec *spec = rt_spec_parse(text, strlen(text), path, NULL, diagnostics);
    rt_module *module = spec ? rt_training_program(spec, NULL, diagnostics) : NULL;
    if (!module) printf("%s\n", rt_diagnostics_text(diagnostics, &arena));
    rt_spec_destroy(spec);
    rt_arena_deinit(&arena);
    return module;
}

#define LOSS "loss: [{kind: soft, temperature: 4, weight: 0.9}, {kind: hard, weight: 0.1}]\n"
#define DATA "data: {train: batches.safetensors}\n"

static bool same_graph(const rt_module *a, const rt_module *b, const char *name) {
    rt_arena arena = {0};
    const rt_graph *left = rt_module_find_graph(a, name), *right = rt_module_find_graph(b, name);
    bool is_same =
        left && right && strcmp(rt_print_graph(left, &arena), rt_print_graph(right, &arena)) == 0;
    rt_arena_deinit(&arena);
    return is_same;
}

static void check_parameters(const rt_module *saved, const rt_module *imported) {
    size_t transposed = 0;
    for (uint32_t i = 0; i < rt_module_parameter_count(saved); ++i) {
        const rt_parameter_info *want = rt_module_parameter(saved, (rt_parameter){i});
        rt_parameter parameter = rt_module_find_parameter(imported, want->name);
        if (!rt_parameter_is(parameter)) printf("missing: %s\n", want->name);
        CU_ASSERT_FATAL(rt_parameter_is(parameter));
        const rt_parameter_info *got = rt_module_parameter(imported, parameter);
        CU_ASSERT_EQUAL(got->initial, want->initial);
        CU_ASSERT_EQUAL(got->is_trainable, want->is_trainable);
        CU_ASSERT_EQUAL(got->is_decayed, want->is_decayed);
        transposed += got->source.transform == RT_TRANSFORM_TRANSPOSE;
    }
    CU_ASSERT_EQUAL(rt_module_parameter_count(saved), rt_module_parameter_count(imported));
    CU_ASSERT(transposed > 0); /* exporters write [in, out] */
}

static void test_onnx_models_are_checkpoints(void) {
    rt_diagnostics diagnostics = {0};
    if (!test_data("golden/kd_soft_temp/teacher.onnx")) {
        test_skip("the shared test data is not there");
        return;
    }
    rt_module *saved = make(DATA "model: {from: initial.safetensors, dropout: 0, "
                                 "attention_dropout: 0}\n"
                                 "teacher: {from: teacher.safetensors}\n" LOSS,
                            &diagnostics);
    rt_module *imported = make(DATA "model: {from: student.onnx, dropout: 0, "
                                    "attention_dropout: 0}\n"
                                    "teacher: {from: teacher.onnx}\n" LOSS,
                               &diagnostics);
    CU_ASSERT_FATAL(saved && imported);
    CU_ASSERT(same_graph(saved, imported, "step"));
    CU_ASSERT(same_graph(saved, imported, "evaluate"));
    CU_ASSERT(same_graph(saved, imported, "predict"));
    check_parameters(saved, imported);
    rt_module_destroy(saved);
    rt_module_destroy(imported);
    rt_diagnostics_deinit(&diagnostics);
}

/* The classifier of three classes gives way to one of two; the encoder stays. */
static void test_other_head(void) {
    rt_diagnostics diagnostics = {0};
    if (!test_data("golden/kd_soft_temp/teacher.onnx")) {
        test_skip("the shared test data is not there");
        return;
    }
    rt_module *module =
        make("task: {labels: [no, yes]}\n" DATA "model: {from: student.onnx, pooling: mean}\n",
             &diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    rt_parameter head = rt_module_find_parameter(module, "classifier.weight");
    rt_parameter pooler = rt_module_find_parameter(module, "bert.pooler.dense.weight");
    rt_parameter query =
        rt_module_find_parameter(module, "bert.encoder.layer.1.attention.self.query.weight");
    CU_ASSERT_FATAL(rt_parameter_is(head) && rt_parameter_is(query));
    CU_ASSERT(!rt_parameter_is(pooler));
    CU_ASSERT_EQUAL(rt_module_parameter(module, head)->initial, RT_INITIAL_NORMAL);
    CU_ASSERT_EQUAL(rt_module_parameter(module, query)->initial, RT_INITIAL_SOURCE);
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
}

/* A method finds the same places in an imported encoder as in Retort's own. */
static void test_methods_on_onnx_models(void) {
    static const char *const methods[] = {
        "kind: bitfit",
        "kind: lora, targets: [all], rank: 2",
        "kind: ia3",
        "kind: houlsby, bottleneck: 4",
        "kind: pfeiffer, bottleneck: 4, layers: [1, 3]",
        "kind: prefix, virtual_tokens: 3",
        "kind: prompt, prompt_tokens: 3",
    };
    if (!test_data("golden/kd_soft_temp/teacher.onnx")) {
        test_skip("the shared test data is not there");
        return;
    }
    for (size_t i = 0; i < sizeof methods / sizeof *methods; ++i) {
        rt_diagnostics diagnostics = {0};
        char saved_text[400], imported_text[400];
        snprintf(saved_text, sizeof saved_text,
                 DATA "model: {from: teacher.safetensors, dropout: 0, attention_dropout: 0, "
                      "classifier_dropout: 0}\nmethod: {%s}\n",
                 methods[i]);
        snprintf(imported_text, sizeof imported_text,
                 DATA "model: {from: teacher.onnx, dropout: 0, attention_dropout: 0, "
                      "classifier_dropout: 0}\nmethod: {%s}\n",
                 methods[i]);
        rt_module *saved = make(saved_text, &diagnostics);
        rt_module *imported = make(imported_text, &diagnostics);
        CU_ASSERT_FATAL(saved && imported);
        CU_ASSERT(same_graph(saved, imported, "step"));
        CU_ASSERT(same_graph(saved, imported, "predict"));
        check_parameters(saved, imported);
        rt_module_destroy(saved);
        rt_module_destroy(imported);
        rt_diagnostics_deinit(&diagnostics);
    }
}

/* ---- gradual unfreezing */

static size_t count_gradients(const rt_graph *graph, const char *part) {
    size_t count = 0;
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        count += rt_parameter_is(output->parameter) && strncmp(output->name, "gradient:", 9) == 0 &&
                 strstr(output->name, part);
    }
    return count;
}

static size_t count_nodes(const rt_graph *graph, rt_op op) {
    rt_arena arena = {0};
    rt_node *nodes;
    size_t total, count = 0;
    CU_ASSERT_FATAL(rt_graph_order(graph, &arena, &nodes, &total));
    for (size_t i = 0; i < total; ++i) count += rt_graph_node(graph, nodes[i])->op == op;
    rt_arena_deinit(&arena);
    return count;
}

/* Whether two programs have the same gradients and the same backward part. */
static bool same_backward(const rt_graph *a, const rt_graph *b) {
    return count_gradients(a, "") == count_gradients(b, "") &&
           count_nodes(a, RT_OP_matmul) == count_nodes(b, RT_OP_matmul) &&
           count_nodes(a, RT_OP_dropout) == count_nodes(b, RT_OP_dropout) &&
           count_nodes(a, RT_OP_attention_gradient) == count_nodes(b, RT_OP_attention_gradient);
}

/* Of four layers: each phase has the backward part that freezing the rest gives, and no more. */
static void test_unfreezing(void) {
    static const char *const frozen[] = {
        "freeze: ['embeddings.*', 'encoder.layer.{0..3}.*']",
        "freeze: ['embeddings.*', 'encoder.layer.{0..1}.*']",
    };
    rt_diagnostics diagnostics = {0};
    if (!test_data("golden/kd_soft_temp/teacher.onnx")) {
        test_skip("the shared test data is not there");
        return;
    }
#define MODEL "model: {from: teacher.safetensors, dropout: 0.1, attention_dropout: 0.1}\n"
    rt_module *module =
        make(DATA MODEL "method: {unfreeze: [0, 2], layer_rate_divisor: 2}\n", &diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    const char *const steps[] = {"step.1", "step.2"};
    const char *const updates[] = {"update.1", "update.2", "update"};
    for (size_t i = 0; i < 3; ++i)
        CU_ASSERT_PTR_NOT_NULL_FATAL(rt_module_find_graph(module, updates[i]));
    for (size_t i = 0; i < 2; ++i) {
        char text[300];
        snprintf(text, sizeof text, DATA MODEL "method: {%s}\n", frozen[i]);
        rt_module *plain = make(text, &diagnostics);
        const rt_graph *step = rt_module_find_graph(module, steps[i]);
        CU_ASSERT_FATAL(plain && step);
        CU_ASSERT(same_backward(step, rt_module_find_graph(plain, "step")));
        CU_ASSERT_EQUAL(count_gradients(step, "embeddings"), 0);
        CU_ASSERT_EQUAL(count_gradients(step, "layer.1."), 0);
        CU_ASSERT_EQUAL(count_nodes(step, RT_OP_attention_gradient), i == 0 ? 0 : 2);
        rt_module_destroy(plain);
    }
    const rt_graph *whole = rt_module_find_graph(module, "step");
    CU_ASSERT_EQUAL(count_gradients(whole, "layer.0."), 16);
    CU_ASSERT_EQUAL(count_nodes(whole, RT_OP_attention_gradient), 4);
    CU_ASSERT(rt_value_is(
        rt_graph_find_input(rt_module_find_graph(module, "update"), "bias_correction1.3")));
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
}

/* What a method is told and cannot do is one error, at its line. */
static void test_method_errors(void) {
    static const struct {
        const char *method, *error;
    } cases[] = {
        {"  kind: lora\n  targets: [query, keys]\n",
         ":5:12: error: 'keys' is no linear map of the model; there are: query, key, value, "
         "attention_output, ffn_inner, ffn_output, all, and patterns of names such as "
         "'bert.encoder.layer.0.attention.self.query'\n"},
        {"  kind: houlsby\n  layers: [0, 4]\n",
         ":5:11: error: 'layers' names layer 4, but the model's are 0 to 3\n"},
        {"  kind: lora\n  targets: []\n", ":5:12: error: 'targets' names no linear map, so nothing "
                                          "is adapted; there are: query, key"},
        {"  kind: lora\n  layers: []\n",
         ":5:11: error: 'layers' names none, so nothing is adapted; without it all are, 0 to 3\n"},
        {"  kind: head\n  freeze: ['classifier.*', 'pooler.*']\n",
         ":5:11: error: 'freeze' leaves nothing that trains; 'train' puts parameters back, such as "
         "'classifier.weight'\n"},
        {"  unfreeze: [0]\n  freeze: ['classifier.*', 'pooler.*']\n",
         ":4:13: error: nothing trains in phase 1 of 2\n"},
        {"  unfreeze: [5]\n", ":4:13: error: 'unfreeze' names 5 layers, but the model has 4\n"},
        {"  unfreeze: [1, 2, 2]\n",
         ":4:13: error: 'unfreeze' must grow from epoch to epoch, but 2 follows 2\n"},
        {"  kind: lora\n  unfreeze: [1]\n",
         ":5:13: error: 'unfreeze' is for method full, in which all layers train at last, not for "
         "lora\n"},
        {"  kind: prompt\n  prompt_tokens: 600\n",
         ":5:18: error: 'prompt_tokens' is 600, but the model has "},
        {"  kind: bitfit\ntraining: {rho: 0.5}\n",
         ":5:17: error: 'rho' says nothing of the optimizer adamw, which has the keys: betas "
         "epsilon\n"},
        {"  kind: ia3\n  rank: 4\n",
         ":5:9: error: 'rank' says nothing of the method ia3, which has the keys: layers\n"},
    };
    if (!test_data("golden/kd_soft_temp/teacher.onnx")) {
        test_skip("the shared test data is not there");
        return;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        rt_arena arena = {0};
        rt_diagnostics diagnostics = {0};
        const char *text = rt_arena_format(
            &arena, DATA "model: {from: teacher.safetensors}\nmethod:\n%s", cases[i].method);
        rt_spec *spec = rt_spec_parse(
            text, strlen(text), test_data("golden/kd_soft_temp/recipe.json"), NULL, &diagnostics);
        CU_ASSERT_PTR_NOT_NULL_FATAL(spec);
        CU_ASSERT_PTR_NULL(rt_training_program(spec, NULL, &diagnostics));
        const char *said = rt_diagnostics_text(&diagnostics, &arena);
        CU_ASSERT_EQUAL(diagnostics.error_count, 1);
        if (!strstr(said, cases[i].error)) printf("%s\n", said);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, cases[i].error));
        rt_spec_destroy(spec);
        rt_diagnostics_deinit(&diagnostics);
        rt_arena_deinit(&arena);
    }
}

TEST_MAIN("training_program", TEST(test_onnx_models_are_checkpoints), TEST(test_other_head),
          TEST(test_methods_on_onnx_models), TEST(test_unfreezing), TEST(test_method_errors))
