// SPDX-License-Identifier: Apache-2.0
#include "compiler/frontend/onnx_emit.h"

#include <stdarg.h>
#include <string.h>

#include "compiler/frontend/onnx_writer.h"

enum { MOST_INPUTS = 8 };

bool onnx_emitter_is_good(const onnx_emitter *e) {
    return !rt_arena_failed(e->arena);
}

/* ---- nodes */

static rt_onnx_node *last_node(onnx_emitter *e) {
    return e->node_count ? &e->nodes[e->node_count - 1] : NULL;
}

static const char *add_node(onnx_emitter *e, const char *result, const char *op_type,
                            const char *const *inputs, size_t count) {
    rt_onnx_node *nodes =
        rt_arena_grow(e->arena, e->nodes, &e->node_capacity, e->node_count + 1, sizeof *nodes);
    const char **names = RT_NEW_ARRAY(e->arena, const char *, count + 1);
    const char **results = RT_NEW_ARRAY(e->arena, const char *, 1);
    if (!nodes || !names || !results || !result) return NULL;
    memcpy(names, inputs, count * sizeof *names);
    results[0] = result;
    e->nodes = nodes;
    nodes[e->node_count++] = (rt_onnx_node){.name = result,
                                            .op_type = op_type,
                                            .inputs = names,
                                            .input_count = count,
                                            .outputs = results,
                                            .output_count = 1};
    return result;
}

/* Inputs up to the NULL; false where the first is NULL: a failure before. */
static bool collect(const char *first, va_list list, const char **inputs, size_t *count) {
    *count = 0;
    for (const char *input = first; input && *count < MOST_INPUTS;
         input = va_arg(list, const char *))
        inputs[(*count)++] = input;
    return *count > 0;
}

const char *onnx_emit(onnx_emitter *e, const char *op_type, const char *first, ...) {
    const char *inputs[MOST_INPUTS];
    size_t count;
    va_list list;
    va_start(list, first);
    bool is_good = collect(first, list, inputs, &count);
    va_end(list);
    if (!is_good) return NULL;
    const char *result = rt_arena_format(e->arena, "%s/%s_%zu", e->scope, op_type, e->node_count);
    return add_node(e, result, op_type, inputs, count);
}

const char *onnx_emit_named(onnx_emitter *e, const char *name, const char *op_type,
                            const char *first, ...) {
    const char *inputs[MOST_INPUTS];
    size_t count;
    va_list list;
    va_start(list, first);
    bool is_good = collect(first, list, inputs, &count);
    va_end(list);
    return is_good ? add_node(e, name, op_type, inputs, count) : NULL;
}

void onnx_emit_results(onnx_emitter *e, const char **names, size_t count) {
    rt_onnx_node *node = last_node(e);
    const char **results = RT_NEW_ARRAY(e->arena, const char *, count);
    if (!node || !results) return;
    for (size_t i = 0; i < count; ++i)
        results[i] = names[i] =
            i ? rt_arena_format(e->arena, "%s.%zu", node->name, i) : node->outputs[0];
    node->outputs = results;
    node->output_count = count;
}

/* ---- attributes */

static void add_attribute(onnx_emitter *e, rt_onnx_attribute attribute) {
    rt_onnx_node *node = last_node(e);
    if (!node) return;
    rt_onnx_attribute *attributes =
        RT_NEW_ARRAY(e->arena, rt_onnx_attribute, node->attribute_count + 1);
    if (!attributes) return;
    if (node->attribute_count)
        memcpy(attributes, node->attributes, node->attribute_count * sizeof *attributes);
    attributes[node->attribute_count++] = attribute;
    node->attributes = attributes;
}

void onnx_emit_int(onnx_emitter *e, const char *name, int64_t value) {
    add_attribute(
        e, (rt_onnx_attribute){.name = name, .kind = RT_ONNX_ATTRIBUTE_INT, .integer = value});
}

void onnx_emit_ints(onnx_emitter *e, const char *name, const int64_t *values, size_t count) {
    const int64_t *copy = rt_arena_copy(e->arena, values, count * sizeof *values);
    if (!copy) return;
    add_attribute(
        e, (rt_onnx_attribute){
               .name = name, .kind = RT_ONNX_ATTRIBUTE_INTS, .integers = copy, .count = count});
}

void onnx_emit_float(onnx_emitter *e, const char *name, double value) {
    add_attribute(e, (rt_onnx_attribute){
                         .name = name, .kind = RT_ONNX_ATTRIBUTE_FLOAT, .real = (float)value});
}

void onnx_emit_text(onnx_emitter *e, const char *name, const char *value) {
    add_attribute(e, (rt_onnx_attribute){.name = name,
                                         .kind = RT_ONNX_ATTRIBUTE_STRING,
                                         .text = {value, strlen(value)}});
}

/* ---- initialisers */

typedef struct initializer {
    const char *name;
    rt_dtype dtype;
    const int64_t *dims;
    int rank;
    const void *values;
} initializer;

static const char *add_tensor(onnx_emitter *e, const initializer *given) {
    rt_onnx_tensor *tensors = rt_arena_grow(e->arena, e->tensors, &e->tensor_capacity,
                                            e->tensor_count + 1, sizeof *tensors);
    rt_onnx_file *file = RT_NEW(e->arena, rt_onnx_file);
    int64_t *dims = RT_NEW_ARRAY(e->arena, int64_t, (size_t)given->rank + 1);
    if (!tensors || !file || !dims || !given->name || !given->values) return NULL;
    if (given->rank) memcpy(dims, given->dims, (size_t)given->rank * sizeof *dims);
    e->tensors = tensors;
    rt_onnx_tensor_of_memory(&tensors[e->tensor_count++], file, given->name, given->dtype, dims,
                             given->rank, given->values);
    return given->name;
}

const char *onnx_emit_weight(onnx_emitter *e, const char *name, const int64_t *dims, int rank,
                             const void *values) {
    return add_tensor(e, &(initializer){name, RT_F32, dims, rank, values});
}

/* A constant that is there already. */
static const char *find_constant(const onnx_emitter *e, const char *name) {
    for (size_t i = 0; name && i < e->tensor_count; ++i)
        if (strcmp(e->tensors[i].name, name) == 0) return e->tensors[i].name;
    return NULL;
}

const char *onnx_emit_number(onnx_emitter *e, double value) {
    float number = (float)value;
    const char *name = rt_arena_format(e->arena, "number_%.9g", (double)number);
    const char *found = find_constant(e, name);
    if (found) return found;
    return add_tensor(
        e, &(initializer){name, RT_F32, NULL, 0, rt_arena_copy(e->arena, &number, sizeof number)});
}

const char *onnx_emit_index(onnx_emitter *e, int64_t value) {
    const char *name = rt_arena_format(e->arena, "index_%lld", (long long)value);
    const char *found = find_constant(e, name);
    if (found) return found;
    return add_tensor(
        e, &(initializer){name, RT_I64, NULL, 0, rt_arena_copy(e->arena, &value, sizeof value)});
}

const char *onnx_emit_indexes(onnx_emitter *e, const int64_t *values, size_t count) {
    const char *name = "indexes";
    for (size_t i = 0; i < count && name; ++i)
        name = rt_arena_format(e->arena, "%s_%lld", name, (long long)values[i]);
    const char *found = find_constant(e, name);
    if (found) return found;
    int64_t size = (int64_t)count;
    return add_tensor(e, &(initializer){name, RT_I64, &size, 1,
                                        rt_arena_copy(e->arena, values, count * sizeof *values)});
}
