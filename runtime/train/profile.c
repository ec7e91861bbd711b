// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/profile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/machine_speed.h"
#include "runtime/program.h"
#include "runtime/train/console.h"

enum { MAX_EVENTS = 200000, SHOWN = 25, KINDS = 32 };

typedef struct node_time {
    uint64_t calls;
    double seconds, flops, bytes;
} node_time;

typedef struct event {
    uint32_t entry, node;
    double begin, seconds, flops, bytes;
} event;

struct retort_profile {
    const retort_program *program;
    retort_instance *instance;
    node_time **nodes; /* by entry, by node */
    node_time *entries;
    event *events;
    size_t event_count;
    int entry; /* that runs now */
    double origin, entry_begin, node_begin;
};

static void add_time(node_time *sum, const node_time *time) {
    sum->calls += time->calls;
    sum->seconds += time->seconds;
    sum->flops += time->flops;
    sum->bytes += time->bytes;
}

/* 0 where it is out of range. */
static double evaluate(retort_size size, const int64_t *symbols) {
    int64_t value;
    return retort_size_evaluate(size, symbols, &value) == RT_OK ? (double)value : 0;
}

static void note_call(const retort_context *context, uint32_t node, uint32_t is_end) {
    retort_profile *profile = context->tracer;
    double now = retort_clock();
    if (!is_end) {
        profile->node_begin = now;
        return;
    }
    node_time *time = &profile->nodes[profile->entry][node];
    const retort_node *what = &profile->program->entries[profile->entry].nodes[node];
    event ev = {(uint32_t)profile->entry,
                node,
                profile->node_begin - profile->origin,
                now - profile->node_begin,
                evaluate(what->flops, context->symbols),
                evaluate(what->bytes, context->symbols)};
    add_time(time, &(node_time){1, ev.seconds, ev.flops, ev.bytes});
    if (profile->event_count < MAX_EVENTS) profile->events[profile->event_count++] = ev;
}

rt_status retort_profile_create(retort_instance *instance, retort_profile **profile,
                                rt_error *error) {
    const retort_program *program = retort_instance_program(instance);
    retort_profile *made = calloc(1, sizeof *made);
    bool is_made = made != NULL;
    if (is_made) {
        *made =
            (retort_profile){.program = program, .instance = instance, .origin = retort_clock()};
        made->nodes = calloc(program->entry_count + 1, sizeof *made->nodes);
        made->entries = calloc(program->entry_count + 1, sizeof *made->entries);
        made->events = calloc(MAX_EVENTS, sizeof *made->events);
        is_made = made->nodes && made->entries && made->events;
    }
    for (uint32_t e = 0; is_made && e < program->entry_count; ++e) {
        made->nodes[e] = calloc(program->entries[e].node_count + 1, sizeof **made->nodes);
        is_made = made->nodes[e] != NULL;
    }
    if (!is_made) {
        retort_profile_destroy(made);
        return rt_fail(error, RT_OUT_OF_MEMORY, "profile: out of memory");
    }
    retort_instance_set_trace(instance, note_call, made);
    *profile = made;
    return RT_OK;
}

void retort_profile_destroy(retort_profile *profile) {
    if (!profile) return;
    retort_instance_set_trace(profile->instance, NULL, NULL);
    for (uint32_t e = 0; profile->nodes && e < profile->program->entry_count; ++e)
        free(profile->nodes[e]);
    free(profile->nodes);
    free(profile->entries);
    free(profile->events);
    free(profile);
}

void retort_profile_begin(retort_profile *profile, int entry) {
    profile->entry = entry;
    profile->entry_begin = retort_clock();
}

void retort_profile_end(retort_profile *profile) {
    node_time *time = &profile->entries[profile->entry];
    ++time->calls;
    time->seconds += retort_clock() - profile->entry_begin;
}

/* ---- tables */

typedef struct line {
    const char *entry, *name, *kernel;
    node_time time;
} line;

static int compare_lines(const void *a, const void *b) {
    double x = ((const line *)a)->time.seconds, y = ((const line *)b)->time.seconds;
    return (x < y) - (x > y);
}

/* What shares are of. */
typedef struct whole {
    double seconds;
    rt_machine_speed speed; /* zero where it is not known */
} whole;

/* A rate in billions and its share of `most`, in columns of their own; spaces for nothing. */
static void print_rate(FILE *stream, double amount, double seconds, double most) {
    double rate = seconds > 0 ? amount / seconds : 0;
    if (rate <= 0)
        fprintf(stream, "%8s  %6s  ", "", "");
    else if (most <= 0)
        fprintf(stream, "%8.1f  %6s  ", rate * 1e-9, "");
    else
        fprintf(stream, "%8.1f  %6.1f  ", rate * 1e-9, rate / most * 100);
}

static void print_head(FILE *stream) {
    fprintf(stream, "%10s  %5s  %9s  %9s  %8s  %6s  %8s  %6s  %-10s  %-9s  %s\n", "ms", "%",
            "calls", "ms/call", "GFLOP/s", "% peak", "GB/s", "% memory", "kernel", "entry", "node");
}

static void print_line(FILE *stream, const line *l, const whole *all) {
    const node_time *time = &l->time;
    fprintf(stream, "%10.1f  %5.1f  %9" PRIu64 "  %9.4f  ", time->seconds * 1e3,
            time->seconds / all->seconds * 100, time->calls,
            time->seconds * 1e3 / (double)time->calls);
    print_rate(stream, time->flops, time->seconds, all->speed.flops);
    print_rate(stream, time->bytes, time->seconds, all->speed.bytes);
    fprintf(stream, "%-10.10s  %-9.9s  %s\n", l->kernel, l->entry, l->name);
}

/* Sums the lines by kind of kernel into `kinds`; how many kinds there are. */
static size_t sum_kinds(const line *lines, size_t count, line kinds[KINDS]) {
    size_t kind_count = 0;
    for (size_t i = 0; i < count; ++i) {
        size_t k = 0;
        while (k < kind_count && strcmp(kinds[k].kernel, lines[i].kernel) != 0) ++k;
        if (k == kind_count && k < KINDS)
            kinds[kind_count++] = (line){"", "", lines[i].kernel, {0}};
        if (k < KINDS) add_time(&kinds[k].time, &lines[i].time);
    }
    qsort(kinds, kind_count, sizeof *kinds, compare_lines);
    return kind_count;
}

static size_t collect(const retort_profile *profile, line *lines) {
    size_t count = 0;
    for (uint32_t e = 0; e < profile->program->entry_count; ++e) {
        const retort_entry *entry = &profile->program->entries[e];
        double inside = 0;
        for (uint32_t n = 0; n < entry->node_count; ++n) {
            const retort_node *node = &entry->nodes[n];
            if (!profile->nodes[e][n].calls) continue;
            lines[count++] = (line){entry->name, node->name ? node->name : "", node->kernel,
                                    profile->nodes[e][n]};
            inside += profile->nodes[e][n].seconds;
        }
        const node_time *all = &profile->entries[e];
        if (all->calls && all->seconds > inside)
            lines[count++] = (line){
                entry->name, "between kernels", "-", {all->calls, all->seconds - inside, 0, 0}};
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    return count;
}

void retort_profile_print(const retort_profile *profile, FILE *stream) {
    size_t most = 1, count;
    whole all = {0};
    rt_threads *threads = retort_instance_threads(profile->instance);
    for (uint32_t e = 0; e < profile->program->entry_count; ++e)
        most += profile->program->entries[e].node_count + 1;
    line *lines = calloc(most, sizeof *lines), kinds[KINDS];
    if (!lines) return;
    count = collect(profile, lines);
    for (size_t i = 0; i < count; ++i) all.seconds += lines[i].time.seconds;
    if (rt_machine_measure(threads, &all.speed, NULL) == RT_OK)
        fprintf(stream, "this machine, just now, %u thread%s: %.1f GFLOP/s (f32), %.1f GB/s\n\n",
                rt_threads_workers(threads), rt_threads_workers(threads) == 1 ? "" : "s",
                all.speed.flops * 1e-9, all.speed.bytes * 1e-9);
    print_head(stream);
    for (size_t i = 0; i < count && i < SHOWN; ++i) print_line(stream, &lines[i], &all);
    if (count > SHOWN) {
        line rest = {"", "the other nodes", "", {0}};
        for (size_t i = SHOWN; i < count; ++i) add_time(&rest.time, &lines[i].time);
        print_line(stream, &rest, &all);
    }
    size_t kind_count = sum_kinds(lines, count, kinds);
    fprintf(stream, "\nby kernel\n");
    for (size_t k = 0; k < kind_count; ++k) print_line(stream, &kinds[k], &all);
    free(lines);
}

static void put_event(rt_json_writer *json, const retort_profile *profile, const event *ev) {
    const retort_node *node = &profile->program->entries[ev->entry].nodes[ev->node];
    rt_json_begin_object(json, NULL);
    rt_json_put_string(json, "name", node->name ? node->name : node->kernel);
    rt_json_put_string(json, "cat", node->kernel);
    rt_json_put_string(json, "ph", "X");
    rt_json_put_double(json, "ts", ev->begin * 1e6);
    rt_json_put_double(json, "dur", ev->seconds * 1e6);
    rt_json_put_integer(json, "pid", 1);
    rt_json_put_integer(json, "tid", (int64_t)ev->entry + 1);
    rt_json_begin_object(json, "args");
    rt_json_put_double(json, "flops", ev->flops);
    rt_json_put_double(json, "bytes", ev->bytes);
    if (ev->flops > 0 && ev->seconds > 0)
        rt_json_put_double(json, "GFLOP/s", ev->flops / ev->seconds * 1e-9);
    rt_json_end(json);
    rt_json_end(json);
}

/* The name under which a thread is shown. */
static void put_thread(rt_json_writer *json, const retort_profile *profile, uint32_t entry) {
    rt_json_begin_object(json, NULL);
    rt_json_put_string(json, "name", "thread_name");
    rt_json_put_string(json, "ph", "M");
    rt_json_put_integer(json, "pid", 1);
    rt_json_put_integer(json, "tid", (int64_t)entry + 1);
    rt_json_begin_object(json, "args");
    rt_json_put_string(json, "name", profile->program->entries[entry].name);
    rt_json_end(json);
    rt_json_end(json);
}

rt_status retort_profile_write_trace(const retort_profile *profile, const char *path,
                                     rt_error *error) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, path, error));
    rt_json_writer json = {.out = &writer};
    rt_json_begin_object(&json, NULL);
    rt_json_put_string(&json, "displayTimeUnit", "ms");
    rt_json_begin_array(&json, "traceEvents");
    for (uint32_t e = 0; e < profile->program->entry_count; ++e) put_thread(&json, profile, e);
    for (size_t i = 0; i < profile->event_count; ++i)
        put_event(&json, profile, &profile->events[i]);
    rt_json_end(&json);
    rt_json_end(&json);
    return rt_writer_commit(&writer, error);
}
