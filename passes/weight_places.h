// SPDX-License-Identifier: Apache-2.0
/* Where a graph reads weights that could be held in fewer bits: products, and tables that rows are
 * looked up in. */
#ifndef RETORT_PASSES_WEIGHT_PLACES_H
#define RETORT_PASSES_WEIGHT_PLACES_H

#include "passes/quantize.h"

typedef struct rt_weight_reader {
    const rt_graph *graph;
    const bool *is_derived; /* by value */
    rt_quantize_form form;
    rt_arena *scratch;
} rt_weight_reader;

/* Looks at one graph; false without memory. */
bool rt_weight_reader_begin(rt_weight_reader *reader, const rt_graph *graph,
                            const rt_quantize_form *form, rt_arena *scratch);

/* A node that reads `weights`: a value of f32 and constant sizes that derives from weights alone,
 * none of which a graph of the module assigns. */
typedef struct rt_weight_place {
    rt_value weights, other; /* other: x of a product, indices of a lookup */
    bool is_table, is_transposed;
    const rt_parameter_info *parameter; /* the first that the weights are made of */
    int64_t elements;
} rt_weight_place;

/* Whether `node` is one. Products with few columns, which panels would not pay for, and small
 * tables are not. */
bool rt_weight_reader_find(const rt_weight_reader *reader, rt_node node, rt_weight_place *found);

#endif
