// SPDX-License-Identifier: Apache-2.0
/* Whole trajectories of PyTorch, twenty updates each, through the passes that train and the plain
 * evaluator: what is compared is the mathematics of models, gradients and updates, apart from any
 * kernel. Losses are held against the reference's own run in double; the rest by the rules of the
 * golden data's README. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/build.h"
#include "passes/pass_manager.h"
#include "runtime/base/json.h"
#include "tests/support/golden.h"
#include "tests/support/test.h"

/* Constants are f32 in the graph: 1 - 0.999 is off by 1e-8 of itself and so on. */
static const double loss_tolerance = 1e-6;

enum { MAX_OUTPUTS = 512 };

typedef struct trajectory {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_builder b; /* of the graph "step" */
    rt_safetensors initial, teacher, batches, gradients, final;
    json_t *recipe, *expected;
    rt_array **values; /* by parameter */
    int64_t micro_batches;
} trajectory;

static const char *data_path(const char *folder, const char *file) {
    char name[200];
    snprintf(name, sizeof name, "golden/%s/%s", folder, file);
    return test_data(name);
}

static bool open_tensors(const char *folder, const char *file, rt_safetensors *tensors) {
    const char *path = data_path(folder, file);
    return path && rt_safetensors_open(path, tensors, NULL) == RT_OK;
}

static bool open_trajectory(trajectory *t, const char *folder) {
    memset(t, 0, sizeof *t);
    if (!data_path(folder, "recipe.json")) {
        test_skip("no golden data");
        return false;
    }
    bool is_open = rt_json_read(data_path(folder, "recipe.json"), &t->recipe, NULL) == RT_OK &&
                   rt_json_read(data_path(folder, "expected.json"), &t->expected, NULL) == RT_OK &&
                   open_tensors(folder, "initial.safetensors", &t->initial) &&
                   open_tensors(folder, "batches.safetensors", &t->batches) &&
                   open_tensors(folder, "step1_grads.safetensors", &t->gradients) &&
                   open_tensors(folder, "final.safetensors", &t->final);
    CU_ASSERT_TRUE_FATAL(is_open);
    open_tensors(folder, "teacher.safetensors", &t->teacher);
    t->micro_batches = json_integer_value(json_object_get(t->recipe, "micro_batches"));
    t->module = rt_module_create(&t->diagnostics);
    return true;
}

static void close_trajectory(trajectory *t) {
    rt_module_destroy(t->module);
    rt_safetensors *const files[] = {&t->initial, &t->teacher, &t->batches, &t->gradients,
                                     &t->final};
    for (size_t i = 0; i < sizeof files / sizeof *files; ++i) rt_safetensors_close(files[i]);
    json_decref(t->recipe);
    json_decref(t->expected);
    rt_diagnostics_deinit(&t->diagnostics);
    rt_arena_deinit(&t->arena);
}

/* ---- the graph */

static rt_graph *build_model(trajectory *t, const char *folder, const char *config_file,
                             const char *graph, const char *prefix) {
    rt_model_config config;
    const rt_build_options options = {.graph_name = graph,
                                      .parameter_prefix = prefix,
                                      .outputs = RT_OUTPUT_LOGITS,
                                      .is_training = true,
                                      .is_trainable = !*prefix};
    CU_ASSERT_EQUAL_FATAL(
        rt_model_config_read(data_path(folder, config_file), &t->arena, &config, NULL), RT_OK);
    rt_graph *built = rt_model_build(t->module, &config, &options);
    if (!built) printf("%s", rt_diagnostics_text(&t->diagnostics, &t->arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(built);
    return built;
}

static rt_value labels_input(trajectory *t, rt_value logits, rt_dtype dtype) {
    rt_type type = rt_builder_type(&t->b, logits);
    return rt_build_input(&t->b, "labels", rt_type_make(dtype, 1, type.dims));
}

static rt_value mean_square(rt_builder *b, rt_value x, rt_value y) {
    const int64_t axes[] = {0, 1};
    rt_value miss = rt_build_sub(b, x, y);
    return rt_build_reduce_mean(b, rt_build_mul(b, miss, miss), axes, 2, false);
}

/* -mean over rows of log p(label) */
static rt_value cross_entropy(trajectory *t, rt_value logits) {
    rt_builder *b = &t->b;
    rt_type type = rt_builder_type(b, logits);
    rt_dim column[2] = {type.dims[0], rt_module_constant_dim(t->module, 1)};
    rt_value label = rt_build_reshape(b, labels_input(t, logits, RT_I32), column, 2);
    rt_value classes = rt_build_iota(b, RT_I32, 1, type);
    rt_value kept = rt_build_select(b, rt_build_equal(b, classes, label),
                                    rt_build_log_softmax(b, logits), rt_build_scalar(b, RT_F32, 0));
    rt_value mean =
        rt_build_reduce_mean(b, rt_build_sum_last(b, kept, false), (const int64_t[]){0}, 1, false);
    return rt_build_neg(b, mean);
}

static rt_value squared_miss(trajectory *t, rt_value logits) {
    rt_type type = rt_builder_type(&t->b, logits);
    rt_value scores = labels_input(t, logits, RT_F32);
    return mean_square(&t->b, logits, rt_build_reshape(&t->b, scores, type.dims, 2));
}

static rt_value teacher_logits(trajectory *t, const char *folder) {
    rt_graph *teacher = build_model(t, folder, "teacher_config.json", "teacher", "teacher/");
    rt_value inputs[16], logits;
    for (size_t i = 0; i < rt_graph_input_count(teacher); ++i)
        inputs[i] = rt_graph_input(t->b.graph, i);
    CU_ASSERT_TRUE_FATAL(rt_build_inline(&t->b, teacher, inputs, &logits));
    rt_module_remove_graph(t->module, "teacher");
    return logits;
}

/* alpha T^2 KL(teacher || student at T) + (1 - alpha) cross-entropy */
static rt_value soft_loss(trajectory *t, rt_value logits, const char *folder) {
    const json_t *loss = json_object_get(t->recipe, "loss");
    double alpha = json_number_value(json_object_get(loss, "alpha"));
    double temperature = json_number_value(json_object_get(loss, "temperature"));
    rt_builder *b = &t->b;
    rt_value wanted = rt_build_scale(b, teacher_logits(t, folder), 1 / temperature);
    rt_value mine = rt_build_scale(b, logits, 1 / temperature);
    rt_value distance =
        rt_build_sub(b, rt_build_log_softmax(b, wanted), rt_build_log_softmax(b, mine));
    rt_value terms = rt_build_mul(b, rt_build_softmax(b, wanted), distance);
    rt_value divergence =
        rt_build_reduce_mean(b, rt_build_sum_last(b, terms, false), (const int64_t[]){0}, 1, false);
    rt_value soft = rt_build_scale(b, divergence, alpha * temperature * temperature);
    return rt_build_add(b, soft, rt_build_scale(b, cross_entropy(t, logits), 1 - alpha));
}

static rt_value build_loss(trajectory *t, rt_value logits, const char *folder) {
    const json_t *terms = json_object_get(json_object_get(t->recipe, "loss"), "terms");
    if (json_object_get(terms, "mse")) return squared_miss(t, logits);
    if (json_object_get(terms, "soft")) return soft_loss(t, logits, folder);
    if (json_object_get(terms, "logit_mse"))
        return mean_square(&t->b, logits, teacher_logits(t, folder));
    return cross_entropy(t, logits);
}

/* ---- passes */

static bool is_listed(const json_t *names, const char *name) {
    for (size_t i = 0; i < json_array_size(names); ++i)
        if (strcmp(json_string_value(json_array_get(names, i)), name) == 0) return true;
    return false;
}

/* Marks what trains and what decays; returns the decay. */
static double mark_parameters(trajectory *t) {
    const json_t *trainable = json_object_get(t->recipe, "trainable");
    const json_t *groups = json_object_get(json_object_get(t->recipe, "optimizer"), "groups");
    double decay = 0;
    for (uint32_t p = 0; p < rt_module_parameter_count(t->module); ++p) {
        rt_parameter_info *info = rt_module_edit_parameter(t->module, (rt_parameter){p});
        info->is_trainable = is_listed(trainable, info->name);
        info->is_decayed = false;
        for (size_t g = 0; g < json_array_size(groups); ++g) {
            const json_t *group = json_array_get(groups, g);
            double rate = json_number_value(json_object_get(group, "weight_decay"));
            if (rate == 0 || !is_listed(json_object_get(group, "params"), info->name)) continue;
            info->is_decayed = true;
            decay = rate;
        }
    }
    return decay;
}

static void run_passes(trajectory *t, double decay) {
    const json_t *clip = json_object_get(json_object_get(t->recipe, "clip"), "max_norm");
    rt_pass_manager *manager = rt_pass_manager_create(&t->diagnostics);
    const json_t *optimizer = json_object_get(t->recipe, "optimizer");
    const json_t *rho = json_object_get(optimizer, "rho");
    const char *update = rt_arena_format(
        &t->arena, "update:optimizer=%s,epsilon=%.17g,weight_decay=%.17g,clip_norm=%.17g",
        json_string_value(json_object_get(optimizer, "name")),
        json_number_value(json_object_get(optimizer, "eps")), decay, json_number_value(clip));
    if (rho) update = rt_arena_format(&t->arena, "%s,rho=%.17g", update, json_number_value(rho));
    rt_status status = rt_pass_manager_add_pipeline(manager, "training");
    if (status == RT_OK) status = rt_pass_manager_set_text(manager, update);
    if (status == RT_OK && t->micro_batches > 1)
        status = rt_pass_manager_set_text(manager, "differentiate:accumulate=true");
    if (status == RT_OK) status = rt_pass_manager_run(manager, t->module);
    rt_pass_manager_destroy(manager);
    if (status != RT_OK) printf("%s", rt_diagnostics_text(&t->diagnostics, &t->arena));
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
}

/* Values of their own for all parameters: from the files, else zeros. */
static void set_parameters(trajectory *t) {
    size_t count = rt_module_parameter_count(t->module);
    const rt_array **found = golden_parameters(t->module, &t->initial, "", NULL, &t->arena);
    if (t->teacher.count) golden_parameters(t->module, &t->teacher, "teacher/", found, &t->arena);
    t->values = RT_NEW_ARRAY(&t->arena, rt_array *, count);
    for (uint32_t p = 0; p < count; ++p) {
        const rt_parameter_info *info = rt_module_parameter(t->module, (rt_parameter){p});
        int64_t sizes[RT_MAX_RANK];
        rt_type_is_static(rt_module_dims(t->module), info->type, sizes, NULL);
        CU_ASSERT_TRUE(found[p] || info->kind != RT_PARAMETER_WEIGHT);
        t->values[p] = found[p] ? (rt_array *)found[p]
                                : rt_array_create(RT_F32, info->type.rank, sizes, &t->arena);
    }
}

/* ---- steps */

static const rt_array *scalar(double value, rt_arena *arena) {
    rt_array *array = rt_array_create(RT_F32, 0, NULL, arena);
    array->real[0] = value;
    return array;
}

/* Evaluates a graph and assigns; returns its output of that name. */
static double apply(trajectory *t, const char *graph_name, const rt_array **inputs,
                    const char *name) {
    const rt_graph *graph = rt_module_find_graph(t->module, graph_name);
    const rt_eval_options how = {0};
    rt_arena arena = {0};
    rt_array *outputs[MAX_OUTPUTS];
    rt_error error = {""};
    double result = NAN;
    rt_status status = rt_eval_graph(graph, inputs, (const rt_array *const *)t->values, &how,
                                     &arena, outputs, &error);
    if (status != RT_OK) printf("  %s: %s\n", graph_name, error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        if (rt_parameter_is(output->parameter))
            memcpy(t->values[output->parameter.index]->real, outputs[i]->real,
                   (size_t)outputs[i]->count * sizeof(double));
        else if (strcmp(output->name, name) == 0)
            result = outputs[i]->real[0];
    }
    rt_arena_deinit(&arena);
    return result;
}

/* Runs the step over the micro-batches; returns the mean loss. */
static double run_step(trajectory *t, size_t step) {
    const rt_graph *graph = rt_module_find_graph(t->module, "step");
    double sum = 0;
    for (uint32_t p = 0; p < rt_module_parameter_count(t->module); ++p)
        if (rt_module_parameter(t->module, (rt_parameter){p})->kind == RT_PARAMETER_GRADIENT)
            memset(t->values[p]->real, 0, (size_t)t->values[p]->count * sizeof(double));
    for (int64_t micro = 1; micro <= t->micro_batches; ++micro) {
        rt_arena arena = {0};
        const char *prefix = t->micro_batches > 1
                                 ? rt_arena_format(&arena, "step%02zu.micro%d.", step, (int)micro)
                                 : rt_arena_format(&arena, "step%02zu.", step);
        golden_batch *batch = golden_pack(&t->batches, prefix, false, &arena);
        CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
        const rt_array **inputs = golden_inputs(graph, batch, &arena);
        for (size_t i = 0; i < rt_graph_input_count(graph); ++i)
            if (rt_value_equal(rt_graph_input(graph, i), rt_graph_find_input(graph, "loss_scale")))
                inputs[i] = scalar(1.0 / (double)t->micro_batches, &arena);
        sum += apply(t, "step", inputs, "loss");
        rt_arena_deinit(&arena);
    }
    return sum / (double)t->micro_batches;
}

static double run_update(trajectory *t, size_t step) {
    const json_t *rates = json_object_get(t->recipe, "lr");
    double rate = json_number_value(json_array_get(rates, step - 1)), count = (double)step;
    rt_arena arena = {0};
    const rt_array *inputs[] = {scalar(rate, &arena), scalar(1 - pow(0.9, count), &arena),
                                scalar(1 - pow(0.999, count), &arena)};
    double norm = apply(t, "update", inputs, "gradient_norm");
    rt_arena_deinit(&arena);
    return norm;
}

static double expected_at(const trajectory *t, const char *key, size_t step) {
    return json_number_value(json_array_get(json_object_get(t->expected, key), step - 1));
}

static double tolerance_of(const trajectory *t, const char *group, const char *key) {
    const json_t *from = json_object_get(t->expected, "tolerance");
    if (group) from = json_object_get(from, group);
    return json_number_value(json_object_get(from, key));
}

static rt_array *value_named(const trajectory *t, const char *prefix, const char *name,
                             rt_arena *arena) {
    const char *whole = rt_arena_format(arena, "%s%s", prefix, name);
    rt_parameter parameter = rt_module_find_parameter(t->module, whole);
    return rt_parameter_is(parameter) ? t->values[parameter.index] : NULL;
}

static void check_first_gradients(trajectory *t) {
    double of_tensor = tolerance_of(t, "step1_grads", "of_tensor_max");
    double of_global = tolerance_of(t, "step1_grads", "of_global_max"), global = 0, largest;
    for (size_t i = 0; i < t->gradients.count; ++i) {
        rt_array *want = golden_array(&t->gradients, t->gradients.tensors[i].name, &t->arena);
        golden_error(want, want, &largest);
        global = fmax(global, largest);
    }
    for (size_t i = 0; i < t->gradients.count; ++i) {
        const char *name = t->gradients.tensors[i].name;
        rt_array *want = golden_array(&t->gradients, name, &t->arena);
        rt_array *got = value_named(t, "gradient:", name, &t->arena);
        CU_ASSERT_PTR_NOT_NULL_FATAL(got);
        double error = golden_error(got, want, &largest);
        bool is_close = error >= 0 && error <= of_tensor * largest + of_global * global;
        if (!is_close) printf("  gradient of %s is off by %g of %g\n", name, error, largest);
        CU_ASSERT_TRUE(is_close);
    }
}

static double distance(const rt_array *a, const rt_array *b) {
    double sum = 0;
    for (int64_t i = 0; i < a->count; ++i)
        sum += (a->real[i] - b->real[i]) * (a->real[i] - b->real[i]);
    return sqrt(sum);
}

/* Trained parameters near the reference's; all others still as they were, bit for bit. */
static void check_final_parameters(trajectory *t) {
    const json_t *skipped = json_object_get(t->expected, "zero_gradient");
    double most = tolerance_of(t, NULL, "final_update_rel_l2");
    for (size_t i = 0; i < t->initial.count; ++i) {
        const char *name = t->initial.tensors[i].name;
        rt_array *start = golden_array(&t->initial, name, &t->arena);
        rt_array *want = golden_array(&t->final, name, &t->arena);
        rt_array *got = value_named(t, "", name, &t->arena);
        if (!got || is_listed(skipped, name)) continue;
        double off = distance(got, want ? want : start);
        bool is_close = off <= (want ? most * distance(want, start) : 0);
        if (!is_close) printf("  %s is off by %g\n", name, off);
        CU_ASSERT_TRUE(is_close);
    }
}

static void follow(const char *folder) {
    trajectory t;
    if (!open_trajectory(&t, folder)) return;
    t.b = rt_builder_begin(build_model(&t, folder, "config.json", "step", ""));
    rt_value logits = rt_graph_find_output(t.b.graph, "logits");
    rt_value loss = build_loss(&t, logits, folder);
    rt_graph_clear_outputs(t.b.graph);
    rt_graph_add_output(t.b.graph, "loss", loss);
    run_passes(&t, mark_parameters(&t));
    set_parameters(&t);
    size_t steps = (size_t)json_integer_value(json_object_get(t.recipe, "steps"));
    for (size_t step = 1; step <= steps; ++step) {
        double got = run_step(&t, step), want = expected_at(&t, "loss_float64", step);
        CU_ASSERT_TRUE(test_is_close(got, want, loss_tolerance, 0));
        if (!test_is_close(got, want, loss_tolerance, 0))
            printf("  %s: loss of step %zu is %.12g instead of %.12g\n", folder, step, got, want);
        if (step == 1) check_first_gradients(&t);
        double norm = run_update(&t, step);
        CU_ASSERT_TRUE(test_is_close(norm, expected_at(&t, "grad_norm_float64", step),
                                     loss_tolerance * 10, 0));
    }
    check_final_parameters(&t);
    close_trajectory(&t);
}

static void test_full_classifier(void) {
    follow("ft_cls");
}
static void test_full_regressor(void) {
    follow("ft_reg");
}
static void test_frozen_layers(void) {
    follow("freeze_k");
}
static void test_head_only(void) {
    follow("head_only");
}
static void test_accumulated_gradients(void) {
    follow("grad_accum_cls");
}
static void test_soft_targets(void) {
    follow("kd_soft_temp");
}
static void test_bilstm_from_logits(void) {
    follow("kd_bilstm");
}

static void test_adadelta(void) {
    follow("kd_bilstm_adadelta");
}

TEST_MAIN("golden", TEST(test_full_classifier), TEST(test_full_regressor), TEST(test_frozen_layers),
          TEST(test_head_only), TEST(test_accumulated_gradients), TEST(test_soft_targets),
          TEST(test_bilstm_from_logits), TEST(test_adadelta))
