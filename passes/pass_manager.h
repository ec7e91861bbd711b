// SPDX-License-Identifier: Apache-2.0
/* Runs a list of passes over a module.
 *
 *     rt_pass_manager *manager = rt_pass_manager_create(&diagnostics);
 *     rt_pass_manager_add(manager, "simplify");
 *     rt_pass_manager_add(manager, "freeze:names=encoder.*,keep=2");
 *     rt_status status = rt_pass_manager_run(manager, module);
 *
 * After each pass it verifies the module in the form that the pass leaves. It alone dumps, times,
 * stops after a pass (--stop-after) and bisects (--pass-limit). */
#ifndef RETORT_PASSES_PASS_MANAGER_H
#define RETORT_PASSES_PASS_MANAGER_H

#include "passes/pass.h"

/* One pass of the list and, once it has run, what it did. */
typedef struct rt_pass_step {
    rt_pass pass;
    rt_pass_option *options;
    size_t option_count, option_capacity;
    bool has_run;
    double seconds;
    size_t nodes_before, nodes_after; /* live nodes of all graphs */
    rt_pass_counter counters[RT_MAX_PASS_COUNTERS];
    size_t counter_count;
} rt_pass_step;

typedef struct rt_pass_manager {
    rt_diagnostics *diagnostics;
    rt_arena arena;
    rt_pass_step *steps;
    size_t step_count, step_capacity;
    rt_graph_form form; /* of the module now; TYPED at the start */

    /* To be set before the run; zero does nothing. */
    bool dumps_after[RT_PASS_COUNT];
    void (*dump)(void *user, const rt_module *module, const char *pass);
    void *dump_user;
    bool stops_after[RT_PASS_COUNT];
    bool skips[RT_PASS_COUNT]; /* does not run these where the list has them */
    int64_t limit;             /* passes to run; -1 (from create) runs all */
} rt_pass_manager;

/* NULL where there is no memory. `diagnostics` outlives the manager. */
rt_pass_manager *rt_pass_manager_create(rt_diagnostics *diagnostics);
void rt_pass_manager_destroy(rt_pass_manager *manager); /* NULL is fine */

/* Appends "name" or "name:key=value,key=value"; diagnoses an unknown pass with the names known. */
RT_MUST_CHECK rt_status rt_pass_manager_add(rt_pass_manager *manager, const char *text);
/* Appends a pipeline of pipelines.h by name. */
RT_MUST_CHECK rt_status rt_pass_manager_add_pipeline(rt_pass_manager *manager, const char *name);

/* Gives every step of one pass an option; diagnoses where the list has no such step. */
RT_MUST_CHECK rt_status rt_pass_manager_set(rt_pass_manager *manager, rt_pass pass, const char *key,
                                            const char *value);
/* The same of one that a person wrote at `location`: what is wrong with it is said there. */
RT_MUST_CHECK rt_status rt_pass_manager_set_at(rt_pass_manager *manager, rt_pass pass,
                                               const char *key, const char *value,
                                               rt_location location);
/* The same from "name:key=value,key=value". */
RT_MUST_CHECK rt_status rt_pass_manager_set_text(rt_pass_manager *manager, const char *text);

/* Marks a pass for dumps_after or stops_after by name. */
RT_MUST_CHECK rt_status rt_pass_manager_mark(rt_pass_manager *manager, bool *marks,
                                             const char *name);

/* Runs the steps in order until one fails; its diagnostics say why. */
RT_MUST_CHECK rt_status rt_pass_manager_run(rt_pass_manager *manager, rt_module *module);

/* A table of what ran: seconds, nodes before and after, counters. In `arena`. */
const char *rt_pass_manager_report(const rt_pass_manager *manager, rt_arena *arena);

#endif
