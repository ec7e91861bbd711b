// SPDX-License-Identifier: Apache-2.0
/* Every check reads the graph alone and goes on after an error, up to a bound per graph. */
#include "ir/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/infer.h"
#include "ir/print.h"
#include "runtime/base/sizes.h"

enum { MAX_ERRORS = 20 }; /* of one graph */

typedef struct verifier {
    const rt_graph *graph;
    rt_module *module;
    rt_graph_form form;
    rt_diagnostics *diagnostics;
    rt_arena scratch;
    size_t error_count;
} verifier;

RT_PRINTF(3, 4)
static void fail(verifier *v, rt_location location, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ++v->error_count;
    rt_diagnose(v->diagnostics, RT_ERROR, location, "graph '%s': %s", rt_graph_name(v->graph),
                text);
}

RT_PRINTF(3, 4)
static void fail_at_node(verifier *v, rt_node node, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *printed = rt_print_node(v->graph, node, &v->scratch);
    ++v->error_count;
    rt_diagnose(v->diagnostics, RT_ERROR, rt_graph_node(v->graph, node)->location,
                "graph '%s': %s: %s", rt_graph_name(v->graph), text, printed ? printed : "");
}

static bool value_exists(const verifier *v, rt_value value) {
    return value.index < rt_graph_value_count(v->graph);
}

static const char *type_text(verifier *v, rt_type type) {
    return rt_type_text(rt_module_dims(v->module), type, &v->scratch);
}

/* Nothing else can be asked of a graph whose values do not exist. */
static void check_references(verifier *v) {
    for (uint32_t n = 0; n < rt_graph_node_count(v->graph) && !v->error_count; ++n) {
        const rt_node_info *node = rt_graph_node(v->graph, (rt_node){n});
        for (uint32_t i = 0; i < node->operand_count; ++i) {
            if (!rt_value_is(node->operands[i]) || value_exists(v, node->operands[i])) continue;
            fail(v, node->location, "operand %u of node %u (%s) does not exist", i, n,
                 rt_op_text(node->op));
        }
    }
    for (size_t i = 0; i < rt_graph_output_count(v->graph) && !v->error_count; ++i) {
        const rt_output *output = rt_graph_output(v->graph, i);
        if (value_exists(v, output->value)) continue;
        fail(v, (rt_location){0}, "output '%s' has no value", output->name);
    }
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_unique(verifier *v, const char **names, size_t count, const char *what) {
    qsort(names, count, sizeof *names, compare_texts);
    for (size_t i = 1; i < count && v->error_count < MAX_ERRORS; ++i) {
        if (strcmp(names[i - 1], names[i]) == 0) {
            fail(v, (rt_location){0}, "two %s are called '%s'", what, names[i]);
        }
    }
}

static void check_inputs(verifier *v) {
    size_t count = rt_graph_input_count(v->graph);
    const char **names = RT_NEW_ARRAY(&v->scratch, const char *, count);
    if (!names) return;
    for (size_t i = 0; i < count; ++i) {
        rt_node node = rt_graph_definition(v->graph, rt_graph_input(v->graph, i));
        names[i] = rt_graph_attr(v->graph, node, RT_ATTR_input_name).text;
    }
    check_unique(v, names, count, "inputs");
}

static void check_assign(verifier *v, const rt_output *output, bool *is_assigned) {
    uint32_t index = output->parameter.index;
    if (index >= rt_module_parameter_count(v->module)) {
        fail(v, (rt_location){0}, "parameter %u is assigned but does not exist", index);
        return;
    }
    const rt_parameter_info *info = rt_module_parameter(v->module, output->parameter);
    rt_type type = rt_graph_type(v->graph, output->value);
    if (is_assigned[index]) {
        fail(v, info->location, "parameter '%s' is assigned twice", info->name);
    } else if (!rt_type_equal(type, info->type)) {
        fail(v, info->location, "parameter '%s' of type %s is assigned a value of type %s",
             info->name, type_text(v, info->type), type_text(v, type));
    }
    is_assigned[index] = true;
}

static void check_outputs(verifier *v) {
    size_t count = rt_graph_output_count(v->graph), named = 0;
    const char **names = RT_NEW_ARRAY(&v->scratch, const char *, count);
    bool *is_assigned = RT_NEW_ARRAY(&v->scratch, bool, rt_module_parameter_count(v->module));
    if (!names || !is_assigned) return;
    for (size_t i = 0; i < count && v->error_count < MAX_ERRORS; ++i) {
        const rt_output *output = rt_graph_output(v->graph, i);
        if (rt_parameter_is(output->parameter)) {
            check_assign(v, output, is_assigned);
        } else {
            names[named++] = output->name;
        }
    }
    check_unique(v, names, named, "outputs");
}

/* The types that the node's rule gives now must be the types that its results have. */
static void check_node(verifier *v, rt_node id) {
    const rt_node_info *node = rt_graph_node(v->graph, id);
    size_t attrs = (size_t)rt_op_attr_count(node->op);
    int result_count = rt_op_result_count(node->op);
    rt_type *operands = RT_NEW_ARRAY(&v->scratch, rt_type, node->operand_count);
    bool *is_present = RT_NEW_ARRAY(&v->scratch, bool, node->operand_count);
    rt_type *results = RT_NEW_ARRAY(&v->scratch, rt_type, (size_t)result_count);
    rt_attr *copy = rt_arena_copy(&v->scratch, node->attrs, attrs * sizeof *copy);
    if (!operands || !is_present || !results || !copy) return;
    for (uint32_t i = 0; i < node->operand_count; ++i) {
        is_present[i] = rt_value_is(node->operands[i]);
        if (is_present[i]) operands[i] = rt_graph_type(v->graph, node->operands[i]);
    }
    rt_infer infer = {.module = v->module,
                      .op = node->op,
                      .operand_count = node->operand_count,
                      .operands = operands,
                      .is_present = is_present,
                      .attrs = copy,
                      .results = results,
                      .location = node->location};
    if (!rt_infer_node(&infer)) {
        fail_at_node(v, id, "a node without a type");
        return;
    }
    for (int i = 0; i < result_count; ++i) {
        rt_type type = rt_graph_type(v->graph, rt_graph_result(v->graph, id, i));
        if (rt_type_equal(type, results[i])) continue;
        fail_at_node(v, id, "result %d has type %s where the operands give %s", i,
                     type_text(v, type), type_text(v, results[i]));
    }
    if (v->form == RT_FORM_LEGAL && rt_op_lower_class(node->op) == RT_LOWER_EXPAND) {
        fail_at_node(v, id, "%s must be expanded before scheduling", rt_op_text(node->op));
    }
}

static void check_nodes(verifier *v) {
    rt_node *nodes;
    size_t count;
    if (!rt_graph_order(v->graph, &v->scratch, &nodes, &count)) {
        if (!rt_arena_failed(&v->scratch)) fail(v, (rt_location){0}, "values form a cycle");
        return;
    }
    for (size_t i = 0; i < count && v->error_count < MAX_ERRORS; ++i) check_node(v, nodes[i]);
}

static rt_status finish(verifier *v) {
    bool is_out_of_memory =
        rt_arena_failed(&v->scratch) || rt_arena_failed(rt_module_arena(v->module));
    rt_arena_deinit(&v->scratch);
    if (v->error_count) return RT_INVALID_DATA;
    return is_out_of_memory ? RT_OUT_OF_MEMORY : RT_OK;
}

rt_status rt_verify_graph(const rt_graph *graph, rt_graph_form form, rt_diagnostics *diagnostics) {
    verifier v = {
        .graph = graph, .module = rt_graph_module(graph), .form = form, .diagnostics = diagnostics};
    check_references(&v);
    if (!v.error_count) {
        check_inputs(&v);
        check_outputs(&v);
        check_nodes(&v);
    }
    return finish(&v);
}

/* ---- parameters */

/* What is wrong with a parameter, or NULL. */
static const char *source_problem(const rt_module *module, const rt_parameter_info *info,
                                  int64_t elements) {
    const rt_source *source = &info->source;
    size_t bytes, end;
    if (source->file >= rt_module_file_count(module)) return "its source file does not exist";
    if (rt_transform_is_packed(source->transform)) {
        if (source->dtype != info->type.dtype) return "packed elements are loaded as they are";
        bytes = source->size_bytes;
    } else if (!rt_size_multiply((size_t)elements, rt_dtype_bytes(source->dtype), &bytes) ||
               bytes != source->size_bytes) {
        return "its source has another number of bytes than its type needs";
    }
    if (!rt_size_add(source->offset, bytes, &end)) return "its source does not fit in 64 bits";
    if (source->transform == RT_TRANSFORM_TRANSPOSE && info->type.rank != 2) {
        return "only a matrix can be transposed while loading";
    }
    return NULL;
}

static const char *parameter_problem(const rt_module *module, const rt_parameter_info *info) {
    int64_t elements;
    bool has_owner = rt_parameter_is(info->of);
    if (!rt_type_is_static(rt_module_dims(module), info->type, NULL, &elements)) {
        return "its type needs constant dimensions";
    }
    if (has_owner && info->of.index >= rt_module_parameter_count(module)) {
        return "what it belongs to does not exist";
    }
    if (has_owner && rt_module_parameter(module, info->of)->kind != RT_PARAMETER_WEIGHT) {
        return "what it belongs to is not a weight";
    }
    if (info->kind == RT_PARAMETER_WEIGHT && has_owner) return "a weight belongs to nothing";
    if (info->kind == RT_PARAMETER_DERIVED) {
        if (has_owner) return "a derived parameter belongs to nothing";
        if (info->is_trainable || info->initial != RT_INITIAL_ZEROS)
            return "a derived parameter is computed, neither trained nor read";
    }
    if (info->kind == RT_PARAMETER_GRADIENT) {
        if (!has_owner) return "a gradient must belong to a weight";
        if (!rt_type_same_shape(info->type, rt_module_parameter(module, info->of)->type)) {
            return "a gradient must have the shape of its weight";
        }
    }
    if (info->initial == RT_INITIAL_SOURCE) return source_problem(module, info, elements);
    return NULL;
}

rt_status rt_verify_module(const rt_module *module, rt_graph_form form,
                           rt_diagnostics *diagnostics) {
    rt_status status = RT_OK;
    for (uint32_t i = 0; i < rt_module_parameter_count(module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(module, (rt_parameter){i});
        const char *problem = parameter_problem(module, info);
        if (!problem) continue;
        status = rt_diagnose_error(diagnostics, RT_INVALID_DATA, info->location,
                                   "parameter '%s': %s", info->name, problem);
    }
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        rt_status graph_status = rt_verify_graph(rt_module_graph(module, i), form, diagnostics);
        if (status == RT_OK) status = graph_status;
    }
    return status;
}
