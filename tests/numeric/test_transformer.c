// SPDX-License-Identifier: Apache-2.0
/* A model that exists as text alone (transformer.rtir) through the passes that train it: its
 * gradients against central differences, in double, through whole layers; what freezing leaves out;
 * and that the update brings the loss down. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "passes/differentiate.h"
#include "passes/pass_manager.h"
#include "tests/numeric/model.h"
#include "tests/support/test.h"

static const double step = 1e-4, tolerance = 5e-5, smallest = 1e-5;
enum { SAMPLES = 9 }; /* of a parameter's elements */

/* The pipeline of that name, or the passes named in a list that NULL ends. */
static bool run_passes(numeric_model *m, const char *pipeline, const char *const *passes) {
    rt_pass_manager *manager = rt_pass_manager_create(&m->diagnostics);
    rt_status status = pipeline ? rt_pass_manager_add_pipeline(manager, pipeline) : RT_OK;
    for (; status == RT_OK && passes && *passes; ++passes)
        status = rt_pass_manager_add(manager, *passes);
    if (status == RT_OK) status = rt_pass_manager_run(manager, m->module);
    rt_pass_manager_destroy(manager);
    if (status != RT_OK) printf("%s", rt_diagnostics_text(&m->diagnostics, &m->arena));
    return status == RT_OK;
}

static rt_array *parameter_named(numeric_model *m, const char *name) {
    rt_parameter parameter = rt_module_find_parameter(m->module, name);
    return rt_parameter_is(parameter) ? m->parameters[parameter.index] : NULL;
}

/* The weights of `from`, by name. */
static void copy_weights(numeric_model *to, numeric_model *from) {
    numeric_model_fill(from);
    numeric_model_fill(to);
    for (uint32_t p = 0; p < rt_module_parameter_count(from->module); ++p) {
        const char *name = rt_module_parameter(from->module, (rt_parameter){p})->name;
        rt_array *weight = parameter_named(to, name), *source = from->parameters[p];
        memcpy(weight->real, source->real, (size_t)source->count * sizeof *source->real);
    }
}

static double loss_of(numeric_model *m) {
    rt_arena arena = {0};
    rt_array *outputs[NUMERIC_MODEL_MAX];
    const rt_graph *graph = rt_module_find_graph(m->module, "step");
    double loss = numeric_model_run(m, graph, &arena, outputs) ? outputs[0]->real[0] : NAN;
    rt_arena_deinit(&arena);
    return loss;
}

static double difference(numeric_model *m, double *x) {
    static const double offsets[] = {-2, -1, 1, 2}, weights[] = {1, -8, 8, -1};
    double value = *x, sum = 0;
    for (int k = 0; k < 4; ++k) {
        *x = value + offsets[k] * step;
        sum += weights[k] * loss_of(m);
    }
    *x = value;
    return sum / (12 * step);
}

static bool check_gradient(numeric_model *forward, const char *name, const rt_array *gradient) {
    rt_array *weight = parameter_named(forward, name);
    int64_t stride = weight->count / SAMPLES + 1;
    for (int64_t i = 0; i < weight->count; i += stride) {
        double got = gradient->real[i], want = difference(forward, &weight->real[i]);
        double scale = fmax(fmax(fabs(got), fabs(want)), smallest);
        if (fabs(got - want) <= tolerance * scale) continue;
        printf("  gradient by element %lld of %s is %.12g instead of %.12g\n", (long long)i, name,
               got, want);
        return false;
    }
    return true;
}

/* Forward as it was read; gradients after the whole pipeline, lowered as for compiling. */
static void test_gradients_by_differences(void) {
    numeric_model forward, trained;
    CU_ASSERT_TRUE_FATAL(numeric_model_begin(&forward, "transformer.rtir"));
    CU_ASSERT_TRUE_FATAL(numeric_model_begin(&trained, "transformer.rtir"));
    CU_ASSERT_TRUE_FATAL(run_passes(&trained, "training", NULL));
    copy_weights(&trained, &forward);
    const rt_graph *graph = rt_module_find_graph(trained.module, "step");
    rt_array *outputs[NUMERIC_MODEL_MAX];
    CU_ASSERT_TRUE_FATAL(numeric_model_run(&trained, graph, &trained.arena, outputs));
    CU_ASSERT_DOUBLE_EQUAL(outputs[0]->real[0], loss_of(&forward), 1e-7);
    size_t checked = 0;
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        rt_parameter parameter = rt_graph_output(graph, i)->parameter;
        if (!rt_parameter_is(parameter)) continue;
        rt_parameter of = rt_module_parameter(trained.module, parameter)->of;
        const char *name = rt_module_parameter(trained.module, of)->name;
        CU_ASSERT_TRUE(check_gradient(&forward, name, outputs[i]));
        ++checked;
    }
    CU_ASSERT_EQUAL(checked, rt_module_parameter_count(forward.module));
    numeric_model_end(&forward);
    numeric_model_end(&trained);
}

/* ---- freezing */

static size_t count_operators(const rt_graph *graph, rt_op op, rt_arena *arena) {
    rt_node *nodes;
    size_t count, found = 0;
    if (!rt_graph_order(graph, arena, &nodes, &count)) return 0;
    for (size_t i = 0; i < count; ++i) found += rt_graph_node(graph, nodes[i])->op == op;
    return found;
}

static bool is_attention_weight(const char *name) {
    static const char *const starts[] = {"embedding", "position", "start.", "query",
                                         "key",       "value",    "mix",    "middle."};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; ++i)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0) return true;
    return false;
}

static rt_array *gradient_of(numeric_model *m, const char *weight, rt_array **outputs) {
    const rt_graph *graph = rt_module_find_graph(m->module, "step");
    rt_parameter gradient =
        rt_find_gradient(m->module, rt_module_find_parameter(m->module, weight));
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i)
        if (rt_graph_output(graph, i)->parameter.index == gradient.index) return outputs[i];
    return NULL;
}

static double largest_difference(const rt_array *a, const rt_array *b) {
    double largest = a->count == b->count ? 0 : INFINITY;
    for (int64_t i = 0; i < a->count; ++i) largest = fmax(largest, fabs(a->real[i] - b->real[i]));
    return largest;
}

static void test_freezing_the_lower_half(void) {
    numeric_model full, part;
    CU_ASSERT_TRUE_FATAL(numeric_model_begin(&full, "transformer.rtir"));
    CU_ASSERT_TRUE_FATAL(numeric_model_begin(&part, "transformer.rtir"));
    size_t weights = rt_module_parameter_count(part.module), frozen = 0;
    for (uint32_t p = 0; p < weights; ++p) {
        rt_parameter_info *info = rt_module_edit_parameter(part.module, (rt_parameter){p});
        if (!is_attention_weight(info->name)) continue;
        info->is_trainable = false;
        ++frozen;
    }
    /* Without `adapt`, which drops dropout from what is frozen and so changes the function. */
    static const char *const passes[] = {"simplify", "differentiate", "update",
                                         "prune",    "expand",        NULL};
    CU_ASSERT_TRUE_FATAL(run_passes(&full, NULL, passes) && run_passes(&part, NULL, passes));
    numeric_model_fill(&full);
    numeric_model_fill(&part);
    const rt_graph *of_full = rt_module_find_graph(full.module, "step");
    const rt_graph *of_part = rt_module_find_graph(part.module, "step");
    CU_ASSERT_EQUAL(count_operators(of_full, RT_OP_attention_gradient, &full.arena), 1);
    CU_ASSERT_EQUAL(count_operators(of_part, RT_OP_attention_gradient, &part.arena), 0);
    CU_ASSERT_EQUAL(count_operators(of_part, RT_OP_scatter_add, &part.arena), 2);
    CU_ASSERT_EQUAL(rt_graph_output_count(of_part), 4 + weights - frozen);
    CU_ASSERT_EQUAL(rt_module_parameter_count(part.module), weights + 3 * (weights - frozen));
    rt_array *full_outputs[NUMERIC_MODEL_MAX], *part_outputs[NUMERIC_MODEL_MAX];
    CU_ASSERT_TRUE_FATAL(numeric_model_run(&full, of_full, &full.arena, full_outputs));
    CU_ASSERT_TRUE_FATAL(numeric_model_run(&part, of_part, &part.arena, part_outputs));
    for (uint32_t p = 0; p < weights; ++p) {
        const rt_parameter_info *info = rt_module_parameter(part.module, (rt_parameter){p});
        if (!info->is_trainable) continue;
        rt_array *a = gradient_of(&full, info->name, full_outputs);
        rt_array *b = gradient_of(&part, info->name, part_outputs);
        CU_ASSERT_TRUE(a && b && largest_difference(a, b) <= 1e-12);
    }
    numeric_model_end(&full);
    numeric_model_end(&part);
}

/* ---- training */

static void test_updates_bring_the_loss_down(void) {
    numeric_model m;
    CU_ASSERT_TRUE_FATAL(numeric_model_begin(&m, "transformer.rtir"));
    CU_ASSERT_TRUE_FATAL(run_passes(&m, "training", NULL));
    numeric_model_fill(&m);
    double first = 0, last = 0, norm = 0;
    m.learning_rate = 0.02;
    for (m.update_count = 1; m.update_count <= 40; ++m.update_count) {
        CU_ASSERT_TRUE_FATAL(numeric_model_apply(&m, "step", "loss", &last));
        CU_ASSERT_TRUE_FATAL(numeric_model_apply(&m, "update", "gradient_norm", &norm));
        CU_ASSERT_TRUE(norm > 0);
        if (m.update_count == 1) first = last;
    }
    CU_ASSERT_TRUE(first > 2 && last < 0.1 * first);
    numeric_model_end(&m);
}

TEST_MAIN("transformer", TEST(test_gradients_by_differences), TEST(test_freezing_the_lower_half),
          TEST(test_updates_bring_the_loss_down))
