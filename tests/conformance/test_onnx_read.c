// SPDX-License-Identifier: Apache-2.0
/* Every model and value of ONNX's operator tests is read, or refused for what it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/frontend/onnx_reader.h"
#include "tests/conformance/conformance.h"
#include "tests/support/test.h"

static void test_models(void) {
    size_t count, read = 0;
    conformance_case *cases = conformance_load(&count);
    for (size_t i = 0; i < count; ++i) {
        const char *path = conformance_file(&cases[i], "model.onnx");
        CU_ASSERT_PTR_NOT_NULL_FATAL(path);
        rt_onnx_source source;
        rt_error error;
        if (rt_onnx_open(path, &source, &error) == RT_OK) {
            ++read;
            rt_onnx_close(&source);
        } else {
            printf("%s\n", error.text);
        }
    }
    CU_ASSERT_EQUAL(read, count);
    free(cases);
}

/* Sequences and optional values are refused by name, everything else is read. */
static void test_values(void) {
    size_t count, read = 0, refused = 0;
    conformance_case *cases = conformance_load(&count);
    for (size_t i = 0; i < count; ++i) {
        bool has_others =
            strstr(cases[i].features, "sequence") || strstr(cases[i].features, "optional");
        for (int k = 0; k < 64; ++k) {
            char name[64];
            snprintf(name, sizeof name, "test_data_set_0/%s_%d.pb", k % 2 ? "output" : "input",
                     k / 2);
            const char *path = conformance_file(&cases[i], name);
            rt_onnx_source source;
            rt_error error;
            if (!path) continue;
            rt_status status = rt_onnx_open_tensor(path, &source, &error);
            if (status == RT_OK) {
                ++read;
                rt_onnx_close(&source);
            } else {
                ++refused;
                if (!has_others) printf("%s\n", error.text);
                CU_ASSERT(has_others);
            }
        }
    }
    if (count) CU_ASSERT(read > 5000);
    CU_ASSERT(refused < 100);
    free(cases);
}

TEST_MAIN("onnx_read", TEST(test_models), TEST(test_values))
