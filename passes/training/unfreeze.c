// SPDX-License-Identifier: Apache-2.0
/* unfreeze: gradual unfreezing (Howard and Ruder, "Universal language model fine-tuning", 2018) as
 * phases of one program. Of the step, before it is differentiated, it makes a step for each phase
 * but the last, with the gradients of what trains then and of nothing else; the step itself is that
 * of the last phase, in which all trains.
 *
 *   phases=A B | C     parameters that begin to train in the first phase, the second …: patterns of
 *                      names (ir/name_pattern.h); the others begin in the last (default: "", one
 *                      phase)
 *   accumulate=true, frozen_dropout=true  as in differentiate and adapt
 *
 * What does not train at all stays as it is, whatever the patterns say. */
#include <string.h>

#include "ir/name_pattern.h"
#include "passes/differentiate.h"
#include "passes/pass.h"
#include "passes/training/frozen_draws.h"
#include "passes/training/option_words.h"
#include "passes/training/phases.h"

typedef struct unfreezing {
    rt_pass_context *context;
    rt_module *module;
    rt_graph *step;
    size_t count;      /* of phases */
    size_t parameters; /* before there are gradients */
    size_t *first;     /* by parameter: its first phase, from 1; 0 of what never trains */
    bool keeps_draws, accumulates;
} unfreezing;

static rt_status begin_in(unfreezing *u, const char *pattern, size_t phase) {
    bool is_found = false;
    rt_error error;
    if (rt_name_pattern_check(pattern, &error) != RT_OK)
        return rt_pass_fail_option(u->context, "phases", RT_INVALID_ARGUMENT, "%s", error.text);
    for (uint32_t i = 0; i < u->parameters; ++i) {
        const rt_parameter_info *info = rt_module_parameter(u->module, (rt_parameter){i});
        if (info->kind != RT_PARAMETER_WEIGHT || !rt_name_pattern_matches(pattern, info->name))
            continue;
        is_found = true;
        if (u->first[i] > phase) u->first[i] = phase;
    }
    if (is_found) return RT_OK;
    return rt_pass_fail_option(u->context, "phases", RT_INVALID_ARGUMENT,
                               "'%s' in 'phases' matches no parameter's whole name", pattern);
}

static rt_status read_phases(unfreezing *u, const char *text) {
    size_t phase = 1, length;
    const char *word;
    u->count = *text ? 2 : 1;
    for (const char *at = text; (at = strchr(at, '|')); ++at) ++u->count;
    u->first = RT_NEW_ARRAY(u->context->scratch, size_t, u->parameters + 1);
    if (!u->first) return RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < u->parameters; ++i)
        u->first[i] =
            rt_module_parameter(u->module, (rt_parameter){i})->is_trainable ? u->count : 0;
    while (rt_next_word(&text, &word, &length)) {
        const char *pattern = rt_arena_copy_text(u->context->scratch, word, length);
        if (!pattern) return RT_OUT_OF_MEMORY;
        if (strcmp(pattern, "|") == 0)
            ++phase;
        else
            RT_TRY(begin_in(u, pattern, phase));
    }
    return RT_OK;
}

static rt_status add_phase(unfreezing *u, size_t phase) {
    size_t chosen = 0;
    bool *trains = RT_NEW_ARRAY(u->context->scratch, bool, u->parameters + 1);
    const char *name = rt_phase_graph_name("step", phase, u->count, u->context->scratch);
    if (!trains || !name) return RT_OUT_OF_MEMORY;
    for (size_t i = 0; i < u->parameters; ++i) {
        trains[i] = u->first[i] > 0 && u->first[i] <= phase;
        chosen += trains[i];
    }
    if (chosen == 0)
        return rt_pass_fail_option(u->context, "phases", RT_INVALID_ARGUMENT,
                                   "nothing trains in phase %zu of %zu", phase, u->count);
    rt_graph *graph =
        u->keeps_draws
            ? rt_graph_rewrite_as(u->step, name, NULL, NULL)
            : rt_graph_without_frozen_draws(u->step, name, trains, INT64_MAX, u->context->scratch);
    rt_status status = rt_module_status(u->module);
    if (!graph) return status == RT_OK ? RT_OUT_OF_MEMORY : status;
    rt_module_put_graph(u->module, graph);
    rt_differentiate_options options = {.accumulates = u->accumulates, .trains = trains};
    return rt_differentiate_loss(graph, &options);
}

rt_status rt_pass_unfreeze(rt_pass_context *context, rt_module *module) {
    unfreezing u = {
        .context = context, .module = module, .parameters = rt_module_parameter_count(module)};
    RT_TRY(rt_pass_option_flag(context, "accumulate", &u.accumulates));
    RT_TRY(rt_pass_option_flag(context, "frozen_dropout", &u.keeps_draws));
    const char *text = rt_pass_option_text(context, "phases", "");
    if (!*text) return RT_OK;
    u.step = rt_module_find_graph(module, "step");
    if (!u.step) return rt_pass_fail(context, RT_NOT_FOUND, "there is no graph 'step'");
    RT_TRY(read_phases(&u, text));
    for (size_t phase = 1; phase < u.count; ++phase) RT_TRY(add_phase(&u, phase));
    rt_pass_count(context, "phases", (int64_t)u.count);
    return RT_OK;
}
