// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernels/vector_math.h"

#include <math.h>

#include "compiler/kernels/arithmetic.h"
#include "runtime/base/check.h"

static bool is_double(LLVMValueRef x) {
    return LLVMGetTypeKind(rt_emit_element_type(x)) == LLVMDoubleTypeKind;
}

/* c[0] + x (c[1] + x (c[2] + …)) */
static LLVMValueRef horner(rt_emitter *e, LLVMValueRef x, const double *c, unsigned count) {
    LLVMValueRef sum = real(e, x, c[count - 1]);
    for (unsigned i = count - 1; i-- > 0;) sum = mul_add(e, sum, x, real(e, x, c[i]));
    return sum;
}
#define POLYNOMIAL(e, x, c) horner(e, x, c, RT_COUNT_OF(c))

static LLVMTypeRef integer_type(const rt_emitter *e, LLVMValueRef x) {
    return rt_emit_vector_type(e, is_double(x) ? e->i64 : e->i32, rt_emit_lanes(x));
}

static LLVMValueRef bits_of(rt_emitter *e, LLVMValueRef x) {
    return LLVMBuildBitCast(e->builder, x, integer_type(e, x), "");
}

static LLVMValueRef real_of_bits(rt_emitter *e, LLVMValueRef bits, LLVMValueRef like) {
    return LLVMBuildBitCast(e->builder, bits, LLVMTypeOf(like), "");
}

/* Into [-limit, limit]; NaN stays. */
static LLVMValueRef clamp(rt_emitter *e, LLVMValueRef x, double limit) {
    x = where(e, is_less(e, real(e, x, limit), x), real(e, x, limit), x);
    return where(e, is_less(e, x, real(e, x, -limit)), real(e, x, -limit), x);
}

/* ---- exp: x = n log 2 + r, exp(x) = 2^n exp(r) */

/* exp(r) = 1 + r + r^2 p(r), |r| <= log(2) / 2; the short one is exp(r) itself */
static const double exp_f32[] = {0.49999994, 0.166665196, 0.0416683927, 0.00836878084,
                                 0.00138144672};
static const double exp_f32_short[] = {1,           0.999999702,  0.499991447,
                                       0.166676447, 0.0418984145, 0.00829003658};
static const double exp_f64[] = {
    0.50000000000000111,    0.16666666666666408,    0.041666666666529358,   0.0083333333334968257,
    0.0013888888943890257,  0.00019841269502417119, 2.4801492786984431e-05, 2.7557589220256395e-06,
    2.7630372428404071e-07, 2.4999432047663874e-08};

typedef struct exp_parts {
    LLVMValueRef r, r_low; /* r_low: what rounding took from r */
    LLVMValueRef n_bits;   /* n in the exponent's place of the bits */
} exp_parts;

/* Adding 1.5 * 2^(mantissa bits) rounds to an integer and leaves it in the low bits, whose shift to
 * the exponent's place drops the rest. log 2 in two parts, n times the first of which is exact. */
static exp_parts split_exp(rt_emitter *e, LLVMValueRef x) {
    bool wide = is_double(x);
    double magic = wide ? 0x1.8p52 : 0x1.8p23, high = wide ? 0x1.62e42feep-1 : 0x1.63p-1;
    LLVMValueRef shifted = mul_add(e, x, real(e, x, 0x1.71547652b82fep0), real(e, x, magic));
    LLVMValueRef n = sub(e, shifted, real(e, x, magic));
    LLVMValueRef rest = mul_add(e, n, real(e, x, -high), x);
    LLVMValueRef low = real(e, x, wide ? -0x1.a39ef35793c76p-33 : 0x1.bd0105c610ca8p-13);
    LLVMValueRef r = mul_add(e, n, low, rest), bits = bits_of(e, shifted);
    return (exp_parts){
        r, mul_add(e, n, low, sub(e, rest, r)),
        LLVMBuildShl(e->builder, bits, rt_emit_int_like(e, bits, wide ? 52 : 23), "")};
}

/* exp(r) - 1 for f64 */
static LLVMValueRef exp_tail(rt_emitter *e, LLVMValueRef r) {
    return mul_add(e, mul(e, r, r), POLYNOMIAL(e, r, exp_f64), r);
}

/* 2^n */
static LLVMValueRef exp_scale(rt_emitter *e, exp_parts parts) {
    LLVMValueRef one = real(e, parts.r, 1);
    return real_of_bits(e, add(e, bits_of(e, one), parts.n_bits), one);
}

/* log of the smallest normal number and of the largest */
static double least_exponent(LLVMValueRef x) {
    return is_double(x) ? -708.39641853226410 : -87.336544;
}
static double most_exponent(LLVMValueRef x) {
    return is_double(x) ? 709.78271289338397 : 88.7228317;
}

LLVMValueRef rt_emit_exp_falling(rt_emitter *e, LLVMValueRef x) {
    exp_parts parts = split_exp(e, x);
    LLVMValueRef scale = exp_scale(e, parts);
    LLVMValueRef y = is_double(x) ? mul_add(e, scale, exp_tail(e, parts.r), scale)
                                  : mul(e, scale, POLYNOMIAL(e, parts.r, exp_f32_short));
    return where(e, is_less(e, x, real(e, x, least_exponent(x))), real(e, x, 0), y);
}

LLVMValueRef rt_emit_exp(rt_emitter *e, LLVMValueRef x) {
    exp_parts parts = split_exp(e, x);
    LLVMValueRef p =
        is_double(x) ? POLYNOMIAL(e, parts.r, exp_f64) : POLYNOMIAL(e, parts.r, exp_f32);
    LLVMValueRef tail = mul_add(e, mul(e, parts.r, parts.r), p, parts.r_low);
    LLVMValueRef y = add(e, add(e, tail, parts.r), real(e, x, 1));
    /* On the bits, not by a factor: 2^n alone would overflow for the largest results. */
    y = real_of_bits(e, add(e, bits_of(e, y), parts.n_bits), x);
    y = where(e, is_less(e, x, real(e, x, least_exponent(x))), real(e, x, 0), y);
    /* Above: infinity; NaN stays NaN. */
    LLVMValueRef fits = is_at_most(e, x, real(e, x, most_exponent(x)));
    return where(e, fits, y, mul(e, x, real(e, x, INFINITY)));
}

/* exp(x) - 1 for f64 and |x| <= 700, without loss near 0: 2^n (exp(r) - 1) + (2^n - 1). */
static LLVMValueRef exp_minus_1(rt_emitter *e, LLVMValueRef x) {
    exp_parts parts = split_exp(e, x);
    LLVMValueRef scale = exp_scale(e, parts);
    return mul_add(e, scale, exp_tail(e, parts.r), sub(e, scale, real(e, x, 1)));
}

/* ---- log: x = 2^k m, sqrt(1/2) <= m < sqrt(2) */

/* log(1+f) = f + f^2 p(f) */
static const double log_f32[] = {-0.499999911, 0.333339512, -0.250017554, 0.199620724,
                                 -0.16570507,  0.149179727, -0.143075302, 0.0873485506};
/* log(1+f) = 2s + s z p(z), s = f/(2+f), z = s^2 */
static const double log_f64[] = {0.6666666666666734,  0.39999999999414887, 0.28571428742348126,
                                 0.22222198576630164, 0.18183564173208669, 0.153140538911723,
                                 0.14795921291714259};

/* log(1+f) + k log 2; the small parts are added first. */
static LLVMValueRef log_of_parts(rt_emitter *e, LLVMValueRef f, LLVMValueRef k) {
    LLVMValueRef square = mul(e, f, f);
    if (is_double(f)) {
        LLVMValueRef half_square = mul(e, square, real(e, f, 0.5));
        LLVMValueRef s = divide(e, f, add(e, f, real(e, f, 2))), z = mul(e, s, s);
        /* 2s = f - s f, so log(1+f) = f - (f^2/2 - s (f^2/2 + z p)). */
        LLVMValueRef tail = mul_add(e, z, POLYNOMIAL(e, z, log_f64), half_square);
        tail = mul_add(e, s, tail, mul(e, k, real(e, f, 0x1.a39ef35793c76p-33)));
        LLVMValueRef sum = sub(e, f, sub(e, half_square, tail));
        return mul_add(e, k, real(e, f, 0x1.62e42feep-1), sum);
    }
    LLVMValueRef sum = mul_add(e, square, POLYNOMIAL(e, f, log_f32), f);
    sum = mul_add(e, k, real(e, f, -0x1.bd0105c610ca8p-13), sum);
    return mul_add(e, k, real(e, f, 0x1.63p-1), sum);
}

/* Whether x is a finite number above 0: one comparison of the bits, from which 1 is taken. */
static LLVMValueRef is_positive(rt_emitter *e, LLVMValueRef x) {
    LLVMValueRef bits = bits_of(e, x), one = rt_emit_int_like(e, bits, 1);
    LLVMValueRef behind = rt_emit_int_like(e, bits, is_double(x) ? 0x7fefffffffffffff : 0x7f7fffff);
    return LLVMBuildICmp(e->builder, LLVMIntULT, sub(e, bits, one), behind, "");
}

LLVMValueRef rt_emit_log(rt_emitter *e, LLVMValueRef x) {
    bool wide = is_double(x);
    unsigned mantissa = wide ? 52 : 23;
    LLVMValueRef is_tiny = is_less(e, x, real(e, x, wide ? 0x1p-1022 : 0x1p-126));
    LLVMValueRef normal = where(e, is_tiny, mul(e, x, real(e, x, wide ? 0x1p52 : 0x1p23)), x);
    LLVMValueRef bits = bits_of(e, normal);
    LLVMValueRef shift = rt_emit_int_like(e, bits, mantissa);
    LLVMValueRef root = rt_emit_int_like(e, bits, wide ? 0x3fe6a09e667f3bcd : 0x3f3504f3);
    LLVMValueRef exponent = LLVMBuildAShr(e->builder, sub(e, bits, root), shift, "");
    LLVMValueRef m = sub(e, bits, LLVMBuildShl(e->builder, exponent, shift, ""));
    LLVMValueRef k = LLVMBuildSIToFP(e->builder, exponent, LLVMTypeOf(x), "");
    k = where(e, is_tiny, sub(e, k, real(e, x, mantissa)), k);
    LLVMValueRef y = log_of_parts(e, sub(e, real_of_bits(e, m, x), real(e, x, 1)), k);
    /* Outside (0, inf): -inf at 0, NaN below, infinity and NaN stay. */
    LLVMValueRef zero = real(e, x, 0);
    LLVMValueRef other = where(e, is_less(e, x, zero), real(e, x, NAN), x);
    other = where(e, is_equal(e, x, zero), real(e, x, -INFINITY), other);
    return where(e, is_positive(e, x), y, other);
}

/* ---- tanh, erf, logistic */

/* tanh(x) = x p(x^2) / q(x^2) up to 9.02 */
static const double tanh_p[] = {1,
                                0.130831555,
                                0.00310299965,
                                1.11442405e-05,
                                -2.01839132e-08,
                                5.25775673e-11,
                                -8.43599821e-14};
static const double tanh_q[] = {1, 0.464164823, 0.0244913753, 0.0002544749};
/* erf(x) = x p(x^2) / q(x^2) up to 3.8325 */
static const double erf_p[] = {1.12837911,     0.192432955,     0.0495968573,  0.00340524688,
                               0.000136657516, -1.98575913e-06, 2.09703792e-08};
static const double erf_q[] = {1, 0.503871262, 0.111918241, 0.0137313213, 0.000890405616};
/* erf(x / sqrt 2) / 2 = x p(x^2) / q(x^2) up to 5.42 */
static const double phi_p[] = {0.398942262,    0.0340176634,    0.00438378425, 0.000150492066,
                               3.01973296e-06, -2.19397478e-08, 1.15846076e-10};
static const double phi_q[] = {1, 0.251935631, 0.0279795602, 0.00171641516, 5.5650351e-05};

#define ODD_RATIO(e, x, name) \
    odd_ratio(e, x, POLYNOMIAL(e, mul(e, x, x), name##_p), POLYNOMIAL(e, mul(e, x, x), name##_q))
static LLVMValueRef odd_ratio(rt_emitter *e, LLVMValueRef x, LLVMValueRef p, LLVMValueRef q) {
    return mul(e, x, divide(e, p, q));
}

LLVMValueRef rt_emit_tanh(rt_emitter *e, LLVMValueRef x) {
    if (!is_double(x)) {
        x = clamp(e, x, 9.02);
        return ODD_RATIO(e, x, tanh);
    }
    LLVMValueRef minus = exp_minus_1(e, mul(e, clamp(e, x, 20), real(e, x, 2)));
    return divide(e, minus, add(e, minus, real(e, x, 2)));
}

/* erf(x) = x p(x^2) up to 1 */
static const double erf_near[] = {
    1.1283791670955126,      -0.37612638903183748,    0.11283791670954858,
    -0.026866170645072959,   0.0052239776247813702,   -0.00085483269787651485,
    0.00012055331037551108,  -1.4925593518728226e-05, 1.6460972954153765e-06,
    -1.6350026192077269e-07, 1.4657883530919653e-08,  -1.136567067182716e-09,
    5.945255584223488e-11};
/* erfc(x) = exp(-x^2) p(1 / (x + 2)) from 1 to 6 */
static const double erfc_far[] = {1.5169973829171271e-07, 0.56417788314734807, 1.1287972513157163,
                                  1.9654875650163646,     2.9591602488663873,  1.1687728240432032,
                                  12.076606654437359,     -83.939011028719563, 347.62868270027587,
                                  -1279.3289436478558,    3335.9426410762776,  -5657.5088985763014,
                                  6036.4496894902295,     -3731.1868701849348, 1029.2383642041113};

static LLVMValueRef erf_double(rt_emitter *e, LLVMValueRef x) {
    LLVMValueRef one = real(e, x, 1), square = mul(e, x, x);
    LLVMValueRef near = mul(e, x, POLYNOMIAL(e, square, erf_near));
    LLVMValueRef size = clamp(e, apply(e, "llvm.fabs", x), 6);
    LLVMValueRef t = divide(e, one, add(e, size, real(e, x, 2)));
    LLVMValueRef decay = rt_emit_exp_falling(e, mul(e, size, sub(e, real(e, x, 0), size)));
    LLVMValueRef far = sub(e, one, mul(e, decay, POLYNOMIAL(e, t, erfc_far)));
    far = where(e, is_less(e, x, real(e, x, 0)), sub(e, real(e, x, 0), far), far);
    return where(e, is_less(e, size, one), near, far);
}

LLVMValueRef rt_emit_erf(rt_emitter *e, LLVMValueRef x) {
    if (is_double(x)) return erf_double(e, x);
    x = clamp(e, x, 3.8325);
    return ODD_RATIO(e, x, erf);
}

LLVMValueRef rt_emit_sigmoid(rt_emitter *e, LLVMValueRef x) {
    LLVMValueRef one = real(e, x, 1);
    return divide(e, one, add(e, one, rt_emit_exp(e, sub(e, real(e, x, 0), x))));
}

LLVMValueRef rt_emit_gelu(rt_emitter *e, LLVMValueRef x, bool tanh_form) {
    LLVMValueRef half = real(e, x, 0.5), argument = x, phi;
    double limit = 5.42; /* beyond it Phi is 0 or 1: below, exactly 0, whatever x is */
    if (tanh_form) {
        limit = 9.02;
        LLVMValueRef cubic = mul_add(e, mul(e, x, x), real(e, x, 0.79788456080286535588 * 0.044715),
                                     real(e, x, 0.79788456080286535588));
        argument = mul(e, x, cubic);
        phi = mul_add(e, rt_emit_tanh(e, argument), half, half);
    } else if (is_double(x)) {
        limit = 8.4;
        phi = mul_add(e, rt_emit_erf(e, mul(e, x, real(e, x, 0.70710678118654752440))), half, half);
    } else {
        LLVMValueRef near = clamp(e, x, limit);
        phi = add(e, ODD_RATIO(e, near, phi), half);
    }
    if (tanh_form && is_double(x)) limit = 20;
    phi = where(e, is_less(e, argument, real(e, x, -limit)), real(e, x, 0), phi);
    return mul(e, x, phi);
}

/* ---- roots */

LLVMValueRef rt_emit_sqrt(rt_emitter *e, LLVMValueRef x) {
    return apply(e, "llvm.sqrt", x);
}

/* Halving the bits halves the exponent: y = magic - bits / 2 is within 3.5 % of x^(-1/2). Each step
 * takes with e = 1 - x y^2 two terms of (1 - e)^(-1/2), after which the error is 5/16 e^3. */
static LLVMValueRef rsqrt_single(rt_emitter *e, LLVMValueRef x) {
    LLVMValueRef is_tiny = is_less(e, x, real(e, x, 0x1p-126)), one = real(e, x, 1);
    LLVMValueRef normal = where(e, is_tiny, mul(e, x, real(e, x, 0x1p24)), x);
    LLVMValueRef bits = bits_of(e, normal);
    LLVMValueRef half = LLVMBuildLShr(e->builder, bits, rt_emit_int_like(e, bits, 1), "");
    LLVMValueRef y = real_of_bits(e, sub(e, rt_emit_int_like(e, bits, 0x5f375a86), half), x);
    for (int step = 0; step < 2; ++step) {
        LLVMValueRef minus = LLVMBuildFNeg(e->builder, mul(e, normal, y), "");
        LLVMValueRef error = mul_add(e, minus, y, one);
        LLVMValueRef terms = mul_add(e, error, real(e, x, 0.375), real(e, x, 0.5));
        y = mul_add(e, mul(e, y, error), terms, y);
    }
    y = where(e, is_tiny, mul(e, y, real(e, x, 0x1p12)), y);
    /* Outside (0, inf): infinity with the sign of 0, 0 at infinity, else NaN. */
    LLVMValueRef zero = real(e, x, 0), infinity = real(e, x, INFINITY);
    LLVMValueRef signed_infinity =
        real_of_bits(e, LLVMBuildOr(e->builder, bits_of(e, x), bits_of(e, infinity), ""), x);
    LLVMValueRef other = where(e, is_equal(e, x, infinity), zero, real(e, x, NAN));
    other = where(e, is_equal(e, x, zero), signed_infinity, other);
    return where(e, is_positive(e, x), y, other);
}

LLVMValueRef rt_emit_rsqrt(rt_emitter *e, LLVMValueRef x) {
    if (!is_double(x)) return rsqrt_single(e, x);
    return divide(e, real(e, x, 1), rt_emit_sqrt(e, x));
}

/* ---- sin, cos, pow: computed in f64, for f32 too */

static LLVMValueRef widen(rt_emitter *e, LLVMValueRef x) {
    LLVMTypeRef wide = rt_emit_vector_type(e, e->f64, rt_emit_lanes(x));
    return is_double(x) ? x : LLVMBuildFPExt(e->builder, x, wide, "");
}

static LLVMValueRef narrow(rt_emitter *e, LLVMValueRef y, LLVMValueRef like) {
    return is_double(like) ? y : LLVMBuildFPTrunc(e->builder, y, LLVMTypeOf(like), "");
}

/* sin(r) = r + r^3 p(r^2), cos(r) = 1 - r^2/2 + r^4 p(r^2), |r| <= pi/4 */
static const double sin_tail[] = {-0.16666666666666632,    0.0083333333333223281,
                                  -0.00019841269829734117, 2.7557313664521756e-06,
                                  -2.5050753565074431e-08, 1.5896518244746919e-10};
static const double cos_tail[] = {0.041666666666666602,   -0.0013888888888873997,
                                  2.4801587289397102e-05, -2.7557314326328139e-07,
                                  2.087571956694885e-09,  -1.1359447903102287e-11};

/* x = n pi/2 + r; sin(x + quarters pi/2) is +-sin(r) or +-cos(r) by (n + quarters) mod 4. pi/2 in
 * three parts, of which the first two have 33 bits, so that n times them is exact up to 2^20. */
static LLVMValueRef sine(rt_emitter *e, LLVMValueRef original, int quarters) {
    LLVMValueRef x = widen(e, original), magic = real(e, x, 0x1.8p52);
    LLVMValueRef shifted = mul_add(e, x, real(e, x, 0x1.45f306dc9c883p-1), magic);
    LLVMValueRef n = sub(e, shifted, magic);
    LLVMValueRef r = mul_add(e, n, real(e, x, -0x1.921fb544p+0), x);
    r = mul_add(e, n, real(e, x, -0x1.0b4611a6p-34), r);
    r = mul_add(e, n, real(e, x, -0x1.3198a2e037073p-69), r);
    LLVMValueRef z = mul(e, r, r), one = real(e, x, 1);
    LLVMValueRef s = mul_add(e, mul(e, r, z), POLYNOMIAL(e, z, sin_tail), r);
    LLVMValueRef c =
        mul_add(e, mul(e, z, z), POLYNOMIAL(e, z, cos_tail), mul_add(e, z, real(e, x, -0.5), one));
    LLVMValueRef quadrant = bits_of(e, shifted);
    quadrant = add(e, quadrant, rt_emit_int_like(e, quadrant, quarters));
    LLVMValueRef zero = rt_emit_int_like(e, quadrant, 0);
    LLVMValueRef odd = LLVMBuildAnd(e->builder, quadrant, rt_emit_int_like(e, quadrant, 1), "");
    LLVMValueRef lower = LLVMBuildAnd(e->builder, quadrant, rt_emit_int_like(e, quadrant, 2), "");
    LLVMValueRef y = where(e, is_equal(e, odd, zero), s, c);
    y = where(e, is_equal(e, lower, zero), y, sub(e, real(e, x, 0), y));
    return narrow(e, y, original);
}

LLVMValueRef rt_emit_sin(rt_emitter *e, LLVMValueRef x) {
    return sine(e, x, 0);
}

LLVMValueRef rt_emit_cos(rt_emitter *e, LLVMValueRef x) {
    return sine(e, x, 1);
}

/* |x|^y = exp(y log |x|); below 0 only for integers y, odd ones with the sign. */
static LLVMValueRef signed_power(rt_emitter *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef z) {
    LLVMValueRef size = apply(e, "llvm.fabs", x), half = mul(e, y, real(e, x, 0.5));
    LLVMValueRef is_whole = is_equal(e, apply(e, "llvm.floor", y), y);
    LLVMValueRef is_even = is_equal(e, apply(e, "llvm.floor", half), half);
    LLVMValueRef is_end = LLVMBuildOr(e->builder, is_equal(e, size, real(e, x, 0)),
                                      is_equal(e, size, real(e, x, INFINITY)), "");
    LLVMValueRef minus = LLVMBuildFNeg(e->builder, z, "");
    LLVMValueRef below = where(e, is_end, z, real(e, x, NAN));
    below = where(e, is_whole, where(e, is_even, z, minus), below);
    LLVMValueRef bits = bits_of(e, x);
    LLVMValueRef is_below =
        LLVMBuildICmp(e->builder, LLVMIntSLT, bits, rt_emit_int_like(e, bits, 0), "");
    return where(e, is_below, below, z);
}

LLVMValueRef rt_emit_pow(rt_emitter *e, LLVMValueRef base, LLVMValueRef exponent) {
    LLVMValueRef x = widen(e, base), y = widen(e, exponent), one = real(e, x, 1);
    LLVMValueRef z = rt_emit_exp(e, mul(e, y, rt_emit_log(e, apply(e, "llvm.fabs", x))));
    z = signed_power(e, x, y, z);
    /* 1 whatever the other is, NaN included; and (-1)^inf. */
    LLVMValueRef is_one =
        LLVMBuildOr(e->builder, is_equal(e, x, one), is_equal(e, y, real(e, x, 0)), "");
    LLVMValueRef is_turning =
        LLVMBuildAnd(e->builder, is_equal(e, x, real(e, x, -1)),
                     is_equal(e, apply(e, "llvm.fabs", y), real(e, x, INFINITY)), "");
    is_one = LLVMBuildOr(e->builder, is_one, is_turning, "");
    return narrow(e, where(e, is_one, one, z), base);
}
