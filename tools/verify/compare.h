// SPDX-License-Identifier: Apache-2.0
/* Closeness by the rules of the reference data: each remembers the worst violation it saw. */
#ifndef RETORT_TOOLS_VERIFY_COMPARE_H
#define RETORT_TOOLS_VERIFY_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

/* The worst comparison of a case: error divided by what was allowed; above 1 is a failure. */
typedef struct comparison {
    double worst;   /* largest error / allowed */
    double error;   /* the error there */
    char what[160]; /* where: "step 7 loss", "grad of encoder.layer.0..." */
    size_t count;   /* values compared */
} comparison;

bool comparison_passed(const comparison *c);

/* Takes one value: |got - want| <= allowed. NaN equals NaN, infinities their own sign. */
void compare_value(comparison *c, double got, double want, double allowed, const char *what);

/* Every element: |got - want| <= absolute + relative * |want|. */
void compare_elements(comparison *c, const float *got, const float *want, size_t count,
                      double relative, double absolute, const char *what);

/* max |got - want| <= limit * max |want|. */
void compare_to_largest(comparison *c, const float *got, const float *want, size_t count,
                        double limit, const char *what);

/* ||got - want||_2 <= limit * ||want - start||_2: final parameters against how far they moved. */
void compare_update(comparison *c, const float *got, const float *want, const float *start,
                    size_t count, double limit, const char *what);

double largest_magnitude(const float *values, size_t count);

#endif
