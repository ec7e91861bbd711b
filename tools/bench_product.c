// SPDX-License-Identifier: Apache-2.0
#include "tools/bench_product.h"

#include <stdio.h>
#include <stdlib.h>

#include "compiler/codegen/probe.h"
#include "compiler/kernels/product.h"
#include "ir/builder.h"
#include "runtime/base/check.h"
#include "runtime/base/threads.h"
#include "tools/bench_clock.h"

/* ---- the cases: every form at every size */

typedef struct product_form {
    const char *text;
    bool transpose_a, transpose_b;
    bool has_panels; /* ours gets b packed, the library as it is */
} product_form;
static const product_form forms[] = {{"panels", false, true, true},
                                     {"nt", false, true, false},
                                     {"nn", false, false, false},
                                     {"tn", true, false, false}};

static const int64_t tokens[] = {128, 512, 4096};
static const int64_t layers[][2] = {{768, 768},  {768, 3072},  {3072, 768}, {384, 384},
                                    {384, 1536}, {1024, 4096}, {768, 30522}};

enum { FORMS = RT_COUNT_OF(forms), TOKENS = RT_COUNT_OF(tokens), LAYERS = RT_COUNT_OF(layers) };

typedef struct product_case {
    const product_form *form;
    int64_t tokens, inputs, outputs;
    int64_t rows, columns, inner; /* of the product */
} product_case;

static product_case case_at(size_t index) {
    product_case c = {.form = &forms[index / (TOKENS * LAYERS)],
                      .tokens = tokens[index / LAYERS % TOKENS],
                      .inputs = layers[index % LAYERS][0],
                      .outputs = layers[index % LAYERS][1]};
    c.rows = c.form->transpose_a ? c.outputs : c.tokens;
    c.columns = c.form->transpose_b ? c.outputs : c.inputs;
    c.inner = c.form->transpose_a ? c.tokens : c.form->transpose_b ? c.inputs : c.outputs;
    return c;
}

size_t bench_product_count(void) {
    return FORMS * TOKENS * LAYERS;
}

void bench_product_name(size_t index, char *name, size_t size) {
    product_case c = case_at(index);
    snprintf(name, size, "product/fp32/%s/%lldx%lldx%lld", c.form->text, (long long)c.tokens,
             (long long)c.inputs, (long long)c.outputs);
}

/* ---- ours, and the library's on the same memory */

typedef struct product_run {
    product_case c;
    session *session;
    int entry;
    rt_threads *threads;
    rt_probe *probe;
    const float *a, *b;
    float *own_b, *other; /* the library's operand where ours is in panels; its result */
} product_run;

static int64_t panel_width(void) {
    rt_target target;
    rt_arena arena = {0};
    int64_t width = 16;
    if (rt_target_find(NULL, &target, &arena, NULL) == RT_OK)
        width = rt_product_panel_on(&target, RT_F32);
    rt_arena_deinit(&arena);
    return width;
}

static rt_type panels_type(rt_module *module, const product_case *c, int64_t width) {
    rt_dim dims[] = {rt_module_constant_dim(module, (c->columns + width - 1) / width),
                     rt_module_constant_dim(module, c->inner),
                     rt_module_constant_dim(module, width)};
    return rt_type_make(RT_F32, 3, dims);
}

static rt_status compile(product_run *run, const session_options *options, rt_error *error) {
    const product_case *c = &run->c;
    rt_diagnostics diagnostics = {0};
    rt_module *module = rt_module_create(&diagnostics);
    if (!module) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_graph *graph = rt_module_add_graph(module, "product");
    rt_builder b = rt_builder_begin(graph);
    rt_dim rows = rt_module_constant_dim(module, c->rows);
    rt_dim columns = rt_module_constant_dim(module, c->columns);
    rt_dim inner = rt_module_constant_dim(module, c->inner);
    bool ta = c->form->transpose_a, tb = c->form->transpose_b;
    rt_type left = rt_type_make(RT_F32, 2, (rt_dim[]){ta ? inner : rows, ta ? rows : inner});
    rt_type right = rt_type_make(RT_F32, 2, (rt_dim[]){tb ? columns : inner, tb ? inner : columns});
    int64_t width = c->form->has_panels ? panel_width() : 0;
    if (width) right = panels_type(module, c, width);
    rt_value x = rt_build_input(&b, "a", left), y = rt_build_input(&b, "b", right);
    rt_attr attrs[] = {
        {.integer = ta}, {.integer = tb && !width}, {.integer = width ? c->columns : 0}};
    rt_graph_add_output(graph, "c", rt_build(&b, RT_OP_matmul, (rt_value[]){x, y}, 2, attrs));
    rt_status status = rt_module_status(module);
    if (status == RT_OK) status = session_open(module, options, &run->session, error);
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    if (status == RT_OK) status = session_entry(run->session, "product", &run->entry, error);
    return status;
}

static float *fill(float *values, int64_t count) {
    uint32_t state = 1;
    for (int64_t i = 0; i < count; ++i) {
        state = state * 1664525 + 1013904223;
        values[i] = (float)(int32_t)state * 0x1p-31f;
    }
    return values;
}

static float *allocate(int64_t count) {
    return aligned_alloc(4096, ((size_t)count * sizeof(float) + 4095) / 4096 * 4096);
}

static rt_status prepare(product_run *run, const session_options *options, rt_error *error) {
    const product_case *c = &run->c;
    static const int64_t no_symbols[1];
    RT_TRY(compile(run, options, error));
    RT_TRY(rt_threads_create(options->threads, &run->threads, error));
    RT_TRY(rt_probe_create(&run->probe, error));
    retort_instance *instance = session_instance(run->session);
    RT_TRY(retort_instance_reserve(instance, no_symbols, error));
    run->a = fill(retort_instance_input(instance, run->entry, "a"), c->rows * c->inner);
    float *b = fill(retort_instance_input(instance, run->entry, "b"), c->inner * c->columns);
    if (c->form->has_panels) {
        b = run->own_b = allocate(c->inner * c->columns);
        if (b) fill(b, c->inner * c->columns);
    }
    run->b = b;
    run->other = allocate(c->rows * c->columns);
    return run->b && run->other ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
}

/* Of the CBLAS interface. */
void cblas_sgemm(int order, int transpose_a, int transpose_b, int rows, int columns, int inner,
                 float alpha, const float *a, int a_stride, const float *b, int b_stride,
                 float beta, float *c, int c_stride);
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

/* The library runs on one thread: each of ours computes a part of the rows or of the columns,
 * whichever there are more of. */
static void multiply_part(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    const product_run *run = argument;
    const product_case *c = &run->c;
    bool ta = c->form->transpose_a, tb = c->form->transpose_b, by_rows = c->rows >= c->columns;
    int64_t row = by_rows ? begin : 0, column = by_rows ? 0 : begin, count = end - begin;
    int a_stride = (int)(ta ? c->rows : c->inner), b_stride = (int)(tb ? c->inner : c->columns);
    (void)worker;
    cblas_sgemm(ROW_MAJOR, ta ? TRANSPOSE : NO_TRANSPOSE, tb ? TRANSPOSE : NO_TRANSPOSE,
                (int)(by_rows ? count : c->rows), (int)(by_rows ? c->columns : count),
                (int)c->inner, 1, run->a + (ta ? row : row * a_stride), a_stride,
                run->b + (tb ? column * b_stride : column), b_stride, 0,
                run->other + row * c->columns + column, (int)c->columns);
}

static rt_status multiply(product_run *run, bool by_library, rt_error *error) {
    static const int64_t no_symbols[1];
    if (!by_library)
        return retort_instance_run(session_instance(run->session), run->entry, no_symbols, error);
    int64_t most = run->c.rows > run->c.columns ? run->c.rows : run->c.columns;
    rt_threads_run(run->threads, multiply_part, run, most, 16);
    return RT_OK;
}

/* ---- timing */

enum { MAX_ROUNDS = 1000, OURS = 0, LIBRARY = 1, SIDES = 2, WARM_UP = 2 };

typedef struct timings {
    double ms[SIDES][MAX_ROUNDS];
    double share[SIDES][MAX_ROUNDS]; /* of the peak just before and after */
    double processor_ms[SIDES];      /* least */
} timings;

static double flops_of(const product_case *c) {
    return 2 * (double)c->rows * (double)c->columns * (double)c->inner;
}

static rt_status time_rounds(product_run *run, int64_t rounds, timings *t, rt_error *error) {
    double flops = flops_of(&run->c), threads = (double)rt_threads_workers(run->threads);
    for (int64_t i = -WARM_UP; i < rounds; ++i) {
        for (int side = 0; side < SIDES; ++side) {
            double peak = rt_probe_flops(run->probe, RT_PROBE_fma_f32), begin = bench_now_ms();
            double processor = bench_processor_ms();
            RT_TRY(multiply(run, side == LIBRARY, error));
            double ms = bench_now_ms() - begin;
            processor = bench_processor_ms() - processor;
            peak = (peak + rt_probe_flops(run->probe, RT_PROBE_fma_f32)) / 2;
            if (i < 0) continue;
            t->ms[side][i] = ms;
            if (!i || processor < t->processor_ms[side]) t->processor_ms[side] = processor;
            t->share[side][i] = flops / ms * 1e3 / (peak * threads);
        }
    }
    return RT_OK;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *sorted, int64_t count) {
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

static void print(const product_run *run, const char *name, timings *t, int64_t rounds) {
    static const char *const peers[SIDES] = {"retort-fp32", "openblas"};
    double flops = flops_of(&run->c);
    for (int side = 0; side < SIDES; ++side) {
        double *ms = t->ms[side], *share = t->share[side];
        qsort(ms, (size_t)rounds, sizeof *ms, compare_doubles);
        qsort(share, (size_t)rounds, sizeof *share, compare_doubles);
        printf("{\"case\": \"%s\", \"peer\": \"%s\", \"threads\": %u, \"ms_min\": %.3f, "
               "\"ms_median\": %.3f, \"processor_ms_min\": %.3f, \"gflops_median\": %.1f, "
               "\"peak_share_median\": %.3f, "
               "\"peak_share_max\": %.3f, \"rounds\": %d}\n",
               name, peers[side], rt_threads_workers(run->threads), ms[0], median(ms, rounds),
               t->processor_ms[side], flops / median(ms, rounds) / 1e6, median(share, rounds),
               share[rounds - 1], (int)rounds);
    }
    fflush(stdout);
}

rt_status bench_product_run(size_t index, int64_t rounds, const session_options *options,
                            rt_error *error) {
    char name[64];
    product_run run = {.c = case_at(index)};
    timings *t = malloc(sizeof *t);
    if (!t) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    bench_product_name(index, name, sizeof name);
    if (rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
    rt_status status = prepare(&run, options, error);
    if (status == RT_OK) status = time_rounds(&run, rounds, t, error);
    if (status == RT_OK) print(&run, name, t, rounds);
    free(t);
    free(run.own_b);
    free(run.other);
    rt_probe_destroy(run.probe);
    rt_threads_destroy(run.threads);
    session_close(run.session);
    return status;
}
