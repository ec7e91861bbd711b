// SPDX-License-Identifier: Apache-2.0
/* Import rules: linear quantisation, q = saturate(round(x / scale) + zero point). */
#include <math.h>

#include "compiler/frontend/onnx_matmul.h"

/* A scale or zero point for x: one number, one per index of `axis`, or one per block along it. */
static rt_value spread(onnx_call *call, rt_value scale, rt_type x) {
    rt_type type = onnx_type(call, scale);
    int64_t block = onnx_int(call, "block_size", 0);
    int axis;
    if (!rt_value_is(scale) || type.rank == 0) return scale;
    if (type.rank == 1 && rt_dim_equal(type.dims[0], onnx_dim(call, 1))) {
        return onnx_reshape(call, scale, NULL, 0);
    }
    if (!onnx_axis(call, onnx_int(call, "axis", 1), x.rank, &axis)) return RT_NO_VALUE;
    if (type.rank == 1) return onnx_align(call, scale, axis, x.rank);
    if (type.rank != x.rank || block < 1 || x.rank + 1 > RT_MAX_RANK) {
        onnx_fail(call, "scale %s does not fit %s", rt_type_text(call->dims, type, call->arena),
                  rt_type_text(call->dims, x, call->arena));
        return RT_NO_VALUE;
    }
    /* [.., blocks, ..] to [.., blocks, 1, ..] to [.., blocks * block, ..], cut to x. */
    rt_type thin = type, wide;
    thin.rank = type.rank + 1;
    for (int i = type.rank; i > axis + 1; --i) thin.dims[i] = type.dims[i - 1];
    thin.dims[axis + 1] = onnx_dim(call, 1);
    wide = thin;
    wide.dims[axis + 1] = onnx_dim(call, block);
    rt_value spread_out =
        onnx_broadcast_to(call, onnx_reshape(call, scale, thin.dims, thin.rank), wide);
    type.dims[axis] = rt_dim_multiply(call->dims, type.dims[axis], onnx_dim(call, block));
    spread_out = onnx_reshape(call, spread_out, type.dims, type.rank);
    return rt_value_is(spread_out)
               ? rt_build_slice(call->b, spread_out, axis, onnx_dim(call, 0), x.dims[axis], 1)
               : spread_out;
}

static bool integer_limits(rt_dtype dtype, bool is_narrow, double *low, double *high) {
    int bits = is_narrow ? 4 : 8 * (int)rt_dtype_bytes(dtype);
    if (!rt_dtype_is_integer(dtype) || bits > 16) return false;
    *low = rt_dtype_is_signed(dtype) ? -ldexp(1, bits - 1) : 0;
    *high = rt_dtype_is_signed(dtype) ? ldexp(1, bits - 1) - 1 : ldexp(1, bits) - 1;
    return true;
}

/* saturate(round(x) + zero) as `dtype`; x in a floating type. */
static rt_value quantized(onnx_call *call, rt_value x, rt_value zero, rt_dtype dtype,
                          bool is_narrow) {
    double low, high;
    if (!integer_limits(dtype, is_narrow, &low, &high)) {
        onnx_fail(call, "quantising to %s is not supported", rt_dtype_text(dtype));
        return RT_NO_VALUE;
    }
    rt_value y = rt_build_round(call->b, x);
    if (rt_value_is(zero)) {
        y = rt_build_add(call->b, y, onnx_cast(call, zero, onnx_type(call, y).dtype));
    }
    y = rt_build_maximum(call->b, y, onnx_scalar_like(call, y, low));
    y = rt_build_minimum(call->b, y, onnx_scalar_like(call, y, high));
    return onnx_cast(call, y, dtype);
}

void import_quantize_linear(onnx_call *call) {
    rt_value x = onnx_input(call, 0), zero = onnx_input(call, 2);
    rt_dtype dtype = RT_U8;
    if (!onnx_needs(call, 2)) return;
    int64_t asked = onnx_int(call, "output_dtype", 0);
    if (asked && !onnx_dtype(call, asked, &dtype)) return;
    int32_t narrow = asked == RT_ONNX_INT4 || asked == RT_ONNX_UINT4 ? (int32_t)asked : 0;
    if (rt_value_is(zero)) {
        dtype = onnx_type(call, zero).dtype;
        narrow = call->input_narrow[2];
    }
    rt_type type = onnx_type(call, x);
    /* Divided in the wider of both types, so that f16 scales do not round the quotient. */
    rt_value scale = onnx_cast(call, spread(call, onnx_input(call, 1), type), RT_F32);
    rt_value quotient = rt_build_div(call->b, onnx_cast(call, x, RT_F32), scale);
    onnx_set(call, 0, quantized(call, quotient, spread(call, zero, type), dtype, narrow != 0));
    if (call->output_count) call->output_narrow[0] = narrow;
}

/* (x - zero) * scale */
void import_dequantize_linear(onnx_call *call) {
    rt_value x = onnx_input(call, 0), scale = onnx_input(call, 1);
    if (!onnx_needs(call, 2)) return;
    rt_type type = onnx_type(call, x);
    rt_dtype dtype = onnx_type(call, scale).dtype;
    int64_t asked = onnx_int(call, "output_dtype", 0);
    if (asked && !onnx_dtype(call, asked, &dtype)) return;
    rt_value wide = onnx_cast(call, x, RT_I32);
    if (onnx_has(call, 2)) {
        rt_value zero = onnx_cast(call, spread(call, onnx_input(call, 2), type), RT_I32);
        wide = rt_build_sub(call->b, wide, zero);
    }
    rt_value factor = onnx_cast(call, spread(call, scale, type), RT_F32);
    rt_value y = rt_build_mul(call->b, onnx_cast(call, wide, RT_F32), factor);
    onnx_set(call, 0, onnx_cast(call, y, dtype));
}

/* scale = range of x with 0 in it / 255; zero = saturate(round(-low / scale)) */
void import_dynamic_quantize_linear(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    rt_builder *b = call->b;
    static const int64_t all[RT_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    if (!onnx_needs(call, 1)) return;
    size_t rank = (size_t)onnx_rank(call, x);
    rt_value nothing = onnx_scalar_like(call, x, 0);
    rt_value high = rt_build_reduce(b, RT_OP_reduce_max, x, all, rank, false);
    rt_value low = rt_build_reduce(b, RT_OP_reduce_min, x, all, rank, false);
    high = rt_build_maximum(b, high, nothing);
    low = rt_build_minimum(b, low, nothing);
    rt_value scale = rt_build_div(b, rt_build_sub(b, high, low), onnx_scalar_like(call, x, 255));
    rt_value zero =
        quantized(call, rt_build_div(b, rt_build_neg(b, low), scale), RT_NO_VALUE, RT_U8, false);
    onnx_set(call, 0, quantized(call, rt_build_div(b, x, scale), zero, RT_U8, false));
    onnx_set(call, 1, scale);
    onnx_set(call, 2, zero);
}

/* A matrix operand minus its zero point, i32: one number, or one per row (left) or column (right).
 */
static rt_value centred(onnx_call *call, size_t index, size_t zero_index, bool is_left) {
    rt_value x = onnx_cast(call, onnx_input(call, index), RT_I32);
    rt_value zero = onnx_cast(call, onnx_input(call, zero_index), RT_I32);
    if (!rt_value_is(zero)) return x;
    rt_type type = onnx_type(call, zero);
    if (type.rank == 1 && is_left) zero = onnx_align(call, zero, 0, 2);
    return rt_build_sub(call->b, x, zero);
}

void import_matmul_integer(onnx_call *call) {
    if (!onnx_needs(call, 2)) return;
    rt_value x = centred(call, 0, 2, true), y = centred(call, 1, 3, false);
    onnx_set(call, 0, onnx_matmul(call, x, y));
}

void import_qlinear_matmul(onnx_call *call) {
    rt_builder *b = call->b;
    if (!onnx_needs(call, 8)) return;
    rt_value product = onnx_matmul(call, centred(call, 0, 2, true), centred(call, 3, 5, false));
    rt_value left = onnx_cast(call, onnx_input(call, 1), RT_F32);
    if (onnx_rank(call, left) == 1) left = onnx_align(call, left, 0, 2);
    rt_value right = onnx_cast(call, onnx_input(call, 4), RT_F32);
    rt_value scale =
        rt_build_div(b, rt_build_mul(b, left, right), onnx_cast(call, onnx_input(call, 6), RT_F32));
    rt_value y = rt_build_mul(b, onnx_cast(call, product, RT_F32), scale);
    rt_value zero = onnx_input(call, 7);
    onnx_set(call, 0, quantized(call, y, zero, onnx_type(call, zero).dtype, false));
}
