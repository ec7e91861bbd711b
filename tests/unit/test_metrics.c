// SPDX-License-Identifier: Apache-2.0
#include "runtime/text/metrics.h"

#include <math.h>

#include "tests/support/test.h"

static double of_classes(rt_metric metric, const int32_t *predicted, const int32_t *truth,
                         size_t count) {
    double value = -99;
    rt_answers answers = {.count = count, .predicted_classes = predicted, .true_classes = truth};
    CU_ASSERT_EQUAL(rt_metric_compute(metric, &answers, &value), RT_OK);
    return value;
}

static double of_scores(rt_metric metric, const float *predicted, const float *truth,
                        size_t count) {
    double value = -99;
    rt_answers answers = {.count = count, .predicted_scores = predicted, .true_scores = truth};
    CU_ASSERT_EQUAL(rt_metric_compute(metric, &answers, &value), RT_OK);
    return value;
}

static bool is_near(double got, double want) {
    return test_is_close(got, want, 0, 1e-12);
}

/* TP 3, FP 1, FN 2, TN 4. */
static void test_hand_counted_confusion(void) {
    static const int32_t predicted[] = {1, 1, 1, 1, 0, 0, 0, 0, 0, 0};
    static const int32_t truth[] = {1, 1, 1, 0, 1, 1, 0, 0, 0, 0};
    CU_ASSERT_TRUE(is_near(of_classes(RT_METRIC_ACCURACY, predicted, truth, 10), 0.7));
    CU_ASSERT_TRUE(is_near(of_classes(RT_METRIC_F1, predicted, truth, 10), 6.0 / 9));
    CU_ASSERT_TRUE(is_near(of_classes(RT_METRIC_MATTHEWS, predicted, truth, 10),
                           (3.0 * 4 - 1 * 2) / sqrt(4.0 * 5 * 5 * 6)));
}

static void test_matthews_of_extremes(void) {
    static const int32_t truth[] = {0, 1, 1, 0, 1};
    static const int32_t inverted[] = {1, 0, 0, 1, 0};
    static const int32_t constant[] = {1, 1, 1, 1, 1};
    CU_ASSERT_TRUE(is_near(of_classes(RT_METRIC_MATTHEWS, truth, truth, 5), 1));
    CU_ASSERT_TRUE(is_near(of_classes(RT_METRIC_MATTHEWS, inverted, truth, 5), -1));
    CU_ASSERT_EQUAL(of_classes(RT_METRIC_MATTHEWS, constant, truth, 5), 0);
    CU_ASSERT_EQUAL(of_classes(RT_METRIC_MATTHEWS, truth, constant, 5), 0);
}

static void test_f1_of_extremes(void) {
    static const int32_t none[] = {0, 0, 0}, all[] = {1, 1, 1}, one[] = {0, 1, 0};
    CU_ASSERT_EQUAL(of_classes(RT_METRIC_F1, none, none, 3), 0);
    CU_ASSERT_EQUAL(of_classes(RT_METRIC_F1, none, all, 3), 0);
    CU_ASSERT_TRUE(is_near(of_classes(RT_METRIC_F1, all, one, 3), 0.5));
    CU_ASSERT_TRUE(is_near(of_classes(RT_METRIC_F1, all, all, 3), 1));
}

static void test_accuracy_of_many_classes(void) {
    static const int32_t predicted[] = {0, 5, 2, 3}, truth[] = {0, 5, 3, 2};
    CU_ASSERT_EQUAL(of_classes(RT_METRIC_ACCURACY, predicted, truth, 4), 0.5);
    CU_ASSERT_EQUAL(of_classes(RT_METRIC_ACCURACY, predicted, truth, 0), 0);
}

/* Anscombe (1973), "Graphs in statistical analysis": the first set's correlation is 0.81642. */
static void test_pearson_of_anscombe(void) {
    static const float x[] = {10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5};
    static const float y[] = {8.04f, 6.95f, 7.58f,  8.81f, 8.33f, 9.96f,
                              7.24f, 4.26f, 10.84f, 4.82f, 5.68f};
    CU_ASSERT_TRUE(test_is_close(of_scores(RT_METRIC_PEARSON, x, y, 11), 0.81642, 0, 1e-5));
    float scaled[11], flipped[11];
    for (int i = 0; i < 11; ++i) scaled[i] = 3 * x[i] + 100, flipped[i] = -x[i];
    double r = of_scores(RT_METRIC_PEARSON, x, y, 11);
    CU_ASSERT_TRUE(is_near(of_scores(RT_METRIC_PEARSON, scaled, y, 11), r));
    CU_ASSERT_TRUE(is_near(of_scores(RT_METRIC_PEARSON, flipped, y, 11), -r));
}

static void test_spearman(void) {
    static const float x[] = {1, 2, 3, 4, 5}, y[] = {5, 6, 7, 8, 7};
    /* ranks of y: 1 2 3.5 5 3.5; by hand sum dx dy = 8, sum dx² = 10, sum dy² = 9.5 */
    CU_ASSERT_TRUE(is_near(of_scores(RT_METRIC_SPEARMAN, x, y, 5), 8 / sqrt(95)));
    float curved[5];
    for (int i = 0; i < 5; ++i) curved[i] = expf(x[i]) - 3;
    CU_ASSERT_TRUE(is_near(of_scores(RT_METRIC_SPEARMAN, curved, y, 5), 8 / sqrt(95)));
    CU_ASSERT_TRUE(is_near(of_scores(RT_METRIC_SPEARMAN, curved, x, 5), 1));
}

static void test_scores_of_extremes(void) {
    static const float flat[] = {2, 2, 2}, x[] = {1, 2, 4}, broken[] = {1, NAN, 2};
    CU_ASSERT_EQUAL(of_scores(RT_METRIC_PEARSON, flat, x, 3), 0);
    CU_ASSERT_EQUAL(of_scores(RT_METRIC_SPEARMAN, x, flat, 3), 0);
    CU_ASSERT_TRUE(isnan(of_scores(RT_METRIC_PEARSON, broken, x, 3)));
    CU_ASSERT_TRUE(isnan(of_scores(RT_METRIC_SPEARMAN, broken, x, 3)));
    CU_ASSERT_TRUE(is_near(of_scores(RT_METRIC_MSE, flat, x, 3), 5.0 / 3));
}

static void test_names_and_directions(void) {
    rt_metric metric;
    for (int i = 0; i < RT_METRIC_COUNT; ++i) {
        CU_ASSERT_TRUE(rt_metric_from_name(rt_metric_name((rt_metric)i), &metric));
        CU_ASSERT_EQUAL((int)metric, i);
    }
    CU_ASSERT_FALSE(rt_metric_from_name("bleu", &metric));
    CU_ASSERT_TRUE(rt_metric_is_better(RT_METRIC_F1, 0.8, 0.7));
    CU_ASSERT_FALSE(rt_metric_is_better(RT_METRIC_F1, 0.7, 0.7));
    CU_ASSERT_TRUE(rt_metric_is_better(RT_METRIC_MSE, 0.7, 0.8));
    CU_ASSERT_TRUE(rt_metric_is_better(RT_METRIC_PEARSON, -1, NAN));
    CU_ASSERT_FALSE(rt_metric_is_better(RT_METRIC_PEARSON, NAN, -1));
}

static void test_largest_logit(void) {
    static const float logits[][3] = {{1, 3, 2}, {2, 2, 1}, {NAN, -5, -4}, {-1, NAN, 0}};
    static const int32_t largest[] = {1, 0, 2, 2};
    for (int i = 0; i < 4; ++i) CU_ASSERT_EQUAL(rt_largest_logit(logits[i], 3), largest[i]);
}

TEST_MAIN("metrics", TEST(test_hand_counted_confusion), TEST(test_matthews_of_extremes),
          TEST(test_f1_of_extremes), TEST(test_accuracy_of_many_classes),
          TEST(test_pearson_of_anscombe), TEST(test_spearman), TEST(test_scores_of_extremes),
          TEST(test_names_and_directions), TEST(test_largest_logit))
