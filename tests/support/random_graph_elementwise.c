// SPDX-License-Identifier: Apache-2.0
/* Sources, elementwise operators, reductions and row-wise compositions. */
#include <math.h>
#include <stdio.h>

#include "runtime/base/check.h"
#include "tests/support/random_graph_impl.h"

static bool is_exact_number(const random_builder *r, const random_value *value) {
    return value->is_exact && random_is_number(r, value);
}
static bool is_integer(const random_builder *r, const random_value *value) {
    return rt_dtype_is_integer(random_type(r, value->value).dtype);
}
static bool is_flag(const random_builder *r, const random_value *value) {
    return random_type(r, value->value).dtype == RT_BOOL;
}
static bool is_exact_float(const random_builder *r, const random_value *value) {
    return value->is_exact && random_is_float(r, value);
}
static bool has_axis(const random_builder *r, const random_value *value) {
    return random_is_number(r, value) && random_type(r, value->value).rank > 0;
}
static bool is_float_row(const random_builder *r, const random_value *value) {
    return random_is_float(r, value) && random_type(r, value->value).rank > 0;
}
/* Rows that have a mean, whatever the symbols are. */
static bool is_full_row(const random_builder *r, const random_value *value) {
    rt_type type = random_type(r, value->value);
    int64_t width;
    return is_float_row(r, value) &&
           rt_dim_is_constant(rt_module_dims(r->module), type.dims[type.rank - 1], &width) &&
           width > 0;
}

/* ---- sources */

static rt_dtype draw_dtype(random_builder *r) {
    static const rt_dtype plain[] = {RT_F32, RT_F32, RT_F32, RT_I32, RT_I64};
    static const rt_dtype mixed[] = {RT_F32, RT_F64, RT_F16, RT_BF16, RT_I32, RT_I64};
    if (r->options->mixes_types) return mixed[random_below(r, RT_COUNT_OF(mixed))];
    return plain[random_below(r, RT_COUNT_OF(plain))];
}

static bool add_input(random_builder *r) {
    random_input(r, random_shape(r, random_chance(r, 10) ? RT_BOOL : draw_dtype(r)));
    return true;
}

static bool add_constant(random_builder *r) {
    unsigned char data[8 * 64];
    rt_dtype dtype = draw_dtype(r);
    rt_tensor tensor = {.dtype = dtype, .rank = (int)random_below(r, 3), .count = 1};
    for (int i = 0; i < tensor.rank; ++i) {
        tensor.dims[i] = 1 + random_below(r, 6);
        tensor.count *= tensor.dims[i];
    }
    for (int64_t i = 0; i < tensor.count; ++i) {
        double value = (double)(random_below(r, 511) - 255) / 64;
        rt_element_set_double(dtype, data, (size_t)i,
                              rt_dtype_is_float(dtype) ? value : rint(value));
    }
    size_t bytes = rt_tensor_bytes(&tensor);
    tensor.data = rt_arena_copy(rt_module_arena(r->module), data, bytes ? bytes : 1);
    return random_keep(r, rt_build_constant(&r->b, &tensor), 4, true);
}

static bool add_parameter(random_builder *r) {
    char name[32];
    rt_type type = random_shape(r, RT_F32);
    for (int i = 0; i < type.rank; ++i) {
        if (rt_dim_is_constant(rt_module_dims(r->module), type.dims[i], NULL)) continue;
        type.dims[i] = rt_module_constant_dim(r->module, 3);
    }
    snprintf(name, sizeof name, random_chance(r, 50) ? "w.%u" : "onnx::w/%u", r->name_count++);
    rt_parameter_info info = {.name = name,
                              .type = type,
                              .of = RT_NO_PARAMETER,
                              .is_trainable = random_chance(r, 50),
                              .is_decayed = random_chance(r, 50),
                              .initial = (rt_initial_kind)random_below(r, RT_INITIAL_SOURCE),
                              .initial_value = 0.02,
                              .location = r->b.location};
    if (info.initial == RT_INITIAL_ZEROS) info.initial_value = 0;
    rt_parameter parameter = rt_module_add_parameter(r->module, &info);
    return random_keep(r, rt_build_parameter(&r->b, parameter), 4, true);
}

static bool add_dim(random_builder *r) {
    rt_dim two = rt_module_constant_dim(r->module, 2);
    rt_dim size = rt_dim_multiply(rt_module_dims(r->module), r->tokens, two);
    return random_keep(r, rt_build_dim(&r->b, rt_dim_add(rt_module_dims(r->module), size, r->rows)),
                       64, true);
}

static bool add_iota(random_builder *r) {
    rt_dtype dtype = draw_dtype(r);
    rt_type shape = random_shape(r, dtype);
    if (!shape.rank) return false;
    int axis = (int)random_below(r, shape.rank);
    return random_keep(r, rt_build_iota(&r->b, dtype, axis, shape), 64, true);
}

/* ---- one operand */

typedef rt_value (*unary)(rt_builder *b, rt_value x);

/* Smooth operators on [-3, 3], where none of them is above 21. */
static bool add_smooth(random_builder *r) {
    static const unary builds[] = {rt_build_neg, rt_build_exp,       rt_build_sin,
                                   rt_build_cos, rt_build_tanh,      rt_build_sigmoid,
                                   rt_build_erf, rt_build_gelu_slope};
    const random_value *picked = random_pick(r, random_is_float);
    if (!picked) return false;
    random_value x = random_tame(r, *picked, 3);
    int64_t which = random_below(r, RT_COUNT_OF(builds) + 1);
    rt_value y = which == RT_COUNT_OF(builds) ? rt_build_gelu(&r->b, x.value, random_chance(r, 50))
                                              : builds[which](&r->b, x.value);
    return random_keep(r, y, builds[0] && which == 1 ? 21 : 3, false);
}

/* Those that need an operand away from 0. */
static bool add_positive(random_builder *r) {
    static const unary builds[] = {rt_build_log, rt_build_sqrt, rt_build_rsqrt,
                                   rt_build_reciprocal};
    const random_value *picked = random_pick(r, random_is_float);
    if (!picked) return false;
    random_value x = random_positive(r, *picked);
    rt_value y = builds[random_below(r, RT_COUNT_OF(builds))](&r->b, x.value);
    return random_keep(r, y, x.bound < 2 ? 2 : x.bound, false);
}

/* Those that choose or flip bits: an exact operand gives an exact result. */
static bool add_exact_unary(random_builder *r) {
    static const unary builds[] = {rt_build_neg, rt_build_abs, rt_build_relu,
                                   rt_build_stop_gradient};
    const random_value *x = random_pick(r, random_is_number);
    if (!x) return false;
    double bound = x->bound;
    bool is_exact = x->is_exact;
    rt_value y = builds[random_below(r, RT_COUNT_OF(builds))](&r->b, x->value);
    return random_keep(r, y, bound, is_exact);
}

static bool add_step(random_builder *r) {
    static const unary builds[] = {rt_build_floor, rt_build_ceil, rt_build_round};
    const random_value *x = random_pick(r, is_exact_float);
    if (!x || x->bound > 1e4) return false;
    double bound = x->bound + 1;
    if (random_chance(r, 25)) return random_keep(r, rt_build_sign(&r->b, x->value), 1, true);
    rt_value y = builds[random_below(r, RT_COUNT_OF(builds))](&r->b, x->value);
    return random_keep(r, y, bound, true);
}

static bool add_test(random_builder *r) {
    const random_value *x = random_pick(r, random_is_float);
    if (!x) return false;
    rt_value y =
        random_chance(r, 50) ? rt_build_is_nan(&r->b, x->value) : rt_build_is_inf(&r->b, x->value);
    return random_keep(r, y, 1, true);
}

static bool add_cast(random_builder *r) {
    const random_value *x = random_pick(r, random_chance(r, 30) ? is_flag : is_exact_number);
    if (!x || x->bound > 255) return false;
    double bound = x->bound;
    rt_dtype to = random_chance(r, 15) ? RT_BOOL : draw_dtype(r);
    bool is_exact = !rt_dtype_is_float(random_type(r, x->value).dtype) || !rt_dtype_is_float(to);
    return random_keep(r, rt_build_cast(&r->b, x->value, to), bound, is_exact);
}

/* ---- two and three operands */

static bool add_arithmetic(random_builder *r) {
    const random_value *picked = random_pick(r, random_is_number);
    if (!picked) return false;
    random_value x = *picked, y = random_partner(r, x);
    bool is_exact = !random_is_float(r, &x);
    if (x.bound > 1e4 || y.bound > 1e4) return false;
    if (random_chance(r, 50)) {
        random_value swapped = x;
        x = y, y = swapped;
    }
    switch (random_below(r, 4)) {
    case 0:
        return random_keep(r, rt_build_add(&r->b, x.value, y.value), x.bound + y.bound, is_exact);
    case 1:
        return random_keep(r, rt_build_sub(&r->b, x.value, y.value), x.bound + y.bound, is_exact);
    default:
        return random_keep(r, rt_build_mul(&r->b, x.value, y.value), x.bound * y.bound, is_exact);
    }
}

static bool add_extremum(random_builder *r) {
    const random_value *picked = random_pick(r, random_is_number);
    if (!picked) return false;
    random_value x = *picked, y = random_partner(r, x);
    rt_value z = random_chance(r, 50) ? rt_build_maximum(&r->b, x.value, y.value)
                                      : rt_build_minimum(&r->b, x.value, y.value);
    return random_keep(r, z, fmax(x.bound, y.bound), x.is_exact && y.is_exact);
}

static bool add_division(random_builder *r) {
    const random_value *picked = random_pick(r, random_is_number);
    if (!picked) return false;
    random_value x = *picked, y = random_partner(r, x);
    if (is_integer(r, &x)) { /* by 0 as well */
        rt_value operands[] = {x.value, y.value};
        rt_attr truncated = {.integer = random_chance(r, 50)};
        if (random_chance(r, 50)) {
            return random_keep(r, rt_build_div(&r->b, x.value, y.value), x.bound, true);
        }
        rt_value one = rt_build_scalar_int(&r->b, random_type(r, y.value).dtype, 1);
        operands[1] = rt_build_add(&r->b, rt_build_abs(&r->b, y.value), one);
        return random_keep(r, rt_build(&r->b, RT_OP_mod, operands, 2, &truncated), y.bound + 1,
                           true);
    }
    y = random_positive(r, y);
    return random_keep(r, rt_build_div(&r->b, x.value, y.value), 2 * x.bound, false);
}

static bool add_power(random_builder *r) {
    const random_value *picked = random_pick(r, random_is_float);
    if (!picked) return false;
    random_value x = random_tame(r, *picked, 2), y = random_partner(r, x);
    x = random_positive(r, x);
    y = random_tame(r, y, 3);
    return random_keep(r, rt_build_pow(&r->b, x.value, y.value), 16, false);
}

static bool add_comparison(random_builder *r) {
    static rt_value (*const builds[])(rt_builder *, rt_value, rt_value) = {
        rt_build_equal, rt_build_less, rt_build_less_equal};
    const random_value *picked = random_pick(r, is_exact_number);
    if (!picked) return false;
    random_value x = *picked, y = random_partner(r, x);
    if (!y.is_exact) return false;
    return random_keep(r, builds[random_below(r, 3)](&r->b, x.value, y.value), 1, true);
}

static bool add_logic(random_builder *r) {
    static rt_value (*const builds[])(rt_builder *, rt_value,
                                      rt_value) = {rt_build_and, rt_build_or, rt_build_xor};
    const random_value *picked = random_pick(r, is_flag);
    if (!picked) return false;
    random_value x = *picked;
    if (random_chance(r, 25)) return random_keep(r, rt_build_not(&r->b, x.value), 1, true);
    random_value y = random_partner(r, x);
    return random_keep(r, builds[random_below(r, 3)](&r->b, x.value, y.value), 1, true);
}

static bool add_select(random_builder *r) {
    const random_value *picked = random_pick(r, random_is_number);
    if (!picked) return false;
    random_value x = *picked, y = random_partner(r, x);
    rt_type type = random_type(r, x.value);
    rt_type_broadcast(rt_module_dims(r->module), type, random_type(r, y.value), &type);
    random_value like = {rt_build_broadcast(&r->b, rt_build_zeros(&r->b, rt_type_scalar(RT_BOOL)),
                                            type.dims, (size_t)type.rank),
                         1, true};
    random_value condition = random_partner(r, like);
    return random_keep(r, rt_build_select(&r->b, condition.value, x.value, y.value),
                       fmax(x.bound, y.bound), x.is_exact && y.is_exact);
}

/* ---- reductions */

static size_t draw_axes(random_builder *r, rt_type type, int64_t *axes, int64_t *elements) {
    size_t count = 0;
    *elements = 1;
    for (int i = 0; i < type.rank; ++i) {
        if (!random_chance(r, 50)) continue;
        axes[count++] = i;
        *elements *= random_dim_size(r, type.dims[i]);
    }
    return count;
}

static bool add_reduction(random_builder *r) {
    static const rt_op ops[] = {RT_OP_reduce_sum, RT_OP_reduce_max, RT_OP_reduce_min,
                                RT_OP_reduce_prod};
    const random_value *picked = random_pick(r, has_axis);
    if (!picked) return false;
    random_value x = *picked;
    int64_t axes[RT_MAX_RANK], elements;
    size_t count = draw_axes(r, random_type(r, x.value), axes, &elements);
    int64_t which = random_below(r, 4);
    bool is_product = which == 3, is_chosen = which == 1 || which == 2;
    if (is_chosen && elements == 0) return false; /* infinite */
    if (x.bound * (double)elements > 1e4 || (is_product && elements > 8)) return false;
    if (is_product && random_is_float(r, &x)) x = random_tame(r, x, 2);
    double bound = is_chosen    ? x.bound
                   : is_product ? pow(x.bound, (double)elements)
                                : x.bound * (double)elements;
    if (bound > 1e6) return false;
    rt_value y = rt_build_reduce(&r->b, ops[which], x.value, axes, count, random_chance(r, 50));
    bool is_exact = is_chosen ? x.is_exact : !random_is_float(r, &x);
    return random_keep(r, y, fmax(bound, 1), is_exact);
}

static bool add_along_axis(random_builder *r) {
    const random_value *picked = random_pick(r, has_axis);
    if (!picked) return false;
    random_value x = *picked;
    rt_type type = random_type(r, x.value);
    int64_t axis = random_below(r, type.rank), size = random_dim_size(r, type.dims[axis]);
    if (x.is_exact && random_chance(r, 50)) {
        rt_attr attrs[] = {{.integer = axis}, {.integer = random_chance(r, 50)}};
        return random_keep(r, rt_build(&r->b, RT_OP_argmax, &x.value, 1, attrs), (double)size,
                           true);
    }
    if (x.bound * (double)size > 1e4) return false;
    rt_attr attrs[] = {
        {.integer = axis}, {.integer = random_chance(r, 50)}, {.integer = random_chance(r, 50)}};
    return random_keep(r, rt_build(&r->b, RT_OP_cumsum, &x.value, 1, attrs), x.bound * (double)size,
                       !random_is_float(r, &x));
}

/* ---- compositions along the last axis */

static bool add_softmax(random_builder *r) {
    const random_value *picked = random_pick(r, is_float_row);
    if (!picked) return false;
    random_value x = random_tame(r, *picked, 20);
    if (random_chance(r, 50)) return random_keep(r, rt_build_softmax(&r->b, x.value), 1, false);
    return random_keep(r, rt_build_log_softmax(&r->b, x.value), 2 * x.bound + 9, false);
}

/* epsilon 1/8, exact in every type, and so large that a row of equal elements does not turn
 * rounding into numbers. */
static bool add_layer_norm(random_builder *r) {
    const random_value *picked = random_pick(r, is_full_row);
    if (!picked) return false;
    random_value x = random_tame(r, *picked, 20);
    rt_type type = random_type(r, x.value);
    rt_type row = rt_type_make(type.dtype, 1, &type.dims[type.rank - 1]);
    rt_value scale = random_chance(r, 60) ? random_input(r, row) : RT_NO_VALUE;
    rt_value bias = random_chance(r, 60) ? random_input(r, row) : RT_NO_VALUE;
    rt_value statistics[2];
    rt_value y = rt_build_layer_norm(&r->b, x.value, scale, bias, 0.125, statistics);
    return random_keep(r, y, 7 * x.bound * 4 + 4, false) &&
           random_keep(r, statistics[0], x.bound, false) &&
           random_keep(r, statistics[1], 3.2, false);
}

const random_family random_families[] = {
    add_input,         add_constant,      add_parameter,     add_dim,           add_iota,
    add_smooth,        add_positive,      add_exact_unary,   add_step,          add_test,
    add_cast,          add_arithmetic,    add_extremum,      add_division,      add_power,
    add_comparison,    add_logic,         add_select,        add_reduction,     add_along_axis,
    add_softmax,       add_layer_norm,    random_add_tensor, random_add_tensor, random_add_tensor,
    random_add_tensor, random_add_tensor, random_add_tensor, random_add_tensor, random_add_tensor,
    random_add_loss,   random_add_loss,
};
const size_t random_family_count = RT_COUNT_OF(random_families);
