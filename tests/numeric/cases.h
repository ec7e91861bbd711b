// SPDX-License-Identifier: Apache-2.0
/* cases.def as graphs with values: input i is operand i, output i result i. Reads rows, checks
 * nothing; the tests are test_gradients.c and those of compiled code. */
#ifndef RETORT_TESTS_NUMERIC_CASES_H
#define RETORT_TESTS_NUMERIC_CASES_H

#include "ir/builder.h"
#include "ir/eval.h"

typedef struct numeric_case {
    rt_op op;
    size_t gradient_results; /* leading results that carry gradients */
    const char *operands;
    const char *expression;
} numeric_case;

size_t numeric_case_count(void);
const numeric_case *numeric_case_at(size_t index);

/* The sizes that every case is tried at. */
typedef struct numeric_sizes {
    int64_t tokens, rows;
    const int64_t *row_offsets; /* [rows + 1] */
} numeric_sizes;

size_t numeric_sizes_count(void);
const numeric_sizes *numeric_sizes_at(size_t index);

enum { NUMERIC_MAX_OPERANDS = 12 };

typedef struct numeric_graph {
    rt_diagnostics diagnostics;
    rt_arena arena;
    rt_module *module;
    rt_graph *graph;
    const char *text; /* the module's text */
    rt_array *inputs[NUMERIC_MAX_OPERANDS + 8];
    size_t operand_count;
    bool is_fixed[NUMERIC_MAX_OPERANDS]; /* has no gradient */
} numeric_graph;

/* False, after printing why, where the row does not make a graph. End it in any case. */
bool numeric_graph_begin(numeric_graph *g, const numeric_case *row, const numeric_sizes *sizes);
void numeric_graph_end(numeric_graph *g);

/* Random reals for an input that a test adds. */
rt_array *numeric_randoms(numeric_graph *g, rt_type type, const int64_t *dims, uint32_t stream);

#endif
