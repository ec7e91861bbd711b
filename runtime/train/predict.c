// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/predict.h"

#include <stdlib.h>

#include "runtime/text/predictions.h"

static rt_status write_classes(const retort_evaluator *evaluator, const char *path,
                               rt_error *error) {
    const rt_dataset *rows = evaluator->rows;
    const rt_labels *labels = &evaluator->data->labels;
    int32_t *classes = calloc(rows->count + 1, sizeof *classes);
    float *probabilities = calloc(rows->count * labels->count + 1, sizeof *probabilities);
    rt_status status = classes && probabilities
                           ? RT_OK
                           : rt_fail(error, RT_OUT_OF_MEMORY, "predictions: out of memory");
    for (size_t i = 0; status == RT_OK && i < rows->count; ++i) {
        classes[i] = retort_evaluator_class(evaluator, i);
        retort_evaluator_probabilities(evaluator, i, probabilities + i * labels->count);
    }
    rt_predictions predictions = {.count = rows->count,
                                  .example_ids = rows->example_ids,
                                  .classes = classes,
                                  .probabilities = probabilities,
                                  .labels = labels};
    if (status == RT_OK) status = rt_predictions_write(path, &predictions, error);
    free(probabilities);
    free(classes);
    return status;
}

static rt_status write_scores(const retort_evaluator *evaluator, const char *path,
                              rt_error *error) {
    const rt_dataset *rows = evaluator->rows;
    float *scores = calloc(rows->count + 1, sizeof *scores);
    if (!scores) return rt_fail(error, RT_OUT_OF_MEMORY, "predictions: out of memory");
    for (size_t i = 0; i < rows->count; ++i) scores[i] = retort_evaluator_score(evaluator, i);
    rt_predictions predictions = {
        .count = rows->count, .example_ids = rows->example_ids, .scores = scores};
    rt_status status = rt_predictions_write(path, &predictions, error);
    free(scores);
    return status;
}

rt_status retort_predictions_write(const retort_evaluator *evaluator, const char *path,
                                   rt_error *error) {
    return evaluator->data->is_of_scores ? write_scores(evaluator, path, error)
                                         : write_classes(evaluator, path, error);
}
