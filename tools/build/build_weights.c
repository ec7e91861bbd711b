// SPDX-License-Identifier: Apache-2.0
/* Weights as the compiled graph reads them: this machine computes what derives from them, with the
 * graphs that were made for the target (the values do not depend on who computes them), and lays
 * all that the graph reads end to end. */
#include <stdlib.h>
#include <string.h>

#include "runtime/base/checksum.h"
#include "runtime/base/sizes.h"
#include "runtime/instance.h"
#include "runtime/program.h"
#include "tools/build/build.h"

enum { ALIGNMENT = 64 };

/* By parameter: whether the graph reads it. */
static bool *find_read(build *b) {
    const rt_graph *graph = b->model.graph;
    rt_node *nodes;
    size_t count;
    bool *is_read = RT_NEW_ARRAY(&b->arena, bool, rt_module_parameter_count(b->model.module) + 1);
    if (!is_read || !rt_graph_order(graph, &b->arena, &nodes, &count)) return NULL;
    for (size_t i = 0; i < count; ++i)
        if (rt_graph_node(graph, nodes[i])->op == RT_OP_parameter)
            is_read[rt_graph_attr(graph, nodes[i], RT_ATTR_parameter_parameter).parameter.index] =
                true;
    return is_read;
}

static rt_status read_all(build *b, const retort_instance *instance, const bool *is_read) {
    const retort_program *program = retort_instance_program(instance);
    uint64_t *offsets = RT_NEW_ARRAY(&b->arena, uint64_t, program->parameter_count + 1);
    uint64_t total = 0;
    if (!offsets) return RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        if (!is_read[i]) continue;
        offsets[i] = total;
        total += rt_align_up((size_t)retort_parameter_bytes(&program->parameters[i]), ALIGNMENT);
    }
    b->weights = calloc(1, (size_t)total + 1);
    if (!b->weights) return RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < program->parameter_count; ++i)
        if (is_read[i])
            RT_TRY(retort_instance_read(instance, (int)i, b->weights + offsets[i], b->error));
    b->device.offsets = offsets;
    b->device.weights_bytes = total;
    b->device.checksum = rt_checksum(b->weights, (size_t)total);
    return RT_OK;
}

static rt_status prepare(build *b, const retort_program *program, const bool *is_read) {
    const int64_t **largest = RT_NEW_ARRAY(&b->arena, const int64_t *, program->entry_count + 1);
    int64_t *symbols = RT_NEW_ARRAY(&b->arena, int64_t, program->symbol_count + 1);
    retort_instance_options options;
    retort_instance *instance;
    if (!largest || !symbols) return RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < program->entry_count; ++i) largest[i] = symbols;
    retort_instance_options_init(&options);
    options.skips_checksum = true; /* compiled in this moment, from these files */
    RT_TRY(retort_instance_create(program, &options, &instance, b->error));
    rt_status status = retort_instance_reserve_entries(instance, largest, b->error);
    if (status == RT_OK) status = retort_instance_prepare(instance, b->error);
    if (status == RT_OK) status = read_all(b, instance, is_read);
    retort_instance_destroy(instance);
    return status;
}

rt_status build_make_weights(build *b) {
    retort_compiler_options options;
    retort_compilation *compilation = NULL;
    const retort_program *program;
    bool *is_read = find_read(b);
    if (!is_read) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    retort_compiler_options_init(&options);
    options.left_out = b->graph;
    RT_TRY(retort_compile(b->model.module, &options, &compilation, b->error));
    rt_status status = retort_compilation_load(compilation, &program, b->error);
    if (status == RT_OK) status = prepare(b, program, is_read);
    retort_compilation_destroy(compilation);
    return status == RT_OUT_OF_MEMORY ? rt_fail(b->error, status, "out of memory") : status;
}
