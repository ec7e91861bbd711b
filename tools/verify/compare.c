// SPDX-License-Identifier: Apache-2.0
#include "tools/verify/compare.h"

#include <math.h>
#include <stdio.h>

bool comparison_passed(const comparison *c) {
    return c->count > 0 && c->worst <= 1;
}

static void take(comparison *c, double error, double allowed, const char *what) {
    double ratio = error == 0 ? 0 : allowed > 0 ? error / allowed : INFINITY;
    if (isnan(error)) ratio = INFINITY;
    if (ratio > c->worst || !c->what[0]) {
        c->worst = ratio;
        c->error = error;
        snprintf(c->what, sizeof c->what, "%s", what);
    }
}

void compare_value(comparison *c, double got, double want, double allowed, const char *what) {
    bool is_same = got == want || (isnan(got) && isnan(want));
    c->count++;
    take(c, is_same ? 0 : fabs(got - want), allowed, what);
}

void compare_elements(comparison *c, const float *got, const float *want, size_t count,
                      double relative, double absolute, const char *what) {
    for (size_t i = 0; i < count; ++i)
        compare_value(c, got[i], want[i], absolute + relative * fabs((double)want[i]), what);
}

double largest_magnitude(const float *values, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; ++i)
        if (fabs((double)values[i]) > largest) largest = fabs((double)values[i]);
    return largest;
}

void compare_to_largest(comparison *c, const float *got, const float *want, size_t count,
                        double limit, const char *what) {
    double allowed = limit * largest_magnitude(want, count);
    for (size_t i = 0; i < count; ++i) compare_value(c, got[i], want[i], allowed, what);
}

void compare_update(comparison *c, const float *got, const float *want, const float *start,
                    size_t count, double limit, const char *what) {
    double error = 0, moved = 0;
    for (size_t i = 0; i < count; ++i) {
        double e = (double)got[i] - want[i], m = (double)want[i] - start[i];
        error += e * e;
        moved += m * m;
    }
    c->count += count;
    take(c, sqrt(error), limit * sqrt(moved), what);
}
