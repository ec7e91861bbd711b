// SPDX-License-Identifier: Apache-2.0
/* Modules, graphs, nodes, values and parameters.
 *
 * A module holds all graphs of one compilation over one set of parameters, in one arena. A graph is
 * nodes in SSA form; a node is an operator, operands, attributes and one or more typed results.
 * Everything is an id into an array: no pointer to a node survives a build call. Operator, operands
 * and attributes of a node never change: change is building new nodes and moving uses to them
 * (rt_graph_replace_uses), or rebuilding the graph (ir/rewrite.h). Order and uses are computed when
 * asked for. What a graph gives is its outputs: named values, and values assigned to parameters.
 *
 * Nothing here fails loudly: where memory ran out, ids are RT_NO_VALUE and rt_module_status says so
 * at the end. */
#ifndef RETORT_IR_GRAPH_H
#define RETORT_IR_GRAPH_H

#include "ir/diagnostic.h"
#include "ir/op.h"
#include "ir/type.h"
#include "runtime/base/transform.h"

typedef struct rt_value {
    uint32_t index;
} rt_value;
typedef struct rt_node {
    uint32_t index;
} rt_node;

#define RT_NO_VALUE ((rt_value){UINT32_MAX})
#define RT_NO_NODE ((rt_node){UINT32_MAX})
#define RT_NO_PARAMETER ((rt_parameter){UINT32_MAX})

static inline bool rt_value_is(rt_value value) {
    return value.index != UINT32_MAX;
}
static inline bool rt_value_equal(rt_value a, rt_value b) {
    return a.index == b.index;
}
static inline bool rt_node_is(rt_node node) {
    return node.index != UINT32_MAX;
}
static inline bool rt_node_equal(rt_node a, rt_node b) {
    return a.index == b.index;
}
static inline bool rt_parameter_is(rt_parameter parameter) {
    return parameter.index != UINT32_MAX;
}

/* ---- parameters */

typedef enum rt_parameter_kind {
    RT_PARAMETER_WEIGHT,   /* part of the model, saved in its checkpoint */
    RT_PARAMETER_GRADIENT, /* gradient of `of`; lives for one optimiser step */
    RT_PARAMETER_STATE,    /* optimiser state of `of`; saved for resuming */
    RT_PARAMETER_DERIVED   /* computed from weights by graphs called "prepare"; never saved */
} rt_parameter_kind;

typedef enum rt_initial_kind {
    RT_INITIAL_ZEROS,
    RT_INITIAL_CONSTANT, /* value */
    RT_INITIAL_NORMAL,   /* mean 0, standard deviation value */
    RT_INITIAL_UNIFORM,  /* in [-value, value] */
    RT_INITIAL_SOURCE    /* read from a file */
} rt_initial_kind;

/* An external tensor: bytes [offset, offset + size_bytes) of file `file` of the module. */
typedef struct rt_source {
    uint32_t file;
    uint64_t offset;
    uint64_t size_bytes;
    rt_dtype dtype;          /* in the file */
    rt_transform transform;  /* done while loading, never folded by the compiler */
    const char *tensor_name; /* in the file, for messages */
} rt_source;

typedef struct rt_parameter_info {
    const char *name; /* unique in the module: the checkpoint's name where there is one */
    rt_type type;     /* constant dimensions */
    rt_parameter_kind kind;
    rt_parameter of; /* of a gradient or state: its weight; else RT_NO_PARAMETER */
    bool is_trainable;
    bool is_decayed; /* takes part in weight decay */
    rt_initial_kind initial;
    double initial_value;
    rt_source source; /* for RT_INITIAL_SOURCE */
    rt_location location;
} rt_parameter_info;

/* ---- graphs */

typedef struct rt_node_info {
    rt_op op;
    uint32_t operand_count;
    const rt_value *operands; /* RT_NO_VALUE where an optional operand is left out */
    const rt_attr *attrs;     /* in the order of ops.def */
    rt_value first_result;    /* the others follow */
    rt_location location;
} rt_node_info;

typedef struct rt_output {
    const char *name; /* of the output, or of the assigned parameter */
    rt_value value;
    rt_parameter parameter; /* RT_NO_PARAMETER for a named output */
} rt_output;

typedef struct rt_module rt_module;
typedef struct rt_graph rt_graph;

/* Creates an empty module. `diagnostics` receives what shape rules find wrong; it outlives the
 * module. NULL where there is no memory. */
rt_module *rt_module_create(rt_diagnostics *diagnostics);
void rt_module_destroy(rt_module *module); /* NULL is fine */

/* RT_OK, RT_OUT_OF_MEMORY once memory ran out, RT_INVALID_DATA once an error was diagnosed. */
rt_status rt_module_status(const rt_module *module);

rt_arena *rt_module_arena(rt_module *module);
rt_dim_table *rt_module_dims(const rt_module *module);
rt_diagnostics *rt_module_diagnostics(const rt_module *module);
/* The same bytes give the same pointer; lives as long as the module. */
const char *rt_module_intern(rt_module *module, const char *text);
const char *rt_module_intern_text(rt_module *module, const char *text, size_t length);

/* Dimension shorthands. */
rt_dim rt_module_constant_dim(rt_module *module, int64_t value);
rt_dim rt_module_symbol(rt_module *module, const char *name);

/* External files by path; the same path gives the same index. */
uint32_t rt_module_add_file(rt_module *module, const char *path);
const char *rt_module_file_path(const rt_module *module, uint32_t file);
size_t rt_module_file_count(const rt_module *module);

/* Parameters. Adding a name that exists is a diagnostic at info->location. */
rt_parameter rt_module_add_parameter(rt_module *module, const rt_parameter_info *info);
rt_parameter rt_module_find_parameter(const rt_module *module, const char *name);
const rt_parameter_info *rt_module_parameter(const rt_module *module, rt_parameter parameter);
/* The facts that passes change: trainable, decayed, initial value, source. The pointer dies with
 * the next rt_module_add_parameter. */
rt_parameter_info *rt_module_edit_parameter(rt_module *module, rt_parameter parameter);
size_t rt_module_parameter_count(const rt_module *module);
/* Drops the parameters with keeps[index] false and renumbers the others, in order, also in all
 * graphs of the module; ids held anywhere else are void. Neither a live node nor an assignment nor
 * `of` of a parameter that stays may name one that goes. Rebuild graphs (ir/rewrite.h) before
 * building on. */
void rt_module_keep_parameters(rt_module *module, const bool *keeps);

/* Graphs by name; a second graph of one name replaces the first in place. */
rt_graph *rt_module_add_graph(rt_module *module, const char *name);
rt_graph *rt_module_find_graph(const rt_module *module, const char *name); /* or NULL */
size_t rt_module_graph_count(const rt_module *module);
rt_graph *rt_module_graph(const rt_module *module, size_t index);
void rt_module_remove_graph(rt_module *module, const char *name);
/* Puts `graph` in the place of the module's graph of that name, or adds it. */
void rt_module_put_graph(rt_module *module, rt_graph *graph);
/* A graph that the module does not list yet (see rt_module_put_graph). */
rt_graph *rt_graph_create(rt_module *module, const char *name);

rt_module *rt_graph_module(const rt_graph *graph);
const char *rt_graph_name(const rt_graph *graph);
/* "prepare", or "prepare.NAME" for what graph NAME alone reads: these assign the derived
 * parameters, before anything reads them and whenever weights were changed from outside. */
bool rt_graph_is_preparation(const rt_graph *graph);

size_t rt_graph_node_count(const rt_graph *graph);
size_t rt_graph_value_count(const rt_graph *graph);
const rt_node_info *rt_graph_node(const rt_graph *graph, rt_node node);
rt_type rt_graph_type(const rt_graph *graph, rt_value value);
rt_node rt_graph_definition(const rt_graph *graph, rt_value value);
int rt_graph_result_index(const rt_graph *graph, rt_value value);
rt_value rt_graph_result(const rt_graph *graph, rt_node node, int index);
/* Operator of the node that defines `value`, and attribute of that node. */
rt_op rt_graph_op(const rt_graph *graph, rt_value value);
rt_attr rt_graph_attr(const rt_graph *graph, rt_node node, rt_attr_id attr);

/* Inputs in the order of their creation: values defined by `input` nodes. */
size_t rt_graph_input_count(const rt_graph *graph);
rt_value rt_graph_input(const rt_graph *graph, size_t index);
rt_value rt_graph_find_input(const rt_graph *graph, const char *name); /* or RT_NO_VALUE */

size_t rt_graph_output_count(const rt_graph *graph);
const rt_output *rt_graph_output(const rt_graph *graph, size_t index);
rt_value rt_graph_find_output(const rt_graph *graph, const char *name); /* or RT_NO_VALUE */
void rt_graph_add_output(rt_graph *graph, const char *name, rt_value value);
void rt_graph_add_assign(rt_graph *graph, rt_parameter parameter, rt_value value);
void rt_graph_set_output(rt_graph *graph, size_t index, rt_value value);
void rt_graph_clear_outputs(rt_graph *graph);

/* Moves every use of `old` (operands and outputs) to `fresh`, but not the operands of nodes with
 * index >= `since`: those that were built to compute `fresh` from `old`. RT_NO_NODE moves all. */
void rt_graph_replace_uses(rt_graph *graph, rt_value old, rt_value fresh, rt_node since);

/* The live nodes (those that an output needs) in topological order: operands first, otherwise by
 * index. Written to an array in `arena`; false where memory ran out or the graph has a cycle. */
bool rt_graph_order(const rt_graph *graph, rt_arena *arena, rt_node **nodes, size_t *count);
/* The same for the nodes that `values` need, whether they are outputs or not. */
bool rt_graph_order_of(const rt_graph *graph, const rt_value *values, size_t value_count,
                       rt_arena *arena, rt_node **nodes, size_t *count);

/* Number of uses of each value by live nodes and outputs, indexed by value; NULL without memory. */
uint32_t *rt_graph_use_counts(const rt_graph *graph, rt_arena *arena);

/* ---- for builder.c, parse.c: append without folding or merging. `results` are the types. */
rt_node rt_graph_append(rt_graph *graph, rt_op op, const rt_value *operands, size_t operand_count,
                        const rt_attr *attrs, const rt_type *results, rt_location location);

#endif
