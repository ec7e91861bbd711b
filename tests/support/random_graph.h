// SPDX-License-Identifier: Apache-2.0
/* Random well-typed graphs with values for their inputs: the same seed, the same graph.
 *
 *     random_graph g;
 *     CU_ASSERT_TRUE_FATAL(random_graph_begin(&g, &(random_options){.seed = 7, .node_count = 30}));
 *     random_graph_values(&g, (random_sizes){.rows = 3, .tokens = 7, .longest = 4});
 *     rt_eval_graph(g.graph, g.inputs, g.parameters, ...);
 *     random_graph_end(&g);
 *
 * Every operator of the table occurs, composed with others, on odd, size-1, broadcast and symbolic
 * shapes. Values stay moderate (each has a known bound), so that two evaluations differ by rounding
 * alone: operators that jump (floor, less, argmax ..) are only applied to values that every correct
 * evaluation gives exactly (inputs and what moves or selects them). */
#ifndef RETORT_TESTS_SUPPORT_RANDOM_GRAPH_H
#define RETORT_TESTS_SUPPORT_RANDOM_GRAPH_H

#include "ir/builder.h"
#include "ir/eval.h"

typedef struct random_options {
    uint64_t seed;
    size_t node_count; /* additions to try; each is one operator or a few */
    bool is_symbolic;  /* dimensions B, T and S are symbols; else rows 3, tokens 7, longest 4 */
    bool mixes_types;  /* f64, f16 and bf16 beside f32 */
    bool has_dropout;
} random_options;

/* Values of the symbols; `longest` bounds a row, rows * longest >= tokens. */
typedef struct random_sizes {
    int64_t rows, tokens, longest;
} random_sizes;

typedef struct random_graph {
    rt_diagnostics diagnostics;
    rt_arena arena;
    rt_module *module;
    rt_graph *graph;
    const double *bounds;        /* by output: no element is larger */
    const bool *is_exact;        /* by output: every correct evaluation gives the same */
    const rt_array **inputs;     /* by input, after random_graph_values */
    const rt_array **parameters; /* by parameter, after random_graph_values */
} random_graph;

/* False, after printing why, where the generator made a graph that is not well-typed. End the graph
 * in any case. */
bool random_graph_begin(random_graph *g, const random_options *options);
void random_graph_end(random_graph *g);

/* Fills inputs and parameters; sizes other than those of a graph without symbols are ignored. */
bool random_graph_values(random_graph *g, random_sizes sizes);

#endif
