#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Derives the coefficients in vector_math.c by Remez exchange in 60-digit arithmetic.

Each fit minimises the largest error of p(u)/q(u) against a target t(u), relative to a weight
w(u), and prints the coefficients (lowest power first) rounded to the element type. Needs mpmath.
"""
import struct

import mpmath as mp

mp.mp.dps = 60
LN2, HALF_LN2 = mp.log(2), mp.log(2) / 2


def remez(target, weight, low, high, numerator, denominator=0, rounds=30):
    """Coefficients (p, q), q[0] = 1, with |target - p/q| / weight levelled on [low, high]."""
    low, high = mp.mpf(low), mp.mpf(high)
    count = numerator + denominator + 2
    points = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    grid = [(low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / 1500) for i in range(1501)]
    values = [(u, target(u), weight(u)) for u in grid]
    q = [mp.mpf(1)] + [mp.mpf(0)] * denominator
    for _ in range(rounds):
        for _ in range(12 if denominator else 1):
            # p(u) - t(u) (q(u) - 1) + (-1)^i w(u) q_previous(u) error = t(u)
            matrix, right = mp.matrix(count, count), mp.matrix(count, 1)
            for i, u in enumerate(points):
                t = target(u)
                for k in range(numerator + 1):
                    matrix[i, k] = u**k
                for k in range(1, denominator + 1):
                    matrix[i, numerator + k] = -t * u**k
                matrix[i, count - 1] = (-1) ** i * weight(u) * mp.polyval(q[::-1], u)
                right[i] = t
            solution = mp.lu_solve(matrix, right)
            p = [solution[k] for k in range(numerator + 1)]
            q = [mp.mpf(1)] + [solution[numerator + k] for k in range(1, denominator + 1)]
        error = [(mp.polyval(p[::-1], u) / mp.polyval(q[::-1], u) - t) / w for u, t, w in values]
        # The new reference: the largest error of each run of one sign.
        runs = []
        for i, value in enumerate(error):
            if runs and (value > 0) == (error[runs[-1]] > 0):
                if abs(value) > abs(error[runs[-1]]):
                    runs[-1] = i
            else:
                runs.append(i)
        while len(runs) > count:
            runs.pop(0 if abs(error[runs[0]]) < abs(error[runs[-1]]) else -1)
        if len(runs) < count:
            break
        peaks = [abs(error[i]) for i in runs]
        points = [grid[i] for i in runs]
        if max(peaks) < min(peaks) * mp.mpf("1.01"):
            break
    return p, q, max(abs(value) for value in error)


def as_float(value):
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def show(name, fit, single, scale=1):
    p, q, error = fit
    print(f"/* {name}: {mp.nstr(error, 3)} */")
    for label, coefficients in (("p", p), ("q", q)):
        if label == "q" and len(q) == 1:
            continue
        rounded = [as_float(c * scale**k) if single else float(c * scale**k) for k, c in enumerate(coefficients)]
        print(f"  {label}: " + ", ".join(f"{c:.9g}" if single else f"{c:.17g}" for c in rounded))


def from_limit(function, limit):
    return lambda u: function(u) if abs(u) > mp.mpf(10) ** -15 else mp.mpf(limit)


# exp(r) = 1 + r + r^2 p(r), |r| <= ln 2 / 2; error relative to exp(r).
exp_tail = from_limit(lambda r: (mp.exp(r) - 1 - r) / r**2, 0.5)
exp_weight = from_limit(lambda r: mp.exp(r) / r**2, mp.mpf(10) ** 30)


def fit_exp(degree):
    bound = HALF_LN2 * mp.mpf("1.001")
    return remez(exp_tail, lambda r: mp.exp(r) / max(r**2, mp.mpf("1e-4")), -bound, bound, degree)


# exp(r) = 1 + r p(r): one more free coefficient where every instruction counts.
exp_slope = from_limit(lambda r: (mp.exp(r) - 1) / r, 1)
slope_weight = lambda r: mp.exp(r) / max(abs(r), mp.mpf("1e-2"))
slope_bound = HALF_LN2 * mp.mpf("1.001")
show("exp f32, degree 5", remez(exp_slope, slope_weight, -slope_bound, slope_bound, 4), True)
show("exp f32, degree 6", fit_exp(4), True)
show("exp f64, degree 11", fit_exp(9), False)

# log(1+f) = f + f^2 p(f), f in [sqrt(1/2)-1, sqrt(2)-1]; error relative to log(1+f).
log_tail = from_limit(lambda f: (mp.log1p(f) - f) / f**2, mp.mpf(-1) / 2)
log_weight = lambda f: abs(mp.log1p(f)) / max(f * f, mp.mpf("1e-4")) if abs(f) > 0.001 else mp.mpf(10)
show("log f32", remez(log_tail, log_weight, mp.sqrt(0.5) - 1, mp.sqrt(2) - 1, 7), True)
# log(1+f) = 2s + s r(s^2), s = f/(2+f), r(z) = z p(z); error relative to the leading term 2s.
atanh_tail = from_limit(lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z, mp.mpf(2) / 3)
z_bound = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2
show("log f64", remez(atanh_tail, lambda z: 1 / max(z, mp.mpf("1e-4")), 0, z_bound, 6), False)

# tanh(x) = x p(x^2) / q(x^2) up to 9.02, where it rounds to 1; relative error.
tanh_ratio = from_limit(lambda z: mp.tanh(mp.sqrt(z)) / mp.sqrt(z), 1)
show("tanh f32", remez(tanh_ratio, tanh_ratio, 0, mp.mpf("9.02") ** 2, 6, 3), True)
# erf(x) = x p(x^2) / q(x^2) up to 3.8325, where it is 1 - 2^-24; relative error.
erf_ratio = from_limit(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z), 2 / mp.sqrt(mp.pi))
erf_fit = remez(erf_ratio, erf_ratio, 0, mp.mpf("3.8325") ** 2, 6, 4)
show("erf f32", erf_fit, True)
# gelu: erf(x / sqrt 2) / 2 = x p(x^2) / q(x^2).
half = ([c / (2 * mp.sqrt(2)) for c in erf_fit[0]], erf_fit[1], erf_fit[2])
show("gelu f32", half, True, mp.mpf(1) / 2)
# gelu's derivative, less 1/2: x p(x^2) / q(x^2) up to 5.8; absolute error.
slope_ratio = from_limit(
    lambda z: mp.erf(mp.sqrt(z / 2)) / (2 * mp.sqrt(z)) + mp.npdf(mp.sqrt(z)), mp.sqrt(2 / mp.pi))
slope_part = lambda z: 1 / max(mp.sqrt(z), mp.mpf("0.3"))
show("gelu_slope f32", remez(slope_ratio, slope_part, 0, mp.mpf("5.8") ** 2, 7, 5), True)
# f64: a polynomial up to 1, then erfc(x) = exp(-x^2) p(t), t = 1 / (x + 2) up to 6.
show("erf f64 up to 1", remez(erf_ratio, erf_ratio, 0, 1, 12), False)
erfc_scaled = lambda t: mp.exp((1 / t - 2) ** 2) * mp.erfc(1 / t - 2)
show("erf f64 beyond 1", remez(erfc_scaled, lambda t: mp.mpf(1), mp.mpf(1) / 8, mp.mpf(1) / 3, 14), False)

# sin(r) = r + r^3 p(r^2), cos(r) = 1 - r^2/2 + r^4 p(r^2), |r| <= pi/4.
sin_tail = from_limit(lambda z: (mp.sin(mp.sqrt(z)) / mp.sqrt(z) - 1) / z, -mp.mpf(1) / 6)
cos_tail = from_limit(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, mp.mpf(1) / 24)
quarter = (mp.pi / 4 * mp.mpf("1.001")) ** 2
show("sin f64", remez(sin_tail, lambda z: 1 / max(z, mp.mpf("1e-4")), 0, quarter, 5), False)
show("cos f64", remez(cos_tail, lambda z: 1 / max(z**2, mp.mpf("1e-4")), 0, quarter, 5), False)
