// SPDX-License-Identifier: Apache-2.0
#include "tools/graph_dot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct dot_writer {
    const rt_graph *graph;
    rt_arena *arena;
    FILE *out;
} dot_writer;

/* Inside a quoted string of DOT. */
static void put_text(dot_writer *w, const char *text) {
    for (; *text; ++text) {
        if (*text == '"' || *text == '\\') putc('\\', w->out);
        putc(*text, w->out);
    }
}

/* What a source is: the input's, parameter's or constant's name. */
static const char *own_name(const dot_writer *w, rt_node node, const rt_node_info *info) {
    if (info->op == RT_OP_input) return rt_graph_attr(w->graph, node, RT_ATTR_input_name).text;
    if (info->op != RT_OP_parameter) return NULL;
    rt_parameter parameter = rt_graph_attr(w->graph, node, RT_ATTR_parameter_parameter).parameter;
    return rt_module_parameter(rt_graph_module(w->graph), parameter)->name;
}

static void put_node(dot_writer *w, rt_node node) {
    const rt_node_info *info = rt_graph_node(w->graph, node);
    const char *name = own_name(w, node, info);
    const char *type = rt_type_text(rt_module_dims(rt_graph_module(w->graph)),
                                    rt_graph_type(w->graph, info->first_result), w->arena);
    bool is_source = rt_op_lower_class(info->op) == RT_LOWER_SOURCE;
    fprintf(w->out, "  n%u [label=\"%s", node.index, rt_op_text(info->op));
    if (name) {
        fputs("\\n", w->out);
        put_text(w, name);
    }
    fputs("\\n", w->out);
    put_text(w, type ? type : "");
    fputs("\"", w->out);
    if (info->location.name) {
        fputs(", tooltip=\"", w->out);
        put_text(w, info->location.name);
        fputs("\"", w->out);
    }
    fprintf(w->out, "%s];\n", is_source ? ", style=filled, fillcolor=lightgrey" : "");
    for (uint32_t i = 0; i < info->operand_count; ++i) {
        if (!rt_value_is(info->operands[i])) continue;
        fprintf(w->out, "  n%u -> n%u;\n", rt_graph_definition(w->graph, info->operands[i]).index,
                node.index);
    }
}

static void put_outputs(dot_writer *w) {
    for (size_t i = 0; i < rt_graph_output_count(w->graph); ++i) {
        const rt_output *output = rt_graph_output(w->graph, i);
        fprintf(w->out, "  out%zu [shape=oval, label=\"", i);
        put_text(w, output->name);
        fprintf(w->out, "\"];\n  n%u -> out%zu;\n",
                rt_graph_definition(w->graph, output->value).index, i);
    }
}

const char *graph_dot_text(const rt_graph *graph, rt_arena *arena) {
    char *text = NULL;
    size_t size = 0, count = 0;
    rt_node *nodes;
    dot_writer w = {.graph = graph, .arena = arena, .out = open_memstream(&text, &size)};
    if (!w.out) return NULL;
    fputs("digraph \"", w.out);
    put_text(&w, rt_graph_name(graph));
    fputs("\" {\n  node [shape=box, fontname=Helvetica, fontsize=10];\n", w.out);
    bool is_good = rt_graph_order(graph, arena, &nodes, &count);
    for (size_t i = 0; is_good && i < count; ++i) put_node(&w, nodes[i]);
    put_outputs(&w);
    fputs("}\n", w.out);
    is_good = fclose(w.out) == 0 && is_good;
    const char *copy = is_good ? rt_arena_copy_text(arena, text, size) : NULL;
    free(text);
    return copy;
}
