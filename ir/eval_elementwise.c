// SPDX-License-Identifier: Apache-2.0
/* Elementwise operators: one expression each, and the three loops that apply them. */
#include <math.h>

#include "ir/eval_rules.h"

static const double sqrt_half = 0.70710678118654752440;
static const double one_over_sqrt_2_pi = 0.39894228040143267794;
static const double sqrt_2_over_pi = 0.79788456080286535588;

void eval_broadcast_strides(const rt_array *array, int rank, int64_t *strides) {
    int64_t stride = 1;
    int missing = rank - array->rank;
    for (int i = rank - 1; i >= 0; --i) {
        int64_t size = i < missing ? 1 : array->dims[i - missing];
        strides[i] = size == 1 ? 0 : stride;
        stride *= size;
    }
}

/* ---- one operand */

typedef struct map_rule {
    double (*real)(double x);
    int64_t (*integer)(rt_dtype dtype, int64_t x);
    int64_t (*test)(double x);
} map_rule;

static rt_status map(rt_eval *eval, map_rule rule) {
    const rt_array *x = eval->operands[0];
    rt_array *y = &eval->results[0];
    for (int64_t i = 0; i < y->count; ++i) {
        if (y->real)
            y->real[i] = rule.real(x->real[i]);
        else if (x->real)
            y->integer[i] = rule.test(x->real[i]);
        else
            y->integer[i] = rule.integer(x->dtype, x->integer[i]);
    }
    return RT_OK;
}

#define MAP_REAL(id, expression)        \
    static double id##_real(double x) { \
        return expression;              \
    }
#define MAP_INTEGER(id, expression)                          \
    static int64_t id##_integer(rt_dtype dtype, int64_t x) { \
        (void)dtype;                                         \
        return expression;                                   \
    }
#define MAP_TEST(id, expression)         \
    static int64_t id##_test(double x) { \
        return expression;               \
    }
#define RULE(id, ...)                              \
    rt_status eval_##id(rt_eval *eval) {           \
        return map(eval, (map_rule){__VA_ARGS__}); \
    }
/* For floating types only. */
#define FLOAT_RULE(id, expression) MAP_REAL(id, expression) RULE(id, .real = id##_real)
/* For floating types and integers: the same expression does. */
#define NUMBER_RULE(id, real_expression, integer_expression) \
    MAP_REAL(id, real_expression)                            \
    MAP_INTEGER(id, integer_expression) RULE(id, .real = id##_real, .integer = id##_integer)

NUMBER_RULE(neg, -x, (int64_t)(0 - (uint64_t)x))
NUMBER_RULE(abs, fabs(x), eval_is_less(dtype, x, 0) ? (int64_t)(0 - (uint64_t)x) : x)
NUMBER_RULE(sign, (x > 0) - (x < 0), eval_is_less(dtype, 0, x) - eval_is_less(dtype, x, 0))
NUMBER_RULE(relu, x < 0 ? 0 : x, eval_is_less(dtype, x, 0) ? 0 : x) /* NaN stays NaN */
FLOAT_RULE(exp, exp(x))
FLOAT_RULE(log, log(x))
FLOAT_RULE(sqrt, sqrt(x))
FLOAT_RULE(rsqrt, 1 / sqrt(x))
FLOAT_RULE(reciprocal, 1 / x)
FLOAT_RULE(sin, sin(x))
FLOAT_RULE(cos, cos(x))
FLOAT_RULE(tanh, tanh(x))
FLOAT_RULE(sigmoid, 1 / (1 + exp(-x)))
FLOAT_RULE(erf, erf(x))
FLOAT_RULE(floor, floor(x))
FLOAT_RULE(ceil, ceil(x))
FLOAT_RULE(round, nearbyint(x))
MAP_TEST(is_nan, isnan(x) != 0)
RULE(is_nan, .test = is_nan_test)
MAP_TEST(is_inf, isinf(x) != 0)
RULE(is_inf, .test = is_inf_test)
MAP_INTEGER(not, !x)
RULE(not, .integer = not_integer)

FLOAT_RULE(gelu_slope, 0.5 * (1 + erf(x * sqrt_half)) +
                           (isinf(x) ? 0 : x * exp(-x * x / 2) * one_over_sqrt_2_pi))
MAP_REAL(gelu_erf, 0.5 * x * (1 + erf(x * sqrt_half)))
MAP_REAL(gelu_tanh, 0.5 * x * (1 + tanh(sqrt_2_over_pi * (x + 0.044715 * x * x * x))))
rt_status eval_gelu(rt_eval *eval) {
    bool is_tanh = eval_attr(eval, RT_ATTR_gelu_tanh_form).integer;
    return map(eval, (map_rule){.real = is_tanh ? gelu_tanh_real : gelu_erf_real});
}

/* Towards zero; what does not fit becomes the nearest value that does, NaN becomes 0. */
static int64_t truncate_to(rt_dtype dtype, double x) {
    int bits = 8 * (int)rt_dtype_bytes(dtype);
    if (isnan(x)) return 0;
    x = trunc(x);
    if (rt_dtype_is_signed(dtype)) {
        double limit = ldexp(1, bits - 1);
        if (x >= limit) return INT64_MAX >> (64 - bits);
        if (x < -limit) return INT64_MIN >> (64 - bits);
        return (int64_t)x;
    }
    if (x < 0) return 0;
    if (x >= ldexp(1, bits)) return (int64_t)(UINT64_MAX >> (64 - bits));
    return (int64_t)(uint64_t)x;
}

rt_status eval_cast(rt_eval *eval) {
    const rt_array *x = eval->operands[0];
    rt_array *y = &eval->results[0];
    for (int64_t i = 0; i < y->count; ++i) {
        if (y->real && x->real)
            y->real[i] = x->real[i];
        else if (y->real && x->dtype == RT_U64)
            y->real[i] = (double)(uint64_t)x->integer[i];
        else if (y->real)
            y->real[i] = (double)x->integer[i];
        else if (x->real && y->dtype == RT_BOOL)
            y->integer[i] = x->real[i] != 0;
        else if (x->real)
            y->integer[i] = truncate_to(y->dtype, x->real[i]);
        else
            y->integer[i] = x->integer[i];
    }
    return RT_OK;
}

/* ---- two operands */

typedef struct pair_rule {
    double (*real)(double x, double y);
    int64_t (*test)(double x, double y);
    int64_t (*integer)(rt_dtype dtype, int64_t x, int64_t y);
} pair_rule;

static rt_status map_pairs(rt_eval *eval, pair_rule rule) {
    const rt_array *x = eval->operands[0], *y = eval->operands[1];
    rt_array *z = &eval->results[0];
    int64_t index[RT_MAX_RANK] = {0}, x_strides[RT_MAX_RANK], y_strides[RT_MAX_RANK];
    eval_broadcast_strides(x, z->rank, x_strides);
    eval_broadcast_strides(y, z->rank, y_strides);
    for (int64_t i = 0; i < z->count; ++i) {
        int64_t a = eval_offset(z->rank, index, x_strides);
        int64_t b = eval_offset(z->rank, index, y_strides);
        if (z->real)
            z->real[i] = rule.real(x->real[a], y->real[b]);
        else if (x->real)
            z->integer[i] = rule.test(x->real[a], y->real[b]);
        else
            z->integer[i] = rule.integer(x->dtype, x->integer[a], y->integer[b]);
        eval_advance(z->rank, z->dims, index);
    }
    return RT_OK;
}

#define PAIR_REAL(id, expression)                 \
    static double id##_real(double x, double y) { \
        return expression;                        \
    }
#define PAIR_TEST(id, expression)                  \
    static int64_t id##_test(double x, double y) { \
        return expression;                         \
    }
#define PAIR_INTEGER(id, expression)                                    \
    static int64_t id##_integer(rt_dtype dtype, int64_t x, int64_t y) { \
        (void)dtype;                                                    \
        return expression;                                              \
    }
#define PAIR_RULE(id, form)                                                                \
    rt_status eval_##id(rt_eval *eval) {                                                   \
        return map_pairs(eval, (pair_rule){.form = id##_##form, .integer = id##_integer}); \
    }
#define ARITHMETIC(id, real_expression, integer_expression) \
    PAIR_REAL(id, real_expression) PAIR_INTEGER(id, integer_expression) PAIR_RULE(id, real)
#define COMPARISON(id, real_expression, integer_expression) \
    PAIR_TEST(id, real_expression) PAIR_INTEGER(id, integer_expression) PAIR_RULE(id, test)
#define LOGICAL(id, expression)                                       \
    PAIR_INTEGER(id, expression)                                      \
    rt_status eval_##id(rt_eval *eval) {                              \
        return map_pairs(eval, (pair_rule){.integer = id##_integer}); \
    }

/* Towards zero; x / 0 is 0. Dividing by -1 is negation, which wraps. */
static int64_t divide(rt_dtype dtype, int64_t x, int64_t y) {
    if (y == 0) return 0;
    if (dtype == RT_U64) return (int64_t)((uint64_t)x / (uint64_t)y);
    return y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

/* Repeated squaring, wrapping; a negative exponent gives the truncated quotient 1 / x^-y. */
static int64_t power(rt_dtype dtype, int64_t x, int64_t y) {
    if (y < 0 && dtype != RT_U64) return x == 1 ? 1 : x == -1 ? (y % 2 ? -1 : 1) : 0;
    uint64_t result = 1, base = (uint64_t)x;
    for (uint64_t exponent = (uint64_t)y; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return (int64_t)result;
}

/* NaN where either is NaN. */
static double larger(double x, double y) {
    return isnan(x) || x > y ? x : y;
}
static double smaller(double x, double y) {
    return isnan(x) || x < y ? x : y;
}

ARITHMETIC(add, x + y, (int64_t)((uint64_t)x + (uint64_t)y))
ARITHMETIC(sub, x - y, (int64_t)((uint64_t)x - (uint64_t)y))
ARITHMETIC(mul, x *y, (int64_t)((uint64_t)x *(uint64_t)y))
ARITHMETIC(div, x / y, divide(dtype, x, y))
ARITHMETIC(pow, pow(x, y), power(dtype, x, y))
ARITHMETIC(maximum, larger(x, y), eval_is_less(dtype, x, y) ? y : x)
ARITHMETIC(minimum, smaller(x, y), eval_is_less(dtype, y, x) ? y : x)
COMPARISON(equal, x == y, x == y)
COMPARISON(less, x < y, eval_is_less(dtype, x, y))
COMPARISON(less_equal, x <= y, !eval_is_less(dtype, y, x))
LOGICAL(and, x &&y)
LOGICAL(or, x || y)
LOGICAL(xor, !x != !y)

/* Remainders: with the sign of the dividend (fmod, C's %), or of the divisor. x mod 0 is 0 for
 * integers, as x / 0 is. */
PAIR_REAL(truncated_mod, fmod(x, y))
static double floored_mod_real(double x, double y) {
    double remainder = fmod(x, y);
    return remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder;
}
static int64_t truncated_mod_integer(rt_dtype dtype, int64_t x, int64_t y) {
    if (y == 0 || (y == -1 && dtype != RT_U64)) return 0;
    return dtype == RT_U64 ? (int64_t)((uint64_t)x % (uint64_t)y) : x % y;
}
static int64_t floored_mod_integer(rt_dtype dtype, int64_t x, int64_t y) {
    int64_t remainder = truncated_mod_integer(dtype, x, y);
    if (dtype == RT_U64 || remainder == 0) return remainder;
    return (remainder < 0) != (y < 0) ? remainder + y : remainder;
}
rt_status eval_mod(rt_eval *eval) {
    if (eval_attr(eval, RT_ATTR_mod_truncated).integer)
        return map_pairs(eval,
                         (pair_rule){.real = truncated_mod_real, .integer = truncated_mod_integer});
    return map_pairs(eval, (pair_rule){.real = floored_mod_real, .integer = floored_mod_integer});
}

/* ---- three operands */

rt_status eval_select(rt_eval *eval) {
    const rt_array *condition = eval->operands[0];
    rt_array *result = &eval->results[0];
    int64_t index[RT_MAX_RANK] = {0}, strides[3][RT_MAX_RANK];
    for (int k = 0; k < 3; ++k) eval_broadcast_strides(eval->operands[k], result->rank, strides[k]);
    for (int64_t i = 0; i < result->count; ++i) {
        bool is_true = condition->integer[eval_offset(result->rank, index, strides[0])];
        int chosen = is_true ? 1 : 2;
        eval_copy(result, i, eval->operands[chosen],
                  eval_offset(result->rank, index, strides[chosen]));
        eval_advance(result->rank, result->dims, index);
    }
    return RT_OK;
}

/* Counter (column / 4, position, example, site), word column % 4. */
rt_status eval_dropout(rt_eval *eval) {
    const rt_array *x = eval->operands[0], *example = eval->operands[1];
    const rt_array *position = eval->operands[2];
    rt_array *y = &eval->results[0];
    double rate = eval_attr(eval, RT_ATTR_dropout_rate).real;
    uint32_t site = (uint32_t)eval_attr(eval, RT_ATTR_dropout_site).integer;
    int64_t columns = x->rank ? x->dims[x->rank - 1] : 1;
    if (rate > 0) RT_TRY(eval_require_draws(eval));
    for (int64_t i = 0; i < y->count; ++i) {
        int64_t row = i / columns, column = i % columns;
        const uint32_t counter[4] = {(uint32_t)(column / 4), (uint32_t)position->integer[row],
                                     (uint32_t)example->integer[row], site};
        bool is_kept = rate <= 0 || eval_is_kept(eval, counter, column, rate);
        y->real[i] = is_kept ? x->real[i] / (1 - rate) : 0;
    }
    return RT_OK;
}
