// SPDX-License-Identifier: Apache-2.0
/* Type rules of sources, elementwise operators and reductions; the driver and its messages. */
#include "ir/infer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ir/infer_impl.h"

bool rt_infer_fail(rt_infer *infer, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    rt_diagnose(rt_module_diagnostics(infer->module), RT_ERROR, infer->location, "%s: %s",
                rt_op_text(infer->op), text);
    return false;
}

const char *infer_type_text(rt_infer *infer, rt_type type) {
    return rt_type_text(infer_dims(infer), type, rt_module_arena(infer->module));
}

const char *infer_dim_text(rt_infer *infer, rt_dim dim) {
    return rt_dim_text(infer_dims(infer), dim, rt_module_arena(infer->module));
}

bool infer_axis(rt_infer *infer, int64_t rank, int64_t *axis) {
    int64_t given = *axis;
    if (*axis < 0) *axis += rank;
    if (*axis >= 0 && *axis < rank) return true;
    return rt_infer_fail(infer, "axis %lld is out of range for rank %lld", (long long)given,
                         (long long)rank);
}

/* ---- sources */

bool infer_declared(rt_infer *infer) {
    const rt_attr *shape = &infer->attrs[2];
    if (shape->count > RT_MAX_RANK)
        return rt_infer_fail(infer, "'%s' has rank %u, at most %d is supported",
                             infer->attrs[0].text, shape->count, RT_MAX_RANK);
    rt_type type = rt_type_make(infer->attrs[1].dtype, (int)shape->count, shape->dims);
    if (infer->attrs[3].integer && (type.dtype != RT_I32 || type.rank != 1))
        return rt_infer_fail(infer, "'%s' ascends, but is %s; i32[M] is needed",
                             infer->attrs[0].text, infer_type_text(infer, type));
    infer->results[0] = type;
    return true;
}

bool infer_parameter(rt_infer *infer) {
    if (infer->attrs[0].parameter.index >= rt_module_parameter_count(infer->module))
        return rt_infer_fail(infer, "there is no such parameter");
    infer->results[0] = rt_module_parameter(infer->module, infer->attrs[0].parameter)->type;
    return true;
}

bool infer_constant(rt_infer *infer) {
    const rt_tensor *tensor = infer->attrs[0].tensor;
    rt_type type = {.dtype = tensor->dtype, .rank = tensor->rank};
    for (int i = 0; i < tensor->rank; ++i)
        type.dims[i] = rt_dim_constant(infer_dims(infer), tensor->dims[i]);
    infer->results[0] = type;
    return true;
}

bool infer_dim(rt_infer *infer) {
    infer->results[0] = rt_type_scalar(RT_I64);
    return true;
}

bool infer_iota(rt_infer *infer) {
    const rt_attr *shape = &infer->attrs[2];
    if (shape->count > RT_MAX_RANK || infer->attrs[1].integer < 0 ||
        infer->attrs[1].integer >= (int64_t)shape->count)
        return rt_infer_fail(infer, "axis %lld is out of range for rank %u",
                             (long long)infer->attrs[1].integer, shape->count);
    infer->results[0] = rt_type_make(infer->attrs[0].dtype, (int)shape->count, shape->dims);
    return true;
}

/* ---- elementwise */

/* Broadcasts operands [first, count) of one element type into results[0]. */
static bool broadcast_operands(rt_infer *infer, size_t first) {
    rt_type type = infer->operands[first];
    for (size_t i = first + 1; i < infer->operand_count; ++i) {
        rt_type operand = infer->operands[i];
        if (operand.dtype != type.dtype)
            return rt_infer_fail(infer, "operands have element types %s and %s; cast one of them",
                                 rt_dtype_text(type.dtype), rt_dtype_text(operand.dtype));
        if (!rt_type_broadcast(infer_dims(infer), type, operand, &type))
            return rt_infer_fail(infer, "shapes %s and %s do not broadcast",
                                 infer_type_text(infer, infer->operands[first]),
                                 infer_type_text(infer, operand));
    }
    infer->results[0] = type;
    return true;
}

bool infer_pointwise(rt_infer *infer) {
    if (infer->operands[0].dtype == RT_BOOL)
        return rt_infer_fail(infer, "operands are bool; cast to a number first");
    return broadcast_operands(infer, 0);
}

bool infer_pointwise_float(rt_infer *infer) {
    if (!rt_dtype_is_float(infer->operands[0].dtype))
        return rt_infer_fail(infer, "the operand is %s; a floating type is needed",
                             rt_dtype_text(infer->operands[0].dtype));
    return broadcast_operands(infer, 0);
}

bool infer_test(rt_infer *infer) {
    if (!infer_pointwise_float(infer)) return false;
    infer->results[0].dtype = RT_BOOL;
    return true;
}

bool infer_compare(rt_infer *infer) {
    if (!broadcast_operands(infer, 0)) return false;
    infer->results[0].dtype = RT_BOOL;
    return true;
}

bool infer_logical(rt_infer *infer) {
    if (infer->operands[0].dtype != RT_BOOL)
        return rt_infer_fail(infer, "operands are %s; bool is needed",
                             rt_dtype_text(infer->operands[0].dtype));
    return broadcast_operands(infer, 0);
}

bool infer_select(rt_infer *infer) {
    if (infer->operands[0].dtype != RT_BOOL)
        return rt_infer_fail(infer, "the condition is %s; bool is needed",
                             rt_dtype_text(infer->operands[0].dtype));
    if (!broadcast_operands(infer, 1)) return false;
    rt_type values = infer->results[0];
    if (!rt_type_broadcast(infer_dims(infer), values, infer->operands[0], &infer->results[0]))
        return rt_infer_fail(infer, "the condition's shape %s does not broadcast with %s",
                             infer_type_text(infer, infer->operands[0]),
                             infer_type_text(infer, values));
    return true;
}

bool infer_cast(rt_infer *infer) {
    infer->results[0] = rt_type_with_dtype(infer->operands[0], infer->attrs[0].dtype);
    return true;
}

bool infer_dropout(rt_infer *infer) {
    rt_type x = infer->operands[0], rows = x;
    double rate = infer->attrs[0].real;
    if (!rt_dtype_is_float(x.dtype) || x.rank < 1)
        return rt_infer_fail(infer, "%s is not a floating tensor of rank 1 or more",
                             infer_type_text(infer, x));
    if (!(rate >= 0 && rate < 1)) return rt_infer_fail(infer, "rate %g is not in [0, 1)", rate);
    rows.rank--;
    rows.dims[rows.rank] = (rt_dim){0};
    rows.dtype = RT_I32;
    for (size_t i = 1; i < 3; ++i)
        if (!rt_type_equal(infer->operands[i], rows))
            return rt_infer_fail(infer, "operand %zu is %s; %s is needed for x of %s", i,
                                 infer_type_text(infer, infer->operands[i]),
                                 infer_type_text(infer, rows), infer_type_text(infer, x));
    infer->results[0] = x;
    return true;
}

bool infer_same(rt_infer *infer) {
    infer->results[0] = infer->operands[0];
    /* The one operator of this rule with an axis is cumsum. */
    return infer_axis(infer, infer->operands[0].rank, infer_int_attr(infer, 0));
}

bool infer_same_float(rt_infer *infer) {
    if (!rt_dtype_is_float(infer->operands[0].dtype) || infer->operands[0].rank < 1)
        return rt_infer_fail(infer, "%s is not a floating tensor of rank 1 or more",
                             infer_type_text(infer, infer->operands[0]));
    infer->results[0] = infer->operands[0];
    return true;
}

/* ---- reductions */

static void drop_axes(rt_infer *infer, const bool *is_reduced, bool keeps) {
    rt_type x = infer->operands[0], result = {.dtype = x.dtype};
    for (int i = 0; i < x.rank; ++i) {
        if (!is_reduced[i])
            result.dims[result.rank++] = x.dims[i];
        else if (keeps)
            result.dims[result.rank++] = rt_dim_constant(infer_dims(infer), 1);
    }
    infer->results[0] = result;
}

bool infer_reduce(rt_infer *infer) {
    rt_type x = infer->operands[0];
    bool is_reduced[RT_MAX_RANK] = {false};
    if (x.dtype == RT_BOOL) return rt_infer_fail(infer, "the operand is bool; cast it first");
    for (uint32_t i = 0; i < infer->attrs[0].count; ++i) {
        int64_t axis = infer->attrs[0].ints[i];
        if (axis < 0 || axis >= x.rank || is_reduced[axis] ||
            (i && axis < infer->attrs[0].ints[i - 1]))
            return rt_infer_fail(infer, "axes must be ascending and in [0, %d)", x.rank);
        is_reduced[axis] = true;
    }
    drop_axes(infer, is_reduced, infer->attrs[1].integer != 0);
    return true;
}

bool infer_argmax(rt_infer *infer) {
    bool is_reduced[RT_MAX_RANK] = {false};
    int64_t *axis = infer_int_attr(infer, 0);
    if (!infer_axis(infer, infer->operands[0].rank, axis)) return false;
    is_reduced[*axis] = true;
    drop_axes(infer, is_reduced, infer->attrs[1].integer != 0);
    infer->results[0].dtype = RT_I64;
    return true;
}

bool infer_layer_norm(rt_infer *infer) {
    rt_type x = infer->operands[0];
    if (!infer_same_float(infer)) return false;
    rt_type row = rt_type_make(x.dtype, 1, &x.dims[x.rank - 1]);
    for (size_t i = 1; i < infer->operand_count; ++i)
        if (infer->is_present[i] && !rt_type_equal(infer->operands[i], row))
            return rt_infer_fail(infer, "%s is %s; %s is needed for x of %s",
                                 i == 1 ? "scale" : "bias",
                                 infer_type_text(infer, infer->operands[i]),
                                 infer_type_text(infer, row), infer_type_text(infer, x));
    rt_type statistic = x;
    statistic.dims[x.rank - 1] = rt_dim_constant(infer_dims(infer), 1);
    infer->results[1] = infer->results[2] = statistic;
    return true;
}

/* ---- driver */

static bool check_operand_count(rt_infer *infer) {
    size_t least = (size_t)rt_op_least_operands(infer->op);
    size_t most = (size_t)rt_op_most_operands(infer->op);
    if (infer->operand_count < least || infer->operand_count > most)
        return rt_infer_fail(infer, "has %zu operands; it takes %zu%s", infer->operand_count, least,
                             most > least ? " or more" : "");
    for (size_t i = 0; i < least; ++i)
        if (!infer->is_present[i]) return rt_infer_fail(infer, "operand %zu is missing", i);
    return true;
}

bool rt_infer_node(rt_infer *infer) {
    static const rt_infer_rule rules[RT_OP_COUNT] = {
#define OP(id, text, least, most, results, infer, vjp, lower) [RT_OP_##id] = infer_##infer,
#include "ir/ops.def"
    };
    return check_operand_count(infer) && rules[infer->op](infer);
}
