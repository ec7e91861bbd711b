// SPDX-License-Identifier: Apache-2.0
/* Figures that say how good a model's answers are. Sums are in double, in the order of the rows. */
#ifndef RETORT_RUNTIME_TEXT_METRICS_H
#define RETORT_RUNTIME_TEXT_METRICS_H

#include "runtime/base/status.h"
#include "runtime/text/buffers.h"

typedef enum rt_metric {
#define METRIC(id, name, values, better, text) RT_METRIC_##id,
#include "runtime/text/metrics.def"
#undef METRIC
    RT_METRIC_COUNT
} rt_metric;

/* A set of metrics: bit m is metric m. */
#define RT_METRIC_BIT(id) (1u << RT_METRIC_##id)

const char *rt_metric_name(rt_metric metric);
const char *rt_metric_text(rt_metric metric); /* a phrase for a person */
bool rt_metric_is_of_scores(rt_metric metric);
bool rt_metric_is_of_tokens(rt_metric metric);
bool rt_metric_from_name(const char *name, rt_metric *metric); /* false where unknown */

/* Whether `value` is better than `best`; a NaN never is, and anything else beats a NaN. */
bool rt_metric_is_better(rt_metric metric, double value, double best);

/* Answers and truth of `count` rows. Metrics of classes read the classes, those of scores the
 * scores, those of tokens the loss; what is not read may be NULL. */
typedef struct rt_answers {
    size_t count;
    const int32_t *predicted_classes; /* [count] */
    const int32_t *true_classes;
    const float *predicted_scores; /* [count] */
    const float *true_scores;
    double loss; /* mean cross-entropy of tokens */
} rt_answers;

/* Accuracy = right / count.
 * F1 = 2 TP / (2 TP + FP + FN) of class 1; 0 where that is 0/0.
 * Matthews = (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN)) of class 1 against the rest; 0
 *   where the root is 0.
 * Pearson = cov(p, t) / (sd p sd t); 0 where one side is constant; NaN where a prediction is NaN.
 * Spearman = Pearson of the ranks, equal values sharing the mean of their ranks.
 * MSE = mean (p - t)².
 * Perplexity = e^loss.
 * No rows give 0. Fails only for want of memory (Spearman's ranks). */
RT_MUST_CHECK rt_status rt_metric_compute(rt_metric metric, const rt_answers *answers,
                                          double *value);

/* Index of the largest of logits[0..count), the lowest of equals; NaN is never the largest. */
int32_t rt_largest_logit(const float *logits, size_t count);

#endif
