// SPDX-License-Identifier: Apache-2.0
/* Whole encoders exported by PyTorch, imported once with dynamic axes and evaluated at several
 * sizes against what PyTorch computed. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/safetensors.h"
#include "tests/conformance/onnx_case.h"
#include "tests/support/test.h"

static bool open_model(onnx_case *c, const char *relative) {
    const char *path = test_data(relative);
    if (!path) {
        test_skip("no shared data");
        return false;
    }
    bool is_open = onnx_case_open(c, path, &(rt_onnx_import_options){0});
    if (!is_open) printf("%s\n", c->text);
    CU_ASSERT_FATAL(is_open);
    return true;
}

static const char *input_name(const onnx_case *c, size_t index) {
    rt_node node = rt_graph_definition(c->graph, rt_graph_input(c->graph, index));
    return rt_graph_attr(c->graph, node, RT_ATTR_input_name).text;
}

static void expect_type(onnx_case *c, rt_value value, const char *wanted) {
    rt_type type = rt_graph_type(c->graph, value);
    CU_ASSERT_STRING_EQUAL(rt_type_text(rt_module_dims(c->module), type, &c->arena), wanted);
}

/* ---- the MiniLM encoder */

static void run_minilm(onnx_case *c, int set) {
    const rt_array *inputs[3];
    rt_array *output;
    rt_arena arena = {0};
    rt_tensor *values[4];
    for (int i = 0; i < 4; ++i) {
        char name[120];
        snprintf(name, sizeof name, "models/minilm-l6/test_data_set_%d/%s_%d.pb", set,
                 i < 3 ? "input" : "output", i % 3);
        values[i] = onnx_case_read_value(c, test_data(name), &arena);
        CU_ASSERT_PTR_NOT_NULL_FATAL(values[i]);
        if (i < 3) inputs[i] = rt_array_from_tensor(values[i], &arena);
    }
    bool is_done = onnx_case_evaluate(c, inputs, &arena, &output);
    if (!is_done) printf("%s\n", c->text);
    CU_ASSERT_FATAL(is_done);
    double worst = onnx_case_excess(output, values[3], values[1], 0, 0);
    printf("minilm-l6 data set %d: largest error %.2g\n", set, worst);
    CU_ASSERT(worst <= 2e-5);
    rt_arena_deinit(&arena);
}

static void test_minilm(void) {
    onnx_case c;
    if (!open_model(&c, "models/minilm-l6/model.onnx")) return;
    CU_ASSERT_EQUAL_FATAL(rt_graph_input_count(c.graph), 3);
    CU_ASSERT_STRING_EQUAL(input_name(&c, 0), "input_ids");
    expect_type(&c, rt_graph_input(c.graph, 0), "i64[batch,sequence]");
    expect_type(&c, rt_graph_find_output(c.graph, "last_hidden_state"), "f32[batch,sequence,384]");
    run_minilm(&c, 1);
    run_minilm(&c, 8);
    onnx_case_close(&c);
}

/* No tensor of 64 KB or more is held: what the module takes is names, nodes and small constants. */
static void test_weights_stay_in_the_file(void) {
    onnx_case c;
    size_t bytes = 0;
    if (!open_model(&c, "models/minilm-l6/model.onnx")) return;
    for (size_t i = 0; i < rt_module_parameter_count(c.module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(c.module, (rt_parameter){(uint32_t)i});
        CU_ASSERT_EQUAL(info->initial, RT_INITIAL_SOURCE);
        bytes += info->source.size_bytes;
    }
    CU_ASSERT_EQUAL(rt_module_parameter_count(c.module), 101);
    CU_ASSERT(bytes > 90 * 1000 * 1000);
    CU_ASSERT(rt_module_arena(c.module)->total_bytes < 8 * 1024 * 1024);
    onnx_case_close(&c);
}

/* ---- small encoders with stored values */

static rt_array *read_ids(const rt_safetensors *file, const char *batch, const char *name,
                          rt_arena *arena) {
    char key[80];
    snprintf(key, sizeof key, "%s.%s", batch, name);
    const rt_safetensor *stored = rt_safetensors_find(file, key);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stored);
    rt_array *array = rt_array_create(RT_I64, stored->rank, stored->dims, arena);
    for (int64_t i = 0; i < array->count; ++i) {
        array->integer[i] = rt_element_as_int64(stored->dtype, stored->data, (size_t)i);
    }
    return array;
}

/* Largest difference at real tokens over the largest stored value; padding is stored as 0. A result
 * per row has no padding. */
static double relative_error(const rt_array *got, const rt_safetensor *want, const rt_array *mask) {
    double most = 0, worst = 0;
    int64_t count = (int64_t)(want->size_bytes / rt_dtype_bytes(want->dtype));
    CU_ASSERT_EQUAL_FATAL(got->count, count);
    int64_t width = got->rank == 3 ? got->dims[2] : 0;
    for (int64_t i = 0; i < count; ++i) {
        double value = rt_element_as_double(want->dtype, want->data, (size_t)i);
        if (width && !mask->integer[i / width]) continue;
        most = fmax(most, fabs(value));
        worst = fmax(worst, fabs(value - got->real[i]));
    }
    return worst / most;
}

/* The graph's output: the state of the last layer, or the pooler's. */
static const rt_safetensor *stored_output(const rt_safetensors *file, const char *batch,
                                          const char *name) {
    const rt_safetensor *found = NULL, *state;
    char key[80];
    if (strcmp(name, "pooler_output") == 0) {
        snprintf(key, sizeof key, "%s.pooler_output", batch);
        return rt_safetensors_find(file, key);
    }
    for (int layer = 0;; ++layer) {
        snprintf(key, sizeof key, "%s.hidden_states.%d", batch, layer);
        state = rt_safetensors_find(file, key);
        if (!state) return found;
        found = state;
    }
}

static void run_forward(const char *folder) {
    char name[120];
    onnx_case c;
    rt_safetensors inputs, outputs;
    snprintf(name, sizeof name, "golden/%s/model.onnx", folder);
    if (!open_model(&c, name)) return;
    snprintf(name, sizeof name, "golden/%s/inputs.safetensors", folder);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(name), &inputs, NULL), RT_OK);
    snprintf(name, sizeof name, "golden/%s/outputs.safetensors", folder);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(name), &outputs, NULL), RT_OK);
    for (int batch = 0; batch < 2; ++batch) {
        const char *prefix = batch ? "b" : "a";
        const rt_array *arrays[3];
        rt_array *results[2];
        rt_arena arena = {0};
        for (size_t i = 0; i < rt_graph_input_count(c.graph); ++i) {
            arrays[i] = read_ids(&inputs, prefix, input_name(&c, i), &arena);
        }
        bool is_done = onnx_case_evaluate(&c, arrays, &arena, results);
        if (!is_done) printf("%s\n", c.text);
        CU_ASSERT_FATAL(is_done);
        for (size_t i = 0; i < rt_graph_output_count(c.graph); ++i) {
            const char *output = rt_graph_output(c.graph, i)->name;
            const rt_safetensor *want = stored_output(&outputs, prefix, output);
            double error = relative_error(results[i], want, arrays[1]);
            CU_ASSERT(error <= 1e-5);
        }
        rt_arena_deinit(&arena);
    }
    rt_safetensors_close(&inputs);
    rt_safetensors_close(&outputs);
    onnx_case_close(&c);
}

static void test_forward_folders(void) {
    run_forward("fwd_bert");
    run_forward("fwd_distilbert");
    run_forward("fwd_roberta");
    run_forward("fwd_preln");
    run_forward("fwd_gelu_tanh");
}

/* ---- names */

/* model.onnx.json says which checkpoint parameter each initialiser is, and whether transposed. */
static void expect_names(const char *relative) {
    char name[120];
    onnx_case c;
    json_t *root;
    const char *key;
    json_t *value;
    if (!open_model(&c, relative)) return;
    snprintf(name, sizeof name, "%s.json", relative);
    CU_ASSERT_EQUAL_FATAL(rt_json_read(test_data(name), &root, NULL), RT_OK);
    json_object_foreach(json_object_get(root, "initializers"), key, value) {
        const char *wanted = json_string_value(json_object_get(value, "parameter"));
        bool is_turned = json_is_true(json_object_get(value, "transposed"));
        rt_parameter parameter = rt_module_find_parameter(c.module, wanted);
        if (!rt_parameter_is(parameter)) printf("%s: no parameter '%s'\n", relative, wanted);
        CU_ASSERT_FATAL(rt_parameter_is(parameter));
        const rt_parameter_info *info = rt_module_parameter(c.module, parameter);
        bool is_own = strcmp(info->source.tensor_name, key) == 0;
        /* A tied copy stands for another initialiser's parameter. */
        if (is_own) {
            CU_ASSERT_EQUAL(info->source.transform == RT_TRANSFORM_TRANSPOSE, is_turned);
        }
        CU_ASSERT(is_own || is_turned);
    }
    json_decref(root);
    onnx_case_close(&c);
}

static void test_checkpoint_names(void) {
    expect_names("golden/fwd_bert/model.onnx");
    expect_names("golden/fwd_distilbert/model.onnx");
    expect_names("golden/fwd_roberta/model.onnx");
    expect_names("golden/fwd_preln/model.onnx");
    expect_names("golden/fwd_gelu_tanh/model.onnx");
    expect_names("golden/ft_cls/model.onnx");
    expect_names("golden/kd_soft_temp/teacher.onnx");
    expect_names("golden/kd_soft_temp/student.onnx");
    expect_names("golden/kd_distilbert/teacher.onnx");
}

TEST_MAIN("onnx_models", TEST(test_minilm), TEST(test_weights_stay_in_the_file),
          TEST(test_forward_folders), TEST(test_checkpoint_names))
