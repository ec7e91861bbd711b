// SPDX-License-Identifier: Apache-2.0
/* The inside of modules and graphs, for ir/{module,graph,builder}.c alone. */
#ifndef RETORT_IR_GRAPH_IMPL_H
#define RETORT_IR_GRAPH_IMPL_H

#include "ir/graph.h"

struct rt_module {
    rt_arena arena;
    rt_dim_table *dims;
    rt_diagnostics *diagnostics;
    size_t errors_before; /* errors in the sink when the module was made */

    const char **strings; /* open addressing */
    size_t string_count, string_capacity;

    const char **files;
    size_t file_count, file_capacity;

    rt_parameter_info *parameters;
    size_t parameter_count, parameter_capacity;
    uint32_t *slots; /* by name: index + 1, 0 is empty */
    size_t slot_count;

    rt_graph **graphs;
    size_t graph_count, graph_capacity;
};

typedef struct value_info {
    rt_type type;
    rt_node definition;
} value_info;

struct rt_graph {
    rt_module *module;
    const char *name;

    rt_node_info *nodes;
    size_t node_count, node_capacity;
    value_info *values;
    size_t value_count, value_capacity;
    rt_value *inputs;
    size_t input_count, input_capacity;
    rt_output *outputs;
    size_t output_count, output_capacity;

    /* Of the builder: nodes by a hash of operator, operands and attributes. An entry whose operands
     * were replaced since is merely not found again. */
    uint32_t *merge_slots; /* index + 1, 0 is empty */
    size_t merge_count, merge_capacity;
};

#endif
