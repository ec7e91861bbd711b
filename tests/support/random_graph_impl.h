// SPDX-License-Identifier: Apache-2.0
/* Between the files of the generator of random graphs. */
#ifndef RETORT_TESTS_SUPPORT_RANDOM_GRAPH_IMPL_H
#define RETORT_TESTS_SUPPORT_RANDOM_GRAPH_IMPL_H

#include "runtime/base/philox.h"
#include "tests/support/random_graph.h"

typedef struct random_value {
    rt_value value;
    double bound;  /* no element is larger in size */
    bool is_exact; /* every correct evaluation gives the same bits */
} random_value;

enum { RANDOM_MAX_VALUES = 1024, RANDOM_MAX_ELEMENTS = 3000 };

typedef struct random_builder {
    const random_options *options;
    rt_random random;
    rt_module *module;
    rt_graph *graph;
    rt_builder b;
    random_value pool[RANDOM_MAX_VALUES];
    size_t count;
    rt_dim rows, tokens, longest;
    rt_value row_offsets, key_mask, example_ids, token_examples, token_positions;
    unsigned name_count; /* inputs and parameters so far */
    bool has_failed;
} random_builder;

/* A family of operators: adds one of them, or returns false where nothing in the pool suits it. */
typedef bool (*random_family)(random_builder *r);

/* The families of all files. */
extern const random_family random_families[];
extern const size_t random_family_count;

bool random_add_tensor(random_builder *r); /* one of contraction, movement, indexing, rows */
bool random_add_loss(random_builder *r);   /* relations of tokens, rows decoded by a table */

/* ---- drawing */

/* In [0, limit). */
int64_t random_below(random_builder *r, int64_t limit);
bool random_chance(random_builder *r, int percent);

typedef bool (*random_predicate)(const random_builder *r, const random_value *value);

/* A value of the pool that suits, newer ones more often; NULL where none does. */
const random_value *random_pick(random_builder *r, random_predicate suits);
bool random_is_float(const random_builder *r, const random_value *value);
bool random_is_number(const random_builder *r, const random_value *value);

rt_type random_type(const random_builder *r, rt_value value);
/* At the usual sizes. */
int64_t random_dim_size(const random_builder *r, rt_dim dim);
int64_t random_elements(const random_builder *r, rt_type type);

/* ---- building */

/* Adds a value to the pool unless it is too large; false, and the builder failed, where it is no
 * value: the family asked for something ill-typed. */
bool random_keep(random_builder *r, rt_value value, double bound, bool is_exact);

/* A new input of numbers (kept in the pool) with elements of size at most 4, exact in every type.
 */
rt_value random_input(random_builder *r, rt_type type);
/* An input of indices in [-limit, limit), or in [0, limit); `limit` is a constant or a symbol. */
rt_value random_index_input(random_builder *r, rt_dtype dtype, rt_type shape, rt_dim limit,
                            bool is_negative_too);
rt_type random_shape(random_builder *r, rt_dtype dtype);

/* x itself where its bound is at most `limit`, else tanh(x). */
random_value random_tame(random_builder *r, random_value x, double limit);
/* |x| + 1/2. */
random_value random_positive(random_builder *r, random_value x);
/* A value of x's element type that broadcasts with x: from the pool, or a new input. */
random_value random_partner(random_builder *r, random_value x);

rt_value random_row_offsets(random_builder *r); /* i32[B+1] */
rt_value random_row_input(random_builder *r, rt_value *slot, const char *name, rt_dim size);

#endif
