// SPDX-License-Identifier: Apache-2.0
/* Families, their defaults, what a shape must satisfy, and what a spec says of it. */
#include "models/configuration.h"

#include <string.h>

#include "runtime/base/check.h"

static const rt_family_facts facts[RT_FAMILY_COUNT] = {
#define FAMILY(id, ...) {__VA_ARGS__},
#include "models/families.def"
};

const rt_family_facts *rt_family_facts_of(rt_family family) {
    return &facts[family];
}

bool rt_family_from_model_type(const char *model_type, rt_family *family) {
    for (int i = 0; i < RT_FAMILY_COUNT; ++i) {
        if (strcmp(facts[i].model_type, model_type) != 0) continue;
        *family = (rt_family)i;
        return true;
    }
    return false;
}

bool rt_family_from_spec(const char *spec_family, const char *norm, rt_family *family) {
    for (int i = 0; i < RT_FAMILY_COUNT; ++i) {
        if (strcmp(facts[i].spec_family, spec_family) || strcmp(facts[i].norm, norm)) continue;
        *family = (rt_family)i;
        return true;
    }
    return false;
}

static bool counts_like_roberta(rt_family family) {
    return strcmp(facts[family].spec_family, "roberta") == 0;
}

rt_model_config rt_model_config_default(rt_family family) {
    bool is_roberta = counts_like_roberta(family), is_distilbert = family == RT_FAMILY_distilbert;
    bool is_lstm = family == RT_FAMILY_bilstm;
    rt_model_config config = {
        .family = family,
        .layers = is_lstm ? 1 : 0,
        .inner_width = is_lstm ? 200 : 0,
        .embedding_width = is_lstm ? 300 : 0,
        .channels = is_lstm ? 1 : 0,
        .texts = is_lstm ? 1 : 0,
        .positions = is_lstm      ? 0
                     : is_roberta ? 514
                                  : 512,
        .token_types = is_lstm || is_distilbert ? 0
                       : is_roberta             ? 1
                                                : 2,
        .padding_id = is_roberta ? 1 : 0,
        .epsilon = is_roberta ? 1e-5 : 1e-12,
        .initial_range = 0.02,
        .dropout = is_lstm ? 0 : 0.1,
        .attention_dropout = is_lstm ? 0 : 0.1,
        .classifier_dropout = is_distilbert ? 0.2 : 0.1,
    };
    return config;
}

bool rt_model_config_is_pre_norm(const rt_model_config *config) {
    return strcmp(facts[config->family].norm, "pre") == 0;
}

bool rt_model_config_is_encoder(const rt_model_config *config) {
    return config->family != RT_FAMILY_bilstm;
}

bool rt_model_config_has_head(const rt_model_config *config) {
    return config->label_count > 0 || config->predicts_tokens;
}

int64_t rt_model_config_first_position(const rt_model_config *config) {
    return counts_like_roberta(config->family) ? config->padding_id + 1 : 0;
}

int64_t rt_model_config_longest_row(const rt_model_config *config) {
    if (!rt_model_config_is_encoder(config)) return INT64_MAX;
    return config->positions - rt_model_config_first_position(config);
}

/* ---- check */

static rt_status check_sizes(const rt_model_config *config, rt_location location,
                             rt_diagnostics *diagnostics) {
    const struct {
        const char *name;
        int64_t value, most;
        bool is_needed;
    } sizes[] = {
        {"vocabulary_size", config->vocabulary_size, 1 << 24, true},
        {"width", config->width, 1 << 16, true},
        {"layers", config->layers, 1024, true},
        {"ffn", config->inner_width, 1 << 20, true},
        {"heads", config->heads, 1024, rt_model_config_is_encoder(config)},
        {"positions", config->positions, 1 << 20, rt_model_config_is_encoder(config)},
        {"embedding", config->embedding_width, 1 << 16, !rt_model_config_is_encoder(config)},
        {"embedding_channels", config->channels, 2, !rt_model_config_is_encoder(config)},
        {"pairs", config->texts, 2, !rt_model_config_is_encoder(config)},
        {"token_types", config->token_types, 1 << 16, false},
        {"labels", config->label_count, 1 << 20, false},
    };
    rt_status status = RT_OK;
    for (size_t i = 0; i < RT_COUNT_OF(sizes); ++i) {
        int64_t least = sizes[i].is_needed ? 1 : 0;
        if (sizes[i].value >= least && sizes[i].value <= sizes[i].most) continue;
        status = rt_diagnose_error(
            diagnostics, RT_INVALID_DATA, location, "'%s' is %lld, but must be from %lld to %lld",
            sizes[i].name, (long long)sizes[i].value, (long long)least, (long long)sizes[i].most);
    }
    return status;
}

rt_status rt_model_config_check(const rt_model_config *config, rt_location location,
                                rt_diagnostics *diagnostics) {
    RT_TRY(check_sizes(config, location, diagnostics));
    rt_status status = RT_OK;
    if (!rt_model_config_is_encoder(config)) return status;
    if (config->width % config->heads)
        status = rt_diagnose_error(diagnostics, RT_INVALID_DATA, location,
                                   "%lld heads do not divide the width %lld",
                                   (long long)config->heads, (long long)config->width);
    if (config->padding_id < 0 || config->padding_id >= config->vocabulary_size)
        status =
            rt_diagnose_error(diagnostics, RT_INVALID_DATA, location,
                              "the padding token is %lld, but the vocabulary has %lld",
                              (long long)config->padding_id, (long long)config->vocabulary_size);
    if (rt_model_config_longest_row(config) < 3)
        status = rt_diagnose_error(diagnostics, RT_INVALID_DATA, location,
                                   "%lld positions hold no row of three tokens",
                                   (long long)config->positions);
    return status;
}

/* ---- spec */

static const struct {
    rt_spec_key key;
    size_t offset;
} sizes[] = {
    {RT_SPEC_model_layers, offsetof(rt_model_config, layers)},
    {RT_SPEC_model_width, offsetof(rt_model_config, width)},
    {RT_SPEC_model_heads, offsetof(rt_model_config, heads)},
    {RT_SPEC_model_ffn, offsetof(rt_model_config, inner_width)},
    {RT_SPEC_model_embedding, offsetof(rt_model_config, embedding_width)},
    {RT_SPEC_model_embedding_channels, offsetof(rt_model_config, channels)},
    {RT_SPEC_model_vocabulary_size, offsetof(rt_model_config, vocabulary_size)},
    {RT_SPEC_model_positions, offsetof(rt_model_config, positions)},
    {RT_SPEC_model_token_types, offsetof(rt_model_config, token_types)},
};

static bool apply_sizes(rt_model_config *config, bool has_start, const rt_spec *spec,
                        rt_diagnostics *diagnostics) {
    bool is_right = true;
    for (size_t i = 0; i < RT_COUNT_OF(sizes); ++i) {
        const rt_spec_value *value = rt_spec_get(spec, sizes[i].key);
        int64_t *field = (int64_t *)((char *)config + sizes[i].offset);
        if (!value->is_present) continue;
        if (has_start && *field != value->integer) {
            rt_diagnose(diagnostics, RT_ERROR, value->location,
                        "'%s' is %lld, but what 'from' names has %lld; leave it out",
                        rt_spec_row_of(sizes[i].key)->name, (long long)value->integer,
                        (long long)*field);
            is_right = false;
        }
        *field = value->integer;
    }
    return is_right;
}

/* What is part of the function that the start computes, and must therefore stay. */
static bool apply_form(rt_model_config *config, bool has_start, const rt_spec *spec,
                       rt_diagnostics *diagnostics) {
    const rt_spec_value *activation = rt_spec_get(spec, RT_SPEC_model_activation);
    const rt_spec_value *epsilon = rt_spec_get(spec, RT_SPEC_model_epsilon);
    bool is_right = true;
    if (has_start && activation->is_present && activation->integer != (int64_t)config->activation) {
        rt_diagnose(diagnostics, RT_ERROR, activation->location,
                    "'activation' is %s, which is not that of what 'from' names; leave it out",
                    activation->text);
        is_right = false;
    }
    if (has_start && epsilon->is_present && epsilon->real != config->epsilon) {
        rt_diagnose(diagnostics, RT_ERROR, epsilon->location,
                    "'epsilon' is %g, but what 'from' names has %g; leave it out", epsilon->real,
                    config->epsilon);
        is_right = false;
    }
    if (activation->is_present) config->activation = (rt_activation)activation->integer;
    if (epsilon->is_present) config->epsilon = epsilon->real;
    return is_right;
}

/* How a bilstm reads the texts of a pair. */
static bool apply_pairs(rt_model_config *config, bool has_start, const rt_spec *spec,
                        rt_diagnostics *diagnostics) {
    const rt_spec_value *pairs = rt_spec_get(spec, RT_SPEC_model_pairs);
    bool is_right = !pairs->is_present || !has_start || config->texts == pairs->integer + 1;
    if (!is_right)
        rt_diagnose(diagnostics, RT_ERROR, pairs->location,
                    "'pairs' is %s, which is not how what 'from' names reads them; leave it out",
                    pairs->text);
    if (pairs->is_present) config->texts = pairs->integer + 1;
    return is_right;
}

static void apply_rates(rt_model_config *config, const rt_spec *spec) {
    const rt_spec_value *dropout = rt_spec_get(spec, RT_SPEC_model_dropout);
    const rt_spec_value *attention = rt_spec_get(spec, RT_SPEC_model_attention_dropout);
    const rt_spec_value *classifier = rt_spec_get(spec, RT_SPEC_model_classifier_dropout);
    const rt_spec_value *pooling = rt_spec_get(spec, RT_SPEC_model_pooling);
    if (dropout->is_present) {
        config->dropout = dropout->real;
        if (config->family != RT_FAMILY_distilbert) config->classifier_dropout = dropout->real;
    }
    if (attention->is_present) config->attention_dropout = attention->real;
    if (classifier->is_present) config->classifier_dropout = classifier->real;
    if (pooling->is_present) config->pooling = (rt_pooling)pooling->integer;
}

bool rt_model_config_apply_spec(rt_model_config *config, bool has_start, const rt_spec *spec,
                                rt_diagnostics *diagnostics) {
    const rt_spec_value *name = rt_spec_get(spec, RT_SPEC_model_family);
    const rt_spec_value *norm = rt_spec_get(spec, RT_SPEC_model_norm);
    const char *start_name = has_start ? facts[config->family].spec_family : "";
    const char *start_norm = has_start ? facts[config->family].norm : "post";
    rt_family family;
    if (!rt_family_from_spec(name->is_present ? name->text : start_name,
                             norm->is_present ? norm->text : start_norm, &family)) {
        rt_diagnose(diagnostics, RT_ERROR, norm->location, "'norm' is %s, but %s has only post",
                    norm->text, name->is_present ? name->text : start_name);
        return false;
    }
    bool is_right = true;
    if (!has_start) {
        *config = rt_model_config_default(family);
    } else if (family != config->family) {
        const rt_spec_value *culprit = name->is_present ? name : norm;
        rt_diagnose(diagnostics, RT_ERROR, culprit->location,
                    "'%s' is %s, but what 'from' names is a %s model",
                    name == culprit ? "family" : "norm", culprit->text,
                    facts[config->family].model_type);
        return false;
    }
    is_right = apply_sizes(config, has_start, spec, diagnostics) && is_right;
    is_right = apply_form(config, has_start, spec, diagnostics) && is_right;
    is_right = apply_pairs(config, has_start, spec, diagnostics) && is_right;
    apply_rates(config, spec);
    if (!config->inner_width) config->inner_width = 4 * config->width;
    return is_right;
}
