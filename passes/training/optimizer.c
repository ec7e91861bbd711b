// SPDX-License-Identifier: Apache-2.0
/* What all optimisers share: the norm of the gradients, clipping, decay, and the assignments. */
#include "passes/training/optimizer.h"

#include <string.h>

#include "passes/pass.h"
#include "passes/training/update.h"
#include "runtime/base/check.h"

static const rt_update_rule rules[RT_OPTIMIZER_COUNT] = {
#define OPTIMIZER(id, text) update_##id,
#include "passes/training/optimizers.def"
};

static const char *const texts[RT_OPTIMIZER_COUNT] = {
#define OPTIMIZER(id, text) text,
#include "passes/training/optimizers.def"
};

rt_update_options rt_update_options_default(void) {
    return (rt_update_options){.optimizer = RT_OPTIMIZER_adamw,
                               .weight_decay = 0.01,
                               .beta1 = 0.9,
                               .beta2 = 0.999,
                               .epsilon = 1e-8};
}

const char *rt_optimizer_text(rt_optimizer optimizer) {
    return texts[optimizer];
}

bool rt_optimizer_from_text(const char *text, rt_optimizer *optimizer) {
    for (int i = 0; i < RT_OPTIMIZER_COUNT; ++i) {
        if (strcmp(text, texts[i]) != 0) continue;
        *optimizer = (rt_optimizer)i;
        return true;
    }
    return false;
}

/* ---- for the rules */

rt_value rt_update_input(rt_update *update, const char *name) {
    return rt_build_input(update->b, name, rt_type_scalar(RT_F32));
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

/* ---- the graph */

/* Every number among the options: its key, where it stands, and its range [0, most]. */
typedef struct option_row {
    const char *key;
    size_t offset;
    double most;
} option_row;

static const double below_one = 0x1.fffffffffffffp-1;
static const option_row option_rows[] = {
    {"weight_decay", offsetof(rt_update_options, weight_decay), 1e30},
    {"clip_norm", offsetof(rt_update_options, clip_norm), 1e30},
    {"beta1", offsetof(rt_update_options, beta1), below_one},
    {"beta2", offsetof(rt_update_options, beta2), below_one},
    {"epsilon", offsetof(rt_update_options, epsilon), 1e30},
    {"momentum", offsetof(rt_update_options, momentum), below_one},
};

static bool check_options(rt_module *module, const rt_update_options *options) {
    bool is_sound = true;
    for (size_t i = 0; i < RT_COUNT_OF(option_rows); ++i) {
        double value = *(const double *)((const char *)options + option_rows[i].offset);
        if (value >= 0 && value <= option_rows[i].most) continue;
        rt_diagnose(rt_module_diagnostics(module), RT_ERROR, (rt_location){.name = "optimizer"},
                    "%s is %g but must be at least 0%s", option_rows[i].key, value,
                    option_rows[i].most < 1 ? " and below 1" : "");
        is_sound = false;
    }
    return is_sound;
}

typedef struct trained_weight {
    rt_parameter weight;
    rt_value value, gradient;
} trained_weight;

/* Every weight that has a gradient, in the order of the gradients; false after a diagnostic. */
static bool collect_weights(rt_builder *b, size_t parameter_count, trained_weight *weights,
                            size_t *count) {
    bool is_sound = true;
    *count = 0;
    for (uint32_t p = 0; p < parameter_count; ++p) {
        const rt_parameter_info *info = rt_module_parameter(b->module, (rt_parameter){p});
        if (info->kind != RT_PARAMETER_GRADIENT) continue;
        if (info->type.dtype != RT_F32) {
            rt_diagnose(rt_module_diagnostics(b->module), RT_ERROR, info->location,
                        "'%s' is %s; only f32 weights are trained", info->name,
                        rt_dtype_text(info->type.dtype));
            is_sound = false;
            continue;
        }
        rt_parameter weight = info->of;
        weights[(*count)++] = (trained_weight){weight, rt_build_parameter(b, weight),
                                               rt_build_parameter(b, (rt_parameter){p})};
    }
    return is_sound;
}

/* sqrt(sum of squares), weight by weight in order. */
static rt_value gradient_norm(rt_builder *b, const trained_weight *weights, size_t count) {
    rt_value sum = rt_build_scalar(b, RT_F32, 0);
    for (size_t i = 0; i < count; ++i) {
        rt_value square = rt_build_mul(b, weights[i].gradient, weights[i].gradient);
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

/* w - rate decay w */
static rt_value decay(rt_builder *b, const trained_weight *weight, rt_value rate, double decay) {
    if (decay == 0 || !rt_module_parameter(b->module, weight->weight)->is_decayed)
        return weight->value;
    rt_value share = rt_build_scale(b, rate, decay);
    return rt_build_sub(b, weight->value, rt_build_mul(b, weight->value, share));
}

static rt_status build_update(rt_module *module, const rt_update_options *options,
                              trained_weight *weights, size_t parameter_count) {
    rt_graph *graph = rt_graph_create(module, "update");
    if (!graph) return RT_OUT_OF_MEMORY;
    rt_builder b = rt_builder_begin(graph);
    size_t count;
    rt_value rate = rt_build_input(&b, "learning_rate", rt_type_scalar(RT_F32));
    if (!collect_weights(&b, parameter_count, weights, &count)) return RT_INVALID_DATA;
    rt_value norm = gradient_norm(&b, weights, count), factor = RT_NO_VALUE;
    rt_graph_add_output(graph, "gradient_norm", norm);
    if (options->clip_norm > 0) factor = clip_factor(&b, norm, options->clip_norm);
    for (size_t i = 0; i < count; ++i) {
        rt_value gradient = weights[i].gradient;
        if (options->clip_norm > 0) gradient = rt_build_mul(&b, gradient, factor);
        b.location.name = rt_module_parameter(module, weights[i].weight)->name;
        rt_update update = {&b,
                            options,
                            weights[i].weight,
                            rate,
                            decay(&b, &weights[i], rate, options->weight_decay),
                            gradient};
        rt_graph_add_assign(graph, weights[i].weight, rules[options->optimizer](&update));
    }
    RT_TRY(rt_module_status(module));
    rt_module_put_graph(module, graph);
    return RT_OK;
}

rt_status rt_build_update(rt_module *module, const rt_update_options *options) {
    if (!check_options(module, options)) return RT_INVALID_DATA;
    rt_arena scratch = {0};
    size_t count = rt_module_parameter_count(module);
    trained_weight *weights = RT_NEW_ARRAY(&scratch, trained_weight, count);
    rt_status status = weights ? build_update(module, options, weights, count) : RT_OUT_OF_MEMORY;
    rt_arena_deinit(&scratch);
    return status;
}

/* Options: optimizer (adamw), and each number of rt_update_options by its name. */
rt_status rt_pass_update(rt_pass_context *context, rt_module *module) {
    rt_update_options options = rt_update_options_default();
    const char *name = rt_pass_option_text(context, "optimizer", "adamw");
    if (!rt_optimizer_from_text(name, &options.optimizer))
        return rt_pass_fail(context, RT_INVALID_ARGUMENT, "there is no optimizer '%s'", name);
    for (size_t i = 0; i < RT_COUNT_OF(option_rows); ++i)
        RT_TRY(rt_pass_option_real(context, option_rows[i].key, 0, option_rows[i].most,
                                   (double *)((char *)&options + option_rows[i].offset)));
    return rt_build_update(module, &options);
}
