// SPDX-License-Identifier: Apache-2.0
/* Layout (c), the second time: model.onnx as a graph that is run on the padded arrays. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/check.h"
#include "tools/forward.h"
#include "tools/verify/device_case.h"
#include "tools/verify/verify.h"

typedef struct graph_case {
    const rt_safetensors *inputs, *outputs;
    double limit;
    comparison *found;
    rt_error *error;
    model_file model;
    forward forward;
    device_case device; /* with a target */
} graph_case;

/* Tensor "<which>.<name>" of the inputs; false where it is not there. */
static bool find_input(const graph_case *c, char which, const char *name, rt_tensor *tensor) {
    char key[128];
    snprintf(key, sizeof key, "%c.%s", which, name);
    const rt_safetensor *stored = rt_safetensors_find(c->inputs, key);
    if (!stored) return false;
    *tensor = (rt_tensor){.dtype = stored->dtype, .rank = stored->rank, .data = stored->data};
    memcpy(tensor->dims, stored->dims, sizeof *stored->dims * (size_t)stored->rank);
    tensor->count = (int64_t)(stored->size_bytes / rt_dtype_bytes(stored->dtype));
    return true;
}

/* The key of what an output of the graph is held against; false where nothing is stored for it. */
static bool find_key(const graph_case *c, char which, const char *output, char *key, size_t size) {
    int layer = 0;
    if (strcmp(output, "last_hidden_state") != 0) {
        snprintf(key, size, "%c.%s", which, output);
        return rt_safetensors_find(c->outputs, key) != NULL;
    }
    do snprintf(key, size, "%c.hidden_states.%d", which, layer++);
    while (rt_safetensors_find(c->outputs, key));
    if (layer < 2) return false;
    snprintf(key, size, "%c.hidden_states.%d", which, layer - 2);
    return true;
}

/* Padding is not compared: `mask` is [rows, width] where the output has a value for each position.
 */
static rt_status compare_output(const graph_case *c, const named_tensor *got, const char *key,
                                const rt_tensor *mask) {
    const float *want;
    const rt_tensor *tensor = &got->tensor;
    size_t count = (size_t)tensor->count, columns = mask->count ? count / (size_t)mask->count : 0;
    bool is_per_token = tensor->rank == mask->rank + 1;
    if (tensor->dtype != RT_F32)
        return rt_fail(c->error, RT_INVALID_DATA, "output '%s' is not f32", got->name);
    RT_TRY(verify_floats(c->outputs, key, count, &want, c->error));
    double allowed = c->limit * largest_magnitude(want, count);
    for (size_t i = 0; i < count; ++i) {
        bool is_real = !is_per_token || ((const int32_t *)mask->data)[i / columns];
        if (is_real)
            compare_value(c->found, ((const float *)tensor->data)[i], want[i], allowed, key);
    }
    return RT_OK;
}

static rt_status run_case(graph_case *c, char which) {
    named_tensor inputs[16];
    rt_tensor mask;
    size_t count = 0, compared = 0;
    for (size_t i = 0; i < c->forward.input_count && count < RT_COUNT_OF(inputs); ++i) {
        inputs[count] = (named_tensor){.name = c->forward.inputs[i].name};
        if (find_input(c, which, inputs[count].name, &inputs[count].tensor)) ++count;
    }
    if (!find_input(c, which, "attention_mask", &mask) || mask.dtype != RT_I32)
        return rt_fail(c->error, RT_INVALID_DATA, "'%c.attention_mask' is missing or not I32",
                       which);
    RT_TRY(forward_run(&c->forward, inputs, count, c->error));
    for (size_t i = 0; i < c->forward.output_count; ++i) {
        char key[160];
        if (!find_key(c, which, c->forward.results[i].name, key, sizeof key)) continue;
        RT_TRY(compare_output(c, &c->forward.results[i], key, &mask));
        ++compared;
    }
    return compared ? RT_OK
                    : rt_fail(c->error, RT_INVALID_DATA, "no output of the graph is stored");
}

static rt_status run(graph_case *c, const char *path, const verify_options *options) {
    const model_file_options reading = {.is_to_run = true};
    const forward_options compiling = {.session = options->session};
    RT_TRY(model_file_read(path, &reading, &c->model, c->error));
    RT_TRY(forward_open(&c->model, &c->forward, c->error));
    RT_TRY(forward_compile(&c->forward, &compiling, c->error));
    if (options->target) {
        RT_TRY(device_case_open(path, options->target, &c->device, c->error));
        c->forward.runner = &c->device.runner;
    }
    RT_TRY(run_case(c, 'a'));
    return run_case(c, 'b');
}

rt_status verify_outputs_of_onnx(const char *path, const rt_safetensors *inputs,
                                 const rt_safetensors *outputs, double limit,
                                 const verify_options *options, comparison *found,
                                 rt_error *error) {
    graph_case c = {
        .inputs = inputs, .outputs = outputs, .limit = limit, .found = found, .error = error};
    rt_status status = run(&c, path, options);
    if (status != RT_OK && rt_diagnostics_failed(&c.model.diagnostics))
        status = verify_diagnosed(&c.model.diagnostics, status, error);
    device_case_close(&c.device);
    forward_close(&c.forward);
    model_file_close(&c.model);
    return status;
}
