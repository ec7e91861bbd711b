// SPDX-License-Identifier: Apache-2.0
/* A model kept as text beside this file, with values for its parameters and for its inputs by name:
 * what whole programs are tried on. */
#ifndef RETORT_TESTS_NUMERIC_MODEL_H
#define RETORT_TESTS_NUMERIC_MODEL_H

#include "ir/eval.h"
#include "ir/graph.h"

enum { NUMERIC_MODEL_MAX = 256 };

typedef struct numeric_model {
    rt_diagnostics diagnostics;
    rt_arena arena;
    rt_module *module;
    rt_array *parameters[NUMERIC_MODEL_MAX]; /* by index; see numeric_model_fill */
    double learning_rate;
    int update_count; /* of updates run, for their bias corrections with betas 0.9 and 0.999 */
} numeric_model;

/* Reads tests/numeric/NAME; false after printing why. End it in any case. */
bool numeric_model_begin(numeric_model *m, const char *name);
void numeric_model_end(numeric_model *m);

/* Gives every parameter that has no value one by its `initial`; call it again where passes added
 * parameters. Passes that drop parameters come before the first call. */
void numeric_model_fill(numeric_model *m);

/* Values of a graph's inputs, in order: batches are as of 9 tokens in 3 rows, 4 of them masked. */
void numeric_model_inputs(numeric_model *m, const rt_graph *graph, rt_array **inputs);

/* Evaluates a graph; `outputs` in order, in `arena`. False after printing why. */
bool numeric_model_run(numeric_model *m, const rt_graph *graph, rt_arena *arena,
                       rt_array **outputs);
/* The same, then assigns what the graph assigns; *output is that of one name (may be NULL). */
bool numeric_model_apply(numeric_model *m, const char *graph, const char *name, double *output);

#endif
