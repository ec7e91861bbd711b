// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/data.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/checksum.h"
#include "runtime/base/words.h"
#include "runtime/program.h"
#include "runtime/text/batcher.h"
#include "runtime/text/tasks.h"
#include "runtime/text/tokenizer_config.h"

#define SET(name) RETORT_SETTING_##name

static const char *text_of(const retort_settings *settings, retort_setting setting) {
    return retort_settings_get(settings, setting)->text;
}

/* ---- the goal */

bool retort_goal_is_better(const retort_goal *goal, double value, double best) {
    if (!goal->is_loss) return rt_metric_is_better(goal->metric, value, best);
    if (isnan(value) || isnan(best)) return !isnan(value);
    return value < best;
}

/* The row of the settings' format; NULL for tsv. */
static const rt_task *task_of(const retort_settings *settings) {
    return rt_task_find(text_of(settings, SET(data_format)));
}

/* Of masked tokens both are always told; the loss decides unless another is asked for. */
static rt_status choose_token_goal(const char *name, retort_data *data, rt_error *error) {
    bool is_loss = !name || strcmp(name, "loss") == 0;
    rt_metric metric = RT_METRIC_PERPLEXITY;
    if (!is_loss && !rt_metric_from_name(name, &metric))
        return rt_fail(error, RT_INVALID_ARGUMENT, "task.metric: unknown metric '%s'", name);
    if (metric != RT_METRIC_ACCURACY && !rt_metric_is_of_tokens(metric))
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "task.metric is %s, but masked language modelling is measured by loss, "
                       "perplexity or accuracy",
                       name);
    data->goal = (retort_goal){is_loss, metric, is_loss ? "loss" : name};
    data->metrics = RT_METRIC_BIT(ACCURACY) | RT_METRIC_BIT(PERPLEXITY);
    return RT_OK;
}

static rt_status choose_goal(const retort_settings *settings, retort_data *data, rt_error *error) {
    const rt_task *task = task_of(settings);
    const char *name = text_of(settings, SET(task_metric));
    rt_metric metric = task                 ? task->main_metric
                       : data->is_of_scores ? RT_METRIC_PEARSON
                                            : RT_METRIC_ACCURACY;
    bool is_loss = name && strcmp(name, "loss") == 0;
    if (data->predicts_tokens) return choose_token_goal(name, data, error);
    if (name && !is_loss && !rt_metric_from_name(name, &metric))
        return rt_fail(error, RT_INVALID_ARGUMENT, "task.metric: unknown metric '%s'", name);
    bool fits = rt_metric_is_of_scores(metric) == data->is_of_scores;
    if (!is_loss && (!fits || rt_metric_is_of_tokens(metric)))
        return rt_fail(error, RT_INVALID_ARGUMENT, "task.metric is %s, but a %s is measured by %s",
                       rt_metric_name(metric), data->is_of_scores ? "regression" : "classification",
                       data->is_of_scores ? "pearson, spearman, mse or loss"
                                          : "accuracy, f1, matthews or loss");
    data->goal = (retort_goal){is_loss, metric, is_loss ? "loss" : rt_metric_name(metric)};
    data->metrics =
        task && rt_metric_is_of_scores(task->main_metric) == data->is_of_scores ? task->metrics : 0;
    if (!is_loss || !data->metrics) data->metrics |= 1u << metric;
    return RT_OK;
}

/* ---- what the program takes */

static int64_t class_count(const retort_program *program) {
    static const char *const entries[] = {"predict", "evaluate", "step"};
    for (size_t i = 0; i < 3; ++i) {
        int e = retort_program_find_entry(program, entries[i]);
        if (e < 0) continue;
        int logits = retort_entry_find_buffer(&program->entries[e], RETORT_BUFFER_OUTPUT, "logits");
        if (logits < 0) continue;
        const retort_shape *shape = &program->entries[e].buffers[logits].shape;
        const retort_size *classes = &shape->dims[1];
        bool is_constant = classes->term_count == 1 && classes->terms[0].symbol_count == 0;
        if (shape->rank == 2 && is_constant) return classes->terms[0].coefficient;
    }
    return 0;
}

/* A number that the compiler told about the model; 0 where it told none. */
static int64_t model_limit(const retort_settings *settings, const char *key) {
    return json_integer_value(json_object_get(json_object_get(settings->program, "model"), key));
}

static rt_status check_labels(const retort_data *data, const char *where, rt_error *error) {
    if (!data->labels.count || data->is_of_scores || !data->class_count ||
        (int64_t)data->labels.count == data->class_count)
        return RT_OK;
    rt_arena arena = {0};
    rt_status status = rt_fail(error, RT_INVALID_DATA,
                               "%s has %zu labels (%s), but the program was compiled for %" PRId64
                               "; name them in the spec (task.labels) and compile again",
                               where, data->labels.count, rt_labels_list(&data->labels, &arena),
                               data->class_count);
    rt_arena_deinit(&arena);
    return status;
}

static rt_status open_labels(const retort_settings *settings, retort_data *data, rt_error *error) {
    const retort_setting_value *names = retort_settings_get(settings, SET(task_labels));
    const rt_task *task = task_of(settings);
    if (data->is_of_scores || data->predicts_tokens) return RT_OK;
    for (size_t i = 0; names->texts && i < names->count; ++i)
        if (!rt_labels_add(&data->labels, rt_text_of(names->texts[i])))
            return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    if (!names->texts && names->text) RT_TRY(rt_labels_read(names->text, &data->labels, error));
    const char *train = text_of(settings, SET(data_train));
    if (!data->labels.count && task && train)
        RT_TRY(rt_task_labels(task, train, &data->labels, error));
    return check_labels(data, "task.labels", error);
}

/* ---- tokenizer */

/* The file `name` in `folder` where it is there, else NULL; the caller frees. */
static char *file_in(const char *folder, const char *name) {
    char *path = folder ? rt_path_join(folder, name) : NULL;
    if (path && rt_file_exists(path)) return path;
    free(path);
    return NULL;
}

static rt_status read_tokenizer_options(const retort_settings *settings, const char *vocabulary,
                                        rt_tokenizer_options *options, rt_error *error) {
    char *folder = rt_path_folder(vocabulary);
    char *config = file_in(folder, "tokenizer_config.json");
    const retort_setting_value *lowercase = retort_settings_get(settings, SET(data_lowercase));
    *options = rt_tokenizer_options_uncased();
    rt_status status = config ? rt_tokenizer_config_read(config, options, NULL, error) : RT_OK;
    if (lowercase->origin != RETORT_FROM_NOWHERE) {
        options->normaliser.is_lower_case = lowercase->integer != 0;
        options->normaliser.is_stripping_accents = lowercase->integer != 0;
    }
    free(config);
    free(folder);
    return status;
}

static rt_status check_limits(const retort_settings *settings, const retort_data *data,
                              const char *vocabulary, rt_error *error) {
    int64_t known = model_limit(settings, "vocabulary"),
            positions = model_limit(settings, "positions");
    int64_t length = retort_settings_get(settings, SET(data_max_length))->integer;
    if (known && (int64_t)rt_vocabulary_size(data->vocabulary) > known)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s: has %zu tokens, but the model knows %" PRId64
                       "; --data-vocabulary names the one it was made with",
                       vocabulary, rt_vocabulary_size(data->vocabulary), known);
    if (positions && length > positions)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "data.max_length is %" PRId64 ", but the model has %" PRId64
                       " positions; at most --data-max-length %" PRId64,
                       length, positions, positions);
    return RT_OK;
}

/* Weights that the program was compiled with know the words of one vocabulary. */
static rt_status check_vocabulary(const retort_settings *settings, const retort_data *data,
                                  const char *vocabulary, rt_error *error) {
    const json_t *model = json_object_get(settings->program, "model");
    const char *checksum = json_string_value(json_object_get(model, "vocabulary_checksum"));
    if (!checksum || strtoull(checksum, NULL, 16) == rt_vocabulary_checksum(data->vocabulary))
        return RT_OK;
    return rt_fail(error, RT_INVALID_DATA,
                   "%s: is not the vocabulary that the program was compiled with; its token ids "
                   "would mean other words; --data-vocabulary names the right one",
                   vocabulary);
}

static rt_status open_tokenizer(const retort_settings *settings, const char *vocabulary,
                                retort_data *data, rt_error *error) {
    rt_tokenizer_options options;
    rt_status status = rt_vocabulary_read(vocabulary, &data->vocabulary, error);
    if (status != RT_OK && !rt_file_exists(vocabulary))
        return rt_fail(error, status,
                       "%s: no such file; --data-vocabulary FILE names the vocabulary", vocabulary);
    RT_TRY(status);
    RT_TRY(check_limits(settings, data, vocabulary, error));
    RT_TRY(read_tokenizer_options(settings, vocabulary, &options, error));
    status = rt_tokenizer_create(data->vocabulary, &options, &data->tokenizer, error);
    return status == RT_OK ? RT_OK : rt_fail_within(error, status, "%s", vocabulary);
}

rt_status retort_data_open(const retort_program *program, const retort_settings *settings,
                           const char *folder, retort_data *data, rt_error *error) {
    *data = (retort_data){
        .is_of_scores = retort_settings_is(settings, SET(task_kind), "regression"),
        .predicts_tokens = retort_settings_is(settings, SET(task_kind), "mlm"),
        .has_one_type = model_limit(settings, "token_types") == 1,
        .needs_pairs = model_limit(settings, "texts") == 2,
    };
    if (!data->predicts_tokens) data->class_count = class_count(program);
    bool is_chosen =
        retort_settings_get(settings, SET(data_vocabulary))->origin == RETORT_FROM_FLAG;
    char *saved = is_chosen ? NULL : file_in(folder, "vocab.txt");
    const char *vocabulary = saved ? saved : text_of(settings, SET(data_vocabulary));
    rt_status status = choose_goal(settings, data, error);
    if (status == RT_OK && !vocabulary)
        status = rt_fail(error, RT_INVALID_ARGUMENT,
                         "there is no vocabulary; --data-vocabulary FILE names one");
    if (status == RT_OK) status = open_tokenizer(settings, vocabulary, data, error);
    if (status == RT_OK && !saved) status = check_vocabulary(settings, data, vocabulary, error);
    if (status == RT_OK) status = open_labels(settings, data, error);
    if (status != RT_OK) retort_data_close(data);
    free(saved);
    return status;
}

void retort_data_close(retort_data *data) {
    rt_tokenizer_destroy(data->tokenizer);
    rt_vocabulary_destroy(data->vocabulary);
    rt_labels_deinit(&data->labels);
    *data = (retort_data){0};
}

/* ---- rows */

static rt_table_layout layout_of(const retort_settings *settings, bool is_of_scores) {
    const rt_task *task = task_of(settings);
    bool has_header = retort_settings_get(settings, SET(data_header))->integer != 0;
    if (task) return task->layout;
    if (retort_settings_is(settings, SET(data_format), "text"))
        return (rt_table_layout){.is_plain_text = true};
    return (rt_table_layout){
        .first = text_of(settings, SET(data_text)),
        .second = text_of(settings, SET(data_text2)),
        .label = text_of(settings, SET(data_label)),
        .header = has_header ? RT_HEADER_ALWAYS : RT_HEADER_NEVER,
        .bare = {RT_NO_COLUMN, RT_NO_COLUMN, RT_NO_COLUMN},
        .is_of_scores = is_of_scores,
    };
}

/* A model with one token type has no row for the second. */
static void merge_types(rt_dataset *rows) {
    for (size_t i = 0; i < rows->count; ++i)
        rows->first_lengths[i] = (int32_t)rt_dataset_length(rows, i);
}

static void tell_losses(const rt_table *table, const rt_dataset *rows, const char *path,
                        size_t max_length, retort_console *console) {
    rt_arena arena = {0};
    if (table->skipped_rows)
        retort_console_warn(console, "%s: %s of %s rows skipped%s%s", path,
                            rt_words_count((int64_t)table->skipped_rows, &arena),
                            rt_words_count((int64_t)(table->skipped_rows + rows->count), &arena),
                            table->problem_count ? ", the first: " : "",
                            table->problem_count ? table->problems[0] : "");
    if (rows->cut_rows)
        retort_console_note(console, "%s: %s of %s rows are longer than %zu tokens and were cut",
                            path, rt_words_count((int64_t)rows->cut_rows, &arena),
                            rt_words_count((int64_t)rows->count, &arena), max_length);
    rt_arena_deinit(&arena);
}

static rt_status use_table(retort_data *data, const retort_settings *settings, const char *path,
                           const rt_table *table, retort_console *console, rt_dataset *rows,
                           rt_error *error) {
    size_t max_length = (size_t)retort_settings_get(settings, SET(data_max_length))->integer;
    bool has_classes = table->has_labels && !data->is_of_scores && !data->predicts_tokens;
    if (!data->labels.count && has_classes) {
        if (rt_labels_copy(&table->labels, &data->labels) != RT_OK)
            return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
        RT_TRY(check_labels(data, path, error));
    }
    RT_TRY(rt_dataset_build(table, data->tokenizer, max_length, rows, error));
    if (data->has_one_type) merge_types(rows);
    tell_losses(table, rows, path, max_length, console);
    return RT_OK;
}

rt_status retort_data_read(retort_data *data, const retort_settings *settings, const char *path,
                           bool needs_labels, retort_console *console, rt_dataset *rows,
                           rt_error *error) {
    needs_labels = needs_labels && !data->predicts_tokens;
    *rows = (rt_dataset){0};
    if (rt_folder_exists(path))
        return rt_fail(error, RT_IO, "%s: is a folder, expected a file", path);
    if (!rt_file_exists(path))
        return rt_fail(
            error, RT_NOT_FOUND,
            "%s: no such file; --data-folder, --data-train and --data-eval say where the "
            "data lies",
            path);
    rt_table_options options = {
        .layout = layout_of(settings, data->is_of_scores),
        .labels = &data->labels,
        .needs_labels = needs_labels,
        .skips_bad_rows = retort_settings_get(settings, SET(data_skip_bad_rows))->integer != 0,
    };
    if (!needs_labels) options.layout.label = "";
    rt_table table;
    rt_status status = rt_table_read(path, &options, &table, error);
    if (status == RT_INVALID_DATA && table.problem_count && table.rows)
        status = rt_fail_also(error, status, status,
                              "note: --skip-bad-rows leaves such rows out and counts them");
    if (status == RT_OK && needs_labels && !table.has_labels)
        status = rt_fail(
            error, RT_INVALID_DATA,
            "%s: the rows have no labels to learn from; --data-label names their column", path);
    if (status == RT_OK && data->needs_pairs && !table.has_pairs)
        status = rt_fail(error, RT_INVALID_DATA,
                         "%s: rows have one text, but the model compares two; --data-text2 names "
                         "the column of the second",
                         path);
    if (status == RT_OK) status = use_table(data, settings, path, &table, console, rows, error);
    rt_table_close(&table);
    return status;
}

rt_status retort_data_name_classes(retort_data *data, rt_error *error) {
    if (data->is_of_scores || data->labels.count) return RT_OK;
    for (int64_t c = 0; c < data->class_count; ++c) {
        char number[24];
        snprintf(number, sizeof number, "%" PRId64, c);
        if (!rt_labels_add(&data->labels, rt_text_of(number)))
            return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    }
    return RT_OK;
}

/* ---- figures */

uint64_t retort_data_checksum(const rt_dataset *rows) {
    rt_checksum_state state;
    rt_checksum_begin(&state);
    rt_checksum_add(&state, rows->ids, rows->tokens * sizeof *rows->ids);
    for (size_t i = 0; i < rows->count; ++i) {
        uint64_t end = rows->offsets[i + 1];
        rt_checksum_add(&state, &end, sizeof end);
    }
    rt_checksum_add(&state, rows->first_lengths, rows->count * sizeof *rows->first_lengths);
    rt_checksum_add(&state, rows->classes, rows->count * sizeof *rows->classes);
    rt_checksum_add(&state, rows->scores, rows->count * sizeof *rows->scores);
    return rt_checksum_end(&state);
}
