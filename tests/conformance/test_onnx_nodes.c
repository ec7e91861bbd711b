// SPDX-License-Identifier: Apache-2.0
/* ONNX's operator tests through the importer and the plain evaluator. */
#include "tests/conformance/case_runner.h"
#include "tests/support/test.h"

enum { MAX_INPUTS = 64 };

static verdict evaluate(onnx_case *run, const rt_tensor *const *inputs, rt_array **outputs) {
    const rt_array *arrays[MAX_INPUTS];
    size_t count = rt_graph_input_count(run->graph);
    for (size_t i = 0; i < count && i < MAX_INPUTS; ++i) {
        arrays[i] = rt_array_from_tensor(inputs[i], &run->arena);
    }
    return onnx_case_evaluate(run, arrays, &run->arena, outputs) ? PASSED : FAILED;
}

static void test_operator_cases(void) {
    run_operator_cases(evaluate, RETORT_EXPECTATION, false);
}

TEST_MAIN("onnx_nodes", TEST(test_operator_cases))
