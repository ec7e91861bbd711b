// SPDX-License-Identifier: Apache-2.0
/* retort-bench: times compiled programs on the cases of the peers' benchmark. One JSON line per
 * case with the peers' fields; tests/bench/compare runs both sides in turn. Weights are random:
 * speed does not depend on their values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/training_program.h"
#include "runtime/train/batch_inputs.h"
#include "runtime/train/profile.h"
#include "tools/arguments.h"
#include "tools/bench_batch.h"
#include "tools/bench_clock.h"
#include "tools/bench_peak.h"
#include "tools/bench_product.h"
#include "tools/session.h"
#include "tools/without.h"

typedef struct bench_case {
    const char *name;
    bool is_training;
    int32_t rows, longest;
    const char *profile, *spec;
    const char *teacher; /* its config.json; NULL without one */
} bench_case;

static const bench_case cases[] = {
#define DISTIL(name, rows, longest, profile, teacher, spec) \
    {name, true, rows, longest, profile, spec, teacher},
#define TRAIN(name, rows, longest, profile, spec) {name, true, rows, longest, profile, spec, NULL},
#define INFER(name, rows, longest, profile, spec) {name, false, rows, longest, profile, spec, NULL},
#include "tools/bench_cases.def"
};

enum { CASE_COUNT = sizeof cases / sizeof *cases, MAX_SELECTED = 64, MAX_ROUNDS = 1000 };

typedef struct bench {
    const char *selected[MAX_SELECTED];
    size_t selected_count;
    int64_t threads, rounds;
    session_options session;
    bool lists, profiles, measures_peak;
} bench;

/* ---- one case */

typedef struct bench_run {
    const bench_case *which;
    session *session;
    rt_batch batch;
    int64_t *symbols;
    int step, update;        /* entries; update is -1 without training */
    retort_profile *profile; /* NULL: none */
    rt_error *error;
} bench_run;

static const char *spec_text(const bench_case *which, rt_arena *arena) {
    bool has_task = strncmp(which->spec, "task:", 5) == 0;
    return rt_arena_format(arena,
                           "%sdata: {train: none.tsv, vocabulary: none.txt}\n"
                           "training: {clip_norm: 0, learning_rate: 1e-5}\n%s",
                           has_task ? "" : "task: {kind: classification, labels: ['0', '1']}\n",
                           which->spec);
}

static rt_status compile(bench_run *run, const session_options *compiled) {
    rt_diagnostics diagnostics = {0};
    rt_arena arena = {0};
    rt_spec_options options = {.may_lack_files = true};
    const char *text = spec_text(run->which, &arena);
    rt_spec *spec =
        text ? rt_spec_parse(text, strlen(text), run->which->name, &options, &diagnostics) : NULL;
    rt_module *module = NULL;
    rt_program_options program = {.optimizations = compiled->optimizations};
    rt_model_config teacher;
    rt_status status = RT_OK;
    if (run->which->teacher) {
        program.random_teacher = &teacher;
        status =
            rt_model_config_parse("teacher", run->which->teacher, &arena, &teacher, run->error);
    }
    if (spec && status == RT_OK)
        module = run->which->is_training ? rt_training_program(spec, &program, &diagnostics)
                                         : rt_inference_program(spec, &program, &diagnostics);
    if (status == RT_OK)
        status =
            module ? session_open(module, compiled, &run->session, run->error) : RT_INVALID_DATA;
    if (rt_diagnostics_failed(&diagnostics))
        rt_fail(run->error, status, "%s", rt_diagnostics_text(&diagnostics, &arena));
    rt_module_destroy(module);
    rt_spec_destroy(spec);
    rt_arena_deinit(&arena);
    rt_diagnostics_deinit(&diagnostics);
    return status;
}

static rt_status prepare(bench_run *run, const session_options *compiled) {
    const bench_case *which = run->which;
    RT_TRY(bench_batch_create(which->profile, which->rows, which->longest, &run->batch));
    RT_TRY(compile(run, compiled));
    const retort_program *program = session_program(run->session);
    run->symbols = calloc(program->symbol_count + 1, sizeof *run->symbols);
    if (!run->symbols) return RT_OUT_OF_MEMORY;
    run->update = -1;
    RT_TRY(session_entry(run->session, which->is_training ? "step" : "predict", &run->step,
                         run->error));
    if (which->is_training) RT_TRY(session_entry(run->session, "update", &run->update, run->error));
    retort_batch_symbols(program, &run->batch, run->symbols);
    return retort_instance_reserve(session_instance(run->session), run->symbols, run->error);
}

static void feed(bench_run *run, int entry, const char *name, float value) {
    float *input = retort_instance_input(session_instance(run->session), entry, name);
    if (input) *input = value;
}

static rt_status run_entry(bench_run *run, int entry) {
    if (run->profile) retort_profile_begin(run->profile, entry);
    rt_status status =
        retort_instance_run(session_instance(run->session), entry, run->symbols, run->error);
    if (run->profile) retort_profile_end(run->profile);
    return status;
}

/* What the peer does in a round: the batch in, forward, and in training backward and the update. */
static rt_status round_once(bench_run *run, int64_t number) {
    retort_instance *instance = session_instance(run->session);
    retort_instance_set_step(instance, (uint64_t)number);
    retort_batch_feed(instance, run->step, &run->batch);
    feed(run, run->step, "loss_scale", 1);
    feed(run, run->step, "token_share", 1);
    feed(run, run->step, "masked_share", 1);
    RT_TRY(run_entry(run, run->step));
    if (run->update < 0) return RT_OK;
    feed(run, run->update, "learning_rate", 1e-5f);
    feed(run, run->update, "bias_correction1", (float)(1 - pow(0.9, (double)number + 1)));
    feed(run, run->update, "bias_correction2", (float)(1 - pow(0.999, (double)number + 1)));
    return run_entry(run, run->update);
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static rt_status time_rounds(bench_run *run, int64_t rounds, double setup_ms, bool profiles) {
    double ms[MAX_ROUNDS], processor_ms = INFINITY;
    enum { WARM_UP = 2 };
    double start = bench_now_ms();
    for (int64_t i = 0; i < WARM_UP; ++i) RT_TRY(round_once(run, i));
    double warm = setup_ms + bench_now_ms() - start;
    if (profiles)
        RT_TRY(retort_profile_create(session_instance(run->session), &run->profile, run->error));
    for (int64_t i = 0; i < rounds; ++i) {
        double begin = bench_now_ms(), processor = bench_processor_ms();
        RT_TRY(round_once(run, i + WARM_UP));
        ms[i] = bench_now_ms() - begin;
        processor_ms = fmin(processor_ms, bench_processor_ms() - processor);
    }
    qsort(ms, (size_t)rounds, sizeof *ms, compare_doubles);
    double median = (ms[(rounds - 1) / 2] + ms[rounds / 2]) / 2;
    retort_memory memory = retort_instance_memory(session_instance(run->session));
    uint64_t bytes = memory.weights + memory.derived + memory.gradients + memory.state +
                     memory.buffers + memory.scratch;
    printf("{\"case\": \"%s\", \"peer\": \"retort-fp32\", \"ms_min\": %.3f, \"ms_median\": %.3f, "
           "\"ms_max\": %.3f, \"processor_ms_min\": %.3f, \"tokens\": %d, \"rounds\": %d, "
           "\"setup_s\": %.2f, \"memory_mb\": %.1f}\n",
           run->which->name, ms[0], median, ms[rounds - 1], processor_ms, run->batch.tokens,
           (int)rounds, warm / 1e3, (double)bytes / 1e6);
    fflush(stdout);
    if (profiles) retort_profile_print(run->profile, stderr);
    return RT_OK;
}

static bool run_case(const bench_case *which, const bench *b) {
    rt_error error = {{0}};
    bench_run run = {.which = which, .error = &error};
    double start = bench_now_ms();
    rt_status status = prepare(&run, &b->session);
    if (status == RT_OK) status = time_rounds(&run, b->rounds, bench_now_ms() - start, b->profiles);
    if (status != RT_OK)
        fprintf(stderr, "retort-bench: %s: %s\n", which->name,
                error.text[0] ? error.text : rt_status_text(status));
    retort_profile_destroy(run.profile);
    session_close(run.session);
    rt_batch_destroy(&run.batch);
    free(run.symbols);
    return status == RT_OK;
}

static bool is_selected(const bench *b, const char *name) {
    bool is_in = b->selected_count == 0;
    for (size_t i = 0; i < b->selected_count; ++i) is_in |= strstr(name, b->selected[i]) != NULL;
    return is_in;
}

/* Many and long: only those that are asked for by name. */
static bool run_products(const bench *b) {
    bool is_good = true;
    for (size_t i = 0; i < bench_product_count(); ++i) {
        char name[64];
        rt_error error = {{0}};
        bench_product_name(i, name, sizeof name);
        if (!is_selected(b, name) || (!b->selected_count && !b->lists)) continue;
        if (b->lists) {
            puts(name);
        } else if (bench_product_run(i, b->rounds, &b->session, &error) != RT_OK) {
            fprintf(stderr, "retort-bench: %s: %s\n", name, error.text);
            is_good = false;
        }
    }
    return is_good;
}

static int measure_peak(const bench *b) {
    rt_error error = {{0}};
    if (bench_peak_run(b->rounds, b->session.threads, &error) == RT_OK) return 0;
    fprintf(stderr, "retort-bench: %s\n", error.text);
    return 1;
}

static const char usage[] =
    "usage: retort-bench [--case SUBSTRING]... [--threads N] [--rounds N] [--without NAMES]\n"
    "                    [--profile] [--list | --peak]\n"
    "Times compiled programs, one JSON line per case: milliseconds of a round by the clock, and "
    "of\n"
    "the processors that worked on it (with one thread that says something on a busy machine "
    "too);\n"
    "its tokens, the memory that is planned.\n"
    "\n"
    "  --case SUBSTRING     only cases whose name contains it; may be repeated\n"
    "  --threads N          threads to compute with (RETORT_THREADS, else all)\n"
    "  --rounds N           rounds that count (5), after two that warm up\n" WITHOUT_HELP
    "  --profile            where the time goes, to standard error\n"
    "  --list               print the names of the cases\n"
    "  --peak               measure this machine's limits instead: operations and bytes a second\n";

int main(int argc, char **argv) {
    bench b = {.rounds = 5};
    arguments a = {.command = "bench", .usage = usage, .argc = argc, .argv = argv};
    const char *text;
    while (arguments_next(&a)) {
        if (arguments_flag(&a, "--list", &b.lists) ||
            arguments_flag(&a, "--profile", &b.profiles) ||
            arguments_flag(&a, "--peak", &b.measures_peak) ||
            arguments_integer(&a, "--threads", 1, 1024, &b.threads) ||
            arguments_integer(&a, "--rounds", 1, MAX_ROUNDS, &b.rounds) ||
            without_option(&a, &b.session.optimizations))
            continue;
        if (arguments_text(&a, "--case", &text)) {
            if (b.selected_count < MAX_SELECTED) b.selected[b.selected_count++] = text;
            continue;
        }
        arguments_operand(&a, NULL, 0, &(size_t){0});
    }
    if (a.exit_code >= 0) return a.exit_code;
    b.session.threads = (uint32_t)b.threads;
#ifndef NDEBUG
    fputs("retort-bench: built with assertions; build with CMAKE_BUILD_TYPE=Release to measure\n",
          stderr);
    if (!b.lists) return 1;
#endif
    if (b.measures_peak) return measure_peak(&b);
    bool is_good = run_products(&b);
    for (size_t i = 0; i < CASE_COUNT; ++i) {
        if (!is_selected(&b, cases[i].name)) continue;
        if (b.lists)
            puts(cases[i].name);
        else
            is_good = run_case(&cases[i], &b) && is_good;
    }
    return is_good ? 0 : 1;
}
