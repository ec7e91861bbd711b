// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/metrics.h"

#include <math.h>

#include "runtime/base/check.h"

enum { VALUES_CLASSES, VALUES_SCORES, VALUES_TOKENS };
enum { BETTER_HIGHER, BETTER_LOWER };

static const struct metric_row {
    const char *name;
    const char *text;
    int values;
    int better;
} rows[] = {
#define METRIC(id, name, values, better, text) {name, text, VALUES_##values, BETTER_##better},
#include "runtime/text/metrics.def"
#undef METRIC
};

const char *rt_metric_name(rt_metric metric) {
    RT_ASSERT((unsigned)metric < RT_METRIC_COUNT);
    return rows[metric].name;
}

const char *rt_metric_text(rt_metric metric) {
    RT_ASSERT((unsigned)metric < RT_METRIC_COUNT);
    return rows[metric].text;
}

bool rt_metric_is_of_scores(rt_metric metric) {
    RT_ASSERT((unsigned)metric < RT_METRIC_COUNT);
    return rows[metric].values == VALUES_SCORES;
}

bool rt_metric_is_of_tokens(rt_metric metric) {
    RT_ASSERT((unsigned)metric < RT_METRIC_COUNT);
    return rows[metric].values == VALUES_TOKENS;
}

bool rt_metric_from_name(const char *name, rt_metric *metric) {
    for (size_t i = 0; i < RT_METRIC_COUNT; ++i) {
        if (strcmp(rows[i].name, name) != 0) continue;
        *metric = (rt_metric)i;
        return true;
    }
    return false;
}

bool rt_metric_is_better(rt_metric metric, double value, double best) {
    RT_ASSERT((unsigned)metric < RT_METRIC_COUNT);
    if (isnan(value) || isnan(best)) return !isnan(value);
    return rows[metric].better == BETTER_HIGHER ? value > best : value < best;
}

/* Counts of class 1 against the rest. */
typedef struct confusion {
    double true_positive, false_positive, false_negative, true_negative;
} confusion;

static confusion confuse(const rt_answers *answers) {
    confusion counts = {0};
    for (size_t i = 0; i < answers->count; ++i) {
        bool is_predicted = answers->predicted_classes[i] == 1;
        bool is_true = answers->true_classes[i] == 1;
        if (is_predicted)
            *(is_true ? &counts.true_positive : &counts.false_positive) += 1;
        else
            *(is_true ? &counts.false_negative : &counts.true_negative) += 1;
    }
    return counts;
}

static rt_status compute_accuracy(const rt_answers *answers, double *value) {
    size_t right = 0;
    for (size_t i = 0; i < answers->count; ++i)
        right += answers->predicted_classes[i] == answers->true_classes[i];
    *value = (double)right / (double)answers->count;
    return RT_OK;
}

static rt_status compute_f1(const rt_answers *answers, double *value) {
    confusion c = confuse(answers);
    double below = 2 * c.true_positive + c.false_positive + c.false_negative;
    *value = below > 0 ? 2 * c.true_positive / below : 0;
    return RT_OK;
}

static rt_status compute_matthews(const rt_answers *answers, double *value) {
    confusion c = confuse(answers);
    double root =
        sqrt(c.true_positive + c.false_positive) * sqrt(c.true_positive + c.false_negative) *
        sqrt(c.true_negative + c.false_positive) * sqrt(c.true_negative + c.false_negative);
    double above = c.true_positive * c.true_negative - c.false_positive * c.false_negative;
    *value = root > 0 ? above / root : 0;
    return RT_OK;
}

static double correlate(const double *x, const double *y, size_t count) {
    double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < count; ++i) mean_x += x[i], mean_y += y[i];
    mean_x /= (double)count, mean_y /= (double)count;
    for (size_t i = 0; i < count; ++i) {
        double dx = x[i] - mean_x, dy = y[i] - mean_y;
        xx += dx * dx, yy += dy * dy, xy += dx * dy;
    }
    if (xx == 0 || yy == 0) return 0;
    return xy / (sqrt(xx) * sqrt(yy));
}

typedef struct ranked {
    double value;
    size_t index;
} ranked;

static int compare_ranked(const void *a, const void *b) {
    double x = ((const ranked *)a)->value, y = ((const ranked *)b)->value;
    return (x > y) - (x < y);
}

/* Replaces values[count] by their ranks from 1, equal values sharing the mean of their ranks. */
static void rank_values(double *values, ranked *order, size_t count) {
    for (size_t i = 0; i < count; ++i) order[i] = (ranked){values[i], i};
    qsort(order, count, sizeof *order, compare_ranked);
    for (size_t first = 0; first < count;) {
        size_t end = first + 1;
        while (end < count && order[end].value == order[first].value) ++end;
        double rank = ((double)first + 1 + (double)end) / 2;
        for (; first < end; ++first) values[order[first].index] = rank;
    }
}

static bool copy_scores(const float *from, size_t count, double *to) {
    bool has_nan = false;
    for (size_t i = 0; i < count; ++i) {
        to[i] = from[i];
        has_nan = has_nan || isnan(to[i]);
    }
    return !has_nan;
}

static rt_status compute_correlation(const rt_answers *answers, bool is_of_ranks, double *value) {
    size_t count = answers->count;
    double *x = calloc(count, sizeof *x), *y = calloc(count, sizeof *y);
    ranked *order = calloc(count, sizeof *order);
    rt_status status = RT_OUT_OF_MEMORY;
    if (x && y && order) {
        status = RT_OK;
        bool is_number = copy_scores(answers->predicted_scores, count, x);
        is_number = copy_scores(answers->true_scores, count, y) && is_number;
        if (is_number && is_of_ranks) rank_values(x, order, count), rank_values(y, order, count);
        *value = is_number ? correlate(x, y, count) : NAN;
    }
    free(order);
    free(y);
    free(x);
    return status;
}

static rt_status compute_pearson(const rt_answers *answers, double *value) {
    return compute_correlation(answers, false, value);
}

static rt_status compute_spearman(const rt_answers *answers, double *value) {
    return compute_correlation(answers, true, value);
}

static rt_status compute_mse(const rt_answers *answers, double *value) {
    double sum = 0;
    for (size_t i = 0; i < answers->count; ++i) {
        double error = (double)answers->predicted_scores[i] - (double)answers->true_scores[i];
        sum += error * error;
    }
    *value = sum / (double)answers->count;
    return RT_OK;
}

static rt_status compute_perplexity(const rt_answers *answers, double *value) {
    *value = exp(answers->loss);
    return RT_OK;
}

rt_status rt_metric_compute(rt_metric metric, const rt_answers *answers, double *value) {
    static rt_status (*const compute[])(const rt_answers *, double *) = {
        [RT_METRIC_ACCURACY] = compute_accuracy,     [RT_METRIC_F1] = compute_f1,
        [RT_METRIC_MATTHEWS] = compute_matthews,     [RT_METRIC_PEARSON] = compute_pearson,
        [RT_METRIC_SPEARMAN] = compute_spearman,     [RT_METRIC_MSE] = compute_mse,
        [RT_METRIC_PERPLEXITY] = compute_perplexity,
    };
    _Static_assert(RT_COUNT_OF(compute) == RT_METRIC_COUNT, "one function per metric");
    RT_ASSERT((unsigned)metric < RT_METRIC_COUNT);
    if (!answers->count) {
        *value = 0;
        return RT_OK;
    }
    return compute[metric](answers, value);
}

int32_t rt_largest_logit(const float *logits, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; ++i)
        if (logits[i] > logits[best] || (isnan(logits[best]) && !isnan(logits[i]))) best = i;
    return (int32_t)best;
}
