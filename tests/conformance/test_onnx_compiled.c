// SPDX-License-Identifier: Apache-2.0
/* ONNX's operator tests through the way that programs take: importer, passes, compiler, runtime. */
#include <stdio.h>
#include <string.h>

#include "compiler/retort_compiler.h"
#include "passes/pass_manager.h"
#include "runtime/instance.h"
#include "runtime/program.h"
#include "tests/conformance/case_runner.h"
#include "tests/support/test.h"

enum { MAX_SYMBOLS = 64 };

/* One case compiled into this process; it ends with the process. */
typedef struct compiled {
    retort_compilation *compilation;
    const retort_program *program;
    retort_instance *instance;
    int entry;
    int64_t symbols[MAX_SYMBOLS];
} compiled;

static verdict refuse(onnx_case *run, const rt_error *error) {
    const char *text = rt_diagnostics_text(&run->diagnostics, &run->arena);
    snprintf(run->text, sizeof run->text, "%s", text && text[0] ? text : error->text);
    return UNSUPPORTED;
}

static rt_status run_passes(onnx_case *run) {
    rt_pass_manager *manager = rt_pass_manager_create(&run->diagnostics);
    if (!manager) return RT_OUT_OF_MEMORY;
    rt_status status = rt_pass_manager_add_pipeline(manager, "inference");
    if (status == RT_OK) status = rt_pass_manager_run(manager, run->module);
    rt_pass_manager_destroy(manager);
    return status;
}

static rt_status compile(onnx_case *run, compiled *c, rt_error *error) {
    retort_compiler_options compiler;
    retort_instance_options instance;
    retort_compiler_options_init(&compiler);
    retort_instance_options_init(&instance);
    instance.workers = 1;
    RT_TRY(run_passes(run));
    RT_TRY(retort_compile(run->module, &compiler, &c->compilation, error));
    RT_TRY(retort_compilation_load(c->compilation, &c->program, error));
    RT_TRY(retort_instance_create(c->program, &instance, &c->instance, error));
    c->entry = retort_program_find_entry(c->program, "forward");
    return c->entry < 0 ? RT_NOT_FOUND : RT_OK;
}

static const char *input_name(const onnx_case *run, size_t index) {
    rt_node node = rt_graph_definition(run->graph, rt_graph_input(run->graph, index));
    return rt_graph_attr(run->graph, node, RT_ATTR_input_name).text;
}

static const retort_buffer *find_input(const compiled *c, const char *name) {
    const retort_entry *entry = &c->program->entries[c->entry];
    int index = retort_entry_find_buffer(entry, RETORT_BUFFER_INPUT, name);
    return index < 0 ? NULL : &entry->buffers[index];
}

static rt_status run_program(onnx_case *run, compiled *c, const rt_tensor *const *inputs,
                             size_t count, const char *const *names, rt_error *error) {
    for (int s = 0; s < MAX_SYMBOLS; ++s) c->symbols[s] = -1;
    if (c->program->symbol_count > MAX_SYMBOLS) return RT_UNSUPPORTED;
    for (size_t i = 0; i < count; ++i) {
        const retort_buffer *buffer = find_input(c, names[i]);
        if (!buffer) continue;
        RT_TRY(retort_shape_bind(c->program, &buffer->shape, inputs[i]->rank, inputs[i]->dims,
                                 c->symbols, names[i], error));
    }
    for (uint32_t s = 0; s < c->program->symbol_count; ++s) {
        if (c->symbols[s] < 0) c->symbols[s] = 0;
    }
    RT_TRY(retort_instance_reserve(c->instance, c->symbols, error));
    for (size_t i = 0; i < count; ++i) {
        void *memory = retort_instance_input(c->instance, c->entry, names[i]);
        if (memory && inputs[i]->count) memcpy(memory, inputs[i]->data, rt_tensor_bytes(inputs[i]));
    }
    (void)run;
    return retort_instance_run(c->instance, c->entry, c->symbols, error);
}

static rt_status read_outputs(onnx_case *run, const compiled *c, rt_array **outputs) {
    const retort_entry *entry = &c->program->entries[c->entry];
    size_t count = 0;
    for (uint32_t i = 0; i < entry->buffer_count; ++i) {
        const retort_buffer *buffer = &entry->buffers[i];
        if (buffer->kind != RETORT_BUFFER_OUTPUT) continue;
        rt_tensor tensor = {.dtype = (rt_dtype)buffer->shape.dtype,
                            .rank = (int)buffer->shape.rank,
                            .count = 1,
                            .data = retort_instance_buffer(c->instance, c->entry, (int)i)};
        for (int d = 0; d < tensor.rank; ++d) {
            RT_TRY(retort_size_evaluate(buffer->shape.dims[d], c->symbols, &tensor.dims[d]));
            tensor.count *= tensor.dims[d];
        }
        outputs[count++] = rt_array_from_tensor(&tensor, &run->arena);
    }
    return count == rt_graph_output_count(run->graph) ? RT_OK : RT_INVALID_DATA;
}

static verdict run_compiled(onnx_case *run, const rt_tensor *const *inputs, rt_array **outputs) {
    rt_error error = {{0}};
    compiled c = {0};
    const char *names[64];
    size_t count = rt_graph_input_count(run->graph);
    for (size_t i = 0; i < count; ++i) names[i] = input_name(run, i);
    if (compile(run, &c, &error) != RT_OK) return refuse(run, &error);
    run->graph = rt_module_find_graph(run->module, "forward");
    rt_status status = run_program(run, &c, inputs, count, names, &error);
    if (status == RT_OK) status = read_outputs(run, &c, outputs);
    if (status == RT_OK) return PASSED;
    snprintf(run->text, sizeof run->text, "%s", error.text);
    return FAILED;
}

static void test_operator_cases(void) {
    run_operator_cases(run_compiled, RETORT_EXPECTATION, true);
}

TEST_MAIN("onnx_compiled", TEST(test_operator_cases))
