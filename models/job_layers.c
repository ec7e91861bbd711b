// SPDX-License-Identifier: Apache-2.0
/* What a spec says of the method layer by layer: phases in which layers are unfrozen, and rates. */
#include <stdio.h>
#include <string.h>

#include "models/job_internal.h"
#include "models/parameters.h"

/* "bert.encoder.layer.3.*": the parameters of a layer, and what a method adds to it. */
static const char *layer_pattern(const rt_job_reader *r, const rt_model_parameters *list,
                                 int64_t layer) {
    char component[32];
    size_t i = 0;
    snprintf(component, sizeof component, ".%lld.", (long long)layer);
    while (i < list->count && list->items[i].layer != layer) ++i;
    if (i == list->count) return "";
    const char *name = list->items[i].name, *at = strstr(name, component);
    if (!at) return "";
    return rt_arena_format(r->arena, "%.*s*", (int)(at + strlen(component) - name), name);
}

/* " NAME NAME": what stands above the layers, or below them, with `before` each name. */
static const char *outside(const rt_job_reader *r, const rt_model_parameters *list, bool is_above,
                           const char *before) {
    const char *text = "";
    bool is_behind = false;
    for (size_t i = 0; i < list->count && text; ++i) {
        is_behind = is_behind || list->items[i].layer >= 0;
        if (list->items[i].layer >= 0 || is_behind != is_above) continue;
        text = rt_arena_format(r->arena, "%s%s %s", text, before, list->items[i].name);
    }
    return text ? text : "";
}

/* Groups of what begins to train, as the pass unfreeze has them. */
static const char *phases_text(rt_job_reader *r, const rt_model_parameters *list,
                               const rt_spec_value *unfreeze, int64_t layers) {
    const char *text = outside(r, list, true, "");
    int64_t next = layers - 1;
    for (size_t i = 0; i < unfreeze->count && text; ++i) {
        if (i) text = rt_arena_format(r->arena, "%s |", text);
        for (; text && next >= layers - unfreeze->integers[i]; --next)
            text = rt_arena_format(r->arena, "%s %s", text, layer_pattern(r, list, next));
    }
    return text;
}

/* Shares of the rate, as the pass update has them. */
static const char *rates_text(rt_job_reader *r, const rt_model_parameters *list, double divisor,
                              int64_t layers) {
    const char *text = "";
    double share = 1;
    for (int64_t layer = layers - 2; layer >= 0 && text; --layer) {
        share /= divisor;
        text = rt_arena_format(r->arena, "%s %.17g %s", text, share, layer_pattern(r, list, layer));
    }
    const char *before = rt_arena_format(r->arena, " %.17g", share / divisor);
    if (!text || !before) return NULL;
    return rt_arena_format(r->arena, "%s%s", text, outside(r, list, false, before));
}

static bool check_unfreeze(rt_job_reader *r, const rt_spec_value *value, int64_t layers) {
    for (size_t i = 0; i < value->count; ++i) {
        if (value->integers[i] > layers) {
            rt_diagnose(r->diagnostics, RT_ERROR, value->location,
                        "'unfreeze' names %lld layers, but the model has %lld",
                        (long long)value->integers[i], (long long)layers);
            return false;
        }
        if (i && value->integers[i] <= value->integers[i - 1]) {
            rt_diagnose(r->diagnostics, RT_ERROR, value->location,
                        "'unfreeze' must grow from epoch to epoch, but %lld follows %lld",
                        (long long)value->integers[i], (long long)value->integers[i - 1]);
            return false;
        }
    }
    return true;
}

void rt_job_read_layers(rt_job_reader *r) {
    const rt_spec_value *unfreeze = rt_spec_get(r->spec, RT_SPEC_method_unfreeze);
    const rt_spec_value *divisor = rt_spec_get(r->spec, RT_SPEC_method_layer_rate_divisor);
    const rt_spec_value *kind = rt_spec_get(r->spec, RT_SPEC_method_kind);
    const rt_model_config *config = &r->job->student.config;
    rt_model_parameters list;
    r->job->phases = r->job->rates = "";
    bool has_phases = unfreeze->is_present && unfreeze->count, has_rates = divisor->real > 1;
    if (!r->job->student.has_config || (!has_phases && !has_rates)) return;
    if (!rt_model_config_is_encoder(config)) {
        rt_diagnose(r->diagnostics, RT_ERROR, has_phases ? unfreeze->location : divisor->location,
                    "'%s' is for encoders of several layers, which a bilstm is not",
                    has_phases ? "unfreeze" : "layer_rate_divisor");
        return;
    }
    if (has_phases && strcmp(kind->text, "full") != 0)
        rt_diagnose(r->diagnostics, RT_ERROR, unfreeze->location,
                    "'unfreeze' is for method full, in which all layers train at last, not for %s",
                    kind->text);
    if (!rt_model_list_parameters(config, RT_PART_HEAD, r->arena, &list)) return;
    if (has_phases && check_unfreeze(r, unfreeze, config->layers))
        r->job->phases = phases_text(r, &list, unfreeze, config->layers);
    if (has_rates) r->job->rates = rates_text(r, &list, divisor->real, config->layers);
}
