// SPDX-License-Identifier: Apache-2.0
/* One function per operator over the general call of builder.c. */
#include <string.h>

#include "ir/builder.h"
#include "runtime/base/check.h"

/* ---- sources */

static rt_value build_input(rt_builder *b, const char *name, rt_type type, bool ascends) {
    rt_attr attrs[4] = {{.text = name},
                        {.dtype = type.dtype},
                        {.dims = type.dims, .count = (uint32_t)type.rank},
                        {.integer = ascends}};
    return rt_build(b, RT_OP_input, NULL, 0, attrs);
}

rt_value rt_build_input(rt_builder *b, const char *name, rt_type type) {
    return build_input(b, name, type, false);
}

rt_value rt_build_ascending_input(rt_builder *b, const char *name, rt_dim count) {
    return build_input(b, name, rt_type_make(RT_I32, 1, &count), true);
}

rt_value rt_build_parameter(rt_builder *b, rt_parameter parameter) {
    rt_attr attr = {.parameter = parameter};
    return rt_parameter_is(parameter) ? rt_build(b, RT_OP_parameter, NULL, 0, &attr) : RT_NO_VALUE;
}

rt_value rt_build_constant(rt_builder *b, const rt_tensor *tensor) {
    rt_attr attr = {.tensor = tensor};
    return tensor ? rt_build(b, RT_OP_constant, NULL, 0, &attr) : RT_NO_VALUE;
}

static rt_tensor *new_scalar(rt_builder *b, rt_dtype dtype, void **data) {
    rt_arena *arena = rt_module_arena(b->module);
    rt_tensor *tensor = RT_NEW(arena, rt_tensor);
    *data = rt_arena_allocate(arena, sizeof(double));
    if (!tensor || !*data) return NULL;
    *tensor = (rt_tensor){.dtype = dtype, .count = 1, .data = *data};
    return tensor;
}

rt_value rt_build_scalar_int(rt_builder *b, rt_dtype dtype, int64_t value) {
    void *data;
    rt_tensor *tensor = new_scalar(b, dtype, &data);
    if (tensor) rt_element_set_int64(dtype, data, 0, value);
    return rt_build_constant(b, tensor);
}

/* Towards zero; attributes of foreign models may be any number. */
static int64_t saturate(double value) {
    if (!(value > -0x1p63)) return value <= -0x1p63 ? INT64_MIN : 0; /* NaN is 0 */
    return value < 0x1p63 ? (int64_t)value : INT64_MAX;
}

rt_value rt_build_scalar(rt_builder *b, rt_dtype dtype, double value) {
    if (!rt_dtype_is_float(dtype)) return rt_build_scalar_int(b, dtype, saturate(value));
    void *data;
    rt_tensor *tensor = new_scalar(b, dtype, &data);
    if (tensor) rt_element_set_double(dtype, data, 0, value);
    return rt_build_constant(b, tensor);
}

rt_value rt_build_zeros(rt_builder *b, rt_type type) {
    return rt_build_broadcast(b, rt_build_scalar(b, type.dtype, 0), type.dims, (size_t)type.rank);
}

rt_value rt_build_dim(rt_builder *b, rt_dim size) {
    int64_t value;
    if (rt_dim_is_constant(rt_module_dims(b->module), size, &value))
        return rt_build_scalar_int(b, RT_I64, value);
    rt_attr attr = {.dim = size};
    return rt_build(b, RT_OP_dim, NULL, 0, &attr);
}

rt_value rt_build_dim_as(rt_builder *b, rt_dim size, rt_dtype dtype) {
    return rt_build_cast(b, rt_build_dim(b, size), dtype);
}

rt_value rt_build_iota(rt_builder *b, rt_dtype dtype, int axis, rt_type shape) {
    rt_attr attrs[3] = {
        {.dtype = dtype}, {.integer = axis}, {.dims = shape.dims, .count = (uint32_t)shape.rank}};
    return rt_build(b, RT_OP_iota, NULL, 0, attrs);
}

/* ---- elementwise */

#define DEFINE_UNARY(id)                                \
    rt_value rt_build_##id(rt_builder *b, rt_value x) { \
        return rt_build(b, RT_OP_##id, &x, 1, NULL);    \
    }
#define DEFINE_BINARY(id)                                                  \
    rt_value rt_build_##id(rt_builder *b, rt_value x, rt_value y) {        \
        return rt_build(b, RT_OP_##id, (const rt_value[]){x, y}, 2, NULL); \
    }
RT_UNARY_OPS(DEFINE_UNARY)
RT_BINARY_OPS(DEFINE_BINARY)

rt_value rt_build_gelu(rt_builder *b, rt_value x, bool tanh_form) {
    rt_attr attr = {.integer = tanh_form};
    return rt_build(b, RT_OP_gelu, &x, 1, &attr);
}

rt_value rt_build_cast(rt_builder *b, rt_value x, rt_dtype dtype) {
    rt_attr attr = {.dtype = dtype};
    return rt_build(b, RT_OP_cast, &x, 1, &attr);
}

rt_value rt_build_select(rt_builder *b, rt_value condition, rt_value x, rt_value y) {
    return rt_build(b, RT_OP_select, (const rt_value[]){condition, x, y}, 3, NULL);
}

rt_value rt_build_scale(rt_builder *b, rt_value x, double factor) {
    if (!rt_value_is(x)) return x;
    return rt_build_mul(b, x, rt_build_scalar(b, rt_builder_type(b, x).dtype, factor));
}

rt_value rt_build_dropout(rt_builder *b, rt_value x, rt_value example, rt_value position,
                          double rate, int64_t site) {
    rt_attr attrs[2] = {{.real = rate}, {.integer = site}};
    return rt_build(b, RT_OP_dropout, (const rt_value[]){x, example, position}, 3, attrs);
}

/* ---- reductions */

rt_value rt_build_reduce(rt_builder *b, rt_op op, rt_value x, const int64_t *axes, size_t count,
                         bool keep_dims) {
    if (!rt_value_is(x)) return x;
    int rank = rt_builder_type(b, x).rank;
    bool is_reduced[RT_MAX_RANK] = {false};
    int64_t sorted[RT_MAX_RANK];
    uint32_t sorted_count = 0;
    for (size_t i = 0; i < count; ++i) {
        int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
        if (axis < 0 || axis >= rank) {
            rt_diagnose(rt_module_diagnostics(b->module), RT_ERROR, b->location,
                        "%s: axis %lld is out of range for rank %d", rt_op_text(op),
                        (long long)axes[i], rank);
            return RT_NO_VALUE;
        }
        is_reduced[axis] = true;
    }
    for (int axis = 0; axis < rank; ++axis)
        if (is_reduced[axis]) sorted[sorted_count++] = axis;
    rt_attr attrs[2] = {{.ints = sorted, .count = sorted_count}, {.integer = keep_dims}};
    return rt_build(b, op, &x, 1, attrs);
}

rt_value rt_build_reduce_sum(rt_builder *b, rt_value x, const int64_t *axes, size_t count,
                             bool keep_dims) {
    return rt_build_reduce(b, RT_OP_reduce_sum, x, axes, count, keep_dims);
}

rt_value rt_build_reduce_mean(rt_builder *b, rt_value x, const int64_t *axes, size_t count,
                              bool keep_dims) {
    rt_value sum = rt_build_reduce_sum(b, x, axes, count, keep_dims);
    if (!rt_value_is(sum)) return sum;
    rt_type type = rt_builder_type(b, x);
    rt_dim size = rt_module_constant_dim(b->module, 1);
    for (size_t i = 0; i < count; ++i)
        size = rt_dim_multiply(rt_module_dims(b->module), size,
                               type.dims[axes[i] < 0 ? axes[i] + type.rank : axes[i]]);
    return rt_build_div(b, sum, rt_build_dim_as(b, size, type.dtype));
}

rt_value rt_build_sum_last(rt_builder *b, rt_value x, bool keep_dims) {
    return rt_build_reduce_sum(b, x, (const int64_t[]){-1}, 1, keep_dims);
}

rt_value rt_build_sum_all(rt_builder *b, rt_value x) {
    static const int64_t all[RT_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (!rt_value_is(x)) return x;
    return rt_build_reduce_sum(b, x, all, (size_t)rt_builder_type(b, x).rank, false);
}

rt_value rt_build_layer_norm(rt_builder *b, rt_value x, rt_value scale, rt_value bias,
                             double epsilon, rt_value *statistics) {
    rt_value results[3];
    rt_attr attr = {.real = epsilon};
    rt_build_results(b, RT_OP_layer_norm, (const rt_value[]){x, scale, bias}, 3, &attr, results);
    if (statistics) statistics[0] = results[1], statistics[1] = results[2];
    return results[0];
}

rt_value rt_build_matmul(rt_builder *b, rt_value x, rt_value y, bool transpose_x,
                         bool transpose_y) {
    rt_attr attrs[3] = {{.integer = transpose_x}, {.integer = transpose_y}, {.integer = 0}};
    return rt_build(b, RT_OP_matmul, (const rt_value[]){x, y}, 2, attrs);
}

rt_value rt_build_panel_matmul(rt_builder *b, rt_value x, rt_value y, bool transpose_y,
                               int64_t width) {
    if (!rt_value_is(x) || !rt_value_is(y)) return RT_NO_VALUE;
    rt_attr pack[3] = {{.integer = width}, {.integer = transpose_y}, {.integer = 1}};
    rt_attr product[3] = {{.integer = 0}};
    rt_type type = rt_builder_type(b, y);
    rt_value panels = rt_build(b, RT_OP_pack_panels, &y, 1, pack);
    if (!rt_value_is(panels) ||
        !rt_dim_is_constant(rt_module_dims(b->module), type.dims[transpose_y ? 0 : 1],
                            &product[2].integer))
        return RT_NO_VALUE;
    return rt_build(b, RT_OP_matmul, (const rt_value[]){x, panels}, 2, product);
}

/* ---- movement */

rt_value rt_build_reshape(rt_builder *b, rt_value x, const rt_dim *dims, size_t rank) {
    rt_attr attr = {.dims = dims, .count = (uint32_t)rank};
    return rt_build(b, RT_OP_reshape, &x, 1, &attr);
}

rt_value rt_build_transpose(rt_builder *b, rt_value x, const int64_t *permutation, size_t rank) {
    rt_attr attr = {.ints = permutation, .count = (uint32_t)rank};
    return rt_build(b, RT_OP_transpose, &x, 1, &attr);
}

rt_value rt_build_broadcast(rt_builder *b, rt_value x, const rt_dim *dims, size_t rank) {
    rt_attr attr = {.dims = dims, .count = (uint32_t)rank};
    return rt_build(b, RT_OP_broadcast, &x, 1, &attr);
}

rt_value rt_build_concat(rt_builder *b, const rt_value *parts, size_t count, int64_t axis) {
    rt_attr attr = {.integer = axis};
    for (size_t i = 0; i < count; ++i)
        if (!rt_value_is(parts[i])) return RT_NO_VALUE;
    return rt_build(b, RT_OP_concat, parts, count, &attr);
}

rt_value rt_build_slice(rt_builder *b, rt_value x, int64_t axis, rt_dim start, rt_dim size,
                        int64_t step) {
    rt_attr attrs[4] = {{.integer = axis}, {.dim = start}, {.dim = size}, {.integer = step}};
    return rt_build(b, RT_OP_slice, &x, 1, attrs);
}

rt_value rt_build_pad(rt_builder *b, rt_value x, int64_t axis, rt_dim before, rt_dim after,
                      double value) {
    rt_attr attrs[4] = {{.integer = axis}, {.dim = before}, {.dim = after}, {.real = value}};
    return rt_build(b, RT_OP_pad, &x, 1, attrs);
}

rt_value rt_build_gather(rt_builder *b, rt_value x, rt_value indices, int64_t axis) {
    rt_attr attr = {.integer = axis};
    return rt_build(b, RT_OP_gather, (const rt_value[]){x, indices}, 2, &attr);
}

rt_value rt_build_scatter_add(rt_builder *b, rt_value indices, rt_value updates, rt_dim size) {
    rt_attr attr = {.dim = size};
    return rt_build(b, RT_OP_scatter_add, (const rt_value[]){indices, updates}, 2, &attr);
}

/* ---- packed rows */

rt_value rt_build_segment_sum(rt_builder *b, rt_value x, rt_value row_offsets) {
    return rt_build(b, RT_OP_segment_sum, (const rt_value[]){x, row_offsets}, 2, NULL);
}

rt_value rt_build_segment_repeat(rt_builder *b, rt_value x, rt_value row_offsets, rt_dim tokens) {
    rt_attr attr = {.dim = tokens};
    return rt_build(b, RT_OP_segment_repeat, (const rt_value[]){x, row_offsets}, 2, &attr);
}

rt_value rt_build_shift_rows(rt_builder *b, rt_value x, rt_value row_offsets, bool reverse) {
    rt_attr attr = {.integer = reverse};
    return rt_build(b, RT_OP_shift_rows, (const rt_value[]){x, row_offsets}, 2, &attr);
}

rt_value rt_build_attention(rt_builder *b, const rt_attention *a) {
    rt_value results[2];
    rt_value operands[6] = {a->query,       a->key,      a->value,
                            a->row_offsets, a->key_mask, a->example_ids};
    rt_attr attrs[6] = {{.integer = a->heads}, {.real = a->scale},   {.integer = a->is_causal},
                        {.real = a->dropout},  {.integer = a->site}, {.dim = a->longest}};
    rt_build_results(b, RT_OP_attention, operands, 6, attrs, results);
    return results[0];
}

rt_value rt_build_relation_loss(rt_builder *b, const rt_relation *relation) {
    const rt_value operands[7] = {
        relation->query,       relation->key,      relation->target_query, relation->target_key,
        relation->row_offsets, relation->key_mask, relation->query_mask};
    const rt_attr attrs[5] = {{.integer = relation->heads},
                              {.real = relation->scale},
                              {.real = relation->target_scale},
                              {.integer = relation->is_divergence},
                              {.dim = relation->longest}};
    return rt_build(b, RT_OP_relation_loss, operands, 7, attrs);
}

rt_value rt_build_lstm(rt_builder *b, rt_value preactivations, rt_value recurrent,
                       rt_value row_offsets, bool reverse) {
    rt_value results[3];
    rt_attr attr = {.integer = reverse};
    rt_build_results(b, RT_OP_lstm, (const rt_value[]){preactivations, recurrent, row_offsets}, 3,
                     &attr, results);
    return results[0];
}
