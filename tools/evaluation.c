// SPDX-License-Identifier: Apache-2.0
#include "tools/evaluation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text/tasks.h"
#include "runtime/text/tokenizer_config.h"
#include "tools/data/input.h"

enum { BATCH_ROWS = 32 };

/* ---- reading */

static rt_status check_model(const model_file *model, rt_error *error) {
    if (model->has_config && model->config.label_count > 0 && model->kind != MODEL_SPEC)
        return RT_OK;
    return rt_fail(
        error, RT_UNSUPPORTED,
        "%s: gives no logits of a family's classifier, which an evaluation compares with "
        "labels",
        model->path);
}

/* The model's own classes: of its configuration, or of labels.txt beside it. */
static rt_status read_labels(const model_file *model, rt_labels *labels, rt_error *error) {
    for (int64_t i = 0; model->config.labels && i < model->config.label_count; ++i)
        if (!rt_labels_add(labels, rt_text_of(model->config.labels[i])))
            return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    if (!labels->count && model->labels) return rt_labels_read(model->labels, labels, error);
    return RT_OK;
}

static rt_status read_table(const evaluation_source *source, const model_file *model,
                            rt_table *table, rt_error *error) {
    rt_labels labels = {0};
    const rt_task *task = source->format ? rt_task_find(source->format) : NULL;
    data_input input = {.format = source->format ? source->format : "tsv",
                        .is_of_scores = model->config.label_count == 1};
    rt_status status = read_labels(model, &labels, error);
    if (status == RT_OK && labels.count && !input.is_of_scores) input.labels = &labels;
    if (status == RT_OK && task && task->layout.is_of_scores != input.is_of_scores)
        status = rt_fail(error, RT_INVALID_ARGUMENT, "%s: %s has %s, the model gives %s",
                         source->path, task->name, input.is_of_scores ? "classes" : "scores",
                         input.is_of_scores ? "a score" : "classes");
    if (status == RT_OK) status = data_input_load(&input, source->path, table, error);
    rt_labels_deinit(&labels);
    RT_TRY(status);
    if (!table->has_labels)
        return rt_fail(error, RT_INVALID_DATA, "%s: has no labels", source->path);
    if (!table->count) return rt_fail(error, RT_INVALID_DATA, "%s: has no rows", source->path);
    if (input.is_of_scores || (int64_t)table->labels.count == model->config.label_count)
        return RT_OK;
    return rt_fail(error, RT_INVALID_DATA, "%s: has %zu classes, the model gives %" PRId64,
                   source->path, table->labels.count, model->config.label_count);
}

static rt_status tokenise(const evaluation_source *source, const model_file *model,
                          const rt_table *table, rt_dataset *rows, rt_error *error) {
    const char *path = source->vocabulary ? source->vocabulary : model->files.vocabulary;
    rt_vocabulary *vocabulary = NULL;
    rt_tokenizer *tokenizer = NULL;
    rt_tokenizer_options options;
    size_t longest = 0;
    if (!path)
        return rt_fail(error, RT_NOT_FOUND,
                       "%s: there is no vocab.txt beside it, which texts need; --vocabulary names "
                       "one",
                       model->path);
    int64_t most = rt_model_config_longest_row(&model->config);
    rt_status status = rt_vocabulary_read(path, &vocabulary, error);
    if (status == RT_OK && (int64_t)rt_vocabulary_size(vocabulary) > model->config.vocabulary_size)
        status = rt_fail(error, RT_INVALID_DATA,
                         "%s: has %zu tokens, the model knows %" PRId64 ": it is another model's",
                         path, rt_vocabulary_size(vocabulary), model->config.vocabulary_size);
    if (status == RT_OK) status = rt_tokenizer_options_beside(path, &options, &longest, error);
    if (status == RT_OK) status = rt_tokenizer_create(vocabulary, &options, &tokenizer, error);
    if (longest && (int64_t)longest < most) most = (int64_t)longest;
    if (source->max_length && source->max_length < most) most = source->max_length;
    if (most >= INT32_MAX) most = 0;
    if (status == RT_OK) status = rt_dataset_build(table, tokenizer, (size_t)most, rows, error);
    rt_tokenizer_destroy(tokenizer);
    rt_vocabulary_destroy(vocabulary);
    return status;
}

static rt_status make_batches(evaluation *e, rt_error *error) {
    rt_batcher_options options = {.rows = BATCH_ROWS, .order = RT_ORDER_SORTED};
    e->logits = calloc(e->rows.count * (size_t)e->classes + 1, sizeof *e->logits);
    if (!e->logits) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(rt_batcher_create(&e->rows, &options, &e->batcher, error));
    rt_status status = rt_batch_create(rt_batcher_limits(e->batcher, 1), &e->batch);
    return status == RT_OK ? RT_OK : rt_fail(error, status, "no memory for a batch");
}

rt_status evaluation_open(const evaluation_source *source, const model_file *model, evaluation *e,
                          rt_error *error) {
    rt_table table = {0};
    const rt_task *task = source->format ? rt_task_find(source->format) : NULL;
    *e = (evaluation){.classes = model->config.label_count};
    rt_status status = check_model(model, error);
    e->metric = task ? task->main_metric : e->classes == 1 ? RT_METRIC_PEARSON : RT_METRIC_ACCURACY;
    if (status == RT_OK) status = read_table(source, model, &table, error);
    if (status == RT_OK) status = tokenise(source, model, &table, &e->rows, error);
    if (status == RT_OK) status = make_batches(e, error);
    rt_table_close(&table);
    if (status != RT_OK) evaluation_close(e);
    return status;
}

void evaluation_close(evaluation *e) {
    rt_batch_destroy(&e->batch);
    rt_batcher_destroy(e->batcher);
    rt_dataset_deinit(&e->rows);
    free(e->logits);
    *e = (evaluation){0};
}

/* ---- answering */

rt_status evaluation_answer(evaluation *e, forward *f, uint64_t stride, rt_error *error) {
    for (uint64_t i = 0; i < rt_batcher_count(e->batcher); i += stride) {
        rt_batcher_fill(e->batcher, 0, i, &e->batch);
        RT_TRY(forward_run_batch(f, &e->batch, error));
        const float *logits = forward_batch_output(f, "logits");
        for (int32_t row = 0; row < e->batch.rows; ++row)
            memcpy(e->logits + e->batch.row_indexes[row] * e->classes, logits + row * e->classes,
                   (size_t)e->classes * sizeof *logits);
    }
    return RT_OK;
}

rt_status evaluation_run(evaluation *e, forward *f, double *value, rt_error *error) {
    RT_TRY(evaluation_answer(e, f, 1, error));
    int32_t *classes = calloc(e->rows.count + 1, sizeof *classes);
    if (!classes) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < e->rows.count; ++i)
        classes[i] = rt_largest_logit(e->logits + (int64_t)i * e->classes, (size_t)e->classes);
    rt_answers answers = {e->rows.count, classes, e->rows.classes, e->logits, e->rows.scores};
    rt_status status = rt_metric_compute(e->metric, &answers, value);
    free(classes);
    return status == RT_OK ? RT_OK : rt_fail(error, status, "while measuring: out of memory");
}
