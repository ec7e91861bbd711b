// SPDX-License-Identifier: Apache-2.0
/* The emitted functions against libm in double, over every 1999th f32 there is (every
 * RETORT_TEST_EVERY-th where that is set: 1 for all of them), and over grids in f64. Errors are in
 * units of the last place of the rounded true result; results that are not normal numbers count by
 * absolute error alone. */
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

enum { CHUNK = 1 << 16, GRID = 64 * 4000 };

static uint64_t stride(void) {
    const char *text = getenv("RETORT_TEST_EVERY");
    int every = text ? atoi(text) : 0;
    return every > 0 ? (uint64_t)every : 1999;
}

static void compile(compiled *c, emit_unary emit, rt_dtype dtype, unsigned lanes) {
    compiled_begin(c, "ppl");
    rt_emitter *e = &c->emitter;
    rt_loop loop = rt_emit_loop_begin(e, rt_emit_i64(e, 0), LLVMGetParam(e->function, 2),
                                      rt_emit_i64(e, lanes), "i");
    LLVMValueRef x = rt_emit_load(e, dtype, LLVMGetParam(e->function, 0), loop.index, lanes, NULL);
    rt_emit_store(e, dtype, emit(e, x), LLVMGetParam(e->function, 1), loop.index, NULL);
    rt_emit_loop_end(e, &loop);
}

/* The distance of a normal number from the next float; of [1, 2): 2^-23. */
static double place_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits >> 52 & 0x7ff) - 23;
    bits <<= 52;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double error_in_ulps(float got, double want) {
    if (fabs(want) < FLT_MIN) return fabs(got - want) <= 2 * (double)FLT_MIN ? 0 : INFINITY;
    if (fabs(want) > FLT_MAX) { /* rounds to infinity, or just not */
        return fabs((double)got) >= FLT_MAX && (got > 0) == (want > 0) ? 0 : INFINITY;
    }
    return fabs(got - want) / place_of(want);
}

/* Of a function on machines that fuse multiply and add; elsewhere errors may be SLACK times as
 * large. */
typedef struct bounds {
    double low, high; /* of the inputs that count */
    double ulps;
    double absolute; /* an absolute error that is fine too */
} bounds;
static const double SLACK = 1.35;

typedef struct finding {
    double ulps;
    float at;
} finding;

static void compare(finding *worst, float x, float y, double exact, const bounds *limit) {
    double error;
    if (isnan(exact) || isnan(y) || isinf(exact))
        error = (isnan(exact) ? isnan(y) : y == exact) ? 0 : INFINITY;
    else if (limit->absolute > 0 && fabs(y - exact) <= limit->absolute)
        error = 0;
    else
        error = error_in_ulps(y, exact);
    if (error > worst->ulps) *worst = (finding){error, x};
}

static void check_f32(emit_unary emit, truth want, bounds limit) {
    static float x[CHUNK], y[CHUNK];
    compiled c;
    compile(&c, emit, RT_F32, 16);
    if (!c.target.has_fma) limit.ulps *= SLACK, limit.absolute *= SLACK;
    unary function;
    void *address = compiled_finish(&c);
    memcpy(&function, &address, sizeof function);
    finding worst = {0};
    for (uint64_t next = 0; next < 0x100000000;) {
        int count = 0;
        for (; count < CHUNK; ++count, next += stride()) {
            uint32_t bits = (uint32_t)next; /* runs over the end of the last chunk */
            memcpy(&x[count], &bits, sizeof bits);
        }
        function(x, y, CHUNK);
        for (int i = 0; i < CHUNK; ++i)
            if (!(x[i] < limit.low || x[i] > limit.high))
                compare(&worst, x[i], y[i], want(x[i]), &limit);
    }
    CU_ASSERT(worst.ulps <= limit.ulps);
    if (worst.ulps > limit.ulps || getenv("RETORT_TEST_VERBOSE"))
        printf("  f32: %.3f ulp at %.9g\n", worst.ulps, (double)worst.at);
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

/* Truths in double, by series or limits where those are exact to 1e-17, which is most of f32. */
static double true_exp(double x) {
    if (x > 89) return INFINITY; /* above the largest f32 */
    if (x < -105) return 0;
    return fabs(x) < 0x1p-20 ? 1 + x + x * x / 2 : exp(x);
}
static double true_tanh(double x) {
    if (fabs(x) < 0x1p-12) return x - x * x * x * (1 / 3.0 - x * x * (2 / 15.0));
    return fabs(x) > 20 ? copysign(1, x) : tanh(x);
}
static double true_erf(double x) {
    if (fabs(x) < 0x1p-12)
        return 1.12837916709551257390 * (x - x * x * x * (1 / 3.0 - x * x * 0.1));
    return fabs(x) > 6.5 ? copysign(1, x) : erf(x);
}
static double true_sigmoid(double x) {
    if (x < -105) return 0;
    if (x > 40) return 1;
    return fabs(x) < 0x1p-20 ? 0.5 + x / 4 : 1 / (1 + exp(-x));
}
static double logistic(double x) {
    return 1 / (1 + exp(-x));
}
static double inverse_root(double x) {
    return 1 / sqrt(x);
}

static void test_exp(void) {
    check_f32(rt_emit_exp, true_exp, within(1));
    check_f32(rt_emit_exp_falling, true_exp, (bounds){-INFINITY, 0, 2, 0});
    check_f64(rt_emit_exp, exp, -708, 709, 5e-16, 0);
    check_f64(rt_emit_exp, exp, -1, 1, 5e-16, 0);
}

static void test_log(void) {
    check_f32(rt_emit_log, log, within(1.2));
    check_f64(rt_emit_log, log, 0.4, 3, 5e-16, 1e-300);
    check_f64(rt_emit_log, log, 1e-300, 1e300, 5e-16, 1e-300);
}

static void test_tanh(void) {
    check_f32(rt_emit_tanh, true_tanh, within(5.8));
    check_f64(rt_emit_tanh, tanh, -25, 25, 1e-15, 1e-300);
    check_f64(rt_emit_tanh, tanh, -0.01, 0.01, 1e-15, 1e-300);
}

static void test_erf(void) {
    check_f32(rt_emit_erf, true_erf, within(5.6));
    check_f64(rt_emit_erf, erf, -7, 7, 1e-15, 1e-300);
    check_f64(rt_emit_erf, erf, -0.01, 0.01, 1e-15, 1e-300);
}

static void test_sigmoid(void) {
    check_f32(rt_emit_sigmoid, true_sigmoid, within(2.5));
    check_f64(rt_emit_sigmoid, logistic, -700, 40, 1e-15, 1e-300);
}

static void test_roots(void) {
    check_f32(rt_emit_sqrt, sqrt, within(0.5001));
    check_f32(rt_emit_rsqrt, inverse_root, within(1));
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
    bounds limit = {-FLT_MAX, FLT_MAX, 2.5, 1e-6};
    check_f32(emit_gelu, gelu, limit);
    check_f32(emit_gelu_tanh, gelu_tanh, (bounds){-1e12, 1e12, 2.5, 1e-6});
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

/* Zeros keep their signs where the true function does, infinities and NaN come out as they should,
 * subnormals count: what the evaluator gives, which computes these by libm in double. */
static void test_special_values(void) {
    static const struct {
        emit_unary emit;
        truth want;
    } functions[] = {{rt_emit_exp, exp},           {rt_emit_log, log},
                     {rt_emit_tanh, tanh},         {rt_emit_erf, erf},
                     {rt_emit_sigmoid, logistic},  {rt_emit_sqrt, sqrt},
                     {rt_emit_rsqrt, inverse_root}};
    static const float sizes[] = {0,       INFINITY, NAN,      0x1p-149f, 0x1.fffffcp-127f,
                                  FLT_MIN, FLT_MAX,  0x1p-23f, 1};
    enum { COUNT = 2 * sizeof sizes / sizeof *sizes, PADDED = 32 };
    float x[PADDED] = {0}, y[PADDED];
    for (int i = 0; i < COUNT; ++i) x[i] = i % 2 ? -sizes[i / 2] : sizes[i / 2];
    for (size_t f = 0; f < sizeof functions / sizeof *functions; ++f) {
        compiled c;
        compile(&c, functions[f].emit, RT_F32, 16);
        unary function;
        void *address = compiled_finish(&c);
        memcpy(&function, &address, sizeof function);
        function(x, y, PADDED);
        for (int i = 0; i < COUNT; ++i) {
            finding worst = {0};
            bounds limit = {.ulps = 6};
            double want = functions[f].want(x[i]);
            compare(&worst, x[i], y[i], want, &limit);
            if (want == 0) CU_ASSERT(y[i] == 0 && !signbit(y[i]) == !signbit(want));
            CU_ASSERT(worst.ulps <= limit.ulps);
            if (worst.ulps > limit.ulps)
                printf("  function %d of %g: %g\n", (int)f, (double)x[i], (double)y[i]);
        }
        compiled_end(&c);
    }
}

/* One lane, four lanes and sixteen give the same bits. */
static void test_lanes_do_not_matter(void) {
    static const emit_unary functions[] = {rt_emit_exp, rt_emit_log, rt_emit_tanh, rt_emit_erf,
                                           emit_gelu,   rt_emit_sin, emit_power,   rt_emit_rsqrt};
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
          TEST(test_pow), TEST(test_special_values), TEST(test_lanes_do_not_matter))
