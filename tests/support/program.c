// SPDX-License-Identifier: Apache-2.0
#include "tests/support/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "passes/expand.h"
#include "runtime/program.h"

static bool complain(const rt_error *error) {
    printf("  %s\n", error->text);
    return false;
}

bool test_program_begin_for(test_program *p, rt_module *module, uint64_t seed, const char *target) {
    retort_compiler_options options;
    retort_instance_options run_options;
    rt_error error = {"the module cannot be expanded"};
    memset(p, 0, sizeof *p);
    p->module = module;
    for (size_t i = 0; i < rt_module_graph_count(module); ++i) {
        rt_graph *graph = rt_expand_graph(rt_module_graph(module, i));
        if (!graph) return complain(&error);
        rt_module_put_graph(module, graph);
    }
    retort_compiler_options_init(&options);
    options.target = target;
    options.shares_small_work = true;
    const char *left_out = getenv("RETORT_TEST_WITHOUT");
    if (left_out && rt_optimizations_leave_out(&options.optimizations, left_out, &error) != RT_OK)
        return complain(&error);
    options.keeps_assembly = getenv("RETORT_TEST_ASSEMBLY") != NULL;
    if (retort_compile(module, &options, &p->compilation, &error) != RT_OK ||
        retort_compilation_load(p->compilation, &p->program, &error) != RT_OK)
        return complain(&error);
    if (options.keeps_assembly) puts(retort_compilation_text(p->compilation, RETORT_TEXT_ASSEMBLY));
    retort_instance_options_init(&run_options);
    run_options.workers = 2;
    run_options.seed = seed;
    if (retort_instance_create(p->program, &run_options, &p->instance, &error) != RT_OK)
        return complain(&error);
    return true;
}

bool test_program_begin(test_program *p, rt_module *module, uint64_t seed) {
    return test_program_begin_for(p, module, seed, NULL);
}

void test_program_end(test_program *p) {
    retort_instance_destroy(p->instance);
    retort_compilation_destroy(p->compilation);
    rt_arena_deinit(&p->arena);
}

void test_program_set_symbol(test_program *p, const char *name, int64_t value) {
    int index = retort_program_find_symbol(p->program, name);
    if (index >= 0 && index < TEST_PROGRAM_MAX_SYMBOLS) p->symbols[index] = value;
}

static void write_array(void *memory, rt_dtype dtype, const rt_array *array) {
    for (int64_t i = 0; i < array->count; ++i) {
        if (array->real)
            rt_element_set_double(dtype, memory, (size_t)i, array->real[i]);
        else
            rt_element_set_int64(dtype, memory, (size_t)i, array->integer[i]);
    }
}

static rt_array *read_array(test_program *p, const void *memory, rt_dtype dtype, int rank,
                            const int64_t *dims) {
    rt_array *array = rt_array_create(dtype, rank, dims, &p->arena);
    for (int64_t i = 0; array && i < array->count; ++i) {
        if (array->real)
            array->real[i] = rt_element_as_double(dtype, memory, (size_t)i);
        else
            array->integer[i] = rt_element_as_int64(dtype, memory, (size_t)i);
    }
    return array;
}

static rt_array *read_buffer(test_program *p, int entry, int index) {
    const retort_buffer *buffer = &p->program->entries[entry].buffers[index];
    int64_t dims[RT_MAX_RANK];
    for (uint32_t i = 0; i < buffer->shape.rank; ++i)
        if (retort_size_evaluate(buffer->shape.dims[i], p->symbols, &dims[i]) != RT_OK) return NULL;
    return read_array(p, retort_instance_buffer(p->instance, entry, index),
                      (rt_dtype)buffer->shape.dtype, (int)buffer->shape.rank, dims);
}

bool test_program_run(test_program *p, const char *name, const rt_array *const *inputs,
                      const rt_array *const *parameters, rt_array **outputs) {
    rt_error error;
    int entry = retort_program_find_entry(p->program, name), input = 0, output = 0;
    if (retort_instance_reserve(p->instance, p->symbols, &error) != RT_OK) return complain(&error);
    for (uint32_t k = 0; parameters && k < p->program->parameter_count; ++k)
        if (parameters[k])
            write_array(retort_instance_parameter(p->instance, (int)k),
                        (rt_dtype)p->program->parameters[k].dtype, parameters[k]);
    const retort_entry *facts = &p->program->entries[entry];
    for (uint32_t i = 0; i < facts->buffer_count; ++i)
        if (facts->buffers[i].kind == RETORT_BUFFER_INPUT)
            write_array(retort_instance_buffer(p->instance, entry, (int)i),
                        (rt_dtype)facts->buffers[i].shape.dtype, inputs[input++]);
    if (retort_instance_run(p->instance, entry, p->symbols, &error) != RT_OK)
        return complain(&error);
    for (uint32_t i = 0; i < facts->buffer_count; ++i)
        if (facts->buffers[i].kind == RETORT_BUFFER_OUTPUT)
            outputs[output++] = read_buffer(p, entry, (int)i);
    return true;
}

rt_array *test_program_parameter(test_program *p, size_t index) {
    const retort_parameter *parameter = &p->program->parameters[index];
    return read_array(p, retort_instance_parameter(p->instance, (int)index),
                      (rt_dtype)parameter->dtype, (int)parameter->rank, parameter->dims);
}
