// SPDX-License-Identifier: Apache-2.0
/* Updates against the formulas written out in double, element by element. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/eval.h"
#include "ir/parse.h"
#include "ir/verify.h"
#include "passes/training/optimizer.h"
#include "runtime/base/check.h"
#include "tests/support/test.h"

static const char model[] = "parameter @w: f32[3,5] {trainable, decayed}\n"
                            "parameter @b: f32[5] {trainable}\n"
                            "parameter @frozen: f32[7]\n"
                            "parameter @\"gradient:w\": f32[3,5] {gradient of @w}\n"
                            "parameter @\"gradient:b\": f32[5] {gradient of @b}\n";

enum { MAX_PARAMETERS = 12, ELEMENTS = 20 };

/* A module with an update, and its parameters' values by index. */
typedef struct trial {
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_arena arena;
    rt_array *values[MAX_PARAMETERS];
    double norm; /* of the last step */
} trial;

static void end_trial(trial *t) {
    rt_module_destroy(t->module);
    rt_arena_deinit(&t->arena);
    rt_diagnostics_deinit(&t->diagnostics);
}

static bool begin_trial(trial *t, const rt_update_options *options) {
    memset(t, 0, sizeof *t);
    t->module = rt_parse_module(model, sizeof model - 1, "model", &t->diagnostics);
    if (!t->module || rt_build_update(t->module, options) != RT_OK) return false;
    for (uint32_t p = 0; p < rt_module_parameter_count(t->module); ++p) {
        rt_type type = rt_module_parameter(t->module, (rt_parameter){p})->type;
        int64_t sizes[RT_MAX_RANK];
        rt_type_is_static(rt_module_dims(t->module), type, sizes, NULL);
        t->values[p] = rt_array_create(type.dtype, type.rank, sizes, &t->arena);
    }
    return rt_verify_module(t->module, RT_FORM_TYPED, &t->diagnostics) == RT_OK;
}

static rt_array *value_of(trial *t, const char *name) {
    rt_parameter parameter = rt_module_find_parameter(t->module, name);
    return rt_parameter_is(parameter) ? t->values[parameter.index] : NULL;
}

/* Runs the update once, with step counted from 1. */
static bool run_update(trial *t, const rt_update_options *options, double rate, int step) {
    rt_graph *graph = rt_module_find_graph(t->module, "update");
    const struct {
        const char *name;
        double value;
    } scalars[] = {{"learning_rate", rate},
                   {"bias_correction1", 1 - pow(options->betas[0], step)},
                   {"bias_correction2", 1 - pow(options->betas[1], step)}};
    const rt_array *inputs[3];
    for (size_t i = 0; i < rt_graph_input_count(graph); ++i) {
        rt_array *scalar = rt_array_create(RT_F32, 0, NULL, &t->arena);
        rt_node node = rt_graph_definition(graph, rt_graph_input(graph, i));
        const char *name = rt_graph_attr(graph, node, RT_ATTR_input_name).text;
        for (size_t s = 0; s < RT_COUNT_OF(scalars); ++s)
            if (strcmp(scalars[s].name, name) == 0) scalar->real[0] = scalars[s].value;
        inputs[i] = scalar;
    }
    const rt_eval_options how = {0};
    rt_array *outputs[MAX_PARAMETERS];
    rt_error error;
    if (rt_eval_graph(graph, inputs, (const rt_array *const *)t->values, &how, &t->arena, outputs,
                      &error) != RT_OK) {
        printf("  %s\n", error.text);
        return false;
    }
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        if (rt_parameter_is(output->parameter))
            t->values[output->parameter.index] = outputs[i];
        else
            t->norm = outputs[i]->real[0];
    }
    return true;
}

static double gradient_at(int step, int i) {
    return sin(step * 3.7 + i * 1.3);
}

/* The weights as one vector: w, then b. */
static double *element(trial *t, const char *prefix, int i) {
    char name[32];
    snprintf(name, sizeof name, "%s%s", prefix, i < 15 ? "w" : "b");
    return &value_of(t, name)->real[i < 15 ? i : i - 15];
}

typedef struct plain_state {
    double w[ELEMENTS], m[ELEMENTS], v[ELEMENTS];
} plain_state;

/* The formulas of one step, of all elements. */
typedef void plain_rule(plain_state *s, const rt_update_options *o, double rate, int step);

static double plain_gradient(const rt_update_options *o, int step, int i, double *norm) {
    double sum = 0;
    for (int k = 0; k < ELEMENTS; ++k) sum += gradient_at(step, k) * gradient_at(step, k);
    *norm = sqrt(sum);
    double factor = o->clip_norm > 0 ? fmin(1, o->clip_norm / (*norm + 1e-6)) : 1;
    return gradient_at(step, i) * factor;
}

static double adam_direction(plain_state *s, const rt_update_options *o, int step, int i) {
    double norm, g = plain_gradient(o, step, i, &norm);
    s->m[i] = o->betas[0] * s->m[i] + (1 - o->betas[0]) * g;
    s->v[i] = o->betas[1] * s->v[i] + (1 - o->betas[1]) * g * g;
    double m = s->m[i] / (1 - pow(o->betas[0], step)), v = s->v[i] / (1 - pow(o->betas[1], step));
    return m / (sqrt(v) + o->epsilon);
}

static void plain_adamw(plain_state *s, const rt_update_options *o, double rate, int step) {
    for (int i = 0; i < ELEMENTS; ++i) {
        if (i < 15) s->w[i] -= rate * o->weight_decay * s->w[i];
        s->w[i] -= rate * adam_direction(s, o, step, i);
    }
}

static void plain_lamb(plain_state *s, const rt_update_options *o, double rate, int step) {
    double u[ELEMENTS], ours = 0, theirs = 0;
    for (int i = 0; i < ELEMENTS; ++i) {
        u[i] = adam_direction(s, o, step, i) + (i < 15 ? o->weight_decay * s->w[i] : 0);
        ours += i < 15 ? s->w[i] * s->w[i] : 0;
        theirs += i < 15 ? u[i] * u[i] : 0;
    }
    double ratio = ours > 0 && theirs > 0 ? sqrt(ours / theirs) : 1;
    ratio = fmin(fmax(ratio, o->trust_ratio[0]), o->trust_ratio[1]);
    for (int i = 0; i < ELEMENTS; ++i) s->w[i] -= rate * (i < 15 ? ratio : 1) * u[i];
}

static void plain_adadelta(plain_state *s, const rt_update_options *o, double rate, int step) {
    double norm, rho = o->rho, e = o->epsilon;
    for (int i = 0; i < ELEMENTS; ++i) {
        double g = plain_gradient(o, step, i, &norm);
        if (i < 15) s->w[i] -= rate * o->weight_decay * s->w[i];
        s->m[i] = rho * s->m[i] + (1 - rho) * g * g;
        double d = sqrt(s->v[i] + e) / sqrt(s->m[i] + e) * g;
        s->v[i] = rho * s->v[i] + (1 - rho) * d * d;
        s->w[i] -= rate * d;
    }
}

static void plain_sgd(plain_state *s, const rt_update_options *o, double rate, int step) {
    for (int i = 0; i < ELEMENTS; ++i) {
        double norm, g = plain_gradient(o, step, i, &norm);
        if (i < 15) s->w[i] -= rate * o->weight_decay * s->w[i];
        s->m[i] = o->momentum * s->m[i] + g;
        s->w[i] -= rate * s->m[i];
    }
}

/* Six steps of both; the constants are f32 in the graph, which is what the tolerance is for. */
static void compare(const rt_update_options *options, plain_rule *plain) {
    trial t;
    plain_state s = {0};
    CU_ASSERT_TRUE_FATAL(begin_trial(&t, options));
    for (int i = 0; i < ELEMENTS; ++i) s.w[i] = *element(&t, "", i) = cos(i * 0.9);
    for (int step = 1; step <= 6; ++step) {
        double rate = 0.01 * step, norm = 0;
        for (int i = 0; i < ELEMENTS; ++i) *element(&t, "gradient:", i) = gradient_at(step, i);
        CU_ASSERT_TRUE_FATAL(run_update(&t, options, rate, step));
        plain(&s, options, rate, step);
        plain_gradient(options, step, 0, &norm);
        CU_ASSERT_DOUBLE_EQUAL(t.norm, norm, 1e-12);
    }
    for (int i = 0; i < ELEMENTS; ++i) CU_ASSERT_DOUBLE_EQUAL(*element(&t, "", i), s.w[i], 1e-7);
    end_trial(&t);
}

static void test_adamw(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_adamw);
    compare(&options, plain_adamw);
    options.clip_norm = 1;
    options.weight_decay = 0.3;
    compare(&options, plain_adamw);
    options.clip_norm = 1000;
    options.epsilon = 0.1;
    compare(&options, plain_adamw);
}

static void test_lamb(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_lamb);
    CU_ASSERT_EQUAL(options.epsilon, 1e-6);
    compare(&options, plain_lamb);
    options.weight_decay = 0.3;
    options.clip_norm = 1;
    compare(&options, plain_lamb);
    options.trust_ratio[0] = 0.01;
    options.trust_ratio[1] = 0.3;
    compare(&options, plain_lamb);
    options.weight_decay = 0;
    options.trust_ratio[0] = 2;
    options.trust_ratio[1] = 10;
    compare(&options, plain_lamb);
}

/* With a ratio held at 1 LAMB is AdamW. */
static void test_lamb_without_trust(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_lamb);
    options.weight_decay = 0.2;
    options.trust_ratio[0] = options.trust_ratio[1] = 1;
    compare(&options, plain_adamw);
}

/* A weight of zeros has no norm to compare with: it moves as Adam's does. */
static void test_lamb_from_zero(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_lamb);
    trial t;
    CU_ASSERT_TRUE_FATAL(begin_trial(&t, &options));
    for (int i = 0; i < ELEMENTS; ++i) *element(&t, "gradient:", i) = gradient_at(1, i);
    CU_ASSERT_TRUE_FATAL(run_update(&t, &options, 0.125, 1));
    for (int i = 0; i < ELEMENTS; ++i) {
        double g = fabs(gradient_at(1, i)), want = 0.125 * g / (g + 1e-6);
        CU_ASSERT_DOUBLE_EQUAL(fabs(*element(&t, "", i)), want, 1e-7);
    }
    end_trial(&t);
}

static void test_adadelta(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_adadelta);
    CU_ASSERT(options.rho == 0.95 && options.epsilon == 1e-6 && options.weight_decay == 0);
    compare(&options, plain_adadelta);
    options.rho = 0.5;
    options.weight_decay = 0.1;
    options.clip_norm = 1;
    compare(&options, plain_adadelta);
}

static void test_sgd(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_sgd);
    compare(&options, plain_sgd);
    options.momentum = 0.9;
    options.weight_decay = 0.1;
    options.clip_norm = 0.5;
    compare(&options, plain_sgd);
}

/* Without decay the first step of Adam moves every entry by rate |g| / (|g| + epsilon). */
static void test_first_step_of_adam(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_adamw);
    options.weight_decay = 0;
    trial t;
    CU_ASSERT_TRUE_FATAL(begin_trial(&t, &options));
    for (int i = 0; i < ELEMENTS; ++i) *element(&t, "gradient:", i) = gradient_at(1, i);
    CU_ASSERT_TRUE_FATAL(run_update(&t, &options, 0.125, 1));
    for (int i = 0; i < ELEMENTS; ++i) {
        double g = fabs(gradient_at(1, i)), want = 0.125 * g / (g + 1e-8);
        CU_ASSERT_DOUBLE_EQUAL(fabs(*element(&t, "", i)), want, 1e-7);
    }
    end_trial(&t);
}

/* A zero gradient leaves the decay alone: w (1 - rate decay), and only where the weight decays. */
static void test_decay_alone(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_adamw);
    options.weight_decay = 0.5;
    trial t;
    CU_ASSERT_TRUE_FATAL(begin_trial(&t, &options));
    for (int i = 0; i < ELEMENTS; ++i) *element(&t, "", i) = i - 7;
    CU_ASSERT_TRUE_FATAL(run_update(&t, &options, 0.25, 1));
    for (int i = 0; i < ELEMENTS; ++i)
        CU_ASSERT_EQUAL(*element(&t, "", i), (i - 7) * (i < 15 ? 0.875 : 1));
    end_trial(&t);
}

static void test_clipping(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_sgd);
    options.clip_norm = 0.1;
    trial t;
    CU_ASSERT_TRUE_FATAL(begin_trial(&t, &options));
    for (int i = 0; i < ELEMENTS; ++i) *element(&t, "gradient:", i) = gradient_at(1, i);
    CU_ASSERT_TRUE_FATAL(run_update(&t, &options, 1, 1));
    double squares = 0;
    for (int i = 0; i < ELEMENTS; ++i) squares += *element(&t, "", i) * *element(&t, "", i);
    CU_ASSERT_TRUE(sqrt(squares) <= 0.1 * (1 + 1e-6) && sqrt(squares) > 0.0999);
    for (int i = 0; i < ELEMENTS; ++i) *element(&t, "gradient:", i) = 1e-3;
    for (int i = 0; i < ELEMENTS; ++i) *element(&t, "", i) = 0;
    CU_ASSERT_TRUE_FATAL(run_update(&t, &options, 1, 1));
    for (int i = 0; i < ELEMENTS; ++i) CU_ASSERT_EQUAL(*element(&t, "", i), -1e-3);
    end_trial(&t);
}

/* What is frozen has no state and is not assigned; building again replaces the graph alone. */
static void test_frozen_weights_have_no_state(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_adamw);
    trial t;
    CU_ASSERT_TRUE_FATAL(begin_trial(&t, &options));
    CU_ASSERT_PTR_NULL(value_of(&t, "adam_m:frozen"));
    size_t count = rt_module_parameter_count(t.module);
    CU_ASSERT_EQUAL(count, 9);
    rt_parameter m = rt_module_find_parameter(t.module, "adam_m:w");
    const rt_parameter_info *info = rt_module_parameter(t.module, m);
    CU_ASSERT_EQUAL(info->kind, RT_PARAMETER_STATE);
    CU_ASSERT_EQUAL(info->of.index, rt_module_find_parameter(t.module, "w").index);
    rt_graph *graph = rt_module_find_graph(t.module, "update");
    CU_ASSERT_EQUAL(rt_graph_output_count(graph), 7);
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i)
        CU_ASSERT_STRING_NOT_EQUAL(rt_graph_output(graph, i)->name, "frozen");
    CU_ASSERT_EQUAL(rt_build_update(t.module, &options), RT_OK);
    CU_ASSERT_EQUAL(rt_module_parameter_count(t.module), count);
    CU_ASSERT_EQUAL(rt_module_graph_count(t.module), 1);
    end_trial(&t);
}

static void test_options_are_checked(void) {
    rt_update_options options = rt_update_options_default(RT_OPTIMIZER_adamw);
    options.betas[1] = 1;
    options.clip_norm = -1;
    trial t;
    CU_ASSERT_FALSE(begin_trial(&t, &options));
    CU_ASSERT_STRING_EQUAL(rt_diagnostics_text(&t.diagnostics, &t.arena),
                           "error: 'optimizer': clip_norm is -1 but must be at least 0\n"
                           "error: 'optimizer': betas is 1 but must be at least 0 and below 1\n");
    end_trial(&t);
}

static void test_names(void) {
    rt_optimizer optimizer;
    CU_ASSERT_TRUE(rt_optimizer_from_text("sgd", &optimizer));
    CU_ASSERT_EQUAL(optimizer, RT_OPTIMIZER_sgd);
    CU_ASSERT_FALSE(rt_optimizer_from_text("adam", &optimizer));
    CU_ASSERT_STRING_EQUAL(rt_optimizer_text(RT_OPTIMIZER_adamw), "adamw");
}

TEST_MAIN("optimizer", TEST(test_adamw), TEST(test_lamb), TEST(test_lamb_without_trust),
          TEST(test_lamb_from_zero), TEST(test_adadelta), TEST(test_sgd),
          TEST(test_first_step_of_adam), TEST(test_decay_alone), TEST(test_clipping),
          TEST(test_frozen_weights_have_no_state), TEST(test_options_are_checked), TEST(test_names))
