// SPDX-License-Identifier: Apache-2.0
/* Recursive descent: sum of products of factors, nested at most 64 deep. */
#include "models/expression.h"

#include <ctype.h>
#include <stdlib.h>

typedef struct reader {
    const char *at;
    rt_expression_lookup lookup;
    void *user;
    int depth;
    bool is_wrong;
} reader;

static double read_sum(reader *r);

static void skip_blanks(reader *r) {
    while (isspace((unsigned char)*r->at)) ++r->at;
}

static bool take(reader *r, char sign) {
    skip_blanks(r);
    if (*r->at != sign) return false;
    ++r->at;
    return true;
}

static double read_name(reader *r) {
    const char *start = r->at;
    double value = 0;
    while (isalnum((unsigned char)*r->at) || *r->at == '_') ++r->at;
    if (!r->lookup(r->user, start, (size_t)(r->at - start), &value)) r->is_wrong = true;
    return value;
}

static double read_factor(reader *r) {
    if (++r->depth > 64) r->is_wrong = true;
    double value = 0;
    skip_blanks(r);
    if (r->is_wrong) {
        value = 0;
    } else if (take(r, '-')) {
        value = -read_factor(r);
    } else if (take(r, '(')) {
        value = read_sum(r);
        if (!take(r, ')')) r->is_wrong = true;
    } else if (isdigit((unsigned char)*r->at) || *r->at == '.') {
        char *end;
        value = strtod(r->at, &end);
        r->at = end;
    } else if (isalpha((unsigned char)*r->at)) {
        value = read_name(r);
    } else {
        r->is_wrong = true;
    }
    --r->depth;
    return value;
}

static double read_product(reader *r) {
    double value = read_factor(r);
    for (;;) {
        if (take(r, '*'))
            value *= read_factor(r);
        else if (take(r, '/'))
            value /= read_factor(r);
        else
            return value;
    }
}

static double read_sum(reader *r) {
    double value = read_product(r);
    for (;;) {
        if (take(r, '+'))
            value += read_product(r);
        else if (take(r, '-'))
            value -= read_product(r);
        else
            return value;
    }
}

rt_status rt_expression_evaluate(const char *text, rt_expression_lookup lookup, void *user,
                                 double *value, rt_error *error) {
    reader r = {.at = text, .lookup = lookup, .user = user};
    *value = read_sum(&r);
    skip_blanks(&r);
    if (r.is_wrong || *r.at)
        return rt_fail(error, RT_INVALID_DATA, "'%s' is no expression of known terms, near '%s'",
                       text, r.at);
    return RT_OK;
}
