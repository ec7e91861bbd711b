// SPDX-License-Identifier: Apache-2.0
/* One operator's kernel, compiled alone and called directly, beside what the evaluator gives.
 *
 *     kernel_run k;
 *     kernel_run_begin(&k);
 *     k.operands[0] = kernel_run_input(&k, RT_F32, 2, (const char *[]){"T", "768"}, ...);
 *     ... build the node, then
 *     kernel_run_compile(&k, node);
 *     kernel_run_call(&k, borders, count);   // results and scratch are guarded and poisoned
 *     kernel_run_end(&k);
 *
 * Failures end the test. */
#ifndef RETORT_TESTS_SUPPORT_KERNEL_RUN_H
#define RETORT_TESTS_SUPPORT_KERNEL_RUN_H

#include "compiler/kernels/kernel.h"
#include "ir/builder.h"
#include "ir/eval.h"
#include "runtime/abi.h"
#include "tests/support/compiled.h"

enum { KERNEL_RUN_OPERANDS = 16, KERNEL_RUN_RESULTS = 4, KERNEL_RUN_SYMBOLS = 16 };

typedef struct kernel_run {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_builder b;
    int64_t symbols[KERNEL_RUN_SYMBOLS]; /* by index in the module's table */
    uint64_t seed, step;
    void *data[KERNEL_RUN_OPERANDS * 2]; /* of the graph's inputs, in their order */
    rt_node node;
    rt_optimizations optimizations; /* of its emitter; all, unless set before compiling */
    compiled code;
    retort_kernel function;
    int64_t range; /* units, once compiled */
    size_t scratch_bytes;
    void *results[KERNEL_RUN_RESULTS]; /* of the last call */
    size_t result_bytes[KERNEL_RUN_RESULTS];
    void *pointers[KERNEL_RUN_OPERANDS + KERNEL_RUN_RESULTS + 1]; /* what it was called with */
} kernel_run;

void kernel_run_begin(kernel_run *k);
void kernel_run_end(kernel_run *k);

/* The dimension `text`: a number, or a symbol that gets `value`; "B+1" for a symbol B known. */
rt_dim kernel_run_dim(kernel_run *k, const char *symbol, int64_t value);
rt_dim kernel_run_constant(kernel_run *k, int64_t value);

/* A new input with random contents: floats uniform in [-1, 1], integers in [low, high]. */
rt_value kernel_run_reals(kernel_run *k, rt_dtype dtype, int rank, const rt_dim *dims);
rt_value kernel_run_integers(kernel_run *k, rt_dtype dtype, int rank, const rt_dim *dims,
                             int64_t low, int64_t high);
/* An i32 vector with these contents. */
rt_value kernel_run_vector(kernel_run *k, rt_dim size, const int32_t *values);
void *kernel_run_data(kernel_run *k, rt_value input);
int64_t kernel_run_elements(const kernel_run *k, rt_value value);

/* Compiles the kernel of the node that defines `result`. */
void kernel_run_compile(kernel_run *k, rt_value result);
/* Runs it in parts: [0, borders[0]), [borders[0], borders[1]), … up to the range's end. */
void kernel_run_call(kernel_run *k, const int64_t *borders, size_t count);
/* Runs it whole on the memory of the last call, without its checks: for timing. */
void kernel_run_again(kernel_run *k);
/* The largest |got - want| / (1 + |want|) over result `number`, the evaluator's results of the same
 * node being `want`; integers that differ count as infinity. */
double kernel_run_error(kernel_run *k, int number);
/* Whether several ways to split the range give the bits of the unsplit call, which is made last. */
bool kernel_run_splits_alike(kernel_run *k);

extern void (*const kernel_run_sgemm)(void); /* the library that compiled kernels call */

#endif
