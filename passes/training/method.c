// SPDX-License-Identifier: Apache-2.0
#include "passes/training/method.h"

#include <stdlib.h>
#include <string.h>

#include "ir/name_pattern.h"
#include "passes/training/option_words.h"
#include "runtime/base/check.h"

/* ---- the table */

typedef enum base { BASE_ALL, BASE_HEAD } base;
typedef enum form { FORM_PLAIN, FORM_MERGES, FORM_STAYS } form;

typedef struct method_row {
    const char *text;
    base base;
    form form;
    const char *keys;
    rt_status (*apply)(rt_adaptation *adaptation);
} method_row;

static const method_row methods[] = {
#define METHOD(id, text, base, form, keys) {text, BASE_##base, FORM_##form, keys, apply_##id},
#include "passes/training/methods.def"
};

rt_status apply_full(rt_adaptation *adaptation) {
    (void)adaptation;
    return RT_OK;
}

rt_status apply_head(rt_adaptation *adaptation) {
    (void)adaptation;
    return RT_OK;
}

/* ---- options */

static rt_status find_method(rt_pass_context *context, const method_row **row) {
    const char *text = rt_pass_option_text(context, "method", "full"), *names = "";
    for (size_t i = 0; i < RT_COUNT_OF(methods); ++i) {
        *row = &methods[i];
        if (strcmp(methods[i].text, text) == 0) return RT_OK;
        names = rt_arena_format(context->scratch, "%s%s%s", names, i ? ", " : "", methods[i].text);
        if (!names) return RT_OUT_OF_MEMORY;
    }
    return rt_pass_fail_option(context, "method", RT_INVALID_ARGUMENT,
                               "there is no method '%s'; there are: %s", text, names);
}

/* A key that only other methods have. */
static rt_status check_keys(rt_pass_context *context, const method_row *row) {
    rt_status status = RT_OK;
    for (size_t i = 0; i < context->option_count; ++i) {
        const char *key = context->options[i].key;
        bool is_known = false;
        for (size_t j = 0; j < RT_COUNT_OF(methods); ++j)
            is_known = is_known || rt_has_word(methods[j].keys, key);
        if (!is_known || rt_has_word(row->keys, key)) continue;
        status = rt_pass_fail_option(
            context, key, RT_INVALID_ARGUMENT, "'%s' says nothing of the method %s, which has %s%s",
            key, row->text, *row->keys ? "the keys: " : "no keys of its own", row->keys);
    }
    return status;
}

static rt_status read_layers(rt_adaptation *a) {
    const char *text = rt_pass_option_text(a->context, "layers", ""), *word;
    int64_t count = a->places.layer_count;
    size_t length;
    a->has_layer = RT_NEW_ARRAY(a->context->scratch, bool, (size_t)count + 1);
    if (!a->has_layer) return RT_OUT_OF_MEMORY;
    bool is_given = rt_pass_option_text(a->context, "layers", NULL) != NULL;
    if (is_given && !text[strspn(text, " ")])
        return rt_pass_fail_option(
            a->context, "layers", RT_INVALID_ARGUMENT,
            "'layers' names none, so nothing is adapted; without it all are, "
            "0 to %lld",
            (long long)count - 1);
    for (int64_t i = 0; i < count && !is_given; ++i) a->has_layer[i] = true;
    while (rt_next_word(&text, &word, &length)) {
        char *end;
        long layer = strtol(word, &end, 10);
        if (end != word + length || layer < 0 || layer >= count)
            return rt_pass_fail_option(a->context, "layers", RT_INVALID_ARGUMENT,
                                       "'layers' names layer %.*s, but the model's are 0 to %lld",
                                       (int)length, word, (long long)count - 1);
        a->has_layer[layer] = true;
    }
    return RT_OK;
}

/* ---- targets */

static bool is_role(const char *word, size_t length, rt_linear_role role) {
    const char *text = rt_linear_role_text(role);
    return strlen(text) == length && memcmp(text, word, length) == 0;
}

/* Whether the word is the map's role, or a pattern of its name or of the end of its name. */
static bool is_target(const rt_linear *linear, const char *word, const char *deep) {
    if (linear->role != RT_LINEAR_OTHER &&
        (strcmp(word, "all") == 0 || is_role(word, strlen(word), linear->role)))
        return true;
    return rt_name_pattern_matches(word, linear->name) ||
           rt_name_pattern_matches(deep, linear->name);
}

/* The option that says which maps are adapted: `targets`, or the method that has its usual ones. */
static const char *targets_key(const rt_adaptation *a) {
    return rt_pass_option_text(a->context, "targets", NULL) ? "targets" : "method";
}

/* "query, key …, all, or names such as 'encoder.layer.0.attention.self.query'" */
static const char *target_choices(const rt_adaptation *a) {
    const char *text = "";
    for (int role = 0; role < RT_LINEAR_OTHER && text; ++role)
        text = rt_arena_format(a->context->scratch, "%s%s, ", text,
                               rt_linear_role_text((rt_linear_role)role));
    for (size_t i = 0; i < a->places.linear_count && text; ++i)
        if (a->places.linears[i].role == RT_LINEAR_QUERY)
            return rt_arena_format(a->context->scratch, "%sall, and patterns of names such as '%s'",
                                   text, a->places.linears[i].name);
    return rt_arena_format(a->context->scratch,
                           a->places.linear_count ? "patterns of names such as '%s'; the model has "
                                                    "no layer with attention"
                                                  : "none",
                           a->places.linear_count ? a->places.linears[0].name : "");
}

static rt_status choose_target(rt_adaptation *a, const char *word) {
    const char *deep = rt_arena_format(a->context->scratch, "*.%s", word);
    rt_error error;
    bool is_found = false;
    if (!deep) return RT_OUT_OF_MEMORY;
    if (rt_name_pattern_check(word, &error) != RT_OK)
        return rt_pass_fail_option(a->context, "targets", RT_INVALID_ARGUMENT, "%s", error.text);
    for (size_t i = 0; i < a->places.linear_count; ++i) {
        const rt_linear *linear = &a->places.linears[i];
        if (!is_target(linear, word, deep)) continue;
        is_found = true;
        if (linear->layer < 0 || a->has_layer[linear->layer]) a->has_linear[i] = true;
    }
    if (is_found) return RT_OK;
    return rt_pass_fail_option(a->context, targets_key(a), RT_INVALID_ARGUMENT,
                               "'%s' is no linear map of the model; there are: %s", word,
                               target_choices(a));
}

rt_status rt_adaptation_targets(rt_adaptation *a, const char *usual) {
    const char *text = rt_pass_option_text(a->context, "targets", usual), *word;
    size_t length;
    a->has_linear = RT_NEW_ARRAY(a->context->scratch, bool, a->places.linear_count + 1);
    if (!a->has_linear) return RT_OUT_OF_MEMORY;
    while (rt_next_word(&text, &word, &length)) {
        const char *copy = rt_arena_copy_text(a->context->scratch, word, length);
        if (!copy) return RT_OUT_OF_MEMORY;
        RT_TRY(choose_target(a, copy));
    }
    for (size_t i = 0; i < a->places.linear_count; ++i)
        if (a->has_linear[i]) return RT_OK;
    bool has_words = *(text = rt_pass_option_text(a->context, "targets", usual)) != 0;
    return rt_pass_fail_option(a->context, targets_key(a), RT_INVALID_ARGUMENT,
                               has_words ? "no layer of 'layers' has one of the maps of 'targets'"
                                         : "'targets' names no linear map, so nothing is adapted; "
                                           "there are: %s",
                               target_choices(a));
}

/* ---- rewriting */

rt_status rt_adaptation_rewrite(rt_adaptation *a, rt_rewrite_rule rule, void *user) {
    rt_graph *fresh = rt_graph_rewrite(a->graph, rule, user);
    rt_status status = rt_module_status(a->module);
    if (status != RT_OK) return status;
    if (!fresh)
        return rt_diagnostics_failed(a->context->diagnostics) ? RT_INVALID_DATA : RT_OUT_OF_MEMORY;
    rt_module_put_graph(a->module, fresh);
    a->graph = fresh;
    return RT_OK;
}

rt_parameter rt_adaptation_add(rt_adaptation *a, const rt_added_parameter *p,
                               rt_location location) {
    rt_dim dims[2];
    for (int i = 0; i < p->rank; ++i) dims[i] = rt_module_constant_dim(a->module, p->dims[i]);
    if (!p->name) return RT_NO_PARAMETER;
    rt_parameter_info info = {.name = rt_module_intern(a->module, p->name),
                              .type = rt_type_make(RT_F32, p->rank, dims),
                              .kind = RT_PARAMETER_WEIGHT,
                              .of = RT_NO_PARAMETER,
                              .is_trainable = true,
                              .is_decayed = p->is_decayed,
                              .initial = p->initial,
                              .initial_value = p->initial_value,
                              .location = location};
    return rt_module_add_parameter(a->module, &info);
}

rt_value rt_adaptation_build(rt_adaptation *a, rt_builder *b, const rt_added_parameter *p) {
    rt_parameter parameter = rt_adaptation_add(a, p, b->location);
    return rt_parameter_is(parameter) ? rt_build_parameter(b, parameter) : RT_NO_VALUE;
}

void rt_adaptation_merge(rt_adaptation *a, rt_parameter weight, rt_value value) {
    if (rt_value_is(value)) rt_graph_add_assign(a->merge, weight, value);
}

const char *rt_adaptation_name(rt_adaptation *a, const char *name, const char *leaf) {
    return rt_arena_format(a->context->scratch, "%s.%s", name, leaf);
}

static int64_t site_of(const rt_graph *graph, rt_node node) {
    rt_op op = rt_graph_node(graph, node)->op;
    if (op == RT_OP_dropout) return rt_graph_attr(graph, node, RT_ATTR_dropout_site).integer;
    if (op == RT_OP_attention) return rt_graph_attr(graph, node, RT_ATTR_attention_site).integer;
    return -1;
}

static int64_t free_site(const rt_module *module) {
    int64_t free = 0;
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        const rt_graph *graph = rt_module_graph(module, i);
        for (uint32_t n = 0; n < rt_graph_node_count(graph); ++n) {
            int64_t site = site_of(graph, (rt_node){n});
            if (site >= free) free = site + 1;
        }
    }
    return free;
}

/* ---- the whole */

static rt_status begin_merge(rt_adaptation *a, const method_row *row) {
    const char *asked = rt_pass_option_text(a->context, "merge", "false");
    a->is_undoing = strcmp(asked, "undo") == 0;
    if (strcmp(asked, "false") == 0) return RT_OK;
    if (strcmp(asked, "true") != 0 && !a->is_undoing)
        return rt_pass_fail_option(a->context, "merge", RT_INVALID_ARGUMENT,
                                   "option merge is '%s' but must be true, false or undo", asked);
    if (row->form == FORM_STAYS)
        return rt_pass_fail_option(a->context, "method", RT_UNSUPPORTED,
                                   "what %s adds cannot be merged into the model's weights",
                                   row->text);
    a->merge = rt_module_add_graph(a->module, "merge");
    return a->merge ? RT_OK : RT_OUT_OF_MEMORY;
}

static void train_head_alone(rt_pass_context *context, rt_module *module) {
    const char *head = rt_pass_option_text(context, "head", "");
    for (uint32_t i = 0; i < rt_module_parameter_count(module); ++i) {
        rt_parameter_info *info = rt_module_edit_parameter(module, (rt_parameter){i});
        if (info->kind == RT_PARAMETER_WEIGHT) info->is_trainable = rt_has_word(head, info->name);
    }
}

rt_status rt_method_run(rt_pass_context *context, rt_module *module, int64_t *first_site) {
    const method_row *row;
    rt_adaptation a = {.context = context, .module = module, .first_site = free_site(module)};
    *first_site = a.first_site;
    RT_TRY(find_method(context, &row));
    RT_TRY(check_keys(context, row));
    if (row->base == BASE_HEAD) train_head_alone(context, module);
    (void)rt_pass_option_text(context, "head", "");
    a.graph = rt_module_find_graph(module, "student");
    if (!a.graph && rt_module_graph_count(module) == 1) a.graph = rt_module_graph(module, 0);
    if (!a.graph) return RT_OK;
    if (!rt_places_find(a.graph, context->scratch, &a.places)) return RT_OUT_OF_MEMORY;
    RT_TRY(read_layers(&a));
    RT_TRY(begin_merge(&a, row));
    return row->apply(&a);
}
