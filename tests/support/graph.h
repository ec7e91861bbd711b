// SPDX-License-Identifier: Apache-2.0
/* A graph with values for its inputs, for tests that build a few nodes and look at what they give:
 *
 *     test_graph t;
 *     test_graph_begin(&t);
 *     rt_value x = test_reals(&t, (int64_t[]){2, 3}, 2, (double[]){1, 2, 3, 4, 5, 6});
 *     const rt_array *y = test_eval(&t, rt_build_neg(&t.b, x));
 *     test_graph_end(&t); */
#ifndef RETORT_TESTS_SUPPORT_GRAPH_H
#define RETORT_TESTS_SUPPORT_GRAPH_H

#include "ir/builder.h"
#include "ir/eval.h"
#include "tests/support/test.h"

enum { TEST_GRAPH_MAX_INPUTS = 64 };

typedef struct test_graph {
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_builder b;
    rt_arena arena;
    rt_array *inputs[TEST_GRAPH_MAX_INPUTS];
    rt_eval_options options; /* seed 0, step 0, no rounding */
    rt_error error;          /* of the last test_eval that failed */
} test_graph;

void test_graph_begin(test_graph *t);
void test_graph_end(test_graph *t);

/* Inputs with constant dimensions: f32 of given values, f32 of random ones in [-1, 1), integers. */
rt_value test_reals(test_graph *t, const int64_t *dims, int rank, const double *values);
rt_value test_randoms(test_graph *t, const int64_t *dims, int rank);
rt_value test_integers(test_graph *t, rt_dtype dtype, const int64_t *dims, int rank,
                       const int64_t *values);

/* Evaluates `value`; NULL, with t->error filled, where that fails. Lives until test_graph_end. */
rt_array *test_eval(test_graph *t, rt_value value);

/* The i-th random number in [-1, 1): the same everywhere. */
double test_random(uint32_t stream, uint32_t i);

/* As many elements as in `want`, each close; reports the first that is not. */
bool test_array_is(const rt_array *array, const double *want, int64_t count, double tolerance);

#endif
