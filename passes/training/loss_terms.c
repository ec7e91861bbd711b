// SPDX-License-Identifier: Apache-2.0
#include "passes/training/loss_terms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"

static const char *const kind_texts[RT_LOSS_KIND_COUNT] = {
    [RT_LOSS_HARD] = "hard", [RT_LOSS_SOFT] = "soft", [RT_LOSS_LOGIT_MSE] = "logit_mse"};

const char *rt_loss_kind_text(rt_loss_kind kind) {
    return kind_texts[kind];
}

/* ---- text */

static bool parse_kind(const char *text, size_t length, rt_loss_kind *kind) {
    for (int i = 0; i < RT_LOSS_KIND_COUNT; ++i) {
        if (strlen(kind_texts[i]) != length || memcmp(kind_texts[i], text, length) != 0) continue;
        *kind = (rt_loss_kind)i;
        return true;
    }
    return false;
}

/* One word in the parentheses: a temperature or a reduction. */
static rt_status parse_word(const char *word, size_t length, rt_loss_term *term, rt_error *error) {
    char *end;
    double number = strtod(word, &end);
    bool is_mean = length == 4 && memcmp(word, "mean", 4) == 0;
    bool is_batchmean = length == 9 && memcmp(word, "batchmean", 9) == 0;
    bool is_number = end == word + length && isfinite(number) && number > 0;
    if (is_mean || is_batchmean) {
        term->averages_over_classes = is_mean;
    } else if (is_number && term->kind == RT_LOSS_SOFT) {
        term->temperature = number;
    } else {
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "'%.*s' in a %s term must be mean or batchmean%s", (int)length, word,
                       kind_texts[term->kind],
                       term->kind == RT_LOSS_SOFT ? ", or a temperature above 0" : "");
    }
    return RT_OK;
}

/* "0.9*soft(4 mean)" from *text, up to '+' or the end. */
static rt_status parse_term(const char **text, rt_loss_term *term, rt_error *error) {
    const char *at = *text;
    size_t number = strcspn(at, "*+(");
    *term = (rt_loss_term){.weight = 1, .temperature = 1};
    if (at[number] == '*') {
        char *end;
        term->weight = strtod(at, &end);
        if (end != at + number || number == 0 || !isfinite(term->weight) || term->weight < 0)
            return rt_fail(error, RT_INVALID_ARGUMENT,
                           "the weight '%.*s' must be a number of at least 0", (int)number, at);
        at += number + 1;
    }
    size_t length = strcspn(at, "(+");
    if (!parse_kind(at, length, &term->kind))
        return rt_fail(error, RT_INVALID_ARGUMENT, "'%.*s' must be hard, soft or logit_mse",
                       (int)length, at);
    at += length;
    if (*at == '(') {
        for (++at; *at && *at != ')'; at += strspn(at, " ")) {
            size_t word = strcspn(at, " )");
            RT_TRY(parse_word(at, word, term, error));
            at += word;
        }
        if (*at++ != ')')
            return rt_fail(error, RT_INVALID_ARGUMENT, "a ( is not closed in '%s'", *text);
    }
    *text = at;
    return RT_OK;
}

rt_status rt_loss_terms_parse(const char *text, rt_loss_term *terms, size_t *count,
                              rt_error *error) {
    *count = 0;
    for (;;) {
        if (*count == RT_MAX_LOSS_TERMS)
            return rt_fail(error, RT_INVALID_ARGUMENT, "there are more than %d terms",
                           RT_MAX_LOSS_TERMS);
        RT_TRY(parse_term(&text, &terms[(*count)++], error));
        if (!*text) return RT_OK;
        if (*text++ != '+')
            return rt_fail(error, RT_INVALID_ARGUMENT, "terms must be joined by +, not '%s'",
                           text - 1);
    }
}

/* ---- graph */

/* sum / rows, or sum / (rows * classes). */
static rt_value average(rt_builder *b, rt_value sum, rt_type type, bool over_classes) {
    rt_value rows = rt_build_dim_as(b, type.dims[0], RT_F32);
    if (over_classes) rows = rt_build_mul(b, rows, rt_build_dim_as(b, type.dims[1], RT_F32));
    return rt_build_div(b, sum, rows);
}

/* -1/B sum_i log softmax(z_i)[label_i]; the class is picked by comparison, not by a gather, so that
 * forward and gradient are loops over the logits' rows. */
static rt_value cross_entropy(rt_builder *b, rt_value logits, rt_value labels) {
    rt_type type = rt_builder_type(b, logits);
    rt_dim column[2] = {type.dims[0], rt_module_constant_dim(b->module, 1)};
    rt_value classes = rt_build_iota(b, RT_I32, 1, rt_type_with_dtype(type, RT_I32));
    rt_value is_label = rt_build_equal(b, classes, rt_build_reshape(b, labels, column, 2));
    rt_value zero = rt_build_scalar(b, RT_F32, 0);
    rt_value picked = rt_build_select(b, is_label, rt_build_log_softmax(b, logits), zero);
    return rt_build_neg(b, average(b, rt_build_sum_all(b, picked), type, false));
}

static rt_value squared_error(rt_builder *b, rt_value x, rt_value y, bool over_classes) {
    rt_value difference = rt_build_sub(b, x, y);
    rt_value sum = rt_build_sum_all(b, rt_build_mul(b, difference, difference));
    return average(b, sum, rt_builder_type(b, x), over_classes);
}

/* T^2/B sum p_t (log p_t - log p_s), p = softmax(z / T). */
static rt_value soft_divergence(rt_builder *b, const rt_loss_term *term, rt_value student,
                                rt_value teacher) {
    double inverse = 1 / term->temperature;
    rt_value ours = rt_build_log_softmax(b, rt_build_scale(b, student, inverse));
    rt_value theirs = rt_build_log_softmax(b, rt_build_scale(b, teacher, inverse));
    rt_value excess = rt_build_mul(b, rt_build_exp(b, theirs), rt_build_sub(b, theirs, ours));
    rt_value mean = average(b, rt_build_sum_all(b, excess), rt_builder_type(b, student),
                            term->averages_over_classes);
    return rt_build_scale(b, mean, term->temperature * term->temperature);
}

/* A regression is told by the type of its labels. */
static rt_value hard_loss(rt_builder *b, rt_value logits, rt_value labels) {
    rt_type type = rt_builder_type(b, logits);
    rt_type label_type = rt_builder_type(b, labels);
    if (label_type.dtype != RT_F32) return cross_entropy(b, logits, labels);
    rt_dim column[2] = {type.dims[0], rt_module_constant_dim(b->module, 1)};
    return squared_error(b, logits, rt_build_reshape(b, labels, column, 2), false);
}

rt_value rt_build_loss_term(rt_builder *b, const rt_loss_term *term, rt_value student,
                            rt_value teacher, rt_value labels) {
    switch (term->kind) {
    case RT_LOSS_HARD: return hard_loss(b, student, labels);
    case RT_LOSS_SOFT: return soft_divergence(b, term, student, teacher);
    case RT_LOSS_LOGIT_MSE: return squared_error(b, student, teacher, term->averages_over_classes);
    case RT_LOSS_KIND_COUNT: break;
    }
    return RT_NO_VALUE;
}
