// SPDX-License-Identifier: Apache-2.0
/* What import rules share: attributes, known values, small pieces of graph. */
#include "compiler/frontend/onnx_call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compiler/frontend/onnx_importer.h"
#include "compiler/frontend/onnx_tensor.h"
#include "ir/rules.h"

void onnx_fail(onnx_call *call, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rt_diagnose(rt_module_diagnostics(call->b->module), RT_ERROR, call->b->location, "%s: %s",
                call->node->op_type, text);
}

rt_type onnx_type(const onnx_call *call, rt_value value) {
    return rt_value_is(value) ? rt_builder_type(call->b, value) : rt_type_scalar(RT_F32);
}

int onnx_rank(const onnx_call *call, rt_value value) {
    return onnx_type(call, value).rank;
}

bool onnx_needs(onnx_call *call, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        if (onnx_has(call, i)) continue;
        onnx_fail(call, "input %zu is missing", i);
        return false;
    }
    return true;
}

/* ---- attributes */

const rt_onnx_attribute *onnx_attribute(const onnx_call *call, const char *name) {
    for (size_t i = 0; i < call->node->attribute_count; ++i) {
        const rt_onnx_attribute *attribute = &call->node->attributes[i];
        if (strcmp(attribute->name, name) == 0) return onnx_resolve(call->scope, attribute);
    }
    return NULL;
}

int64_t onnx_int(const onnx_call *call, const char *name, int64_t fallback) {
    const rt_onnx_attribute *attribute = onnx_attribute(call, name);
    return attribute && attribute->kind == RT_ONNX_ATTRIBUTE_INT ? attribute->integer : fallback;
}

double onnx_float(const onnx_call *call, const char *name, double fallback) {
    const rt_onnx_attribute *attribute = onnx_attribute(call, name);
    if (attribute && attribute->kind == RT_ONNX_ATTRIBUTE_INT) return (double)attribute->integer;
    return attribute && attribute->kind == RT_ONNX_ATTRIBUTE_FLOAT ? (double)attribute->real
                                                                   : fallback;
}

const char *onnx_text(const onnx_call *call, const char *name, const char *fallback) {
    const rt_onnx_attribute *attribute = onnx_attribute(call, name);
    return attribute && attribute->kind == RT_ONNX_ATTRIBUTE_STRING ? attribute->text.bytes
                                                                    : fallback;
}

bool onnx_is_text(const onnx_call *call, const char *name, const char *fallback,
                  const char *wanted) {
    return strcmp(onnx_text(call, name, fallback), wanted) == 0;
}

bool onnx_ints(const onnx_call *call, const char *name, const int64_t **ints, size_t *count) {
    const rt_onnx_attribute *attribute = onnx_attribute(call, name);
    if (!attribute || attribute->kind != RT_ONNX_ATTRIBUTE_INTS) return false;
    *ints = attribute->integers;
    *count = attribute->count;
    return true;
}

/* ---- known values */

bool onnx_known_dims(onnx_call *call, size_t index, const rt_dim **dims, size_t *count) {
    if (!onnx_has(call, index)) {
        onnx_fail(call, "input %zu is missing", index);
        return false;
    }
    const rt_known *known = rt_known_find(call->known, call->inputs[index]);
    if (!known) {
        onnx_fail(call,
                  "its result's shape depends on the values of '%s', which are not known before "
                  "the program runs; give that input its value, or export the model so that shapes "
                  "follow from the shapes of inputs",
                  call->node->inputs[index]);
        return false;
    }
    *dims = known->elements;
    *count = known->count;
    return true;
}

bool onnx_known_ints(onnx_call *call, size_t index, const int64_t **ints, size_t *count) {
    const rt_dim *dims;
    if (!onnx_known_dims(call, index, &dims, count)) return false;
    int64_t *values = RT_NEW_ARRAY(call->arena, int64_t, *count);
    if (!values) return false;
    for (size_t i = 0; i < *count; ++i) {
        if (rt_dim_is_constant(call->dims, dims[i], &values[i])) continue;
        onnx_fail(call, "'%s' is %s but must be a constant", call->node->inputs[index],
                  rt_dim_text(call->dims, dims[i], call->arena));
        return false;
    }
    *ints = values;
    return true;
}

bool onnx_known_int(onnx_call *call, size_t index, int64_t *value) {
    const int64_t *ints;
    size_t count;
    if (!onnx_known_ints(call, index, &ints, &count)) return false;
    if (count != 1) onnx_fail(call, "input %zu has %zu values where 1 is needed", index, count);
    *value = count == 1 ? ints[0] : 0;
    return count == 1;
}

bool onnx_known_real(onnx_call *call, size_t index, double *value) {
    rt_value input = onnx_input(call, index);
    if (rt_value_is(input) && rt_value_is_splat(call->b->graph, input, value)) return true;
    onnx_fail(call, "input %zu must be one number known before the program runs", index);
    return false;
}

bool onnx_list(onnx_call *call, size_t index, const char *attribute, const int64_t **ints,
               size_t *count) {
    if (onnx_has(call, index)) return onnx_known_ints(call, index, ints, count);
    return onnx_ints(call, attribute, ints, count);
}

bool onnx_axis(onnx_call *call, int64_t given, int rank, int *axis) {
    *axis = (int)(given < 0 ? given + rank : given);
    if (given >= -rank && given < rank) return true;
    onnx_fail(call, "axis %lld is out of range for %d dimensions", (long long)given, rank);
    *axis = 0;
    return false;
}

/* ---- building */

rt_dim onnx_dim(const onnx_call *call, int64_t value) {
    return rt_dim_constant(call->dims, value);
}

rt_dim onnx_product(const onnx_call *call, const rt_dim *dims, int first, int end) {
    rt_dim product = onnx_dim(call, 1);
    for (int i = first; i < end; ++i) product = rt_dim_multiply(call->dims, product, dims[i]);
    return product;
}

rt_value onnx_constant(onnx_call *call, rt_dtype dtype, int rank, const int64_t *dims,
                       const void *bytes) {
    rt_tensor *tensor = RT_NEW(call->arena, rt_tensor);
    if (!tensor) return RT_NO_VALUE;
    *tensor = (rt_tensor){.dtype = dtype, .rank = rank, .count = 1};
    for (int i = 0; i < rank; ++i) {
        tensor->dims[i] = dims[i];
        tensor->count *= dims[i];
    }
    tensor->data = rt_arena_copy(call->arena, bytes, rt_tensor_bytes(tensor));
    return tensor->data ? rt_build_constant(call->b, tensor) : RT_NO_VALUE;
}

rt_value onnx_dims_vector(onnx_call *call, const rt_dim *dims, size_t count) {
    int64_t values[RT_MAX_RANK], size = (int64_t)count;
    rt_value parts[RT_MAX_RANK];
    rt_dim one = onnx_dim(call, 1);
    bool is_constant = true;
    for (size_t i = 0; i < count; ++i) {
        is_constant = rt_dim_is_constant(call->dims, dims[i], &values[i]) && is_constant;
    }
    if (is_constant) return onnx_constant(call, RT_I64, 1, &size, values);
    for (size_t i = 0; i < count; ++i) {
        parts[i] = rt_build_reshape(call->b, rt_build_dim(call->b, dims[i]), &one, 1);
    }
    return rt_build_concat(call->b, parts, count, 0);
}

rt_value onnx_scalar_like(onnx_call *call, rt_value like, double value) {
    return rt_build_scalar(call->b, onnx_type(call, like).dtype, value);
}

rt_value onnx_cast(onnx_call *call, rt_value x, rt_dtype dtype) {
    return rt_value_is(x) ? rt_build_cast(call->b, x, dtype) : x;
}

rt_value onnx_reshape(onnx_call *call, rt_value x, const rt_dim *dims, int rank) {
    return rt_value_is(x) ? rt_build_reshape(call->b, x, dims, (size_t)rank) : x;
}

rt_value onnx_broadcast_to(onnx_call *call, rt_value x, rt_type shape) {
    return rt_value_is(x) ? rt_build_broadcast(call->b, x, shape.dims, (size_t)shape.rank) : x;
}

rt_value onnx_align(onnx_call *call, rt_value x, int axis, int rank) {
    rt_type type = onnx_type(call, x);
    rt_dim dims[RT_MAX_RANK];
    int count = rank - axis;
    if (!rt_value_is(x) || type.rank > count || count > RT_MAX_RANK) return x;
    for (int i = 0; i < count; ++i) dims[i] = i < type.rank ? type.dims[i] : onnx_dim(call, 1);
    return onnx_reshape(call, x, dims, count);
}

rt_value onnx_swap(onnx_call *call, rt_value x, int a, int b) {
    int64_t permutation[RT_MAX_RANK];
    if (a == b || !rt_value_is(x)) return x;
    int rank = onnx_rank(call, x);
    for (int i = 0; i < rank; ++i) permutation[i] = i == a ? b : i == b ? a : i;
    return rt_build_transpose(call->b, x, permutation, (size_t)rank);
}

rt_value onnx_iota(onnx_call *call, rt_type shape, int axis) {
    return rt_build_iota(call->b, RT_I64, axis, shape);
}

rt_value onnx_part(onnx_call *call, rt_value x, int axis, int64_t start, int64_t size) {
    if (!rt_value_is(x)) return x;
    return rt_build_slice(call->b, x, axis, onnx_dim(call, start), onnx_dim(call, size), 1);
}

rt_value onnx_take(onnx_call *call, rt_value x, rt_value linear) {
    if (!rt_value_is(x)) return x;
    rt_type type = onnx_type(call, x);
    rt_dim all = onnx_product(call, type.dims, 0, type.rank);
    return rt_build_gather(call->b, onnx_reshape(call, x, &all, 1), linear, 0);
}

rt_value onnx_wrap_indices(onnx_call *call, rt_value indices, rt_dim size) {
    rt_value wide = onnx_cast(call, indices, RT_I64);
    rt_value is_negative = rt_build_less(call->b, wide, onnx_scalar_like(call, wide, 0));
    rt_value from_end = rt_build_add(call->b, wide, rt_build_dim(call->b, size));
    return rt_build_select(call->b, is_negative, from_end, wide);
}

rt_value onnx_reduce(onnx_call *call, rt_op op, rt_value x, int axis) {
    return rt_build_reduce(call->b, op, x, (const int64_t[]){axis}, 1, true);
}

rt_value onnx_mean(onnx_call *call, rt_value x, int axis) {
    return rt_build_reduce_mean(call->b, x, (const int64_t[]){axis}, 1, true);
}

bool onnx_dtype(onnx_call *call, int64_t type, rt_dtype *dtype) {
    if (type > 0 && type < INT32_MAX && rt_onnx_type_dtype((int32_t)type, dtype)) return true;
    onnx_fail(call, "element type %s is not supported",
              type > 0 && type < INT32_MAX ? rt_onnx_type_text((int32_t)type) : "unknown");
    return false;
}

/* (x - low) mod 16 + low, low being -8 or 0. */
rt_value onnx_wrap_narrow(onnx_call *call, rt_value x, int32_t narrow) {
    bool is_signed = narrow == RT_ONNX_INT4;
    rt_attr attr = {.integer = false};
    rt_value wide = onnx_cast(call, x, RT_I32);
    rt_value low = rt_build_scalar_int(call->b, RT_I32, is_signed ? -8 : 0);
    rt_value from_low = rt_build_sub(call->b, wide, low);
    rt_value sixteen = rt_build_scalar_int(call->b, RT_I32, 16);
    rt_value rest = rt_build(call->b, RT_OP_mod, (rt_value[]){from_low, sixteen}, 2, &attr);
    return onnx_cast(call, rt_build_add(call->b, rest, low), is_signed ? RT_I8 : RT_U8);
}
