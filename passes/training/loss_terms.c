// SPDX-License-Identifier: Apache-2.0
#include "passes/training/loss_terms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"

/* The forms that a kind compares, as bits. */
enum {
    LOGITS = 1 << RT_FORM_LOGITS,
    STATES = 1 << RT_FORM_STATES | 1 << RT_FORM_FIRST,
    SCORES = 1 << RT_FORM_SCORES
};

static const struct {
    const char *text;
    unsigned forms;
    bool has_reduction, is_mean; /* by default */
} kinds[RT_LOSS_KIND_COUNT] = {
    [RT_LOSS_HARD] = {"hard", LOGITS, false, false},
    [RT_LOSS_SOFT] = {"soft", LOGITS, true, false},
    [RT_LOSS_SOFT_CROSS_ENTROPY] = {"soft_cross_entropy", LOGITS, true, false},
    [RT_LOSS_LOGIT_MSE] = {"logit_mse", LOGITS, true, false},
    [RT_LOSS_MSE] = {"mse", STATES | SCORES, true, true},
    [RT_LOSS_COSINE] = {"cosine", STATES, false, false},
    [RT_LOSS_NORMALISED_MSE] = {"normalised_mse", STATES, true, false},
    [RT_LOSS_KL] = {"kl", SCORES, false, false},
};

static const char *const form_texts[] = {
    [RT_FORM_STATES] = "states", [RT_FORM_FIRST] = "first", [RT_FORM_SCORES] = "scores"};

const char *rt_loss_kind_text(rt_loss_kind kind) {
    return kinds[kind].text;
}

bool rt_loss_reads_logits(const rt_loss_term *term) {
    return term->form == RT_FORM_LOGITS;
}

/* ---- text */

typedef struct term_reader {
    const char *at;
    rt_arena *arena;
    rt_loss_term *term;
    size_t pair_room;
    rt_error *error;
} term_reader;

static rt_status parse_kind(term_reader *r, size_t length) {
    const char *names = "";
    for (int i = 0; i < RT_LOSS_KIND_COUNT && names; ++i) {
        bool is_this = strlen(kinds[i].text) == length && memcmp(kinds[i].text, r->at, length) == 0;
        names = rt_arena_format(r->arena, "%s%s%s", names,
                                i == 0                        ? ""
                                : i == RT_LOSS_KIND_COUNT - 1 ? " or "
                                                              : ", ",
                                kinds[i].text);
        if (!is_this) continue;
        r->term->kind = (rt_loss_kind)i;
        r->term->averages_over_columns = kinds[i].is_mean;
        r->term->name = kinds[i].text;
        return RT_OK;
    }
    return rt_fail(r->error, RT_INVALID_ARGUMENT, "'%.*s' must be %s", (int)length, r->at,
                   names ? names : "");
}

static bool parse_form(rt_loss_term *term, const char *word) {
    for (int i = RT_FORM_STATES; i <= RT_FORM_SCORES; ++i) {
        if (strcmp(form_texts[i], word) != 0 || !(kinds[term->kind].forms & 1u << i)) continue;
        term->form = (rt_loss_form)i;
        return true;
    }
    return false;
}

/* "key=value" of what only terms over intermediate values have. */
static bool parse_assignment(rt_loss_term *term, const char *word) {
    const char *value = strchr(word, '=');
    size_t length = value ? (size_t)(value - word) : 0;
    bool is_fit = length == 3 && memcmp(word, "fit", 3) == 0;
    bool is_map = length == 3 && memcmp(word, "map", 3) == 0;
    if (!value || !value[1]) return false;
    if (is_fit || is_map) {
        term->projection = value + 1;
        term->projection_has_bias = is_fit;
        return term->form != RT_FORM_SCORES;
    }
    if (length == 2 && memcmp(word, "as", 2) == 0) {
        term->name = value + 1;
        return true;
    }
    char *end;
    term->heads = strtoll(value + 1, &end, 10);
    return length == 5 && memcmp(word, "heads", 5) == 0 && !*end && term->heads > 0;
}

static bool parse_pair(term_reader *r, const char *word) {
    rt_loss_term *term = r->term;
    if (!strchr(word, ':')) return false;
    const char **pairs =
        rt_arena_grow(r->arena, term->pairs, &r->pair_room, term->pair_count + 1, sizeof *pairs);
    if (!pairs) return false;
    term->pairs = pairs;
    pairs[term->pair_count++] = word;
    return true;
}

static bool has_temperature(const rt_loss_term *term) {
    return term->kind == RT_LOSS_SOFT || term->kind == RT_LOSS_SOFT_CROSS_ENTROPY;
}

static bool parse_temperature(rt_loss_term *term, const char *word) {
    char *end;
    double number = strtod(word, &end);
    bool is_number = !*end && end > word && isfinite(number) && number > 0;
    if (is_number) term->temperature = number;
    return is_number;
}

static bool parse_reduction(rt_loss_term *term, const char *word) {
    bool is_mean = strcmp(word, "mean") == 0;
    if (!is_mean && strcmp(word, "batchmean") != 0) return false;
    term->averages_over_columns = is_mean;
    return true;
}

/* One word in the parentheses. */
static rt_status parse_word(term_reader *r, size_t length) {
    rt_loss_term *term = r->term;
    bool has_features = !(kinds[term->kind].forms & LOGITS);
    const char *word = rt_arena_copy_text(r->arena, r->at, length);
    if (!word) return rt_fail(r->error, RT_OUT_OF_MEMORY, "out of memory");
    if (kinds[term->kind].has_reduction && parse_reduction(term, word)) return RT_OK;
    if (has_temperature(term) && parse_temperature(term, word)) return RT_OK;
    if (has_temperature(term) && strcmp(word, "masked") == 0) {
        term->is_of_masked = true;
        return RT_OK;
    }
    if (has_features &&
        (parse_form(term, word) || parse_assignment(term, word) || parse_pair(r, word)))
        return RT_OK;
    if (has_features && strcmp(word, "all") == 0) {
        term->counts_padding = true;
        return RT_OK;
    }
    return rt_fail(r->error, RT_INVALID_ARGUMENT, "'%s' says nothing of a %s term%s%s%s", word,
                   kinds[term->kind].text,
                   kinds[term->kind].has_reduction ? "; it takes mean or batchmean" : "",
                   has_temperature(term) ? ", and a temperature above 0" : "",
                   has_features ? "; it takes states, first or scores, pairs A:B, fit=NAME, "
                                  "map=NAME, heads=N, all, as=NAME"
                                : "");
}

/* A term over intermediate values says which, and scores how many heads they have. */
static rt_status check_term(const term_reader *r) {
    const rt_loss_term *term = r->term;
    const char *kind = kinds[term->kind].text;
    if (kinds[term->kind].forms & LOGITS) return RT_OK;
    if (rt_loss_reads_logits(term))
        return rt_fail(r->error, RT_INVALID_ARGUMENT, "a %s term compares %s", kind,
                       term->kind == RT_LOSS_MSE  ? "states, first or scores"
                       : term->kind == RT_LOSS_KL ? "scores"
                                                  : "states or first");
    if (!term->pair_count)
        return rt_fail(r->error, RT_INVALID_ARGUMENT, "a %s term names no pair A:B", kind);
    if (term->form == RT_FORM_SCORES && !term->heads)
        return rt_fail(r->error, RT_INVALID_ARGUMENT, "a %s term over scores lacks heads=N", kind);
    return RT_OK;
}

static rt_status parse_weight(term_reader *r) {
    size_t number = strcspn(r->at, "*+(");
    char *end;
    if (r->at[number] != '*') return RT_OK;
    double weight = r->term->weight = strtod(r->at, &end);
    if (end != r->at + number || number == 0 || !isfinite(weight) || weight < 0)
        return rt_fail(r->error, RT_INVALID_ARGUMENT,
                       "the weight '%.*s' must be a number of at least 0", (int)number, r->at);
    r->at += number + 1;
    return RT_OK;
}

/* "0.9*soft(4 mean)", up to '+' or the end. */
static rt_status parse_term(term_reader *r) {
    const char *start = r->at;
    *r->term = (rt_loss_term){.weight = 1, .temperature = 1};
    r->pair_room = 0;
    RT_TRY(parse_weight(r));
    size_t length = strcspn(r->at, "(+");
    RT_TRY(parse_kind(r, length));
    r->at += length;
    if (*r->at == '(') {
        for (++r->at; *r->at && *r->at != ')'; r->at += strspn(r->at, " ")) {
            size_t word = strcspn(r->at, " )");
            RT_TRY(parse_word(r, word));
            r->at += word;
        }
        if (*r->at++ != ')')
            return rt_fail(r->error, RT_INVALID_ARGUMENT, "a ( is not closed in '%s'", start);
    }
    return check_term(r);
}

rt_status rt_loss_terms_parse(const char *text, rt_arena *arena, rt_loss_term *terms, size_t *count,
                              rt_error *error) {
    term_reader r = {.at = text, .arena = arena, .error = error};
    *count = 0;
    for (;;) {
        if (*count == RT_MAX_LOSS_TERMS)
            return rt_fail(error, RT_INVALID_ARGUMENT, "there are more than %d terms",
                           RT_MAX_LOSS_TERMS);
        r.term = &terms[(*count)++];
        RT_TRY(parse_term(&r));
        if (!*r.at) return RT_OK;
        if (*r.at++ != '+')
            return rt_fail(error, RT_INVALID_ARGUMENT, "terms must be joined by +, not '%s'",
                           r.at - 1);
    }
}

/* ---- graph */

enum { OVER_CLASSES = 1, MAY_BE_EMPTY = 2 }; /* bits: how to average */

static unsigned how_to_average(const rt_loss_term *term) {
    return (term->averages_over_columns ? OVER_CLASSES : 0) |
           (term->is_of_masked ? MAY_BE_EMPTY : 0);
}

/* sum / rows, or sum / (rows * classes); of no rows 0. */
static rt_value average(rt_builder *b, rt_value sum, rt_type type, unsigned how) {
    rt_value rows = rt_build_dim_as(b, type.dims[0], RT_F32);
    if (how & MAY_BE_EMPTY) rows = rt_build_maximum(b, rows, rt_build_scalar(b, RT_F32, 1));
    if (how & OVER_CLASSES) rows = rt_build_mul(b, rows, rt_build_dim_as(b, type.dims[1], RT_F32));
    return rt_build_div(b, sum, rows);
}

/* Whether the column is the row's label, of values of `type`: by comparison, not by a gather, so
 * that forward and gradient are loops over the logits' rows. */
static rt_value is_label(rt_builder *b, rt_type type, rt_value labels) {
    rt_dim column[2] = {type.dims[0], rt_module_constant_dim(b->module, 1)};
    rt_value classes = rt_build_iota(b, RT_I32, 1, rt_type_with_dtype(type, RT_I32));
    return rt_build_equal(b, classes, rt_build_reshape(b, labels, column, 2));
}

/* -1/B sum_i log softmax(z_i)[label_i] */
static rt_value cross_entropy(rt_builder *b, rt_value logits, rt_value labels, unsigned how) {
    rt_type type = rt_builder_type(b, logits);
    rt_value is_own = is_label(b, type, labels), zero = rt_build_scalar(b, RT_F32, 0);
    rt_value picked = rt_build_select(b, is_own, rt_build_log_softmax(b, logits), zero);
    return rt_build_neg(b, average(b, rt_build_sum_all(b, picked), type, how));
}

static rt_value squared_error(rt_builder *b, rt_value x, rt_value y, unsigned how) {
    rt_value difference = rt_build_sub(b, x, y);
    rt_value sum = rt_build_sum_all(b, rt_build_mul(b, difference, difference));
    return average(b, sum, rt_builder_type(b, x), how);
}

/* T^2/B sum p_t (log p_t - log p_s), p = softmax(z / T). */
static rt_value soft_divergence(rt_builder *b, const rt_loss_term *term, rt_value student,
                                rt_value teacher) {
    double inverse = 1 / term->temperature;
    rt_value ours = rt_build_log_softmax(b, rt_build_scale(b, student, inverse));
    rt_value theirs = rt_build_log_softmax(b, rt_build_scale(b, teacher, inverse));
    rt_value excess = rt_build_mul(b, rt_build_exp(b, theirs), rt_build_sub(b, theirs, ours));
    rt_value mean =
        average(b, rt_build_sum_all(b, excess), rt_builder_type(b, student), how_to_average(term));
    return rt_build_scale(b, mean, term->temperature * term->temperature);
}

/* -1/B sum p_t log p_s */
static rt_value soft_cross_entropy(rt_builder *b, const rt_loss_term *term, rt_value student,
                                   rt_value teacher) {
    double inverse = 1 / term->temperature;
    rt_value ours = rt_build_log_softmax(b, rt_build_scale(b, student, inverse));
    rt_value theirs = rt_build_softmax(b, rt_build_scale(b, teacher, inverse));
    rt_value sum = rt_build_sum_all(b, rt_build_mul(b, theirs, ours));
    return rt_build_neg(b, average(b, sum, rt_builder_type(b, student), how_to_average(term)));
}

/* A regression is told by the type of its labels. */
static rt_value hard_loss(rt_builder *b, rt_value logits, rt_value labels, unsigned how) {
    rt_type type = rt_builder_type(b, logits);
    rt_type label_type = rt_builder_type(b, labels);
    if (label_type.dtype != RT_F32) return cross_entropy(b, logits, labels, how);
    rt_dim column[2] = {type.dims[0], rt_module_constant_dim(b->module, 1)};
    return squared_error(b, logits, rt_build_reshape(b, labels, column, 2), how);
}

rt_value rt_build_loss_term(rt_builder *b, const rt_loss_term *term, rt_value student,
                            rt_value teacher, rt_value labels) {
    switch (term->kind) {
    case RT_LOSS_HARD: return hard_loss(b, student, labels, how_to_average(term));
    case RT_LOSS_SOFT: return soft_divergence(b, term, student, teacher);
    case RT_LOSS_SOFT_CROSS_ENTROPY: return soft_cross_entropy(b, term, student, teacher);
    case RT_LOSS_LOGIT_MSE: return squared_error(b, student, teacher, how_to_average(term));
    default: break;
    }
    return RT_NO_VALUE;
}

/* A row is right where no logit is above its label's. */
rt_value rt_build_accuracy(rt_builder *b, rt_value logits, rt_value labels) {
    const int64_t last = -1;
    rt_value largest = rt_build_reduce(b, RT_OP_reduce_max, logits, &last, 1, false);
    rt_value is_own = is_label(b, rt_builder_type(b, logits), labels);
    rt_value picked = rt_build_select(b, is_own, logits, rt_build_scalar(b, RT_F32, 0));
    rt_value own = rt_build_sum_last(b, picked, false);
    rt_value is_right = rt_build_cast(b, rt_build_less_equal(b, largest, own), RT_F32);
    return average(b, rt_build_sum_all(b, is_right), rt_builder_type(b, logits), MAY_BE_EMPTY);
}
