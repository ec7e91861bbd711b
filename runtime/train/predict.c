// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/predict.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/text/predictions.h"
#include "runtime/train/adapter.h"

/* What an evaluator answered, in the form of a file. */
typedef struct answers {
    int32_t *classes;
    float *numbers; /* probabilities, or scores */
    rt_predictions predictions;
} answers;

static rt_status take_answers(const retort_evaluator *evaluator, answers *a, rt_error *error) {
    const rt_dataset *rows = evaluator->rows;
    const rt_labels *labels = &evaluator->data->labels;
    bool is_of_scores = evaluator->data->is_of_scores;
    size_t width = is_of_scores ? 1 : labels->count;
    *a = (answers){.classes = calloc(rows->count + 1, sizeof *a->classes),
                   .numbers = calloc(rows->count * width + 1, sizeof *a->numbers)};
    if (!a->classes || !a->numbers)
        return rt_fail(error, RT_OUT_OF_MEMORY, "predictions: out of memory");
    for (size_t i = 0; i < rows->count; ++i) {
        if (is_of_scores) {
            a->numbers[i] = retort_evaluator_score(evaluator, i);
            continue;
        }
        a->classes[i] = retort_evaluator_class(evaluator, i);
        retort_evaluator_probabilities(evaluator, i, a->numbers + i * width);
    }
    a->predictions = (rt_predictions){.count = rows->count, .example_ids = rows->example_ids};
    if (is_of_scores) {
        a->predictions.scores = a->numbers;
    } else {
        a->predictions.classes = a->classes;
        a->predictions.probabilities = a->numbers;
        a->predictions.labels = labels;
    }
    return RT_OK;
}

static void release_answers(answers *a) {
    free(a->classes);
    free(a->numbers);
}

rt_status retort_predictions_write(const retort_evaluator *evaluator, const char *path,
                                   rt_error *error) {
    answers a;
    rt_status status = take_answers(evaluator, &a, error);
    if (status == RT_OK) status = rt_predictions_write(path, &a.predictions, error);
    release_answers(&a);
    return status;
}

/* ---- several adaptations */

typedef struct adapted_answers {
    retort_evaluator *evaluator;
    retort_adapter *adapters;
    size_t count;
    bool has_numbered_classes;
    rt_writer writer;
} adapted_answers;

/* The classes of an adaptation: its own names, else the program's. */
static const rt_labels *labels_of(const adapted_answers *a, size_t index) {
    const rt_labels *own = &a->adapters[index].labels, *ours = &a->evaluator->data->labels;
    return own->count == ours->count ? own : ours;
}

static bool are_same(const rt_labels *some, const rt_labels *labels) {
    for (size_t i = 0; i < labels->count; ++i)
        if (strcmp(some->names[i], labels->names[i]) != 0) return false;
    return true;
}

static rt_status open_adapters(adapted_answers *a, const retort_settings *settings,
                               const char *const *folders, size_t count, retort_console *console,
                               rt_error *error) {
    const retort_instance *instance = a->evaluator->runner->instance;
    a->adapters = calloc(count + 1, sizeof *a->adapters);
    if (!a->adapters) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (; a->count < count; ++a->count) {
        retort_adapter *adapter = &a->adapters[a->count];
        RT_TRY(retort_adapter_open(folders[a->count], settings, instance, adapter, error));
        if (*adapter->doubt)
            retort_console_warn(console, "--adapter %s: %s", adapter->folder, adapter->doubt);
        if (!are_same(labels_of(a, 0), labels_of(a, a->count))) a->has_numbered_classes = true;
    }
    return RT_OK;
}

static rt_status answer_one(adapted_answers *a, size_t index, rt_error *error) {
    const retort_adapter *adapter = &a->adapters[index];
    answers one = {0};
    double loss;
    RT_TRY(retort_adapter_apply(adapter, a->evaluator->runner->instance, error));
    RT_TRY(retort_evaluator_answer(a->evaluator, &loss, error));
    rt_status status = take_answers(a->evaluator, &one, error);
    one.predictions.adapter = adapter->folder;
    one.predictions.has_numbered_classes = a->has_numbered_classes;
    if (one.predictions.labels) one.predictions.labels = labels_of(a, index);
    if (status == RT_OK && index == 0) rt_predictions_write_header(&a->writer, &one.predictions);
    if (status == RT_OK) rt_predictions_write_rows(&a->writer, &one.predictions);
    release_answers(&one);
    return status;
}

rt_status retort_predict_adapters(retort_evaluator *evaluator, const retort_settings *settings,
                                  const char *const *folders, size_t count, retort_console *console,
                                  const char *path, rt_error *error) {
    adapted_answers a = {.evaluator = evaluator};
    rt_status status = open_adapters(&a, settings, folders, count, console, error);
    if (status == RT_OK) status = rt_writer_open(&a.writer, path, error);
    if (status == RT_OK) {
        for (size_t i = 0; status == RT_OK && i < count; ++i) status = answer_one(&a, i, error);
        if (status == RT_OK)
            status = rt_writer_commit(&a.writer, error);
        else
            rt_writer_abandon(&a.writer);
    }
    for (size_t i = 0; i < a.count; ++i) retort_adapter_close(&a.adapters[i]);
    free(a.adapters);
    return status;
}
