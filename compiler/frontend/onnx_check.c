// SPDX-License-Identifier: Apache-2.0
#include "compiler/frontend/onnx_check.h"

#include <stdio.h>
#include <string.h>

#include "compiler/frontend/name_table.h"
#include "runtime/base/arena.h"

/* Who defines a name. */
static const char by_input, by_initializer, by_node;

/* The names one graph defines, and the graphs around it. */
typedef struct name_scope {
    const struct name_scope *outer;
    rt_name_table names; /* to by_input … */
    rt_arena *arena;
    rt_error *error;
} name_scope;

const char *rt_onnx_node_text(const rt_onnx_node *node, size_t index,
                              char text[RT_ONNX_NODE_TEXT]) {
    const char *dot = node->domain[0] ? "." : "";
    if (node->name[0]) {
        snprintf(text, RT_ONNX_NODE_TEXT, "node '%.100s' (%.40s%s%.40s)", node->name, node->domain,
                 dot, node->op_type);
    } else {
        snprintf(text, RT_ONNX_NODE_TEXT, "node %zu (%.40s%s%.40s)", index, node->domain, dot,
                 node->op_type);
    }
    return text;
}

static rt_status define(name_scope *scope, const char *name, const char *owner, const char *what) {
    if (rt_name_table_find(&scope->names, name)) {
        return rt_fail(scope->error, RT_INVALID_DATA, "%s: '%s' is already defined", what, name);
    }
    if (!rt_name_table_set(&scope->names, scope->arena, name, owner)) {
        return rt_fail(scope->error, RT_OUT_OF_MEMORY, "out of memory");
    }
    return RT_OK;
}

static bool is_defined(const name_scope *scope, const char *name) {
    for (; scope; scope = scope->outer) {
        if (rt_name_table_find(&scope->names, name)) return true;
    }
    return false;
}

/* Says why `name` is not there: nobody computes it, or somebody does later. */
static rt_status fail_undefined(const name_scope *scope, const rt_onnx_node *nodes,
                                size_t node_count, const char *name, const char *what) {
    for (size_t i = 0; i < node_count; ++i) {
        for (size_t k = 0; k < nodes[i].output_count; ++k) {
            if (strcmp(nodes[i].outputs[k], name) != 0) continue;
            char text[RT_ONNX_NODE_TEXT];
            return rt_fail(scope->error, RT_INVALID_DATA,
                           "%s: reads '%s', which only %s computes: the nodes form a cycle or are "
                           "not in topological order",
                           what, name, rt_onnx_node_text(&nodes[i], i, text));
        }
    }
    return rt_fail(scope->error, RT_INVALID_DATA, "%s: reads '%s', which nothing defines", what,
                   name);
}

static rt_status check_graph(const rt_onnx_graph *graph, const name_scope *outer, rt_arena *arena,
                             rt_error *error);

static rt_status check_subgraphs(const name_scope *scope, const rt_onnx_node *node,
                                 const char *what) {
    for (size_t i = 0; i < node->attribute_count; ++i) {
        const rt_onnx_attribute *attribute = &node->attributes[i];
        if (attribute->kind != RT_ONNX_ATTRIBUTE_GRAPH &&
            attribute->kind != RT_ONNX_ATTRIBUTE_GRAPHS) {
            continue;
        }
        for (size_t k = 0; k < attribute->count; ++k) {
            rt_status status =
                check_graph(&attribute->graphs[k], scope, scope->arena, scope->error);
            if (status != RT_OK) {
                return rt_fail_within(scope->error, status, "%s: in '%s'", what, attribute->name);
            }
        }
    }
    return RT_OK;
}

static rt_status check_nodes(name_scope *scope, const rt_onnx_node *nodes, size_t node_count) {
    for (size_t i = 0; i < node_count; ++i) {
        const rt_onnx_node *node = &nodes[i];
        char what[RT_ONNX_NODE_TEXT];
        rt_onnx_node_text(node, i, what);
        if (!node->op_type[0]) {
            return rt_fail(scope->error, RT_INVALID_DATA, "%s: has no operator", what);
        }
        for (size_t k = 0; k < node->input_count; ++k) {
            if (node->inputs[k][0] && !is_defined(scope, node->inputs[k])) {
                return fail_undefined(scope, nodes, node_count, node->inputs[k], what);
            }
        }
        RT_TRY(check_subgraphs(scope, node, what));
        for (size_t k = 0; k < node->output_count; ++k) {
            if (node->outputs[k][0]) RT_TRY(define(scope, node->outputs[k], &by_node, what));
        }
    }
    return RT_OK;
}

/* A subgraph may give one value twice; a model's outputs are told apart by their names. */
static rt_status check_outputs(const rt_onnx_graph *graph, const name_scope *scope) {
    rt_name_table seen = {0};
    for (size_t i = 0; i < graph->output_count; ++i) {
        const char *name = graph->outputs[i].name;
        if (!is_defined(scope, name)) {
            return rt_fail(scope->error, RT_INVALID_DATA, "graph output '%s' is not computed",
                           name);
        }
        if (!scope->outer && rt_name_table_find(&seen, name)) {
            return rt_fail(scope->error, RT_INVALID_DATA, "graph output '%s' is listed twice",
                           name);
        }
        if (!rt_name_table_set(&seen, scope->arena, name, &by_node)) {
            return rt_fail(scope->error, RT_OUT_OF_MEMORY, "out of memory");
        }
    }
    return RT_OK;
}

static rt_status check_graph(const rt_onnx_graph *graph, const name_scope *outer, rt_arena *arena,
                             rt_error *error) {
    name_scope scope = {outer, {0}, arena, error};
    for (size_t i = 0; i < graph->input_count; ++i) {
        if (!graph->inputs[i].name[0]) {
            return rt_fail(error, RT_INVALID_DATA, "graph input %zu has no name", i);
        }
        RT_TRY(define(&scope, graph->inputs[i].name, &by_input, "graph input"));
    }
    for (size_t i = 0; i < graph->initializer_count; ++i) {
        const rt_onnx_tensor *tensor = &graph->initializers[i];
        if (!tensor->name[0]) {
            return rt_fail(error, RT_INVALID_DATA, "initialiser %zu has no name", i);
        }
        /* Up to IR version 3 an initialiser is an input's default value. */
        if (rt_name_table_find(&scope.names, tensor->name) == &by_input) {
            (void)rt_name_table_set(&scope.names, arena, tensor->name, &by_initializer);
        } else {
            RT_TRY(define(&scope, tensor->name, &by_initializer, "initialiser"));
        }
    }
    RT_TRY(check_nodes(&scope, graph->nodes, graph->node_count));
    return check_outputs(graph, &scope);
}

static rt_status check_function(const rt_onnx_function *function, rt_arena *arena,
                                rt_error *error) {
    name_scope scope = {NULL, {0}, arena, error};
    for (size_t i = 0; i < function->input_count; ++i) {
        RT_TRY(define(&scope, function->inputs[i], &by_input, "function input"));
    }
    RT_TRY(check_nodes(&scope, function->nodes, function->node_count));
    for (size_t i = 0; i < function->output_count; ++i) {
        if (!is_defined(&scope, function->outputs[i])) {
            return rt_fail(error, RT_INVALID_DATA, "output '%s' is not computed",
                           function->outputs[i]);
        }
    }
    return RT_OK;
}

rt_status rt_onnx_check(const rt_onnx_model *model, rt_error *error) {
    rt_arena arena = {0};
    rt_status status = check_graph(&model->graph, NULL, &arena, error);
    for (size_t i = 0; i < model->function_count && status == RT_OK; ++i) {
        status = check_function(&model->functions[i], &arena, error);
        if (status != RT_OK) {
            rt_fail_within(error, status, "function '%s'", model->functions[i].name);
        }
    }
    rt_arena_deinit(&arena);
    return status;
}
