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
#include "tools/graph_run.h"
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

/* The set's inputs under the graph's names: NULL where there is no memory. */
static named_tensor *name_inputs(onnx_case *c, const data_set *set, size_t *count) {
    named_tensor *inputs = RT_NEW_ARRAY(&c->arena, named_tensor, MAX_TENSORS);
    *count = 0;
    for (size_t i = 0; inputs && i < set->input_count; ++i) {
        const char *name = input_name(c, i);
        if (name) inputs[(*count)++] = (named_tensor){name, set->inputs[i]};
    }
    return inputs;
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

static rt_status check_shape(onnx_case *c, const named_tensor *got, const rt_tensor *want) {
    if (got->tensor.dtype != want->dtype || got->tensor.rank != want->rank)
        return rt_fail(c->error, RT_INVALID_DATA, "output '%s' has another type or rank",
                       got->name);
    for (int i = 0; i < want->rank; ++i) {
        if (got->tensor.dims[i] != want->dims[i])
            return rt_fail(c->error, RT_INVALID_DATA,
                           "output '%s' has %lld in dimension %d, %lld is expected", got->name,
                           (long long)got->tensor.dims[i], i, (long long)want->dims[i]);
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
    const rt_tensor *mask = find_mask(c, set);
    named_tensor got;
    for (size_t n = 0; n < set->output_count; ++n) {
        if (graph_run_output(c->session, entry, n, symbols, &got) != RT_OK)
            return rt_fail(c->error, RT_INVALID_DATA, "the graph has %zu outputs, %zu are stored",
                           n, set->output_count);
        RT_TRY(check_shape(c, &got, &set->outputs[n]));
        if (c->tolerance.compares_values)
            compare_values(c, got.tensor.data, &set->outputs[n], mask, got.name);
        else
            c->found->count++;
    }
    return RT_OK;
}

static rt_status run_set(onnx_case *c, int number) {
    data_set set = {0};
    int entry;
    size_t count;
    RT_TRY(read_tensors(c, number, "input", set.inputs, &set.input_count));
    RT_TRY(read_tensors(c, number, "output", set.outputs, &set.output_count));
    if (!c->session || c->is_per_set) RT_TRY(compile_for(c, &set));
    RT_TRY(session_entry(c->session, "forward", &entry, c->error));
    int64_t *symbols =
        rt_arena_array(&c->arena, session_program(c->session)->symbol_count + 1, sizeof *symbols);
    named_tensor *inputs = name_inputs(c, &set, &count);
    if (!symbols || !inputs) return RT_OUT_OF_MEMORY;
    RT_TRY(graph_run_bind(c->session, entry, inputs, count, symbols, c->error));
    RT_TRY(graph_run_feed(c->session, entry, inputs, count, symbols, c->error));
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
