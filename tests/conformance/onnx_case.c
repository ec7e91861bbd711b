// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/onnx_case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_tensor.h"
#include "runtime/base/file.h"

static bool fail(onnx_case *c, const char *text) {
    snprintf(c->text, sizeof c->text, "%s", text);
    return false;
}

bool onnx_case_open(onnx_case *c, const char *path, const rt_onnx_import_options *options) {
    rt_error error;
    *c = (onnx_case){0};
    if (rt_onnx_open(path, &c->source, &error) != RT_OK) return fail(c, error.text);
    c->module = rt_module_create(&c->diagnostics);
    c->graph = rt_onnx_import(c->source.model, path, options, c->module);
    if (c->graph) return true;
    const char *text = rt_diagnostics_text(&c->diagnostics, &c->arena);
    return fail(c, text && text[0] ? text : "no diagnostic");
}

void onnx_case_close(onnx_case *c) {
    if (c->module) rt_module_destroy(c->module);
    rt_onnx_close(&c->source);
    rt_diagnostics_deinit(&c->diagnostics);
    rt_arena_deinit(&c->arena);
}

static bool load_parameter(onnx_case *c, const rt_parameter_info *info, rt_array **array) {
    rt_mapped_file file;
    rt_error error;
    int64_t sizes[RT_MAX_RANK];
    rt_dim_table *dims = rt_module_dims(c->module);
    const char *path = rt_module_file_path(c->module, info->source.file);
    if (!rt_type_is_static(dims, info->type, sizes, NULL)) return fail(c, "parameter's shape");
    *array = rt_array_create(info->type.dtype, info->type.rank, sizes, &c->arena);
    if (!*array) return fail(c, "out of memory");
    if (rt_file_map(path, &file, &error) != RT_OK) return fail(c, error.text);
    const uint8_t *bytes = file.data + info->source.offset;
    if (rt_transform_is_packed(info->source.transform)) {
        rt_unpacking packed = {info->source.transform, info->source.dtype, bytes,
                               bytes + info->source.size_bytes};
        uint8_t *plain =
            rt_arena_array(&c->arena, (size_t)(*array)->count, rt_dtype_bytes(info->source.dtype));
        if (!plain || rt_unpack(&packed, plain, (*array)->count) != (*array)->count)
            return fail(c, "packed parameter");
        bytes = plain;
    }
    bool turns = info->source.transform == RT_TRANSFORM_TRANSPOSE;
    for (int64_t i = 0; i < (*array)->count; ++i) {
        int64_t from = turns ? i % sizes[1] * sizes[0] + i / sizes[1] : i;
        if ((*array)->real) {
            (*array)->real[i] = rt_element_as_double(info->source.dtype, bytes, (size_t)from);
        } else {
            (*array)->integer[i] = rt_element_as_int64(info->source.dtype, bytes, (size_t)from);
        }
    }
    rt_file_unmap(&file);
    return true;
}

bool onnx_case_load_parameters(onnx_case *c) {
    size_t count = rt_module_parameter_count(c->module);
    c->parameters = RT_NEW_ARRAY(&c->arena, rt_array *, count);
    for (size_t i = 0; i < count; ++i) {
        rt_parameter parameter = {(uint32_t)i};
        if (!load_parameter(c, rt_module_parameter(c->module, parameter), &c->parameters[i])) {
            return false;
        }
    }
    return true;
}

rt_tensor *onnx_case_read_value(onnx_case *c, const char *path, rt_arena *arena) {
    rt_onnx_source source;
    rt_error error;
    rt_dtype dtype;
    if (rt_onnx_open_tensor(path, &source, &error) != RT_OK) {
        fail(c, error.text);
        return NULL;
    }
    const rt_onnx_tensor *stored = source.tensor;
    rt_tensor *tensor = RT_NEW(arena, rt_tensor);
    if (rt_onnx_type_dtype(stored->type, &dtype) && stored->rank <= RT_MAX_RANK) {
        void *data = rt_arena_array(arena, (size_t)stored->count, rt_dtype_bytes(dtype));
        *tensor =
            (rt_tensor){.dtype = dtype, .rank = stored->rank, .count = stored->count, .data = data};
        for (int i = 0; i < stored->rank; ++i) tensor->dims[i] = stored->dims[i];
        if (rt_onnx_tensor_values(stored, data) != RT_OK) tensor = NULL;
    } else {
        fail(c, "a value of a type that is not supported");
        tensor = NULL;
    }
    rt_onnx_close(&source);
    return tensor;
}

bool onnx_case_evaluate(onnx_case *c, const rt_array *const *inputs, rt_arena *arena,
                        rt_array **outputs) {
    rt_error error;
    rt_eval_options options = {.rounds = false};
    if (!c->parameters && !onnx_case_load_parameters(c)) return false;
    rt_status status = rt_eval_graph(c->graph, inputs, (const rt_array *const *)c->parameters,
                                     &options, arena, outputs, &error);
    return status == RT_OK || fail(c, error.text);
}

static double element(rt_dtype dtype, const void *data, int64_t index) {
    return rt_dtype_is_float(dtype) ? rt_element_as_double(dtype, data, (size_t)index)
                                    : (double)rt_element_as_int64(dtype, data, (size_t)index);
}

static double excess(double got, double want, double relative, double absolute) {
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf(want) || isinf(got)) return got == want ? 0 : INFINITY;
    return fabs(got - want) - (absolute + relative * fabs(want));
}

double onnx_case_excess(const rt_array *got, const rt_tensor *want, const rt_tensor *mask,
                        double relative, double absolute) {
    double worst = -INFINITY;
    if (got->dtype != want->dtype || got->rank != want->rank || got->count != want->count) {
        return INFINITY;
    }
    for (int i = 0; i < got->rank; ++i) {
        if (got->dims[i] != want->dims[i]) return INFINITY;
    }
    int64_t row = mask && mask->count ? got->count / mask->count : 1;
    for (int64_t i = 0; i < got->count; ++i) {
        if (mask && element(mask->dtype, mask->data, i / row) == 0) continue;
        double x = got->real ? got->real[i] : (double)got->integer[i];
        double off = excess(x, element(want->dtype, want->data, i), relative, absolute);
        if (off > worst) worst = off;
    }
    return worst;
}
