// SPDX-License-Identifier: Apache-2.0
/* Graphs: nodes and values in arrays; order and uses on demand. */
#include "ir/graph.h"

#include <string.h>

#include "ir/graph_impl.h"
#include "runtime/base/check.h"

rt_graph *rt_graph_create(rt_module *module, const char *name) {
    rt_graph *graph = RT_NEW(&module->arena, rt_graph);
    if (!graph) return NULL;
    graph->module = module;
    graph->name = rt_module_intern(module, name);
    return graph;
}

rt_module *rt_graph_module(const rt_graph *graph) {
    return graph->module;
}

const char *rt_graph_name(const rt_graph *graph) {
    return graph->name;
}

bool rt_graph_is_preparation(const rt_graph *graph) {
    static const char prepare[] = "prepare";
    size_t length = sizeof prepare - 1;
    return strncmp(graph->name, prepare, length) == 0 &&
           (graph->name[length] == '\0' || graph->name[length] == '.');
}

size_t rt_graph_node_count(const rt_graph *graph) {
    return graph->node_count;
}

size_t rt_graph_value_count(const rt_graph *graph) {
    return graph->value_count;
}

const rt_node_info *rt_graph_node(const rt_graph *graph, rt_node node) {
    RT_ASSERT(node.index < graph->node_count);
    return &graph->nodes[node.index];
}

rt_type rt_graph_type(const rt_graph *graph, rt_value value) {
    RT_ASSERT(value.index < graph->value_count);
    return graph->values[value.index].type;
}

rt_node rt_graph_definition(const rt_graph *graph, rt_value value) {
    RT_ASSERT(value.index < graph->value_count);
    return graph->values[value.index].definition;
}

int rt_graph_result_index(const rt_graph *graph, rt_value value) {
    rt_node node = rt_graph_definition(graph, value);
    return (int)(value.index - graph->nodes[node.index].first_result.index);
}

rt_value rt_graph_result(const rt_graph *graph, rt_node node, int index) {
    if (!rt_node_is(node)) return RT_NO_VALUE;
    return (rt_value){rt_graph_node(graph, node)->first_result.index + (uint32_t)index};
}

rt_op rt_graph_op(const rt_graph *graph, rt_value value) {
    return rt_graph_node(graph, rt_graph_definition(graph, value))->op;
}

rt_attr rt_graph_attr(const rt_graph *graph, rt_node node, rt_attr_id attr) {
    const rt_node_info *info = rt_graph_node(graph, node);
    RT_ASSERT(attr >= rt_op_first_attr(info->op));
    return info->attrs[attr - rt_op_first_attr(info->op)];
}

/* ---- appending */

static rt_attr copy_attr(rt_module *module, rt_attr_kind kind, rt_attr attr) {
    if (kind == RT_ATTR_INTS)
        attr.ints = rt_arena_copy(&module->arena, attr.ints, attr.count * sizeof *attr.ints);
    else if (kind == RT_ATTR_DIMS)
        attr.dims = rt_arena_copy(&module->arena, attr.dims, attr.count * sizeof *attr.dims);
    else if (kind == RT_ATTR_TEXT)
        attr.text = rt_module_intern(module, attr.text);
    else if (kind == RT_ATTR_TENSOR)
        attr.tensor = rt_arena_copy(&module->arena, attr.tensor, sizeof *attr.tensor);
    return attr;
}

static const rt_attr *copy_attrs(rt_module *module, rt_op op, const rt_attr *attrs) {
    int count = rt_op_attr_count(op);
    rt_attr *copy = RT_NEW_ARRAY(&module->arena, rt_attr, (size_t)count);
    for (int i = 0; copy && i < count; ++i) {
        rt_attr_id id = (rt_attr_id)(rt_op_first_attr(op) + i);
        copy[i] = attrs ? copy_attr(module, rt_attr_kind_of(id), attrs[i]) : rt_attr_default(id);
    }
    return copy;
}

rt_node rt_graph_append(rt_graph *graph, rt_op op, const rt_value *operands, size_t operand_count,
                        const rt_attr *attrs, const rt_type *results, rt_location location) {
    rt_arena *arena = &graph->module->arena;
    size_t result_count = (size_t)rt_op_result_count(op);
    rt_node_info *nodes = rt_arena_grow(arena, graph->nodes, &graph->node_capacity,
                                        graph->node_count + 1, sizeof *nodes);
    value_info *values = rt_arena_grow(arena, graph->values, &graph->value_capacity,
                                       graph->value_count + result_count, sizeof *values);
    const rt_value *kept = rt_arena_copy(arena, operands, operand_count * sizeof *operands);
    const rt_attr *kept_attrs = copy_attrs(graph->module, op, attrs);
    if (nodes) graph->nodes = nodes;
    if (values) graph->values = values;
    if (op == RT_OP_input) {
        rt_value *inputs = rt_arena_grow(arena, graph->inputs, &graph->input_capacity,
                                         graph->input_count + 1, sizeof *inputs);
        if (!inputs) return RT_NO_NODE;
        graph->inputs = inputs;
    }
    if (!nodes || !values || !kept || !kept_attrs) return RT_NO_NODE;
    location.file = rt_module_intern(graph->module, location.file);
    location.name = rt_module_intern(graph->module, location.name);
    rt_node node = {(uint32_t)graph->node_count};
    rt_value first = {(uint32_t)graph->value_count};
    nodes[graph->node_count++] =
        (rt_node_info){op, (uint32_t)operand_count, kept, kept_attrs, first, location};
    for (size_t i = 0; i < result_count; ++i)
        values[graph->value_count++] = (value_info){results[i], node};
    if (op == RT_OP_input) graph->inputs[graph->input_count++] = first;
    return node;
}

/* ---- inputs and outputs */

size_t rt_graph_input_count(const rt_graph *graph) {
    return graph->input_count;
}

rt_value rt_graph_input(const rt_graph *graph, size_t index) {
    return graph->inputs[index];
}

rt_value rt_graph_find_input(const rt_graph *graph, const char *name) {
    for (size_t i = 0; i < graph->input_count; ++i) {
        rt_node node = rt_graph_definition(graph, graph->inputs[i]);
        if (strcmp(rt_graph_attr(graph, node, RT_ATTR_input_name).text, name) == 0)
            return graph->inputs[i];
    }
    return RT_NO_VALUE;
}

size_t rt_graph_output_count(const rt_graph *graph) {
    return graph->output_count;
}

const rt_output *rt_graph_output(const rt_graph *graph, size_t index) {
    return &graph->outputs[index];
}

rt_value rt_graph_find_output(const rt_graph *graph, const char *name) {
    for (size_t i = 0; i < graph->output_count; ++i)
        if (!rt_parameter_is(graph->outputs[i].parameter) &&
            strcmp(graph->outputs[i].name, name) == 0)
            return graph->outputs[i].value;
    return RT_NO_VALUE;
}

static void append_output(rt_graph *graph, rt_output output) {
    rt_output *outputs =
        rt_arena_grow(&graph->module->arena, graph->outputs, &graph->output_capacity,
                      graph->output_count + 1, sizeof *outputs);
    if (!outputs) return;
    graph->outputs = outputs;
    outputs[graph->output_count++] = output;
}

void rt_graph_add_output(rt_graph *graph, const char *name, rt_value value) {
    append_output(graph,
                  (rt_output){rt_module_intern(graph->module, name), value, RT_NO_PARAMETER});
}

void rt_graph_add_assign(rt_graph *graph, rt_parameter parameter, rt_value value) {
    const char *name = rt_module_parameter(graph->module, parameter)->name;
    append_output(graph, (rt_output){name, value, parameter});
}

void rt_graph_set_output(rt_graph *graph, size_t index, rt_value value) {
    graph->outputs[index].value = value;
}

void rt_graph_clear_outputs(rt_graph *graph) {
    graph->output_count = 0;
}

/* ---- uses and order */

void rt_graph_replace_uses(rt_graph *graph, rt_value old, rt_value fresh, rt_node since) {
    for (size_t n = 0; n < graph->node_count && n < since.index; ++n) {
        /* The operands are the graph's own copy; they are const for everyone else. */
        rt_value *operands = (rt_value *)graph->nodes[n].operands;
        for (uint32_t i = 0; i < graph->nodes[n].operand_count; ++i)
            if (rt_value_equal(operands[i], old)) operands[i] = fresh;
    }
    for (size_t i = 0; i < graph->output_count; ++i)
        if (rt_value_equal(graph->outputs[i].value, old)) graph->outputs[i].value = fresh;
}

typedef enum visit { UNSEEN, OPEN, DONE } visit;

typedef struct walk {
    const rt_graph *graph;
    unsigned char *state; /* visit, by node */
    rt_node *stack;
    uint32_t *next_operand; /* by stack position */
    rt_node *order;
    size_t count;
} walk;

/* Depth-first from `root` without recursion; operands in their order. False on a cycle. */
static bool visit_from(walk *w, rt_node root) {
    size_t depth = 0;
    if (w->state[root.index] == DONE) return true;
    w->state[root.index] = OPEN;
    w->stack[depth] = root;
    w->next_operand[depth++] = 0;
    while (depth) {
        rt_node node = w->stack[depth - 1];
        const rt_node_info *info = &w->graph->nodes[node.index];
        if (w->next_operand[depth - 1] == info->operand_count) {
            w->state[node.index] = DONE;
            w->order[w->count++] = node;
            --depth;
            continue;
        }
        rt_value operand = info->operands[w->next_operand[depth - 1]++];
        if (!rt_value_is(operand)) continue;
        rt_node definition = rt_graph_definition(w->graph, operand);
        if (w->state[definition.index] == OPEN) return false;
        if (w->state[definition.index] == DONE) continue;
        w->state[definition.index] = OPEN;
        w->stack[depth] = definition;
        w->next_operand[depth++] = 0;
    }
    return true;
}

static bool operands_precede(const rt_graph *graph, const unsigned char *is_live) {
    for (size_t n = 0; n < graph->node_count; ++n) {
        if (!is_live[n]) continue;
        for (uint32_t i = 0; i < graph->nodes[n].operand_count; ++i) {
            rt_value operand = graph->nodes[n].operands[i];
            if (rt_value_is(operand) && rt_graph_definition(graph, operand).index >= n)
                return false;
        }
    }
    return true;
}

bool rt_graph_order_of(const rt_graph *graph, const rt_value *values, size_t value_count,
                       rt_arena *arena, rt_node **nodes, size_t *count) {
    size_t n = graph->node_count;
    walk w = {graph,
              RT_NEW_ARRAY(arena, unsigned char, n),
              RT_NEW_ARRAY(arena, rt_node, n + 1),
              RT_NEW_ARRAY(arena, uint32_t, n + 1),
              RT_NEW_ARRAY(arena, rt_node, n),
              0};
    if (!w.state || !w.stack || !w.next_operand || !w.order) return false;
    for (size_t i = 0; i < value_count; ++i)
        if (rt_value_is(values[i]) && !visit_from(&w, rt_graph_definition(graph, values[i])))
            return false;
    /* Where no use was moved, the order of creation is already topological and reads best. */
    if (operands_precede(graph, w.state)) {
        w.count = 0;
        for (size_t i = 0; i < n; ++i)
            if (w.state[i] == DONE) w.order[w.count++] = (rt_node){(uint32_t)i};
    }
    *nodes = w.order;
    *count = w.count;
    return true;
}

bool rt_graph_order(const rt_graph *graph, rt_arena *arena, rt_node **nodes, size_t *count) {
    rt_value *values = RT_NEW_ARRAY(arena, rt_value, graph->output_count);
    if (!values) return false;
    for (size_t i = 0; i < graph->output_count; ++i) values[i] = graph->outputs[i].value;
    return rt_graph_order_of(graph, values, graph->output_count, arena, nodes, count);
}

uint32_t *rt_graph_use_counts(const rt_graph *graph, rt_arena *arena) {
    rt_node *nodes;
    size_t count;
    uint32_t *uses = RT_NEW_ARRAY(arena, uint32_t, graph->value_count);
    if (!uses || !rt_graph_order(graph, arena, &nodes, &count)) return NULL;
    for (size_t n = 0; n < count; ++n) {
        const rt_node_info *info = &graph->nodes[nodes[n].index];
        for (uint32_t i = 0; i < info->operand_count; ++i)
            if (rt_value_is(info->operands[i])) uses[info->operands[i].index]++;
    }
    for (size_t i = 0; i < graph->output_count; ++i)
        if (rt_value_is(graph->outputs[i].value)) uses[graph->outputs[i].value.index]++;
    return uses;
}
