// SPDX-License-Identifier: Apache-2.0
/* Questions that patterns ask of a graph. Each is true where the value has the form and then fills
 * what it found; nothing is changed. */
#ifndef RETORT_IR_MATCH_H
#define RETORT_IR_MATCH_H

#include "ir/graph.h"

/* The value is result 0 of an `op` node with `count` operands: they go to operands[count]. */
bool rt_match(const rt_graph *graph, rt_value value, rt_op op, rt_value *operands, size_t count);

/* A commutative node with one operand that is a known number everywhere: the other, the number. */
bool rt_match_with_number(const rt_graph *graph, rt_value value, rt_op op, rt_value *other,
                          double *number);

/* `value` = other * number, written as a product or a quotient. */
bool rt_match_scaled(const rt_graph *graph, rt_value value, rt_value *other, double *number);

/* The mean of `x` over its last axis, which is kept with size 1. */
bool rt_match_mean_last(const rt_graph *graph, rt_value value, rt_value *x);

/* The factors of a product, flattened: known numbers are multiplied into *number (1 without any),
 * the others go to factors[0 .. *count). False where there are more than `most`. */
bool rt_match_product(const rt_graph *graph, rt_value value, rt_value *factors, size_t most,
                      size_t *count, double *number);

/* |number - wanted| <= 1e-6 |wanted|: constants in files are rounded to f32. */
bool rt_match_is_near(double number, double wanted);

/* Have both values the same shape but for axes of size 1? */
bool rt_match_same_but_units(const rt_graph *graph, rt_value a, rt_value b);

/* Behind reshapes that only add or drop axes of size 1. */
rt_value rt_match_skip_unit_axes(const rt_graph *graph, rt_value value);

#endif
