// SPDX-License-Identifier: Apache-2.0
/* The plain evaluator: what every operator means, written as directly as possible. Oracle of all
 * tests, and constant folder. Floating types are computed in double, integers in 64 bits with wrap
 * to their width, bool as 0 or 1. */
#ifndef RETORT_IR_EVAL_H
#define RETORT_IR_EVAL_H

#include "ir/graph.h"

/* A value while evaluating: `real` for floating types, `integer` for the others. */
typedef struct rt_array {
    rt_dtype dtype;
    int rank;
    int64_t dims[RT_MAX_RANK];
    int64_t count;
    double *real;
    int64_t *integer;
} rt_array;

/* What an operator's evaluation sees; results are allocated (zeroed) with their final shapes. */
typedef struct rt_eval {
    const rt_module *module;
    rt_op op;
    const rt_attr *attrs;
    size_t operand_count;
    const rt_array *const *operands; /* NULL where left out */
    rt_array *results;
    const int64_t *symbols; /* value of each symbol of the module, -1 where it has none; or NULL */
    const rt_array *const *parameters; /* or NULL */
    uint64_t seed, step;               /* for draws: ir/README.md, "Random numbers" */
    bool draws;                        /* seed and step are known: not while folding */
    rt_arena *arena;
    rt_error *error;
} rt_eval;

typedef rt_status (*rt_eval_rule)(rt_eval *eval);

typedef struct rt_eval_options {
    uint64_t seed, step;
    bool rounds; /* each result rounded to its element type, as when constants are folded */
} rt_eval_options;

/* Arrays in `arena`: of a tensor's values, or zeroed of a shape. NULL where there is no memory. */
rt_array *rt_array_from_tensor(const rt_tensor *tensor, rt_arena *arena);
rt_array *rt_array_create(rt_dtype dtype, int rank, const int64_t *dims, rt_arena *arena);
/* Back to bytes of the array's dtype (converted once, nearest even; integers wrap). */
rt_tensor *rt_array_to_tensor(const rt_array *array, rt_arena *arena);

/* Evaluates one node whose operand arrays are known. */
RT_MUST_CHECK rt_status rt_eval_node(const rt_graph *graph, rt_node node,
                                     const rt_array *const *operands, const int64_t *symbols,
                                     const rt_eval_options *options, rt_arena *arena,
                                     rt_array **results, rt_error *error);

/* Evaluates a graph: inputs[i] for input i; parameters[p] for parameter p (NULL where unused).
 * Symbols are bound from the inputs' shapes (a dimension that is one symbol gets its size, then one
 * such as B+1 is solved for a symbol still without a value; all others are checked). An input that
 * no output needs may be NULL. Fills outputs[i] for output i, assignments included. Arrays are in
 * `arena`. */
RT_MUST_CHECK rt_status rt_eval_graph(const rt_graph *graph, const rt_array *const *inputs,
                                      const rt_array *const *parameters,
                                      const rt_eval_options *options, rt_arena *arena,
                                      rt_array **outputs, rt_error *error);

/* Folds one node with constant operands: RT_OK and tensors (in the module's arena), rounded to
 * their types. Not RT_OK, and nothing to diagnose, where the node has no value yet: dropout, a
 * symbolic dimension, an index out of range. */
RT_MUST_CHECK rt_status rt_eval_fold(rt_module *module, rt_op op, const rt_attr *attrs,
                                     const rt_tensor *const *operands, size_t operand_count,
                                     const rt_type *result_types, size_t result_count,
                                     rt_tensor **results);

#endif
