// SPDX-License-Identifier: Apache-2.0
/* Layout (a): a graph with stored inputs and outputs. One compilation serves all data sets,
 * whatever their sizes; where the graph's shapes depend on values of its inputs, those values
 * become known and each data set is compiled for itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/frontend/onnx_import.h"
#include "compiler/frontend/onnx_reader.h"
#include "passes/pass_manager.h"
#include "runtime/base/file.h"
#include "runtime/program.h"
#include "tools/session.h"
#include "tools/tensor_file.h"
#include "tools/verify/tolerance.h"
#include "tools/verify/verify.h"

enum { MAX_TENSORS = 64, MAX_KNOWN_ELEMENTS = 64 };

/* The stored tensors of one data set. */
typedef struct data_set {
    rt_tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
    size_t input_count, output_count;
} data_set;

typedef struct onnx_case {
    const char *folder;
    rt_error *error;
    rt_arena arena;
    rt_onnx_source source;
    tolerance tolerance;
    const verify_options *options;
    session *session;
    bool is_per_set; /* compiled with known inputs */
    comparison *found;
} onnx_case;

/* ---- stored tensors */

static rt_status read_tensors(onnx_case *c, int set, const char *kind, rt_tensor *tensors,
                              size_t *count) {
    for (*count = 0; *count < MAX_TENSORS; ++*count) {
        char *path = rt_arena_format(&c->arena, "%s/test_data_set_%d/%s_%zu.pb", c->folder, set,
                                     kind, *count);
        if (!path) return RT_OUT_OF_MEMORY;
        if (!rt_file_exists(path)) break;
        RT_TRY(tensor_file_read(path, &c->arena, &tensors[*count], c->error));
    }
    return RT_OK;
}

/* ---- compiling */

static bool is_initialiser(const rt_onnx_graph *graph, const char *name) {
    for (size_t i = 0; i < graph->initializer_count; ++i)
        if (strcmp(graph->initializers[i].name, name) == 0) return true;
    return false;
}

/* Name of the n-th graph input without an initialiser; NULL where there are fewer. */
static const char *input_name(const onnx_case *c, size_t n) {
    const rt_onnx_graph *graph = &c->source.model->graph;
    for (size_t i = 0; i < graph->input_count; ++i)
        if (!is_initialiser(graph, graph->inputs[i].name) && n-- == 0) return graph->inputs[i].name;
    return NULL;
}

/* Small integer inputs of the set: shapes, axes, sizes. */
static size_t known_inputs(const onnx_case *c, const data_set *set, rt_onnx_known_input *known) {
    size_t count = 0;
    for (size_t i = 0; i < set->input_count; ++i) {
        const rt_tensor *tensor = &set->inputs[i];
        const char *name = input_name(c, i);
        if (name && rt_dtype_is_integer(tensor->dtype) && tensor->rank <= 1 &&
            tensor->count <= MAX_KNOWN_ELEMENTS)
            known[count++] = (rt_onnx_known_input){name, tensor};
    }
    return count;
}

static rt_status run_passes(rt_module *module, rt_diagnostics *diagnostics) {
    rt_pass_manager *manager = rt_pass_manager_create(diagnostics);
    if (!manager) return RT_OUT_OF_MEMORY;
    rt_status status = rt_pass_manager_add_pipeline(manager, "inference");
    if (status == RT_OK) status = rt_pass_manager_run(manager, module);
    rt_pass_manager_destroy(manager);
    return status;
}

static rt_status compile(onnx_case *c, const rt_onnx_import_options *options) {
    rt_diagnostics diagnostics = {0};
    char *path = rt_arena_format(&c->arena, "%s/model.onnx", c->folder);
    rt_module *module = rt_module_create(&diagnostics);
    rt_status status = module && path ? RT_OK : RT_OUT_OF_MEMORY;
    if (status == RT_OK && !rt_onnx_import(c->source.model, path, options, module))
        status = RT_UNSUPPORTED;
    if (status == RT_OK) status = run_passes(module, &diagnostics);
    if (status == RT_OK) status = session_open(module, c->options->threads, &c->session, c->error);
    if (status != RT_OK && rt_diagnostics_failed(&diagnostics))
        status = verify_diagnosed(&diagnostics, status, c->error);
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    return status;
}

static rt_status compile_for(onnx_case *c, const data_set *set) {
    rt_onnx_known_input known[MAX_TENSORS];
    rt_onnx_import_options options = {0};
    session_close(c->session);
    c->session = NULL;
    if (!c->is_per_set && compile(c, &options) == RT_OK) return RT_OK;
    options.known_inputs = known;
    options.known_input_count = known_inputs(c, set, known);
    c->is_per_set = true;
    return compile(c, &options);
}

/* ---- running */

static rt_status bind_inputs(onnx_case *c, const data_set *set, int entry, int64_t *symbols) {
    const retort_program *program = session_program(c->session);
    for (uint32_t s = 0; s < program->symbol_count; ++s) symbols[s] = -1;
    for (size_t i = 0; i < set->input_count; ++i) {
        const char *name = input_name(c, i);
        int index =
            name ? retort_entry_find_buffer(&program->entries[entry], RETORT_BUFFER_INPUT, name)
                 : RETORT_NOT_FOUND;
        if (index < 0) continue; /* known, or read by no output */
        const retort_shape *shape = &program->entries[entry].buffers[index].shape;
        RT_TRY(retort_shape_bind(program, shape, set->inputs[i].rank, set->inputs[i].dims, symbols,
                                 name, c->error));
    }
    for (uint32_t s = 0; s < program->symbol_count; ++s)
        if (symbols[s] < 0) symbols[s] = 0;
    return RT_OK;
}

static void feed_inputs(onnx_case *c, const data_set *set, int entry) {
    for (size_t i = 0; i < set->input_count; ++i) {
        const char *name = input_name(c, i);
        void *input =
            name ? retort_instance_input(session_instance(c->session), entry, name) : NULL;
        if (input) memcpy(input, set->inputs[i].data, rt_tensor_bytes(&set->inputs[i]));
    }
}

/* ---- comparing */

/* Is position `index` of an output hidden by the mask, whose shape starts the output's? */
static bool is_hidden(const rt_tensor *mask, const rt_tensor *output, int64_t index) {
    if (!mask || mask->rank > output->rank || !mask->count) return false;
    for (int i = 0; i < mask->rank; ++i)
        if (mask->dims[i] != output->dims[i]) return false;
    int64_t at = index / (output->count / mask->count);
    return rt_element_as_double(mask->dtype, mask->data, (size_t)at) == 0;
}

static const rt_tensor *find_mask(const onnx_case *c, const data_set *set) {
    for (size_t i = 0; c->tolerance.mask[0] && i < set->input_count; ++i) {
        const char *name = input_name(c, i);
        if (name && strcmp(name, c->tolerance.mask) == 0) return &set->inputs[i];
    }
    return NULL;
}

static rt_status check_shape(onnx_case *c, const retort_buffer *buffer, const rt_tensor *want,
                             const int64_t *symbols) {
    if (buffer->shape.dtype != (uint32_t)want->dtype || buffer->shape.rank != (uint32_t)want->rank)
        return rt_fail(c->error, RT_INVALID_DATA, "output '%s' has another type or rank",
                       buffer->name);
    for (int i = 0; i < want->rank; ++i) {
        int64_t size;
        if (retort_size_evaluate(buffer->shape.dims[i], symbols, &size) != RT_OK ||
            size != want->dims[i])
            return rt_fail(c->error, RT_INVALID_DATA,
                           "output '%s' has %lld in dimension %d, %lld is expected", buffer->name,
                           (long long)size, i, (long long)want->dims[i]);
    }
    return RT_OK;
}

static void compare_values(onnx_case *c, const void *got, const rt_tensor *want,
                           const rt_tensor *mask, const char *name) {
    double relative =
        want->dtype == RT_BF16 && c->tolerance.relative < 0x1p-6 ? 0x1p-6 : c->tolerance.relative;
    if (!want->count) c->found->count++; /* an empty tensor agrees by its shape */
    for (int64_t i = 0; i < want->count; ++i) {
        if (is_hidden(mask, want, i)) continue;
        double expected = rt_element_as_double(want->dtype, want->data, (size_t)i);
        compare_value(c->found, rt_element_as_double(want->dtype, got, (size_t)i), expected,
                      c->tolerance.absolute + relative * fabs(expected), name);
    }
}

static rt_status compare_outputs(onnx_case *c, const data_set *set, int entry,
                                 const int64_t *symbols) {
    const retort_entry *e = &session_program(c->session)->entries[entry];
    const rt_tensor *mask = find_mask(c, set);
    size_t n = 0;
    for (uint32_t i = 0; i < e->buffer_count && n < set->output_count; ++i) {
        if (e->buffers[i].kind != RETORT_BUFFER_OUTPUT) continue;
        const rt_tensor *want = &set->outputs[n++];
        RT_TRY(check_shape(c, &e->buffers[i], want, symbols));
        if (c->tolerance.compares_values)
            compare_values(c, retort_instance_buffer(session_instance(c->session), entry, (int)i),
                           want, mask, e->buffers[i].name);
        else
            c->found->count++;
    }
    return n == set->output_count
               ? RT_OK
               : rt_fail(c->error, RT_INVALID_DATA, "the graph has %zu outputs, %zu are stored", n,
                         set->output_count);
}

static rt_status run_set(onnx_case *c, int number) {
    data_set set = {0};
    int entry;
    RT_TRY(read_tensors(c, number, "input", set.inputs, &set.input_count));
    RT_TRY(read_tensors(c, number, "output", set.outputs, &set.output_count));
    if (!c->session || c->is_per_set) RT_TRY(compile_for(c, &set));
    RT_TRY(session_entry(c->session, "forward", &entry, c->error));
    int64_t *symbols =
        rt_arena_array(&c->arena, session_program(c->session)->symbol_count + 1, sizeof *symbols);
    if (!symbols) return RT_OUT_OF_MEMORY;
    RT_TRY(bind_inputs(c, &set, entry, symbols));
    RT_TRY(retort_instance_reserve(session_instance(c->session), symbols, c->error));
    feed_inputs(c, &set, entry);
    RT_TRY(retort_instance_run(session_instance(c->session), entry, symbols, c->error));
    return compare_outputs(c, &set, entry, symbols);
}

static bool has_set(onnx_case *c, int number) {
    char *path = rt_arena_format(&c->arena, "%s/test_data_set_%d", c->folder, number);
    return path && rt_folder_exists(path);
}

static rt_status run(onnx_case *c) {
    char *path = rt_arena_format(&c->arena, "%s/model.onnx", c->folder);
    if (!path) return RT_OUT_OF_MEMORY;
    RT_TRY(tolerance_find(c->folder, c->options, &c->tolerance, c->error));
    RT_TRY(rt_onnx_open(path, &c->source, c->error));
    for (int number = 0; has_set(c, number); ++number) RT_TRY(run_set(c, number));
    return RT_OK;
}

void verify_onnx(const char *folder, const verify_options *options, verify_totals *totals) {
    rt_error error = {{0}};
    comparison found = {0};
    onnx_case c = {.folder = folder, .error = &error, .options = options, .found = &found};
    rt_status status = run(&c);
    verify_report(totals, folder, "onnx", status, &error, &found);
    session_close(c.session);
    rt_onnx_close(&c.source);
    rt_arena_deinit(&c.arena);
}
