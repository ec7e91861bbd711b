// SPDX-License-Identifier: Apache-2.0
#include "passes/pass.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"

/* Each row once with its form, or SAME, which leaves the form as it is. */
#define FORM_TYPED RT_FORM_TYPED
#define FORM_LEGAL RT_FORM_LEGAL
#define FORM_SAME RT_FORM_TYPED
#define KEEPS_TYPED false
#define KEEPS_LEGAL false
#define KEEPS_SAME true

static const rt_pass_info passes[RT_PASS_COUNT] = {
#define PASS(id, text, needed, left, line) \
    [RT_PASS_##id] = {text, line, FORM_##needed, FORM_##left, KEEPS_##left, rt_pass_##id},
#include "passes/passes.def"
};

const rt_pass_info *rt_pass_describe(rt_pass pass) {
    RT_ASSERT((unsigned)pass < RT_PASS_COUNT);
    return &passes[pass];
}

bool rt_pass_from_text(const char *text, size_t length, rt_pass *pass) {
    for (int i = 0; i < RT_PASS_COUNT; ++i) {
        if (strlen(passes[i].text) != length || memcmp(passes[i].text, text, length)) continue;
        *pass = (rt_pass)i;
        return true;
    }
    return false;
}

rt_status rt_pass_fail(rt_pass_context *context, rt_status status, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return rt_diagnose_error(context->diagnostics, status, (rt_location){0}, "pass '%s': %s",
                             passes[context->pass].text, text);
}

/* ---- options */

static rt_pass_option *find_option(rt_pass_context *context, const char *key) {
    rt_pass_option *found = NULL;
    for (size_t i = 0; i < context->option_count; ++i) {
        if (strcmp(context->options[i].key, key) != 0) continue;
        found = &context->options[i]; /* the last one holds */
        found->is_read = true;
    }
    return found;
}

rt_status rt_pass_fail_option(rt_pass_context *context, const char *key, rt_status status,
                              const char *format, ...) {
    const rt_pass_option *option = find_option(context, key);
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!option || !option->location.file) return rt_pass_fail(context, status, "%s", text);
    return rt_diagnose_error(context->diagnostics, status, option->location, "%s", text);
}

void rt_pass_note_option(rt_pass_context *context, const char *key, const char *format, ...) {
    const rt_pass_option *option = find_option(context, key);
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rt_diagnose(context->diagnostics, RT_NOTE, option ? option->location : (rt_location){0}, "%s",
                text);
}

const char *rt_pass_option_text(rt_pass_context *context, const char *key, const char *otherwise) {
    rt_pass_option *option = find_option(context, key);
    return option ? option->value : otherwise;
}

rt_status rt_pass_option_integer(rt_pass_context *context, const char *key, int64_t least,
                                 int64_t most, int64_t *value) {
    rt_pass_option *option = find_option(context, key);
    if (!option) return RT_OK;
    char *end;
    long long number = strtoll(option->value, &end, 10);
    if (*option->value == '\0' || *end || number < least || number > most) {
        return rt_pass_fail(context, RT_INVALID_ARGUMENT,
                            "option %s is '%s' but must be an integer from %lld to %lld", key,
                            option->value, (long long)least, (long long)most);
    }
    *value = number;
    return RT_OK;
}

rt_status rt_pass_option_real(rt_pass_context *context, const char *key, double least, double most,
                              double *value) {
    rt_pass_option *option = find_option(context, key);
    if (!option) return RT_OK;
    char *end;
    double number = strtod(option->value, &end);
    if (*option->value == '\0' || *end || !(number >= least && number <= most)) {
        return rt_pass_fail(context, RT_INVALID_ARGUMENT,
                            "option %s is '%s' but must be a number from %g to %g", key,
                            option->value, least, most);
    }
    *value = number;
    return RT_OK;
}

rt_status rt_pass_option_flag(rt_pass_context *context, const char *key, bool *value) {
    rt_pass_option *option = find_option(context, key);
    if (!option) return RT_OK;
    bool is_true = strcmp(option->value, "true") == 0;
    if (!is_true && strcmp(option->value, "false") != 0) {
        return rt_pass_fail(context, RT_INVALID_ARGUMENT,
                            "option %s is '%s' but must be true or false", key, option->value);
    }
    *value = is_true;
    return RT_OK;
}

/* ---- counters, graphs */

void rt_pass_count(rt_pass_context *context, const char *name, int64_t amount) {
    size_t i = 0;
    while (i < context->counter_count && strcmp(context->counters[i].name, name) != 0) ++i;
    if (RT_NEVER(i == RT_MAX_PASS_COUNTERS)) return;
    if (i == context->counter_count) ++context->counter_count;
    context->counters[i].name = name;
    context->counters[i].amount += amount;
}

rt_status rt_pass_rewrite(rt_pass_context *context, rt_module *module, rt_rewrite_rule rule,
                          void *user) {
    (void)context;
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        rt_graph *fresh = rt_graph_rewrite(rt_module_graph(module, i), rule, user);
        if (!fresh) {
            rt_status status = rt_module_status(module);
            return status == RT_OK ? RT_INTERNAL : status;
        }
        rt_module_put_graph(module, fresh);
    }
    return RT_OK;
}
