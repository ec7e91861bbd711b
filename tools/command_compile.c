// SPDX-License-Identifier: Apache-2.0
/* `retort compile`: a spec to a native training program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/retort_compiler.h"
#include "compiler/training_program.h"
#include "runtime/base/cpu.h"
#include "tools/arguments.h"
#include "tools/commands.h"
#include "tools/dumps.h"
#include "tools/tell.h"
#include "tools/without.h"

enum { MAX_OVERRIDES = 256 };

typedef struct request {
    const char *spec, *output;
    const char *overrides[MAX_OVERRIDES];
    size_t override_count;
    dumps dumps;
    rt_optimizations optimizations;
    bool is_self_contained, is_quiet;
    rt_arena arena;
    rt_diagnostics diagnostics;
} request;

static const char usage[] =
    "usage: retort compile SPEC -o PROGRAM [KEY=VALUE]...\n"
    "Compiles a spec (docs/spec.md lists its keys) to one native executable that trains the "
    "model,\n"
    "evaluates, predicts, saves and resumes; `PROGRAM --help` tells what it takes.\n"
    "\n"
    "  KEY=VALUE            a key of the spec with another value: training.epochs=1\n"
    "  -o PROGRAM           the executable to write\n"
    "  --self-contained     put the initial weights and the teacher's into the executable; else "
    "it\n"
    "                       reads them from where they lie now, or from its --weights\n" DUMPS_HELP
        WITHOUT_HELP "  --quiet              print nothing where all is well\n";

static bool take_override(arguments *a, request *r) {
    const char *argument = a->argv[a->index];
    if (*argument == '-' || !strchr(argument, '=') || r->override_count == MAX_OVERRIDES)
        return false;
    r->overrides[r->override_count++] = argument;
    return true;
}

static int read_arguments(request *r, int argc, char **argv) {
    arguments a = {.command = "compile", .usage = usage, .argc = argc, .argv = argv};
    size_t count = 0;
    while (arguments_next(&a)) {
        if (arguments_text(&a, "-o", &r->output) || arguments_text(&a, "--output", &r->output) ||
            arguments_flag(&a, "--self-contained", &r->is_self_contained) ||
            arguments_flag(&a, "--quiet", &r->is_quiet) || dumps_option(&a, &r->dumps) ||
            without_option(&a, &r->optimizations) || take_override(&a, r))
            continue;
        arguments_operand(&a, &r->spec, 1, &count);
    }
    if (a.exit_code >= 0) return a.exit_code;
    if (!r->spec) return arguments_usage(&a, "no spec is given");
    if (!r->output) return arguments_usage(&a, "say with -o where the program goes");
    return -1;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static rt_module *make_module(request *r, const char **settings) {
    rt_spec_options spec_options = {.overrides = r->overrides, .override_count = r->override_count};
    rt_program_options options = {.settings = settings,
                                  .arena = &r->arena,
                                  .dump_after = r->dumps.passes,
                                  .dump_count = r->dumps.count,
                                  .dump = dumps_print,
                                  .optimizations = r->optimizations};
    rt_spec *spec = rt_spec_read(r->spec, &spec_options, &r->diagnostics);
    rt_module *module = spec ? rt_training_program(spec, &options, &r->diagnostics) : NULL;
    rt_spec_destroy(spec);
    return module;
}

static void report(const request *r, const retort_compilation *compilation, double seconds) {
    retort_compilation_figures figures = retort_compilation_figures_of(compilation);
    if (r->is_quiet) return;
    fprintf(stderr, "%s: %zu kernels, %zu calls, compiled in %.1f s with %.0f MB of memory\n",
            r->output, figures.kernels, figures.calls, seconds,
            (double)rt_memory_peak_bytes() / 1e6);
}

static rt_status compile(request *r, rt_module *module, const char *settings, double start,
                         rt_error *error) {
    retort_compiler_options options;
    retort_compilation *compilation = NULL;
    retort_compiler_options_init(&options);
    options.settings = settings;
    options.optimizations = r->optimizations;
    options.is_self_contained = r->is_self_contained;
    const char *slash = strrchr(r->output, '/');
    options.name = slash ? slash + 1 : r->output;
    rt_status status = retort_compile(module, &options, &compilation, error);
    if (status == RT_OK && r->dumps.has_schedule)
        fputs(retort_compilation_text(compilation, RETORT_TEXT_SCHEDULE), stdout);
    if (status == RT_OK) status = retort_compilation_link(compilation, r->output, NULL, 0, error);
    if (status == RT_OK) report(r, compilation, now() - start);
    retort_compilation_destroy(compilation);
    return status;
}

int command_compile(int argc, char **argv) {
    request r = {0};
    const char *settings = NULL;
    double start = now();
    rt_error error = {{0}};
    int exit_code = read_arguments(&r, argc, argv);
    if (exit_code >= 0) return exit_code;
    rt_module *module = make_module(&r, &settings);
    exit_code = tell_diagnostics(&r.diagnostics);
    if (module && compile(&r, module, settings, start, &error) != RT_OK)
        exit_code = tell_error(&error);
    rt_module_destroy(module);
    rt_arena_deinit(&r.arena);
    rt_diagnostics_deinit(&r.diagnostics);
    return module ? exit_code : 1;
}
