// SPDX-License-Identifier: Apache-2.0
/* Dimensions: integers known only when a batch arrives.
 *
 * A dimension is a polynomial with integer coefficients over symbols (B rows, T tokens, S longest
 * row, and what a graph brings), kept in one canonical form and interned: two dimensions are equal
 * exactly when their ids are. Constants are polynomials without symbols. */
#ifndef RETORT_IR_DIM_H
#define RETORT_IR_DIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"

typedef struct rt_dim {
    uint32_t index; /* into the table; 0 is the constant 0 */
} rt_dim;

/* coefficient * product of symbols; `symbols` ascending, a power repeats its symbol. */
typedef struct rt_dim_term {
    int64_t coefficient;
    uint32_t symbol_count;
    const uint32_t *symbols;
} rt_dim_term;

typedef struct rt_dim_table rt_dim_table;

/* The table lives in `arena`; NULL where there is no memory. */
rt_dim_table *rt_dim_table_create(rt_arena *arena);

/* Arithmetic never wraps: what does not fit (64 bits, RT_MAX_DIM_TERMS terms, RT_MAX_DIM_DEGREE
 * symbols in one) becomes a new symbol "overflow#N". It equals nothing else and no batch gives it a
 * value, so that the verifier or the evaluator refuses what is computed from it. */
enum { RT_MAX_DIM_TERMS = 256, RT_MAX_DIM_DEGREE = 64 };

rt_dim rt_dim_constant(rt_dim_table *table, int64_t value);
rt_dim rt_dim_symbol(rt_dim_table *table, const char *name); /* the same name, the same symbol */
rt_dim rt_dim_add(rt_dim_table *table, rt_dim a, rt_dim b);
rt_dim rt_dim_subtract(rt_dim_table *table, rt_dim a, rt_dim b);
rt_dim rt_dim_multiply(rt_dim_table *table, rt_dim a, rt_dim b);
/* a / b where b is one term and divides every term of a: false where it does not. */
bool rt_dim_divide(rt_dim_table *table, rt_dim a, rt_dim b, rt_dim *quotient);

static inline bool rt_dim_equal(rt_dim a, rt_dim b) {
    return a.index == b.index;
}
bool rt_dim_is_constant(const rt_dim_table *table, rt_dim dim,
                        int64_t *value); /* value may be NULL */
bool rt_dim_is_symbol(const rt_dim_table *table, rt_dim dim,
                      uint32_t *symbol); /* symbol may be NULL */

/* The terms, in canonical order; the constant 0 has none. */
const rt_dim_term *rt_dim_terms(const rt_dim_table *table, rt_dim dim, size_t *count);

size_t rt_dim_symbol_count(const rt_dim_table *table);
const char *rt_dim_symbol_name(const rt_dim_table *table, uint32_t symbol);

/* The value where symbol i is values[i]; false on overflow. */
bool rt_dim_evaluate(const rt_dim_table *table, rt_dim dim, const int64_t *values, int64_t *result);

/* Text as in types: "768", "T", "B*S", "2*T+1", "B-1"; returns a string in `arena`. */
const char *rt_dim_text(const rt_dim_table *table, rt_dim dim, rt_arena *arena);

#endif
