// SPDX-License-Identifier: Apache-2.0
#include "passes/pass_manager.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "passes/pipelines.h"

rt_pass_manager *rt_pass_manager_create(rt_diagnostics *diagnostics) {
    rt_pass_manager *manager = calloc(1, sizeof *manager);
    if (!manager) return NULL;
    manager->diagnostics = diagnostics;
    manager->limit = -1;
    return manager;
}

void rt_pass_manager_destroy(rt_pass_manager *manager) {
    if (!manager) return;
    rt_arena_deinit(&manager->arena);
    free(manager);
}

/* ---- the list */

static const char *known_passes(rt_arena *arena) {
    const char *names = "";
    for (int i = 0; i < RT_PASS_COUNT && names; ++i) {
        names = rt_arena_format(arena, "%s%s%s", names, i ? ", " : "",
                                rt_pass_describe((rt_pass)i)->text);
    }
    return names ? names : "";
}

static rt_status find_pass(rt_pass_manager *manager, const char *text, size_t length,
                           rt_pass *pass) {
    if (rt_pass_from_text(text, length, pass)) return RT_OK;
    return rt_diagnose_error(manager->diagnostics, RT_NOT_FOUND, (rt_location){0},
                             "there is no pass '%.*s'; there are: %s", (int)length, text,
                             known_passes(&manager->arena));
}

static rt_status add_option(rt_pass_manager *manager, rt_pass_step *step,
                            const rt_pass_option *option) {
    rt_pass_option *options = rt_arena_grow(&manager->arena, step->options, &step->option_capacity,
                                            step->option_count + 1, sizeof *options);
    if (!options || !option->key || !option->value) return RT_OUT_OF_MEMORY;
    step->options = options;
    options[step->option_count++] = *option;
    return RT_OK;
}

static rt_status set_all(rt_pass_manager *manager, rt_pass pass, size_t first,
                         const rt_pass_option *option) {
    bool is_found = false;
    for (size_t i = first; i < manager->step_count; ++i) {
        if (manager->steps[i].pass != pass) continue;
        is_found = true;
        RT_TRY(add_option(manager, &manager->steps[i], option));
    }
    if (is_found) return RT_OK;
    return rt_diagnose_error(manager->diagnostics, RT_NOT_FOUND, (rt_location){0},
                             "pass '%s' is not among the passes to run",
                             rt_pass_describe(pass)->text);
}

/* "key=value,key=value" for the steps of `pass` from `first` on. */
static rt_status set_options(rt_pass_manager *manager, rt_pass pass, size_t first,
                             const char *text) {
    while (*text) {
        size_t length = strcspn(text, ","), key = strcspn(text, "=,");
        if (key == length || key == 0) {
            return rt_diagnose_error(manager->diagnostics, RT_INVALID_ARGUMENT, (rt_location){0},
                                     "pass '%s': expected key=value, not '%.*s'",
                                     rt_pass_describe(pass)->text, (int)length, text);
        }
        rt_pass_option option = {
            .key = rt_arena_copy_text(&manager->arena, text, key),
            .value = rt_arena_copy_text(&manager->arena, text + key + 1, length - key - 1)};
        RT_TRY(set_all(manager, pass, first, &option));
        text += length + (text[length] == ',');
    }
    return RT_OK;
}

rt_status rt_pass_manager_add(rt_pass_manager *manager, const char *text) {
    size_t length = strcspn(text, ":");
    rt_pass pass;
    RT_TRY(find_pass(manager, text, length, &pass));
    rt_pass_step *steps = rt_arena_grow(&manager->arena, manager->steps, &manager->step_capacity,
                                        manager->step_count + 1, sizeof *steps);
    if (!steps) return RT_OUT_OF_MEMORY;
    manager->steps = steps;
    steps[manager->step_count++] = (rt_pass_step){.pass = pass};
    if (text[length] == '\0') return RT_OK;
    return set_options(manager, pass, manager->step_count - 1, text + length + 1);
}

rt_status rt_pass_manager_add_pipeline(rt_pass_manager *manager, const char *name) {
    const rt_pipeline *pipeline = rt_pipeline_find(name);
    if (!pipeline) {
        return rt_diagnose_error(manager->diagnostics, RT_NOT_FOUND, (rt_location){0},
                                 "there is no pipeline '%s'; there are: %s", name,
                                 rt_pipeline_names(&manager->arena));
    }
    for (size_t i = 0; i < pipeline->count; ++i) {
        RT_TRY(rt_pass_manager_add(manager, rt_pass_describe(pipeline->passes[i])->text));
    }
    return RT_OK;
}

rt_status rt_pass_manager_set(rt_pass_manager *manager, rt_pass pass, const char *key,
                              const char *value) {
    return rt_pass_manager_set_at(manager, pass, key, value, (rt_location){0});
}

rt_status rt_pass_manager_set_at(rt_pass_manager *manager, rt_pass pass, const char *key,
                                 const char *value, rt_location location) {
    rt_pass_option option = {.key = rt_arena_copy_string(&manager->arena, key),
                             .value = rt_arena_copy_string(&manager->arena, value),
                             .location = location};
    return set_all(manager, pass, 0, &option);
}

rt_status rt_pass_manager_set_text(rt_pass_manager *manager, const char *text) {
    size_t length = strcspn(text, ":");
    rt_pass pass;
    RT_TRY(find_pass(manager, text, length, &pass));
    return set_options(manager, pass, 0, text[length] ? text + length + 1 : "");
}

rt_status rt_pass_manager_mark(rt_pass_manager *manager, bool *marks, const char *name) {
    rt_pass pass;
    RT_TRY(find_pass(manager, name, strlen(name), &pass));
    marks[pass] = true;
    return RT_OK;
}

/* ---- the run */

static double now_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static size_t count_nodes(const rt_module *module) {
    rt_arena scratch = {0};
    size_t sum = 0;
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        rt_node *nodes;
        size_t count = 0;
        if (rt_graph_order(rt_module_graph(module, i), &scratch, &nodes, &count)) sum += count;
    }
    rt_arena_deinit(&scratch);
    return sum;
}

/* A failure always has at least one diagnostic. */
static rt_status explain(rt_pass_manager *manager, rt_pass_context *context, size_t errors_before,
                         rt_status status) {
    if (status == RT_OK || manager->diagnostics->error_count > errors_before) return status;
    return rt_pass_fail(context, status, "%s", rt_status_text(status));
}

static rt_status check_options(rt_pass_context *context) {
    rt_status status = RT_OK;
    for (size_t i = 0; i < context->option_count; ++i) {
        if (context->options[i].is_read) continue;
        status = rt_pass_fail(context, RT_INVALID_ARGUMENT, "there is no option '%s'",
                              context->options[i].key);
    }
    return status;
}

static rt_status verify(rt_pass_manager *manager, const rt_module *module, rt_graph_form form,
                        const char *when, const char *pass) {
    rt_status status = rt_verify_module(module, form, manager->diagnostics);
    if (status == RT_INVALID_DATA) {
        rt_diagnose(manager->diagnostics, RT_NOTE, (rt_location){0}, "found %s pass '%s'", when,
                    pass);
    }
    return status;
}

static rt_status run_step(rt_pass_manager *manager, rt_pass_step *step, rt_module *module) {
    const rt_pass_info *info = rt_pass_describe(step->pass);
    size_t errors_before = manager->diagnostics->error_count;
    rt_arena scratch = {0};
    rt_pass_context context = {.pass = step->pass,
                               .diagnostics = manager->diagnostics,
                               .scratch = &scratch,
                               .options = step->options,
                               .option_count = step->option_count};
    if (info->needed == RT_FORM_LEGAL && manager->form != RT_FORM_LEGAL) {
        RT_TRY(verify(manager, module, RT_FORM_LEGAL, "before", info->text));
        manager->form = RT_FORM_LEGAL;
    }
    double start = now_seconds();
    rt_status status = info->run(&context, module);
    step->seconds = now_seconds() - start;
    rt_arena_deinit(&scratch);
    if (status == RT_OK) status = check_options(&context);
    if (status == RT_OK) status = rt_module_status(module);
    step->has_run = true;
    step->counter_count = context.counter_count;
    memcpy(step->counters, context.counters, sizeof step->counters);
    RT_TRY(explain(manager, &context, errors_before, status));
    if (!info->keeps_form) manager->form = info->left;
    return verify(manager, module, manager->form, "after", info->text);
}

rt_status rt_pass_manager_run(rt_pass_manager *manager, rt_module *module) {
    size_t nodes = count_nodes(module);
    for (size_t i = 0; i < manager->step_count; ++i) {
        rt_pass_step *step = &manager->steps[i];
        if (manager->limit >= 0 && (size_t)manager->limit <= i) break;
        if (manager->skips[step->pass]) continue;
        step->nodes_before = nodes;
        RT_TRY(run_step(manager, step, module));
        step->nodes_after = nodes = count_nodes(module);
        if (manager->dumps_after[step->pass] && manager->dump) {
            manager->dump(manager->dump_user, module, rt_pass_describe(step->pass)->text);
        }
        if (manager->stops_after[step->pass]) break;
    }
    return RT_OK;
}

const char *rt_pass_manager_report(const rt_pass_manager *manager, rt_arena *arena) {
    const char *text =
        rt_arena_format(arena, "%-16s %9s %8s %8s\n", "pass", "ms", "before", "after");
    for (size_t i = 0; i < manager->step_count && text; ++i) {
        const rt_pass_step *step = &manager->steps[i];
        if (!step->has_run) continue;
        text = rt_arena_format(arena, "%s%-16s %9.3f %8zu %8zu", text,
                               rt_pass_describe(step->pass)->text, step->seconds * 1e3,
                               step->nodes_before, step->nodes_after);
        for (size_t c = 0; c < step->counter_count && text; ++c) {
            text = rt_arena_format(arena, "%s%s%lld %s", text, c ? ", " : "  ",
                                   (long long)step->counters[c].amount, step->counters[c].name);
        }
        if (text) text = rt_arena_format(arena, "%s\n", text);
    }
    return text;
}
