// SPDX-License-Identifier: Apache-2.0
/* Models as PyTorch's exporters write them: every layer's attention, norms and GELU are raised. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "ir/print.h"
#include "passes/pass_manager.h"
#include "tests/support/test.h"

static size_t count_ops(const rt_graph *graph, rt_op op) {
    rt_arena arena = {0};
    rt_node *nodes;
    size_t count, found = 0;
    CU_ASSERT_TRUE_FATAL(rt_graph_order(graph, &arena, &nodes, &count));
    for (size_t i = 0; i < count; ++i) found += rt_graph_node(graph, nodes[i])->op == op;
    rt_arena_deinit(&arena);
    return found;
}

static void expect_raised(const char *file, size_t layers, size_t norms) {
    const char *path = test_data(file);
    if (!path) {
        test_skip("the shared test data is not there");
        return;
    }
    rt_diagnostics diagnostics = {0};
    rt_arena arena = {0};
    rt_error error;
    rt_onnx_source source;
    rt_onnx_import_options options = {0};
    CU_ASSERT_EQUAL_FATAL(rt_onnx_open(path, &source, &error), RT_OK);
    rt_module *module = rt_module_create(&diagnostics);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rt_onnx_import(source.model, path, &options, module));
    rt_pass_manager *manager = rt_pass_manager_create(&diagnostics);
    CU_ASSERT_EQUAL(rt_pass_manager_add(manager, "raise"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_add(manager, "simplify"), RT_OK);
    CU_ASSERT_EQUAL(rt_pass_manager_run(manager, module), RT_OK);
    rt_graph *graph = rt_module_find_graph(module, "forward");
    CU_ASSERT_EQUAL(count_ops(graph, RT_OP_attention), layers);
    CU_ASSERT_EQUAL(count_ops(graph, RT_OP_gelu), layers);
    CU_ASSERT_EQUAL(count_ops(graph, RT_OP_layer_norm), norms);
    CU_ASSERT_EQUAL(count_ops(graph, RT_OP_softmax), 0);
    if (getenv("SHOW")) puts(rt_print_graph(graph, &arena));
    rt_pass_manager_destroy(manager);
    rt_module_destroy(module);
    rt_onnx_close(&source);
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&diagnostics);
}

static void test_minilm(void) {
    expect_raised("models/minilm-l6/model.onnx", 6, 13);
}
static void test_bert(void) {
    expect_raised("golden/fwd_bert/model.onnx", 3, 7);
}
static void test_bert_with_tanh_gelu(void) {
    expect_raised("golden/fwd_gelu_tanh/model.onnx", 2, 5);
}
static void test_distilbert(void) {
    expect_raised("golden/fwd_distilbert/model.onnx", 2, 5);
}
static void test_roberta(void) {
    expect_raised("golden/fwd_roberta/model.onnx", 2, 5);
}
static void test_pre_norm(void) {
    expect_raised("golden/fwd_preln/model.onnx", 2, 6);
}

TEST_MAIN("raise_models", TEST(test_minilm), TEST(test_bert), TEST(test_bert_with_tanh_gelu),
          TEST(test_distilbert), TEST(test_roberta), TEST(test_pre_norm))
