// SPDX-License-Identifier: Apache-2.0
#include "tools/bench_peak.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "compiler/codegen/probe.h"
#include "runtime/base/check.h"
#include "runtime/base/threads.h"

enum { MAX_ROUNDS = 1000, MAX_THREADS = 256, FAR_BYTES = 256 << 20, NEAR_TIMES = 200 };

typedef struct peak_bench {
    rt_probe *probe;
    rt_threads *threads;
    uint32_t count;
    /* Of the measurement in hand. */
    rt_probe_kind kind;
    size_t bytes; /* of memory, for each thread; 0 for arithmetic */
    int times;
    void *memory[MAX_THREADS];
    double rate[MAX_THREADS];
} peak_bench;

static void measure_on_thread(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    peak_bench *p = argument;
    (void)end;
    (void)worker;
    p->rate[begin] = p->bytes
                         ? rt_probe_bytes(p->probe, p->kind, p->memory[begin], p->bytes, p->times)
                         : rt_probe_flops(p->probe, p->kind);
}

/* What all threads reach at the same time. */
static double measure(peak_bench *p, uint32_t threads) {
    double sum = 0;
    if (threads == 1)
        measure_on_thread(p, 0, 1, 0);
    else
        rt_threads_run(p->threads, measure_on_thread, p, threads, 1);
    for (uint32_t i = 0; i < threads; ++i) sum += p->rate[i];
    return sum;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(peak_bench *p, const char *place, uint32_t threads, int64_t rounds) {
    double rates[MAX_ROUNDS];
    const char *unit = p->bytes ? "GB/s" : "GFLOP/s";
    for (int64_t i = 0; i < rounds; ++i) rates[i] = measure(p, threads) / 1e9;
    qsort(rates, (size_t)rounds, sizeof *rates, compare_doubles);
    double median = (rates[(rounds - 1) / 2] + rates[rounds / 2]) / 2, best = rates[rounds - 1];
    printf("{\"peak\": \"%s\", \"place\": \"%s\", \"threads\": %u, \"unit\": \"%s\", "
           "\"best\": %.1f, \"median\": %.1f, \"rounds\": %d}\n",
           rt_probe_text(p->kind), place, threads, unit, best, median, (int)rounds);
    fflush(stdout);
    fprintf(stderr, "%-22s %-16s %7u %10.1f %10.1f  %s\n", rt_probe_text(p->kind), place, threads,
            best, median, unit);
}

static void report_threads(peak_bench *p, const char *place, int64_t rounds) {
    report(p, place, 1, rounds);
    if (p->count > 1) report(p, place, p->count, rounds);
}

static void report_memory(peak_bench *p, int64_t rounds) {
    long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
    size_t near = l2 > 8192 ? (size_t)l2 / 2 / 4096 * 4096 : 128 << 10;
    p->bytes = near;
    p->times = NEAR_TIMES;
    report_threads(p, "level-2 cache", rounds);
    p->bytes = FAR_BYTES;
    p->times = 1;
    report_threads(p, "memory", rounds);
}

static rt_status prepare(peak_bench *p, uint32_t threads, rt_error *error) {
    RT_TRY(rt_probe_create(&p->probe, error));
    RT_TRY(rt_threads_create(threads, &p->threads, error));
    p->count = rt_threads_workers(p->threads);
    if (p->count > MAX_THREADS) p->count = MAX_THREADS;
    for (uint32_t i = 0; i < p->count; ++i) {
        p->memory[i] = aligned_alloc(4096, FAR_BYTES);
        if (!p->memory[i]) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
        for (size_t at = 0; at < FAR_BYTES / sizeof(float); ++at) ((float *)p->memory[i])[at] = 1;
    }
    return RT_OK;
}

rt_status bench_peak_run(int64_t rounds, uint32_t threads, rt_error *error) {
    peak_bench p = {0};
    if (rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
    rt_status status = prepare(&p, threads, error);
    fprintf(stderr, "%-22s %-16s %7s %10s %10s\n", "", "", "threads", "best", "median");
    for (int i = 0; status == RT_OK && i < RT_PROBE_COUNT; ++i) {
        p.kind = (rt_probe_kind)i;
        p.bytes = 0;
        if (!rt_probe_has(p.probe, p.kind)) continue;
        if (rt_probe_is_memory(p.kind))
            report_memory(&p, rounds);
        else
            report_threads(&p, "registers", rounds);
    }
    for (uint32_t i = 0; i < p.count; ++i) free(p.memory[i]);
    rt_threads_destroy(p.threads);
    rt_probe_destroy(p.probe);
    return status;
}
