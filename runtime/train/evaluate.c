// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/program.h"
#include "runtime/train/batch_inputs.h"

static size_t class_count(const retort_evaluator *evaluator) {
    return evaluator->data->class_count > 0 ? (size_t)evaluator->data->class_count : 1;
}

static rt_status allocate(retort_evaluator *evaluator, const retort_settings *settings,
                          rt_error *error) {
    rt_batcher_options options = {
        .rows =
            (size_t)retort_settings_get(settings, RETORT_SETTING_training_eval_batch_rows)->integer,
        .order = RT_ORDER_SORTED,
        .is_padded = retort_settings_is(settings, RETORT_SETTING_data_padding, "counted"),
    };
    RT_TRY(rt_batcher_create(evaluator->rows, &options, &evaluator->batcher, error));
    evaluator->limits = rt_batcher_limits(evaluator->batcher, 1);
    retort_masks_widen(evaluator->data, settings, &evaluator->limits);
    RT_TRY(retort_masks_create(evaluator->data, settings, evaluator->rows, false,
                               evaluator->limits.tokens, &evaluator->masking, error));
    evaluator->logits =
        calloc(evaluator->rows->count * class_count(evaluator) + 1, sizeof *evaluator->logits);
    rt_status status = rt_batch_create(evaluator->limits, &evaluator->batch);
    if (status == RT_OK && !evaluator->logits) status = RT_OUT_OF_MEMORY;
    return status == RT_OK
               ? RT_OK
               : rt_fail(error, status, "batches for evaluation: %s", rt_status_text(status));
}

rt_status retort_evaluator_init(const retort_data *data, const rt_dataset *rows,
                                const retort_settings *settings, retort_runner *runner,
                                bool has_loss, retort_evaluator *evaluator, rt_error *error) {
    *evaluator = (retort_evaluator){.data = data, .rows = rows, .runner = runner};
    bool uses_evaluate = runner->evaluate >= 0 && (has_loss || runner->predict < 0);
    evaluator->entry = uses_evaluate ? runner->evaluate : runner->predict;
    if (evaluator->entry < 0)
        return rt_fail(error, RT_UNSUPPORTED,
                       "the program cannot answer: it has no entry point 'evaluate' or 'predict'");
    rt_status status = allocate(evaluator, settings, error);
    if (status != RT_OK) retort_evaluator_deinit(evaluator);
    return status;
}

void retort_evaluator_deinit(retort_evaluator *evaluator) {
    rt_batcher_destroy(evaluator->batcher);
    rt_batch_destroy(&evaluator->batch);
    rt_masking_destroy(evaluator->masking);
    free(evaluator->logits);
    *evaluator = (retort_evaluator){0};
}

uint64_t retort_evaluator_bytes(const retort_evaluator *evaluator) {
    return (uint64_t)evaluator->rows->count * class_count(evaluator) * sizeof(float);
}

static void keep_logits(retort_evaluator *evaluator) {
    const rt_batch *batch = &evaluator->batch;
    size_t classes = class_count(evaluator);
    const float *logits =
        retort_instance_output(evaluator->runner->instance, evaluator->entry, "logits");
    for (size_t b = 0; logits && !evaluator->masking && b < (size_t)batch->rows; ++b)
        memcpy(evaluator->logits + (size_t)batch->row_indexes[b] * classes, logits + b * classes,
               classes * sizeof *logits);
}

/* The answers of a batch: its rows, or its masked tokens; how many. */
static double count_answers(retort_evaluator *evaluator) {
    const rt_batch *batch = &evaluator->batch;
    if (!evaluator->masking) return batch->rows;
    evaluator->right +=
        batch->masked * retort_runner_get(evaluator->runner, evaluator->entry, "accuracy");
    return batch->masked;
}

rt_status retort_evaluator_answer(retort_evaluator *evaluator, double *loss, rt_error *error) {
    double sum = 0;
    evaluator->right = evaluator->answers = 0;
    for (uint64_t i = 0; i < rt_batcher_count(evaluator->batcher); ++i) {
        if (evaluator->is_cancelled && evaluator->is_cancelled(evaluator->cancel_argument))
            return rt_fail(error, RT_CANCELLED, "the evaluation was interrupted");
        rt_batcher_fill(evaluator->batcher, 0, i, &evaluator->batch);
        if (evaluator->masking) rt_masking_apply(evaluator->masking, 0, &evaluator->batch);
        retort_runner_feed(evaluator->runner, evaluator->entry, &evaluator->batch);
        RT_TRY(retort_runner_run(evaluator->runner, evaluator->entry, error));
        double answers = count_answers(evaluator);
        sum += retort_runner_get(evaluator->runner, evaluator->entry, "loss") * answers;
        evaluator->answers += answers;
        keep_logits(evaluator);
    }
    *loss = sum / evaluator->answers;
    return RT_OK;
}

int32_t retort_evaluator_class(const retort_evaluator *evaluator, size_t row) {
    size_t classes = class_count(evaluator);
    return rt_largest_logit(evaluator->logits + row * classes, classes);
}

float retort_evaluator_score(const retort_evaluator *evaluator, size_t row) {
    return evaluator->logits[row * class_count(evaluator)];
}

/* softmax, in double: e^(x - max) / sum. */
void retort_evaluator_probabilities(const retort_evaluator *evaluator, size_t row,
                                    float *probabilities) {
    size_t classes = class_count(evaluator);
    const float *logits = evaluator->logits + row * classes;
    double largest = (double)logits[rt_largest_logit(logits, classes)], sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += exp((double)logits[c] - largest);
    for (size_t c = 0; c < classes; ++c)
        probabilities[c] = (float)(exp((double)logits[c] - largest) / sum);
}

static void measure_tokens(const retort_evaluator *evaluator, retort_evaluation *evaluation) {
    evaluation->values[RT_METRIC_ACCURACY] = evaluator->right / evaluator->answers;
    evaluation->values[RT_METRIC_PERPLEXITY] = exp(evaluation->loss);
}

static rt_status measure(const retort_evaluator *evaluator, retort_evaluation *evaluation) {
    const rt_dataset *rows = evaluator->rows;
    const retort_data *data = evaluator->data;
    int32_t *classes = calloc(rows->count + 1, sizeof *classes);
    float *scores = calloc(rows->count + 1, sizeof *scores);
    rt_status status = classes && scores ? RT_OK : RT_OUT_OF_MEMORY;
    for (size_t i = 0; status == RT_OK && i < rows->count; ++i) {
        classes[i] = retort_evaluator_class(evaluator, i);
        scores[i] = retort_evaluator_score(evaluator, i);
    }
    rt_answers answers = {rows->count, classes, rows->classes, scores, rows->scores, 0};
    for (int m = 0; status == RT_OK && m < RT_METRIC_COUNT; ++m)
        if (data->metrics >> m & 1)
            status = rt_metric_compute((rt_metric)m, &answers, &evaluation->values[m]);
    free(scores);
    free(classes);
    return status;
}

rt_status retort_evaluator_run(retort_evaluator *evaluator, retort_evaluation *evaluation,
                               rt_error *error) {
    double begin = retort_clock();
    *evaluation =
        (retort_evaluation){.rows = evaluator->rows->count, .tokens = evaluator->rows->tokens};
    RT_TRY(retort_evaluator_answer(evaluator, &evaluation->loss, error));
    const retort_goal *goal = &evaluator->data->goal;
    rt_status status = RT_OK;
    if (evaluator->masking)
        measure_tokens(evaluator, evaluation);
    else
        status = measure(evaluator, evaluation);
    evaluation->goal = goal->is_loss ? evaluation->loss : evaluation->values[goal->metric];
    evaluation->seconds = retort_clock() - begin;
    return status == RT_OK ? RT_OK : rt_fail(error, status, "while measuring: out of memory");
}

void retort_evaluation_write(const retort_evaluation *evaluation, const retort_data *data,
                             rt_json_writer *json) {
    rt_json_put_double(json, "loss", evaluation->loss);
    for (int m = 0; m < RT_METRIC_COUNT; ++m)
        if (data->metrics >> m & 1)
            rt_json_put_double(json, rt_metric_name((rt_metric)m), evaluation->values[m]);
    rt_json_put_integer(json, "rows", (int64_t)evaluation->rows);
    rt_json_put_integer(json, "tokens", (int64_t)evaluation->tokens);
    rt_json_put_double(json, "seconds", evaluation->seconds);
}
