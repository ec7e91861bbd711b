// SPDX-License-Identifier: Apache-2.0
/* A pass is one function from a module to a module, in one file, with one row in passes.def and one
 * folder of text tests in tests/passes. It keeps no globals, calls no other pass, prints nothing.
 * The manager (pass_manager.h) does the rest: verifies, dumps, times, stops.
 *
 *     rt_status rt_pass_simplify(rt_pass_context *context, rt_module *module) {
 *         return rt_pass_rewrite(context, module, NULL, NULL);
 *     }
 */
#ifndef RETORT_PASSES_PASS_H
#define RETORT_PASSES_PASS_H

#include "ir/rewrite.h"
#include "ir/verify.h"

typedef enum rt_pass {
#define PASS(id, text, needed, left, line) RT_PASS_##id,
#include "passes/passes.def"
    RT_PASS_COUNT
} rt_pass;

/* What a run of a pass was told: --pass=NAME:key=value, or a key of the spec. */
typedef struct rt_pass_option {
    const char *key, *value;
    bool is_read;         /* by the pass; one that never is, is an error */
    rt_location location; /* where a person wrote it; zero where nobody did */
} rt_pass_option;

/* What a pass reports: "merged nodes", 12. */
typedef struct rt_pass_counter {
    const char *name; /* a literal */
    int64_t amount;
} rt_pass_counter;

enum { RT_MAX_PASS_COUNTERS = 8 };

typedef struct rt_pass_context {
    rt_pass pass;
    rt_diagnostics *diagnostics;
    rt_arena *scratch; /* emptied after the pass */
    rt_pass_option *options;
    size_t option_count;
    rt_pass_counter counters[RT_MAX_PASS_COUNTERS];
    size_t counter_count;
} rt_pass_context;

typedef rt_status (*rt_pass_function)(rt_pass_context *context, rt_module *module);

#define PASS(id, text, needed, left, line) \
    rt_status rt_pass_##id(rt_pass_context *context, rt_module *module);
#include "passes/passes.def"

/* The row of a pass. */
typedef struct rt_pass_info {
    const char *text;
    const char *line;
    rt_graph_form needed;
    rt_graph_form left; /* where not keeps_form */
    bool keeps_form;
    rt_pass_function run;
} rt_pass_info;

const rt_pass_info *rt_pass_describe(rt_pass pass);
bool rt_pass_from_text(const char *text, size_t length, rt_pass *pass);

/* ---- for passes */

/* The value of an option; `otherwise` where it was not given. */
const char *rt_pass_option_text(rt_pass_context *context, const char *key, const char *otherwise);
/* The same as a number or a flag (true, false): leaves *value alone where it was not given,
 * diagnoses a value that is none or lies outside [least, most]. */
RT_MUST_CHECK rt_status rt_pass_option_integer(rt_pass_context *context, const char *key,
                                               int64_t least, int64_t most, int64_t *value);
RT_MUST_CHECK rt_status rt_pass_option_real(rt_pass_context *context, const char *key, double least,
                                            double most, double *value);
RT_MUST_CHECK rt_status rt_pass_option_flag(rt_pass_context *context, const char *key, bool *value);

/* Diagnoses "pass 'name': ..." without a place; returns `status`. */
rt_status rt_pass_fail(rt_pass_context *context, rt_status status, const char *format, ...)
    RT_PRINTF(3, 4);

/* The same of an option: at the place where it was written, as it stands there, where there is one.
 */
rt_status rt_pass_fail_option(rt_pass_context *context, const char *key, rt_status status,
                              const char *format, ...) RT_PRINTF(4, 5);

/* Notes something at the place where an option was written. */
void rt_pass_note_option(rt_pass_context *context, const char *key, const char *format, ...)
    RT_PRINTF(3, 4);

/* Adds to a counter; `name` is a literal. */
void rt_pass_count(rt_pass_context *context, const char *name, int64_t amount);

/* Rewrites every graph of the module by `rule` (ir/rewrite.h) and puts it in its place. */
RT_MUST_CHECK rt_status rt_pass_rewrite(rt_pass_context *context, rt_module *module,
                                        rt_rewrite_rule rule, void *user);

#endif
