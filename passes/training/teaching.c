// SPDX-License-Identifier: Apache-2.0
#include "passes/training/teaching.h"

static rt_value mean_of(rt_builder *b, const rt_value *values, size_t count) {
    rt_value sum = values[0];
    for (size_t i = 1; i < count; ++i) sum = rt_build_add(b, sum, values[i]);
    return rt_build_scale(b, sum, 1 / (double)count);
}

static rt_value log_probability(rt_builder *b, rt_value logits, double temperature) {
    return rt_build_log_softmax(b, rt_build_scale(b, logits, 1 / temperature));
}

/* log of the mean of softmax(z / T), by the largest of each element: no probability underflows. */
static rt_value log_mean_probability(rt_builder *b, const rt_value *logits, size_t count,
                                     double temperature) {
    rt_value largest = RT_NO_VALUE, sum = RT_NO_VALUE;
    for (size_t i = 0; i < count; ++i) {
        rt_value one = log_probability(b, logits[i], temperature);
        largest = i ? rt_build_maximum(b, largest, one) : one;
    }
    for (size_t i = 0; i < count; ++i) {
        rt_value one = log_probability(b, logits[i], temperature);
        rt_value share = rt_build_exp(b, rt_build_sub(b, one, largest));
        sum = i ? rt_build_add(b, sum, share) : share;
    }
    rt_value mean = rt_build_scale(b, sum, 1 / (double)count);
    return rt_build_add(b, largest, rt_build_log(b, mean));
}

/* T log p, so that softmax of a T-th of it is p. */
rt_value rt_build_joint_logits(rt_builder *b, const rt_loss_term *term, const rt_value *teachers,
                               size_t count) {
    bool is_soft = term->kind == RT_LOSS_SOFT || term->kind == RT_LOSS_SOFT_CROSS_ENTROPY;
    if (count == 0) return RT_NO_VALUE;
    if (count == 1) return teachers[0];
    if (!is_soft) return mean_of(b, teachers, count);
    rt_value logs = log_mean_probability(b, teachers, count, term->temperature);
    return rt_build_scale(b, logs, term->temperature);
}

/* bool[B] */
static rt_value has_label(rt_builder *b, rt_value labels) {
    if (rt_builder_type(b, labels).dtype == RT_F32)
        return rt_build_not(b, rt_build_is_nan(b, labels));
    return rt_build_less_equal(b, rt_build_scalar_int(b, RT_I32, 0), labels);
}

static rt_value column(rt_builder *b, rt_value logits) {
    return rt_build_reshape(b, logits, rt_builder_type(b, logits).dims, 1);
}

rt_value rt_build_taught_labels(rt_builder *b, rt_value labels, const rt_value *teachers,
                                size_t count) {
    if (rt_builder_type(b, labels).dtype == RT_F32) {
        rt_value score = column(b, mean_of(b, teachers, count));
        return rt_build_select(b, has_label(b, labels), labels, score);
    }
    rt_attr attrs[2] = {{.integer = 1}, {.integer = false}};
    rt_value joint = count == 1 ? teachers[0] : log_mean_probability(b, teachers, count, 1);
    rt_value class = rt_build(b, RT_OP_argmax, &joint, 1, attrs);
    return rt_build_select(b, has_label(b, labels), labels, rt_build_cast(b, class, RT_I32));
}

/* A row without a label adds nothing to the term's sum over rows: no class is below 0, and a score
 * that is the student's own is no error. What is left is to divide by the rows that have one. */
rt_value rt_build_labelled_loss(rt_builder *b, const rt_loss_term *term, rt_value student,
                                rt_value labels) {
    rt_value is_labelled = has_label(b, labels), one = rt_build_scalar(b, RT_F32, 1);
    rt_value labelled = rt_build_sum_all(b, rt_build_cast(b, is_labelled, RT_F32));
    rt_value rows = rt_build_dim_as(b, rt_builder_type(b, labels).dims[0], RT_F32);
    if (rt_builder_type(b, labels).dtype == RT_F32)
        labels = rt_build_select(b, is_labelled, labels, column(b, student));
    rt_value mean = rt_build_loss_term(b, term, student, RT_NO_VALUE, labels);
    return rt_build_mul(b, mean, rt_build_div(b, rows, rt_build_maximum(b, labelled, one)));
}
