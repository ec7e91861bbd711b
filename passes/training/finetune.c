// SPDX-License-Identifier: Apache-2.0
/* adapt: which parameters train, and what a method adds to the model for that.
 *
 *   method=...  a row of methods.def (default: full, which adds nothing); `head` names the head's
 *               parameters, the method has options of its own
 *   base=all    (default) those that are trainable already; base=none starts from none
 *   freeze=...  patterns of names (ir/name_pattern.h), separated by blanks, that do not train
 *   train=...   patterns that train all the same; they have the last word
 *   frozen_dropout=true  dropout stays where nothing trains
 *
 * A pattern that matches nothing is an error. Where a choice is made, nothing is drawn below the
 * lowest parameter that trains, unless it is asked for: dropout on values that no trainable
 * parameter reaches goes, which makes a frozen prefix a fixed function of its input. What a method
 * draws itself stays. */
#include <string.h>

#include "ir/name_pattern.h"
#include "passes/pass.h"
#include "passes/training/frozen_draws.h"
#include "passes/training/method.h"

/* Sets what `pattern` selects; false where it selects nothing. */
static bool select_parameters(rt_module *module, const char *pattern, bool trains) {
    bool is_found = false;
    for (uint32_t i = 0; i < rt_module_parameter_count(module); ++i) {
        rt_parameter_info *info = rt_module_edit_parameter(module, (rt_parameter){i});
        if (info->kind != RT_PARAMETER_WEIGHT || !rt_name_pattern_matches(pattern, info->name))
            continue;
        info->is_trainable = trains;
        is_found = true;
    }
    return is_found;
}

static rt_status apply_patterns(rt_pass_context *context, rt_module *module, const char *key,
                                bool trains) {
    const char *text = rt_pass_option_text(context, key, "");
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        const char *pattern = rt_arena_copy_text(context->scratch, text, length);
        rt_error error;
        if (!pattern) return RT_OUT_OF_MEMORY;
        if (rt_name_pattern_check(pattern, &error) != RT_OK)
            return rt_pass_fail(context, RT_INVALID_ARGUMENT, "%s", error.text);
        if (!select_parameters(module, pattern, trains))
            return rt_pass_fail(context, RT_INVALID_ARGUMENT,
                                "'%s' in '%s' matches no parameter's whole name", pattern, key);
        text += length;
    }
    return RT_OK;
}

static rt_status choose_base(rt_pass_context *context, rt_module *module) {
    const char *base = rt_pass_option_text(context, "base", "all");
    if (strcmp(base, "all") == 0) return RT_OK;
    if (strcmp(base, "none") != 0)
        return rt_pass_fail(context, RT_INVALID_ARGUMENT,
                            "option base is '%s' but must be all or none", base);
    for (uint32_t i = 0; i < rt_module_parameter_count(module); ++i)
        rt_module_edit_parameter(module, (rt_parameter){i})->is_trainable = false;
    return RT_OK;
}

/* ---- dropout where nothing trains */

static rt_status drop_below_training(rt_pass_context *context, rt_module *module,
                                     int64_t first_site) {
    bool *trains = RT_NEW_ARRAY(context->scratch, bool, rt_module_parameter_count(module) + 1);
    if (!trains) return RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < rt_module_parameter_count(module); ++i)
        trains[i] = rt_module_parameter(module, (rt_parameter){i})->is_trainable;
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        rt_graph *graph = rt_module_graph(module, i);
        rt_graph *fresh = rt_graph_without_frozen_draws(graph, rt_graph_name(graph), trains,
                                                        first_site, context->scratch);
        if (!fresh) {
            rt_status status = rt_module_status(module);
            return status == RT_OK ? RT_OUT_OF_MEMORY : status;
        }
        rt_module_put_graph(module, fresh);
    }
    return RT_OK;
}

static void count_parameters(rt_pass_context *context, const rt_module *module) {
    const rt_dim_table *dims = rt_module_dims(module);
    for (uint32_t i = 0; i < rt_module_parameter_count(module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(module, (rt_parameter){i});
        int64_t numbers;
        if (info->kind != RT_PARAMETER_WEIGHT ||
            !rt_type_is_static(dims, info->type, NULL, &numbers))
            continue;
        rt_pass_count(context, info->is_trainable ? "numbers trained" : "numbers frozen", numbers);
    }
}

/* What `freeze` leaves of what a method trains must not be nothing. */
static rt_status check_something_trains(rt_pass_context *context, const rt_module *module) {
    const char *frozen = rt_pass_option_text(context, "freeze", "");
    if (!*frozen) return RT_OK;
    for (uint32_t i = 0; i < rt_module_parameter_count(module); ++i)
        if (rt_module_parameter(module, (rt_parameter){i})->is_trainable) return RT_OK;
    const char *head = rt_pass_option_text(context, "head", "");
    return rt_pass_fail_option(context, "freeze", RT_INVALID_ARGUMENT,
                               "'freeze' leaves nothing that trains; 'train' puts parameters back, "
                               "such as '%.*s'",
                               (int)strcspn(head, " "), *head ? head : "*");
}

rt_status rt_pass_adapt(rt_pass_context *context, rt_module *module) {
    bool keeps_dropout = context->option_count == 0;
    RT_TRY(rt_pass_option_flag(context, "frozen_dropout", &keeps_dropout));
    RT_TRY(choose_base(context, module));
    int64_t first_site;
    RT_TRY(rt_method_run(context, module, &first_site));
    RT_TRY(apply_patterns(context, module, "freeze", false));
    RT_TRY(apply_patterns(context, module, "train", true));
    RT_TRY(check_something_trains(context, module));
    count_parameters(context, module);
    return keeps_dropout ? RT_OK : drop_below_training(context, module, first_site);
}
