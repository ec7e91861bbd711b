// SPDX-License-Identifier: Apache-2.0
/* retort-opt: passes on graphs as text, for tests and for looking at what a pass does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/schedule/schedule.h"
#include "ir/parse.h"
#include "ir/print.h"
#include "passes/pass_manager.h"
#include "passes/pipelines.h"
#include "tools/expect_errors.h"
#include "tools/read_text.h"

static const char usage[] =
    "usage: retort-opt [OPTION]... FILE      (FILE may be -)\n"
    "Runs passes, in the order given, on a module in text form and prints the module.\n"
    "\n"
    "  --PASS[=key=value,...]   run a pass (--list names them)\n"
    "  --pipeline NAME          run a pipeline\n"
    "  --pass PASS:key=value    give an option to passes that are already listed\n"
    "  --dump-after PASS        print the module after each run of a pass, to standard error\n"
    "  --stop-after PASS        run nothing after a pass\n"
    "  --pass-limit N           run the first N passes only\n"
    "  --schedule               print the schedule instead of the module (behind --expand)\n"
    "  --fusion                 print what was fused, and why not more (behind --expand)\n"
    "  --without NAMES          schedule without these optimisations\n"
    "  --verify-diagnostics     succeed where the errors are those of the expect-error comments\n"
    "  --time                   report time, nodes and counters of each pass, to standard error\n"
    "  --list                   list passes and pipelines\n";

typedef struct request {
    rt_diagnostics diagnostics;
    rt_arena arena;
    rt_pass_manager *manager;
    const char *path;
    rt_optimizations optimizations;
    bool verifies_diagnostics, times, schedules, logs_fusion;
} request;

static void dump(void *user, const rt_module *module, const char *pass) {
    request *r = user;
    const char *text = rt_print_module(module, &r->arena);
    fprintf(stderr, "; after %s\n%s", pass, text ? text : "; out of memory\n");
}

static rt_status set_limit(request *r, const char *value) {
    char *end;
    r->manager->limit = strtoll(value, &end, 10);
    if (*value && !*end && r->manager->limit >= 0) return RT_OK;
    return rt_diagnose_error(&r->diagnostics, RT_INVALID_ARGUMENT, (rt_location){0},
                             "--pass-limit takes a number of passes, not '%s'", value);
}

static rt_status leave_out(request *r, const char *names) {
    rt_error error;
    rt_status status = rt_optimizations_leave_out(&r->optimizations, names, &error);
    rt_optimizations_choose_passes(r->optimizations, r->manager);
    if (status == RT_OK) return status;
    return rt_diagnose_error(&r->diagnostics, status, (rt_location){0}, "%s", error.text);
}

/* An option with its value; *is_known says whether it is one. */
static rt_status take_value(request *r, const char *option, const char *value, bool *is_known) {
    rt_pass_manager *m = r->manager;
    *is_known = true;
    if (strcmp(option, "--pipeline") == 0) return rt_pass_manager_add_pipeline(m, value);
    if (strcmp(option, "--pass") == 0) return rt_pass_manager_set_text(m, value);
    if (strcmp(option, "--dump-after") == 0) return rt_pass_manager_mark(m, m->dumps_after, value);
    if (strcmp(option, "--stop-after") == 0) return rt_pass_manager_mark(m, m->stops_after, value);
    if (strcmp(option, "--pass-limit") == 0) return set_limit(r, value);
    if (strcmp(option, "--without") == 0) return leave_out(r, value);
    *is_known = false;
    return RT_OK;
}

/* --PASS or --PASS=key=value,...: the manager wants PASS:key=value,... */
static rt_status add_pass(request *r, const char *option) {
    char *text = rt_arena_copy_string(&r->arena, option + 2);
    if (!text) return RT_OUT_OF_MEMORY;
    char *equals = strchr(text, '=');
    if (equals) *equals = ':';
    return rt_pass_manager_add(r->manager, text);
}

static rt_status read_arguments(request *r, int argc, char **argv) {
    for (int i = 1; i < argc; ++i) {
        bool is_known = false;
        if (i + 1 < argc) RT_TRY(take_value(r, argv[i], argv[i + 1], &is_known));
        if (is_known) {
            ++i;
        } else if (strcmp(argv[i], "--verify-diagnostics") == 0) {
            r->verifies_diagnostics = true;
        } else if (strcmp(argv[i], "--time") == 0) {
            r->times = true;
        } else if (strcmp(argv[i], "--schedule") == 0) {
            r->schedules = true;
        } else if (strcmp(argv[i], "--fusion") == 0) {
            r->schedules = r->logs_fusion = true;
        } else if (strncmp(argv[i], "--", 2) == 0) {
            RT_TRY(add_pass(r, argv[i]));
        } else if (!r->path) {
            r->path = argv[i];
        } else {
            return RT_INVALID_ARGUMENT;
        }
    }
    return r->path ? RT_OK : RT_INVALID_ARGUMENT;
}

/* The schedules of all graphs; NULL, and told, where there is none. */
static const char *schedule_text(request *r, rt_module *module) {
    const char *text = "";
    for (size_t i = 0; text && i < rt_module_graph_count(module); ++i) {
        rt_schedule schedule;
        rt_error error;
        if (rt_schedule_create(rt_module_graph(module, i), r->optimizations, &r->arena, &schedule,
                               &error) != RT_OK) {
            rt_diagnose(&r->diagnostics, RT_ERROR, (rt_location){0}, "%s", error.text);
            return NULL;
        }
        const char *part = r->logs_fusion ? rt_schedule_fusion_text(&schedule, &r->arena)
                                          : rt_schedule_text(&schedule, &r->arena);
        text = part ? rt_arena_format(&r->arena, "%s%s", text, part) : NULL;
    }
    return text;
}

static int run(request *r) {
    size_t length;
    rt_error error;
    const char *printed = NULL, *text = rt_read_text(r->path, &r->arena, &length, &error);
    if (!text) {
        rt_diagnose(&r->diagnostics, RT_ERROR, (rt_location){0}, "%s", error.text);
        return 1;
    }
    rt_module *module = (r->verifies_diagnostics ? rt_parse_module_with_places : rt_parse_module)(
        text, length, r->path, &r->diagnostics);
    bool is_good = module && rt_pass_manager_run(r->manager, module) == RT_OK;
    const char *times = r->times ? rt_pass_manager_report(r->manager, &r->arena) : NULL;
    if (times) fputs(times, stderr);
    if (r->verifies_diagnostics) {
        const char *report = rt_expect_errors(text, length, &r->diagnostics, &r->arena);
        fputs(report ? report : "out of memory\n", stderr);
        is_good = report && !*report;
        rt_diagnostics_deinit(&r->diagnostics);
    } else if (is_good) {
        printed = r->schedules ? schedule_text(r, module) : rt_print_module(module, &r->arena);
        is_good = printed && fputs(printed, stdout) >= 0 && fflush(stdout) == 0;
    }
    rt_module_destroy(module);
    return is_good ? 0 : 1;
}

int main(int argc, char **argv) {
    request r = {0};
    if (argc == 2 && strcmp(argv[1], "--help") == 0) return fputs(usage, stdout) < 0;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        const char *listing = rt_pass_listing(&r.arena);
        if (listing) fputs(listing, stdout);
        rt_arena_deinit(&r.arena);
        return listing ? 0 : 1;
    }
    r.manager = rt_pass_manager_create(&r.diagnostics);
    if (!r.manager) return 1;
    r.manager->dump = dump;
    r.manager->dump_user = &r;
    rt_status status = read_arguments(&r, argc, argv);
    int result = status == RT_OK ? run(&r) : 2;
    const char *said = rt_diagnostics_text(&r.diagnostics, &r.arena);
    fputs(said ? said : "out of memory\n", stderr);
    if (status == RT_INVALID_ARGUMENT && !rt_diagnostics_failed(&r.diagnostics)) {
        fputs(usage, stderr);
    }
    rt_pass_manager_destroy(r.manager);
    rt_arena_deinit(&r.arena);
    rt_diagnostics_deinit(&r.diagnostics);
    return result;
}
