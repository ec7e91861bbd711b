// SPDX-License-Identifier: Apache-2.0
/* Import rules: elementwise arithmetic, comparison and logic. Operands broadcast as NumPy does from
 * version 7 on; before that only where `broadcast` is set, aligned at `axis`. */
#include <math.h>

#include "compiler/frontend/onnx_call.h"

/* ---- one operand */

#define UNARY(op)                                                       \
    void import_##op(onnx_call *call) {                                 \
        onnx_set(call, 0, rt_build_##op(call->b, onnx_input(call, 0))); \
    }
UNARY(abs)
UNARY(neg)
UNARY(sign)
UNARY(exp)
UNARY(log)
UNARY(sqrt)
UNARY(reciprocal)
UNARY(sin)
UNARY(cos)
UNARY(tanh)
UNARY(erf)
UNARY(floor)
UNARY(ceil)
UNARY(round)
UNARY(not )
UNARY(is_nan)

/* sin x / cos x */
void import_tan(onnx_call *call) {
    rt_value x = onnx_input(call, 0);
    onnx_set(call, 0, rt_build_div(call->b, rt_build_sin(call->b, x), rt_build_cos(call->b, x)));
}

/* (e^x + sign e^-x) / 2 */
static rt_value hyperbolic(onnx_call *call, bool adds) {
    rt_value x = onnx_input(call, 0);
    rt_value up = rt_build_exp(call->b, x);
    rt_value down = rt_build_exp(call->b, rt_build_neg(call->b, x));
    rt_value both = adds ? rt_build_add(call->b, up, down) : rt_build_sub(call->b, up, down);
    return rt_build_scale(call->b, both, 0.5);
}

void import_sinh(onnx_call *call) {
    onnx_set(call, 0, hyperbolic(call, false));
}

void import_cosh(onnx_call *call) {
    onnx_set(call, 0, hyperbolic(call, true));
}

void import_is_inf(onnx_call *call) {
    rt_value x = onnx_input(call, 0), result = rt_build_is_inf(call->b, x);
    rt_value zero = onnx_scalar_like(call, x, 0);
    if (!onnx_int(call, "detect_negative", 1)) {
        result = rt_build_and(call->b, result, rt_build_less(call->b, zero, x));
    }
    if (!onnx_int(call, "detect_positive", 1)) {
        result = rt_build_and(call->b, result, rt_build_less(call->b, x, zero));
    }
    onnx_set(call, 0, result);
}

/* ---- two operands */

typedef rt_value (*build_binary)(rt_builder *b, rt_value x, rt_value y);

/* The second operand, aligned as versions before 7 ask for. */
static rt_value second_operand(onnx_call *call) {
    rt_value y = onnx_input(call, 1);
    int axis, rank = onnx_rank(call, onnx_input(call, 0));
    if (call->version >= 7 || !onnx_int(call, "broadcast", 0)) return y;
    if (!onnx_attribute(call, "axis")) return y;
    if (!onnx_axis(call, onnx_int(call, "axis", 0), rank, &axis)) return RT_NO_VALUE;
    return onnx_align(call, y, axis, rank);
}

static void import_binary(onnx_call *call, build_binary build) {
    if (!onnx_needs(call, 2)) return;
    onnx_set(call, 0, build(call->b, onnx_input(call, 0), second_operand(call)));
}

/* Greater is less with its operands swapped. */
static void import_swapped(onnx_call *call, build_binary build) {
    if (!onnx_needs(call, 2)) return;
    onnx_set(call, 0, build(call->b, second_operand(call), onnx_input(call, 0)));
}

void import_add(onnx_call *call) {
    import_binary(call, rt_build_add);
}
void import_sub(onnx_call *call) {
    import_binary(call, rt_build_sub);
}
void import_mul(onnx_call *call) {
    import_binary(call, rt_build_mul);
}
void import_div(onnx_call *call) {
    import_binary(call, rt_build_div);
}
void import_equal(onnx_call *call) {
    import_binary(call, rt_build_equal);
}
void import_less(onnx_call *call) {
    import_binary(call, rt_build_less);
}
void import_less_or_equal(onnx_call *call) {
    import_binary(call, rt_build_less_equal);
}
void import_greater(onnx_call *call) {
    import_swapped(call, rt_build_less);
}
void import_greater_or_equal(onnx_call *call) {
    import_swapped(call, rt_build_less_equal);
}
void import_and(onnx_call *call) {
    import_binary(call, rt_build_and);
}
void import_or(onnx_call *call) {
    import_binary(call, rt_build_or);
}
void import_xor(onnx_call *call) {
    import_binary(call, rt_build_xor);
}

void import_mod(onnx_call *call) {
    rt_attr attr = {.integer = onnx_int(call, "fmod", 0)};
    rt_value operands[2] = {onnx_input(call, 0), onnx_input(call, 1)};
    if (onnx_needs(call, 2)) onnx_set(call, 0, rt_build(call->b, RT_OP_mod, operands, 2, &attr));
}

/* x where it is not within rounding of an integer, else that integer: what is cast to an integer
 * type must not fall below an exact power. */
static rt_value near_integer(onnx_call *call, rt_value x) {
    rt_value whole = rt_build_round(call->b, x);
    rt_value distance = rt_build_abs(call->b, rt_build_sub(call->b, x, whole));
    rt_value limit = rt_build_scale(call->b, rt_build_abs(call->b, whole), 1e-12);
    rt_value is_near = rt_build_less_equal(call->b, distance, limit);
    return rt_build_select(call->b, is_near, whole, x);
}

/* The result has the base's type; a floating exponent of an integer base computes in f64. */
void import_pow(onnx_call *call) {
    rt_value x = onnx_input(call, 0), y = second_operand(call);
    if (!onnx_needs(call, 2)) return;
    rt_dtype base = onnx_type(call, x).dtype, exponent = onnx_type(call, y).dtype;
    if (!rt_dtype_is_float(base) && rt_dtype_is_float(exponent)) {
        rt_value power =
            rt_build_pow(call->b, onnx_cast(call, x, RT_F64), onnx_cast(call, y, RT_F64));
        onnx_set(call, 0, onnx_cast(call, near_integer(call, power), base));
        return;
    }
    onnx_set(call, 0, rt_build_pow(call->b, x, onnx_cast(call, y, base)));
}

void import_where(onnx_call *call) {
    if (!onnx_needs(call, 3)) return;
    onnx_set(
        call, 0,
        rt_build_select(call->b, onnx_input(call, 0), onnx_input(call, 1), onnx_input(call, 2)));
}

/* ---- any number of operands */

static rt_value fold_inputs(onnx_call *call, build_binary build) {
    rt_value result = onnx_input(call, 0);
    if (!onnx_needs(call, call->input_count)) return RT_NO_VALUE;
    for (size_t i = 1; i < call->input_count; ++i) {
        result = build(call->b, result, onnx_input(call, i));
    }
    return result;
}

void import_max(onnx_call *call) {
    onnx_set(call, 0, fold_inputs(call, rt_build_maximum));
}
void import_min(onnx_call *call) {
    onnx_set(call, 0, fold_inputs(call, rt_build_minimum));
}
void import_sum(onnx_call *call) {
    onnx_set(call, 0, fold_inputs(call, rt_build_add));
}
void import_mean(onnx_call *call) {
    rt_value sum = fold_inputs(call, rt_build_add);
    rt_value count = onnx_scalar_like(call, sum, (double)call->input_count);
    onnx_set(call, 0, rt_build_div(call->b, sum, count));
}

/* min(max(x, low), high); before version 11 the limits are attributes. */
void import_clip(onnx_call *call) {
    rt_value x = onnx_input(call, 0), low = onnx_input(call, 1), high = onnx_input(call, 2);
    if (call->version < 11) {
        if (onnx_attribute(call, "min"))
            low = onnx_scalar_like(call, x, onnx_float(call, "min", 0));
        if (onnx_attribute(call, "max")) {
            high = onnx_scalar_like(call, x, onnx_float(call, "max", 0));
        }
    }
    if (rt_value_is(low)) x = rt_build_maximum(call->b, x, low);
    if (rt_value_is(high)) x = rt_build_minimum(call->b, x, high);
    onnx_set(call, 0, x);
}

/* ---- element types */

static bool is_narrow(int64_t type) {
    return type == RT_ONNX_INT4 || type == RT_ONNX_UINT4;
}

static void cast_to(onnx_call *call, rt_dtype dtype, int32_t narrow) {
    rt_value x = onnx_input(call, 0);
    onnx_set(call, 0, narrow ? onnx_wrap_narrow(call, x, narrow) : onnx_cast(call, x, dtype));
    if (call->output_count) call->output_narrow[0] = narrow;
}

void import_cast(onnx_call *call) {
    rt_dtype dtype;
    int64_t type = onnx_int(call, "to", 0);
    if (!onnx_dtype(call, type, &dtype)) return;
    cast_to(call, dtype, is_narrow(type) ? (int32_t)type : 0);
}

void import_cast_like(onnx_call *call) {
    if (!onnx_needs(call, 2)) return;
    cast_to(call, onnx_type(call, onnx_input(call, 1)).dtype, call->input_narrow[1]);
}

/* ---- running sums */

void import_cumsum(onnx_call *call) {
    int64_t given;
    int axis;
    rt_value x = onnx_input(call, 0);
    if (!onnx_known_int(call, 1, &given)) return;
    if (!onnx_axis(call, given, onnx_rank(call, x), &axis)) return;
    rt_attr attrs[3] = {{.integer = axis},
                        {.integer = onnx_int(call, "exclusive", 0)},
                        {.integer = onnx_int(call, "reverse", 0)}};
    onnx_set(call, 0, rt_build(call->b, RT_OP_cumsum, &x, 1, attrs));
}
