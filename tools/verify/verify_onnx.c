// SPDX-License-Identifier: Apache-2.0
/* Layout (a): a graph with stored inputs and outputs. One compilation serves all data sets,
 * whatever their sizes; where the graph's shapes depend on values of its inputs, those values
 * become known and each data set is compiled for itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/file.h"
#include "tools/forward.h"
#include "tools/tensor_file.h"
#include "tools/verify/device_case.h"
#include "tools/verify/tolerance.h"
#include "tools/verify/verify.h"

enum { MAX_TENSORS = 64 };

/* The stored tensors of one data set. */
typedef struct data_set {
    rt_tensor inputs[MAX_TENSORS], outputs[MAX_TENSORS];
    size_t input_count, output_count;
} data_set;

typedef struct onnx_case {
    const char *folder;
    rt_error *error;
    rt_arena arena;
    const char *path;
    tolerance tolerance;
    const verify_options *options;
    model_file model;
    forward forward;
    device_case device;           /* with a target */
    bool is_compiled, is_per_set; /* with known inputs */
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

/* The set's inputs under the graph's names: NULL where there is no memory. The names are kept apart
 * from the model, which may be read again. */
static named_tensor *name_inputs(onnx_case *c, const data_set *set, size_t *count) {
    named_tensor *inputs = RT_NEW_ARRAY(&c->arena, named_tensor, MAX_TENSORS);
    *count = 0;
    for (size_t i = 0; inputs && i < set->input_count && i < c->model.onnx_input_count; ++i) {
        const char *name = rt_arena_copy_string(&c->arena, c->model.onnx_inputs[i]);
        if (!name) return NULL;
        inputs[(*count)++] = (named_tensor){.name = name, .tensor = set->inputs[i]};
    }
    return inputs;
}

/* ---- compiling */

static void close_model(onnx_case *c) {
    device_case_close(&c->device);
    forward_close(&c->forward);
    model_file_close(&c->model);
    c->is_compiled = false;
}

static rt_status compile(onnx_case *c, const rt_onnx_known_input *known, size_t known_count) {
    model_file_options reading = {.is_to_run = true, .known = known, .known_count = known_count};
    forward_options options = {.session = c->options->session};
    close_model(c);
    *c->error = (rt_error){""};
    rt_status status = model_file_read(c->path, &reading, &c->model, c->error);
    if (status == RT_OK) status = forward_open(&c->model, &c->forward, c->error);
    if (status == RT_OK) status = forward_compile(&c->forward, &options, c->error);
    c->is_compiled = status == RT_OK;
    if (status == RT_OK && c->options->target) {
        if (known_count)
            return rt_fail(c->error, RT_UNSUPPORTED, "its shapes depend on values of its inputs");
        status = device_case_open(c->path, c->options->target, &c->device, c->error);
        c->forward.runner = &c->device.runner;
    }
    if (status != RT_OK && rt_diagnostics_failed(&c->model.diagnostics))
        status = verify_diagnosed(&c->model.diagnostics, RT_UNSUPPORTED, c->error);
    return status;
}

static rt_status compile_for(onnx_case *c, const data_set *set, named_tensor **inputs,
                             size_t *count) {
    rt_onnx_known_input items[MAX_TENSORS];
    rt_status status = c->is_per_set ? RT_OK : compile(c, NULL, 0);
    *inputs = name_inputs(c, set, count);
    if (!*inputs) return RT_OUT_OF_MEMORY;
    if (c->is_compiled && !c->is_per_set) return RT_OK;
    size_t known_count = forward_known_inputs(*inputs, *count, items);
    if (!known_count && !c->is_per_set) return status;
    c->is_per_set = true;
    return compile(c, items, known_count);
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

/* Positions that are not compared: zeros of the input that tolerance.json names, by the input's
 * name or its file's, else of a packed model's mask. NULL where all are compared. */
static rt_status find_mask(const onnx_case *c, const named_tensor *inputs, size_t count,
                           const rt_tensor **mask) {
    const char *name = c->tolerance.mask;
    const forward *f = &c->forward;
    char file[32];
    *mask = NULL;
    for (size_t i = 0; i < f->input_count && !*name; ++i)
        if (f->inputs[i].part == PADDED_MASK) name = f->inputs[i].name;
    if (!*name) return RT_OK;
    for (size_t i = 0; i < count; ++i) {
        snprintf(file, sizeof file, "input_%zu.pb", i);
        if (strcmp(name, inputs[i].name) == 0 || strcmp(name, file) == 0) *mask = &inputs[i].tensor;
    }
    return *mask ? RT_OK
                 : rt_fail(c->error, RT_NOT_FOUND, "the mask '%s' is no input of the graph", name);
}

static rt_status compare_outputs(onnx_case *c, const data_set *set, const rt_tensor *mask) {
    const forward *f = &c->forward;
    if (set->output_count > f->output_count)
        return rt_fail(c->error, RT_INVALID_DATA, "the graph has %zu outputs, %zu are stored",
                       f->output_count, set->output_count);
    for (size_t i = 0; i < set->output_count; ++i) {
        RT_TRY(check_shape(c, &f->results[i], &set->outputs[i]));
        if (c->tolerance.compares_values)
            compare_values(c, f->results[i].tensor.data, &set->outputs[i],
                           f->is_packed && !f->outputs[i].is_per_token ? NULL : mask,
                           f->results[i].name);
        else
            c->found->count++;
    }
    return RT_OK;
}

static rt_status read_set(onnx_case *c, int number, data_set *set) {
    RT_TRY(read_tensors(c, number, "input", set->inputs, &set->input_count));
    return read_tensors(c, number, "output", set->outputs, &set->output_count);
}

/* Values of a kind that is not read, such as sequences, come with a graph that is not imported
 * either: then that is what is told. */
static rt_status explain_unread(onnx_case *c, rt_status status) {
    rt_error why = *c->error;
    if (c->is_compiled || c->is_per_set) return status;
    RT_TRY(compile(c, NULL, 0));
    *c->error = why;
    return status;
}

static rt_status run_set(onnx_case *c, int number) {
    data_set set = {0};
    named_tensor *inputs;
    size_t count;
    const rt_tensor *mask;
    rt_status status = read_set(c, number, &set);
    if (status != RT_OK) return explain_unread(c, status);
    if (!c->is_compiled || c->is_per_set) {
        RT_TRY(compile_for(c, &set, &inputs, &count));
    } else {
        inputs = name_inputs(c, &set, &count);
        if (!inputs) return RT_OUT_OF_MEMORY;
    }
    RT_TRY(forward_run(&c->forward, inputs, count, c->error));
    RT_TRY(find_mask(c, inputs, count, &mask));
    return compare_outputs(c, &set, mask);
}

static bool has_set(onnx_case *c, int number) {
    char *path = rt_arena_format(&c->arena, "%s/test_data_set_%d", c->folder, number);
    return path && rt_folder_exists(path);
}

static rt_status run(onnx_case *c) {
    c->path = rt_arena_format(&c->arena, "%s/model.onnx", c->folder);
    if (!c->path) return RT_OUT_OF_MEMORY;
    RT_TRY(tolerance_find(c->folder, c->options, &c->tolerance, c->error));
    for (int number = 0; has_set(c, number); ++number) RT_TRY(run_set(c, number));
    return RT_OK;
}

void verify_onnx(const char *folder, const verify_options *options, verify_totals *totals) {
    rt_error error = {{0}};
    comparison found = {0};
    onnx_case c = {.folder = folder, .error = &error, .options = options, .found = &found};
    rt_status status = run(&c);
    verify_report(totals, folder, "onnx", status, &error, &found);
    close_model(&c);
    rt_arena_deinit(&c.arena);
}
