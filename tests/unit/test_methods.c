// SPDX-License-Identifier: Apache-2.0
/* Methods against the golden trajectories, by the evaluator: loss, terms and gradients of
 * step 1, and which parameters train. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/build.h"
#include "passes/differentiate.h"
#include "passes/pass_manager.h"
#include "runtime/base/json.h"
#include "tests/support/golden.h"
#include "tests/support/test.h"

typedef struct method_case {
    const char *folder, *terms, *freeze, *base, *train;
    const char *options[8]; /* of pass adapt besides these: keys and values in turn */
} method_case;

#define HEAD "head", "classifier.weight classifier.bias"

/* The loss of each recipe, and what it freezes. */
static const method_case methods[] = {
    {"ft_cls", "hard", "", "all", ""},
    {"ft_reg", "hard", "", "all", ""},
    {"freeze_k", "hard", "bert.embeddings.* bert.encoder.layer.{0..1}.*", "all", ""},
    {"head_only", "hard", "", "none", "classifier.*"},
    {"kd_soft", "0.5*soft+0.5*hard", "", "all", ""},
    {"kd_soft_temp", "0.9*soft(4)+0.1*hard", "", "all", ""},
    {"kd_bilstm", "logit_mse(mean)+0*hard", "", "all", ""},
    {"bitfit", "hard", "", "all", "", {"method", "bitfit", HEAD}},
    {"lora_qv", "hard", "", "all", "", {"method", "lora", HEAD, "rank", "4"}},
    {"lora_all", "hard", "", "all", "", {"method", "lora", HEAD, "rank", "4", "targets", "all"}},
    {"ia3", "hard", "", "all", "", {"method", "ia3", HEAD}},
    {"adapter_houlsby",
     "hard",
     "bert.*.LayerNorm.*",
     "all",
     "",
     {"method", "houlsby", HEAD, "bottleneck", "16", "activation", "silu"}},
    {"adapter_pfeiffer",
     "hard",
     "",
     "all",
     "",
     {"method", "pfeiffer", HEAD, "bottleneck", "16", "activation", "relu"}},
    {"prefix_tuning",
     "hard",
     "",
     "all",
     "",
     {"method", "prefix", HEAD, "virtual_tokens", "6", "position_offset", "6"}},
};

typedef struct method_fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_model_config config;
    rt_safetensors initial, teacher, batches, gradients;
    bool has_teacher;
    json_t *expected;
} method_fixture;

static const char *data_path(const method_case *c, const char *name) {
    char path[200];
    snprintf(path, sizeof path, "golden/%s/%s", c->folder, name);
    return test_data(path);
}

static void build_model(method_fixture *f, const char *config, const char *graph,
                        const char *prefix) {
    rt_error error;
    rt_model_config *target = *prefix ? &(rt_model_config){0} : &f->config;
    CU_ASSERT_EQUAL_FATAL(rt_model_config_read(config, &f->arena, target, &error), RT_OK);
    rt_build_options options = {.graph_name = graph,
                                .parameter_prefix = prefix,
                                .outputs = RT_OUTPUT_LOGITS,
                                .is_training = true,
                                .is_trainable = !*prefix};
    CU_ASSERT_PTR_NOT_NULL_FATAL(rt_model_build(f->module, target, &options));
}

static bool open_case(method_fixture *f, const method_case *c) {
    *f = (method_fixture){0};
    if (!data_path(c, "recipe.json")) {
        test_skip("no golden data");
        return false;
    }
    f->module = rt_module_create(&f->diagnostics);
    build_model(f, data_path(c, "config.json"), "student", "");
    f->has_teacher = data_path(c, "teacher_config.json") != NULL;
    if (f->has_teacher) {
        build_model(f, data_path(c, "teacher_config.json"), "teacher", "teacher/");
        CU_ASSERT_EQUAL_FATAL(
            rt_safetensors_open(data_path(c, "teacher.safetensors"), &f->teacher, NULL), RT_OK);
    }
    CU_ASSERT_EQUAL_FATAL(
        rt_safetensors_open(data_path(c, "initial.safetensors"), &f->initial, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(
        rt_safetensors_open(data_path(c, "batches.safetensors"), &f->batches, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(
        rt_safetensors_open(data_path(c, "step1_grads.safetensors"), &f->gradients, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_json_read(data_path(c, "expected.json"), &f->expected, NULL), RT_OK);
    return true;
}

static void close_case(method_fixture *f) {
    json_decref(f->expected);
    rt_module_destroy(f->module);
    rt_safetensors_close(&f->initial);
    rt_safetensors_close(&f->teacher);
    rt_safetensors_close(&f->batches);
    rt_safetensors_close(&f->gradients);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static void run_passes(method_fixture *f, const method_case *c) {
    rt_pass_option adapt[7] = {{.key = "base", .value = c->base},
                               {.key = "freeze", .value = c->freeze},
                               {.key = "train", .value = c->train}};
    size_t adapt_count = 3;
    for (size_t i = 0; i < 8 && c->options[i]; i += 2)
        adapt[adapt_count++] = (rt_pass_option){.key = c->options[i], .value = c->options[i + 1]};
    rt_pass_option distil[] = {
        {.key = "terms", .value = c->terms},
        {.key = "regression", .value = f->config.is_regression ? "true" : "false"}};
    rt_pass_context first = {.pass = RT_PASS_adapt,
                             .diagnostics = &f->diagnostics,
                             .scratch = &f->arena,
                             .options = adapt,
                             .option_count = adapt_count};
    rt_pass_context second = {.pass = RT_PASS_distil,
                              .diagnostics = &f->diagnostics,
                              .scratch = &f->arena,
                              .options = distil,
                              .option_count = 2};
    rt_status status = rt_pass_adapt(&first, f->module);
    if (status == RT_OK) status = rt_pass_distil(&second, f->module);
    if (status == RT_OK)
        status = rt_differentiate_loss(rt_module_find_graph(f->module, "step"),
                                       &(rt_differentiate_options){0});
    if (status != RT_OK) printf("%s\n", rt_diagnostics_text(&f->diagnostics, &f->arena));
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
}

static rt_array **evaluate_step(method_fixture *f, const rt_graph *step, const char *prefix) {
    const rt_array **values = golden_parameters(f->module, &f->initial, "", NULL, &f->arena);
    if (f->has_teacher) golden_parameters(f->module, &f->teacher, "teacher/", values, &f->arena);
    golden_batch *batch = golden_pack(&f->batches, prefix, false, &f->arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    const rt_array **inputs = golden_inputs(step, batch, &f->arena);
    rt_array *one = rt_array_create(RT_F32, 0, NULL, &f->arena);
    one->real[0] = 1;
    for (size_t i = 0; i < rt_graph_input_count(step); ++i) {
        if (!inputs[i]) inputs[i] = one; /* loss_scale */
    }
    rt_array **outputs = RT_NEW_ARRAY(&f->arena, rt_array *, rt_graph_output_count(step));
    rt_eval_options options = {0};
    rt_error error;
    rt_status status = rt_eval_graph(step, inputs, values, &options, &f->arena, outputs, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return outputs;
}

/* What the recipes call our terms. */
static const char *recipe_name(const char *term, bool is_regression) {
    if (strcmp(term, "hard") == 0) return is_regression ? "mse" : "ce";
    return term;
}

static void check_losses(method_fixture *f, const rt_graph *step, rt_array **outputs) {
    const json_t *losses = json_object_get(f->expected, "loss_float64");
    const json_t *terms = json_object_get(f->expected, "terms_float64");
    size_t compared = 0;
    for (size_t i = 0; i < rt_graph_output_count(step); ++i) {
        const rt_output *output = rt_graph_output(step, i);
        if (rt_parameter_is(output->parameter)) continue;
        bool is_total = strcmp(output->name, "loss") == 0;
        const json_t *list =
            is_total ? losses
                     : json_object_get(terms, recipe_name(output->name, f->config.is_regression));
        CU_ASSERT_PTR_NOT_NULL_FATAL(list);
        double want = json_number_value(json_array_get(list, 0));
        /* The graph's own constants (0.9, 1 / T) are f32. */
        bool is_close = test_is_close(outputs[i]->real[0], want, 1e-7, 0);
        if (!is_close) printf("%s: %.12g, not %.12g\n", output->name, outputs[i]->real[0], want);
        CU_ASSERT(is_close);
        ++compared;
    }
    CU_ASSERT(compared >= 2);
}

/* Each trained parameter's gradient, and no other's. */
static void check_gradients(method_fixture *f, const rt_graph *step, rt_array **outputs) {
    size_t gradients = 0;
    double overall = 0;
    for (size_t i = 0; i < f->gradients.count; ++i) {
        rt_array *want = golden_array(&f->gradients, f->gradients.tensors[i].name, &f->arena);
        for (int64_t e = 0; e < want->count; ++e) overall = fmax(overall, fabs(want->real[e]));
    }
    for (size_t i = 0; i < rt_graph_output_count(step); ++i) {
        const rt_output *output = rt_graph_output(step, i);
        if (!rt_parameter_is(output->parameter)) continue;
        const rt_parameter_info *info = rt_module_parameter(f->module, output->parameter);
        const char *name = rt_module_parameter(f->module, info->of)->name;
        rt_array *want = golden_array(&f->gradients, name, &f->arena);
        if (!want) printf("trained, but not in the recipe: %s\n", name);
        CU_ASSERT_PTR_NOT_NULL_FATAL(want);
        double largest, error = golden_error(outputs[i], want, &largest);
        bool is_close = error >= 0 && error <= 1e-5 * largest + 1e-6 * overall;
        if (!is_close) printf("%s: %g of %g\n", name, error, largest);
        CU_ASSERT(is_close);
        ++gradients;
    }
    CU_ASSERT_EQUAL(gradients, f->gradients.count);
}

static void test_first_step(void) {
    for (size_t i = 0; i < sizeof methods / sizeof *methods; ++i) {
        method_fixture f;
        if (!open_case(&f, &methods[i])) return;
        run_passes(&f, &methods[i]);
        rt_graph *step = rt_module_find_graph(f.module, "step");
        rt_array **outputs = evaluate_step(&f, step, "step01.");
        check_losses(&f, step, outputs);
        check_gradients(&f, step, outputs);
        close_case(&f);
    }
}

TEST_MAIN("methods", TEST(test_first_step))
