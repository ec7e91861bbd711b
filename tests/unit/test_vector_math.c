// SPDX-License-Identifier: Apache-2.0
/* The emitted functions against libm in double, over every 1999th f32 there is, and over grids in
 * f64. Errors are in units of the last place of the rounded true result; results that are not
 * normal numbers count by absolute error alone. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/kernels/vector_math.h"
#include "tests/support/compiled.h"

typedef LLVMValueRef (*emit_unary)(rt_emitter *e, LLVMValueRef x);
typedef void (*unary)(const void *from, void *to, int64_t count);
typedef double (*truth)(double x);

enum { STRIDE = 1999, SAMPLES = (int)(0x100000000 / STRIDE) / 64 * 64, GRID = 64 * 4000 };

static void compile(compiled *c, emit_unary emit, rt_dtype dtype, unsigned lanes) {
    compiled_begin(c, "ppl");
    rt_emitter *e = &c->emitter;
    rt_loop loop = rt_emit_loop_begin(e, rt_emit_i64(e, 0), LLVMGetParam(e->function, 2),
                                      rt_emit_i64(e, lanes), "i");
    LLVMValueRef x = rt_emit_load(e, dtype, LLVMGetParam(e->function, 0), loop.index, lanes, NULL);
    rt_emit_store(e, dtype, emit(e, x), LLVMGetParam(e->function, 1), loop.index, NULL);
    rt_emit_loop_end(e, &loop);
}

static double error_in_ulps(float got, double want) {
    if (fabs(want) < FLT_MIN) return fabs(got - want) <= 2 * (double)FLT_MIN ? 0 : INFINITY;
    if (fabs(want) > FLT_MAX) { /* rounds to infinity, or just not */
        return fabs((double)got) >= FLT_MAX && (got > 0) == (want > 0) ? 0 : INFINITY;
    }
    int exponent;
    frexp(want, &exponent);
    return fabs(got - want) / ldexp(1, exponent - 24);
}

typedef struct bounds {
    double low, high; /* of the inputs that count */
    double ulps;
    double absolute; /* an absolute error that is fine too */
} bounds;

static void check_f32(emit_unary emit, truth want, bounds limit) {
    compiled c;
    compile(&c, emit, RT_F32, 16);
    unary function;
    void *address = compiled_finish(&c);
    memcpy(&function, &address, sizeof function);
    float *x = malloc(SAMPLES * sizeof *x), *y = malloc(SAMPLES * sizeof *y);
    for (uint32_t i = 0; i < SAMPLES; ++i) {
        uint32_t bits = i * STRIDE;
        memcpy(&x[i], &bits, sizeof bits);
    }
    function(x, y, SAMPLES);
    double worst = 0;
    float worst_at = 0;
    for (int i = 0; i < SAMPLES; ++i) {
        if (x[i] < limit.low || x[i] > limit.high) continue;
        double exact = want(x[i]);
        if (isnan(exact) || isnan(y[i]) || isinf(exact)) {
            bool same = isnan(exact) ? isnan(y[i]) : y[i] == exact;
            if (!same && worst < 1e30) worst = INFINITY, worst_at = x[i];
            continue;
        }
        double error = error_in_ulps(y[i], exact);
        if (fabs(y[i] - exact) <= limit.absolute) error = 0;
        if (error > worst) worst = error, worst_at = x[i];
    }
    CU_ASSERT(worst <= limit.ulps);
    if (worst > limit.ulps || getenv("RETORT_TEST_VERBOSE"))
        printf("  f32: %.3f ulp at %.9g\n", worst, (double)worst_at);
    free(x);
    free(y);
    compiled_end(&c);
}

static void check_f64(emit_unary emit, truth want, double low, double high, double relative,
                      double absolute) {
    compiled c;
    compile(&c, emit, RT_F64, 8);
    unary function;
    void *address = compiled_finish(&c);
    memcpy(&function, &address, sizeof function);
    double *x = malloc(GRID * sizeof *x), *y = malloc(GRID * sizeof *y);
    for (int i = 0; i < GRID; ++i) x[i] = low + (high - low) * (i / (GRID - 1.0));
    function(x, y, GRID);
    double worst = 0, worst_at = 0;
    for (int i = 0; i < GRID; ++i) {
        double exact = want(x[i]), error = fabs(y[i] - exact) / (fabs(exact) + absolute);
        if (isnan(error) || error > worst) worst = isnan(error) ? INFINITY : error, worst_at = x[i];
    }
    CU_ASSERT(worst <= relative);
    if (worst > relative || getenv("RETORT_TEST_VERBOSE"))
        printf("  f64: %.3g at %.17g\n", worst, worst_at);
    free(x);
    free(y);
    compiled_end(&c);
}

static const bounds everywhere = {-INFINITY, INFINITY, 0, 0};
static bounds within(double ulps) {
    bounds limit = everywhere;
    limit.ulps = ulps;
    return limit;
}

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}
static double inverse_root(double x) {
    return 1 / sqrt(x);
}

static void test_exp(void) {
    check_f32(rt_emit_exp, exp, within(1.1));
    check_f32(rt_emit_exp_falling, exp, (bounds){-INFINITY, 0, 2.5, 0});
    check_f64(rt_emit_exp, exp, -708, 709, 5e-16, 0);
    check_f64(rt_emit_exp, exp, -1, 1, 5e-16, 0);
}

static void test_log(void) {
    check_f32(rt_emit_log, log, within(1.5));
    check_f64(rt_emit_log, log, 0.4, 3, 5e-16, 1e-300);
    check_f64(rt_emit_log, log, 1e-300, 1e300, 5e-16, 1e-300);
}

static void test_tanh(void) {
    check_f32(rt_emit_tanh, tanh, within(5));
    check_f64(rt_emit_tanh, tanh, -25, 25, 1e-15, 1e-300);
    check_f64(rt_emit_tanh, tanh, -0.01, 0.01, 1e-15, 1e-300);
}

static void test_erf(void) {
    check_f32(rt_emit_erf, erf, within(6.5));
    check_f64(rt_emit_erf, erf, -7, 7, 1e-15, 1e-300);
    check_f64(rt_emit_erf, erf, -0.01, 0.01, 1e-15, 1e-300);
}

static void test_sigmoid(void) {
    check_f32(rt_emit_sigmoid, logistic, within(3));
    check_f64(rt_emit_sigmoid, logistic, -700, 40, 1e-15, 1e-300);
}

static void test_roots(void) {
    check_f32(rt_emit_sqrt, sqrt, within(0.5001));
    check_f32(rt_emit_rsqrt, inverse_root, within(1.5));
    check_f64(rt_emit_rsqrt, inverse_root, 1e-9, 10, 5e-16, 0);
}

static void test_sine_and_cosine(void) {
    bounds limit = {-1048576, 1048576, 0.6, 1e-14};
    check_f32(rt_emit_sin, sin, limit);
    check_f32(rt_emit_cos, cos, limit);
    check_f64(rt_emit_sin, sin, -1e3, 1e3, 4e-16, 1);
    check_f64(rt_emit_cos, cos, -1e6, 1e6, 4e-16, 1);
}

static double gelu(double x) {
    return x * 0.5 * erfc(-x * sqrt(0.5));
}
static double gelu_tanh(double x) {
    double u = sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
    return x / (1 + exp(-2 * u)); /* (1 + tanh u) / 2 without cancellation */
}
static LLVMValueRef emit_gelu(rt_emitter *e, LLVMValueRef x) {
    return rt_emit_gelu(e, x, false);
}
static LLVMValueRef emit_gelu_tanh(rt_emitter *e, LLVMValueRef x) {
    return rt_emit_gelu(e, x, true);
}

static void test_gelu(void) {
    bounds limit = {-FLT_MAX, FLT_MAX, 6.5, 1e-6};
    check_f32(emit_gelu, gelu, limit);
    check_f32(emit_gelu_tanh, gelu_tanh, (bounds){-1e12, 1e12, 6.5, 1e-6});
    check_f64(emit_gelu, gelu, -10, 10, 1e-15, 1);
    check_f64(emit_gelu_tanh, gelu_tanh, -10, 10, 1e-15, 1);
}

/* pow at the exponents of a table, lane by lane. */
static double exponent_now;
static LLVMValueRef emit_power(rt_emitter *e, LLVMValueRef x) {
    return rt_emit_pow(e, x, rt_emit_real_like(e, x, exponent_now));
}
static double power(double x) {
    return pow(x, exponent_now);
}

static void test_pow(void) {
    static const double exponents[] = {2, 0.5, -0.5, 3, -1, 0, 1, 1.75, -2.25, 40, NAN, INFINITY};
    for (size_t i = 0; i < sizeof exponents / sizeof *exponents; ++i) {
        exponent_now = exponents[i];
        check_f32(emit_power, power, within(0.6));
    }
    exponent_now = 1.75;
    check_f64(emit_power, power, 0, 100, 3e-15, 1e-300);
}

/* One lane, four lanes and sixteen give the same bits. */
static void test_lanes_do_not_matter(void) {
    static const emit_unary functions[] = {rt_emit_exp, rt_emit_log, rt_emit_tanh, rt_emit_erf,
                                           emit_gelu,   rt_emit_sin, emit_power};
    float x[64], y[3][64];
    for (int i = 0; i < 64; ++i) x[i] = (float)(0.3 * i - 7.77);
    for (size_t f = 0; f < sizeof functions / sizeof *functions; ++f) {
        for (int k = 0; k < 3; ++k) {
            compiled c;
            compile(&c, functions[f], RT_F32, 1u << (2 * k));
            unary function;
            void *address = compiled_finish(&c);
            memcpy(&function, &address, sizeof function);
            function(x, y[k], 64);
            compiled_end(&c);
        }
        CU_ASSERT_EQUAL(memcmp(y[0], y[1], sizeof y[0]), 0);
        CU_ASSERT_EQUAL(memcmp(y[0], y[2], sizeof y[0]), 0);
    }
}

TEST_MAIN("vector_math", TEST(test_exp), TEST(test_log), TEST(test_tanh), TEST(test_erf),
          TEST(test_sigmoid), TEST(test_roots), TEST(test_sine_and_cosine), TEST(test_gelu),
          TEST(test_pow), TEST(test_lanes_do_not_matter))
