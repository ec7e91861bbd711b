// SPDX-License-Identifier: Apache-2.0
/* What all optimisers share: the norm of the gradients, clipping, decay, and the assignments. */
#include "passes/training/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/name_pattern.h"
#include "passes/pass.h"
#include "passes/training/option_words.h"
#include "passes/training/phases.h"
#include "passes/training/update.h"
#include "runtime/base/check.h"

typedef struct optimizer_row {
    const char *text;
    double decay, epsilon;
    const char *keys;
    rt_update_rule rule;
} optimizer_row;

static const optimizer_row optimizers[RT_OPTIMIZER_COUNT] = {
#define OPTIMIZER(id, text, decay, epsilon, keys) {text, decay, epsilon, keys, update_##id},
#include "passes/training/optimizers.def"
};

rt_update_options rt_update_options_default(rt_optimizer optimizer) {
    return (rt_update_options){.optimizer = optimizer,
                               .weight_decay = optimizers[optimizer].decay,
                               .betas = {0.9, 0.999},
                               .rho = 0.95,
                               .epsilon = optimizers[optimizer].epsilon,
                               .trust_ratio = {0, HUGE_VAL}};
}

const char *rt_optimizer_text(rt_optimizer optimizer) {
    return optimizers[optimizer].text;
}

bool rt_optimizer_from_text(const char *text, rt_optimizer *optimizer) {
    for (int i = 0; i < RT_OPTIMIZER_COUNT; ++i) {
        if (strcmp(text, optimizers[i].text) != 0) continue;
        *optimizer = (rt_optimizer)i;
        return true;
    }
    return false;
}

/* ---- for the rules */

rt_value rt_update_input(rt_update *update, const char *name) {
    char text[64];
    if (update->phase == 1) return rt_build_input(update->b, name, rt_type_scalar(RT_F32));
    snprintf(text, sizeof text, "%s.%zu", name, update->phase);
    return rt_build_input(update->b, text, rt_type_scalar(RT_F32));
}

rt_parameter rt_update_state(rt_update *update, const char *kind) {
    rt_module *module = update->b->module;
    const rt_parameter_info *weight = rt_module_parameter(module, update->weight);
    rt_arena scratch = {0};
    rt_parameter_info info = {.name = rt_arena_format(&scratch, "%s:%s", kind, weight->name),
                              .type = weight->type,
                              .kind = RT_PARAMETER_STATE,
                              .of = update->weight,
                              .initial = RT_INITIAL_ZEROS,
                              .location = weight->location};
    rt_parameter state = RT_NO_PARAMETER;
    if (info.name) {
        state = rt_module_find_parameter(module, info.name);
        if (!rt_parameter_is(state)) state = rt_module_add_parameter(module, &info);
    }
    rt_arena_deinit(&scratch);
    return state;
}

void rt_update_assign(rt_update *update, rt_parameter state, rt_value value) {
    if (rt_parameter_is(state)) rt_graph_add_assign(update->b->graph, state, value);
}

rt_value rt_update_average(rt_update *u, const char *kind, double decay, rt_value y) {
    rt_parameter state = rt_update_state(u, kind);
    if (!rt_parameter_is(state)) return RT_NO_VALUE;
    rt_value kept = rt_build_scale(u->b, rt_build_parameter(u->b, state), decay);
    rt_value average = rt_build_add(u->b, kept, rt_build_scale(u->b, y, 1 - decay));
    rt_update_assign(u, state, average);
    return average;
}

/* ---- the graph */

/* Every number among the options: its key, how many stand there, and their range [0, most]. */
typedef struct option_row {
    const char *key;
    size_t offset, count;
    double most;
} option_row;

static const double below_one = 0x1.fffffffffffffp-1;
static const option_row option_rows[] = {
    {"weight_decay", offsetof(rt_update_options, weight_decay), 1, 1e30},
    {"clip_norm", offsetof(rt_update_options, clip_norm), 1, 1e30},
    {"betas", offsetof(rt_update_options, betas), 2, below_one},
    {"rho", offsetof(rt_update_options, rho), 1, below_one},
    {"epsilon", offsetof(rt_update_options, epsilon), 1, 1e30},
    {"momentum", offsetof(rt_update_options, momentum), 1, below_one},
    {"trust_ratio", offsetof(rt_update_options, trust_ratio), 2, HUGE_VAL},
};

static double *numbers_of(rt_update_options *options, const option_row *row) {
    return (double *)((char *)options + row->offset);
}

static bool check_options(rt_module *module, rt_update_options options) {
    bool is_sound = true;
    for (size_t i = 0; i < RT_COUNT_OF(option_rows); ++i)
        for (size_t k = 0; k < option_rows[i].count; ++k) {
            double value = numbers_of(&options, &option_rows[i])[k];
            if (value >= 0 && value <= option_rows[i].most) continue;
            rt_diagnose(rt_module_diagnostics(module), RT_ERROR, (rt_location){.name = "optimizer"},
                        "%s is %g but must be at least 0%s", option_rows[i].key, value,
                        option_rows[i].most < 1 ? " and below 1" : "");
            is_sound = false;
        }
    return is_sound;
}

typedef struct trained_weight {
    rt_parameter weight, gradient;
    size_t phase; /* in which it begins to train (phases.h) */
    double rate;  /* share of the learning rate */
} trained_weight;

/* What all updates of a module are built from. */
typedef struct updating {
    rt_module *module;
    const rt_update_options *options;
    rt_arena *scratch;
    trained_weight *weights; /* in the order of the gradients */
    size_t count, phases;
} updating;

/* The first step that assigns the gradient. */
static size_t first_phase(const updating *u, rt_parameter gradient) {
    for (size_t phase = 1; phase < u->phases; ++phase) {
        const char *name = rt_phase_graph_name("step", phase, u->phases, u->scratch);
        const rt_graph *step = name ? rt_module_find_graph(u->module, name) : NULL;
        for (size_t i = 0; step && i < rt_graph_output_count(step); ++i)
            if (rt_graph_output(step, i)->parameter.index == gradient.index) return phase;
    }
    return u->phases;
}

/* "0.5 encoder.layer.0.* 0.25 embeddings.*": the first pattern that the name matches. */
static double rate_of(const updating *u, const char *name) {
    const char *at = u->options->rates ? u->options->rates : "", *word;
    size_t length;
    while (rt_next_word(&at, &word, &length)) {
        double rate = strtod(word, NULL);
        if (!rt_next_word(&at, &word, &length)) break;
        const char *pattern = rt_arena_copy_text(u->scratch, word, length);
        if (pattern && rt_name_pattern_matches(pattern, name)) return rate;
    }
    return 1;
}

/* Every weight that has a gradient; RT_INVALID_DATA after a diagnostic. */
static rt_status collect_weights(updating *u) {
    size_t parameters = rt_module_parameter_count(u->module);
    u->weights = RT_NEW_ARRAY(u->scratch, trained_weight, parameters + 1);
    if (!u->weights) return RT_OUT_OF_MEMORY;
    rt_status status = RT_OK;
    for (uint32_t p = 0; p < parameters; ++p) {
        const rt_parameter_info *info = rt_module_parameter(u->module, (rt_parameter){p});
        if (info->kind != RT_PARAMETER_GRADIENT) continue;
        if (info->type.dtype != RT_F32)
            status = rt_diagnose_error(rt_module_diagnostics(u->module), RT_INVALID_DATA,
                                       info->location, "'%s' is %s; only f32 weights are trained",
                                       info->name, rt_dtype_text(info->type.dtype));
        u->weights[u->count++] =
            (trained_weight){.weight = info->of,
                             .gradient = {p},
                             .phase = first_phase(u, (rt_parameter){p}),
                             .rate = rate_of(u, rt_module_parameter(u->module, info->of)->name)};
    }
    return status;
}

/* sqrt(sum of squares), weight by weight in order. */
static rt_value gradient_norm(rt_builder *b, const updating *u, size_t phase) {
    rt_value sum = rt_build_scalar(b, RT_F32, 0);
    for (size_t i = 0; i < u->count; ++i) {
        if (u->weights[i].phase > phase) continue;
        rt_value gradient = rt_build_parameter(b, u->weights[i].gradient);
        rt_value square = rt_build_mul(b, gradient, gradient);
        sum = rt_build_add(b, sum, rt_build_sum_all(b, square));
    }
    return rt_build_sqrt(b, sum);
}

/* min(1, clip_norm / (norm + 1e-6)) */
static rt_value clip_factor(rt_builder *b, rt_value norm, double clip_norm) {
    rt_value room = rt_build_add(b, norm, rt_build_scalar(b, RT_F32, 1e-6));
    rt_value factor = rt_build_div(b, rt_build_scalar(b, RT_F32, clip_norm), room);
    return rt_build_minimum(b, factor, rt_build_scalar(b, RT_F32, 1));
}

static rt_update begin_weight(rt_builder *b, const updating *u, const trained_weight *weight,
                              rt_value rate, rt_value factor) {
    const rt_parameter_info *info = rt_module_parameter(u->module, weight->weight);
    b->location.name = info->name;
    rt_update update = {.b = b,
                        .options = u->options,
                        .weight = weight->weight,
                        .phase = weight->phase,
                        .learning_rate = rate,
                        .value = rt_build_parameter(b, weight->weight),
                        .weight_decay = info->is_decayed ? u->options->weight_decay : 0,
                        .gradient = rt_build_parameter(b, weight->gradient)};
    if (weight->rate != 1) update.learning_rate = rt_build_scale(b, rate, weight->rate);
    update.decayed = update.value;
    if (rt_value_is(factor)) update.gradient = rt_build_mul(b, update.gradient, factor);
    if (update.weight_decay > 0) {
        rt_value share = rt_build_scale(b, update.learning_rate, update.weight_decay);
        update.decayed = rt_build_sub(b, update.value, rt_build_mul(b, update.value, share));
    }
    return update;
}

static rt_status build_update(updating *u, size_t phase) {
    const char *name = rt_phase_graph_name("update", phase, u->phases, u->scratch);
    rt_graph *graph = name ? rt_graph_create(u->module, name) : NULL;
    if (!graph) return RT_OUT_OF_MEMORY;
    rt_builder b = rt_builder_begin(graph);
    rt_value rate = rt_build_input(&b, "learning_rate", rt_type_scalar(RT_F32));
    for (size_t i = 0; i < u->count; ++i) {
        if (u->weights[i].phase > phase) continue;
        (void)rt_build_parameter(&b, u->weights[i].weight);
        (void)rt_build_parameter(&b, u->weights[i].gradient);
    }
    rt_value norm = gradient_norm(&b, u, phase), factor = RT_NO_VALUE;
    rt_graph_add_output(graph, "gradient_norm", norm);
    if (u->options->clip_norm > 0) factor = clip_factor(&b, norm, u->options->clip_norm);
    for (size_t i = 0; i < u->count; ++i) {
        const trained_weight *weight = &u->weights[i];
        if (weight->phase > phase) continue;
        rt_update update = begin_weight(&b, u, weight, rate, factor);
        rt_graph_add_assign(graph, weight->weight, optimizers[u->options->optimizer].rule(&update));
    }
    RT_TRY(rt_module_status(u->module));
    rt_module_put_graph(u->module, graph);
    return RT_OK;
}

static rt_status build_updates(updating *u) {
    RT_TRY(collect_weights(u));
    for (size_t phase = 1; phase <= u->phases; ++phase) RT_TRY(build_update(u, phase));
    return RT_OK;
}

rt_status rt_build_update(rt_module *module, const rt_update_options *options) {
    if (!check_options(module, *options)) return RT_INVALID_DATA;
    rt_arena scratch = {0};
    updating u = {.module = module,
                  .options = options,
                  .scratch = &scratch,
                  .phases = rt_phase_count(module)};
    rt_status status = build_updates(&u);
    rt_arena_deinit(&scratch);
    return status;
}

/* ---- the pass */

static rt_status find_optimizer(rt_pass_context *context, rt_optimizer *optimizer) {
    const char *name = rt_pass_option_text(context, "optimizer", "adamw"), *names = "";
    if (rt_optimizer_from_text(name, optimizer)) return RT_OK;
    for (size_t i = 0; i < RT_OPTIMIZER_COUNT && names; ++i)
        names =
            rt_arena_format(context->scratch, "%s%s%s", names, i ? ", " : "", optimizers[i].text);
    return rt_pass_fail_option(context, "optimizer", RT_INVALID_ARGUMENT,
                               "there is no optimizer '%s'; there are: %s", name,
                               names ? names : "");
}

/* A key that only other optimisers have. */
static rt_status check_keys(rt_pass_context *context, const optimizer_row *row) {
    rt_status status = RT_OK;
    for (size_t i = 0; i < context->option_count; ++i) {
        const char *key = context->options[i].key;
        bool is_known = false;
        for (size_t j = 0; j < RT_OPTIMIZER_COUNT; ++j)
            is_known = is_known || rt_has_word(optimizers[j].keys, key);
        if (!is_known || rt_has_word(row->keys, key)) continue;
        status =
            rt_pass_fail_option(context, key, RT_INVALID_ARGUMENT,
                                "'%s' says nothing of the optimizer %s, which has the keys: %s",
                                key, row->text, row->keys);
    }
    return status;
}

/* "0.9 0.999" */
static rt_status read_numbers(rt_pass_context *context, const option_row *row, double *numbers) {
    const char *text = rt_pass_option_text(context, row->key, NULL);
    if (!text) return RT_OK;
    for (size_t i = 0; i < row->count; ++i) {
        char *end;
        numbers[i] = strtod(text, &end);
        bool is_number = end != text && numbers[i] >= 0 && numbers[i] <= row->most;
        if (!is_number || (*end && *end != ' ')) break;
        text = end + strspn(end, " ");
        if (i + 1 == row->count && !*text) return RT_OK;
    }
    return rt_pass_fail_option(
        context, row->key, RT_INVALID_ARGUMENT, "'%s' must be %s of at least 0%s, not '%s'",
        row->key, row->count == 1 ? "a number" : "two numbers", row->most < 1 ? " and below 1" : "",
        rt_pass_option_text(context, row->key, ""));
}

/* Options: optimizer (adamw), each number of rt_update_options by its name, and rates. */
rt_status rt_pass_update(rt_pass_context *context, rt_module *module) {
    rt_optimizer optimizer;
    RT_TRY(find_optimizer(context, &optimizer));
    RT_TRY(check_keys(context, &optimizers[optimizer]));
    rt_update_options options = rt_update_options_default(optimizer);
    for (size_t i = 0; i < RT_COUNT_OF(option_rows); ++i)
        RT_TRY(read_numbers(context, &option_rows[i], numbers_of(&options, &option_rows[i])));
    options.rates = rt_pass_option_text(context, "rates", NULL);
    if (options.trust_ratio[0] > options.trust_ratio[1])
        return rt_pass_fail_option(context, "trust_ratio", RT_INVALID_ARGUMENT,
                                   "'trust_ratio' has %g before %g, but the least comes first",
                                   options.trust_ratio[0], options.trust_ratio[1]);
    return rt_build_update(module, &options);
}
