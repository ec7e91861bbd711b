// SPDX-License-Identifier: Apache-2.0
#include "tools/data/input.h"

#include <stdio.h>
#include <string.h>

#include "runtime/text/tasks.h"
#include "runtime/text/tokenizer_config.h"
#include "tools/tell.h"

bool data_input_option(arguments *a, data_input *input) {
    return arguments_text(a, "--format", &input->format) ||
           arguments_text(a, "--text", &input->text) ||
           arguments_text(a, "--text2", &input->text2) ||
           arguments_text(a, "--label", &input->label) ||
           arguments_text(a, "--labels", &input->labels_file) ||
           arguments_flag(a, "--scores", &input->is_of_scores) ||
           arguments_flag(a, "--no-header", &input->has_no_header) ||
           arguments_flag(a, "--skip-bad-rows", &input->skips_bad_rows);
}

static bool is_named_tsv(const char *path) {
    size_t length = strlen(path);
    return length >= 4 && strcmp(path + length - 4, ".tsv") == 0;
}

bool data_input_is_text(const data_input *input, const char *path) {
    return input->format ? strcmp(input->format, "text") == 0 : !is_named_tsv(path);
}

static rt_table_layout tsv_layout(const data_input *input) {
    const char *label = input->label ? input->label : "label";
    /* Without a header columns are numbers, and there is a label only where one is named. */
    if (input->has_no_header && !input->label) label = NULL;
    return (rt_table_layout){.first = input->text            ? input->text
                                      : input->has_no_header ? "1"
                                                             : "sentence",
                             .second = input->text2,
                             .label = label,
                             .header = input->has_no_header ? RT_HEADER_NEVER : RT_HEADER_ALWAYS,
                             .bare = {RT_NO_COLUMN, RT_NO_COLUMN, RT_NO_COLUMN},
                             .is_of_scores = input->is_of_scores};
}

/* The layout, and the classes where the format or a file names them. */
static rt_status describe(const data_input *input, const char *path, rt_table_layout *layout,
                          rt_labels *labels, rt_error *error) {
    rt_status status = RT_OK;
    if (data_input_is_text(input, path)) {
        *layout = (rt_table_layout){.is_plain_text = true};
    } else if (!input->format || strcmp(input->format, "tsv") == 0) {
        *layout = tsv_layout(input);
    } else {
        const rt_task *task = rt_task_find(input->format);
        if (!task)
            return rt_fail(error, RT_INVALID_ARGUMENT,
                           "there is no format '%s': it is text, tsv, or the name of a known set "
                           "such as sst-2 or mrpc",
                           input->format);
        *layout = task->layout;
        if (!input->labels_file && !input->labels)
            status = rt_task_labels(task, path, labels, error);
    }
    if (status == RT_OK && input->labels_file)
        status = rt_labels_read(input->labels_file, labels, error);
    if (status == RT_OK && input->labels) status = rt_labels_copy(input->labels, labels);
    return status;
}

static rt_status load(const data_input *input, const char *path, rt_table *table,
                      rt_table_layout *layout, rt_error *error) {
    rt_labels labels = {0};
    rt_table_options options = {.labels = &labels, .skips_bad_rows = input->skips_bad_rows};
    rt_status status = describe(input, path, &options.layout, &labels, error);
    *table = (rt_table){0};
    if (status == RT_OK) status = rt_table_read(path, &options, table, error);
    rt_labels_deinit(&labels);
    *layout = options.layout;
    return status;
}

rt_status data_input_load(const data_input *input, const char *path, rt_table *table,
                          rt_error *error) {
    rt_table_layout layout;
    return load(input, path, table, &layout, error);
}

bool data_input_read(const data_input *input, const char *path, rt_table *table) {
    rt_table_layout layout;
    return data_input_read_layout(input, path, table, &layout);
}

bool data_input_read_layout(const data_input *input, const char *path, rt_table *table,
                            rt_table_layout *layout) {
    rt_error error;
    if (load(input, path, table, layout, &error) != RT_OK) {
        tell_error(&error);
        return false;
    }
    size_t told =
        table->problem_count < RT_TABLE_MAX_PROBLEMS ? table->problem_count : RT_TABLE_MAX_PROBLEMS;
    for (size_t i = 0; i < told; ++i)
        tell_line("warning: skipped", table->problems[i], strlen(table->problems[i]));
    return true;
}

bool data_tokenizer_open(const char *path, bool is_cased, rt_vocabulary **vocabulary,
                         rt_tokenizer **tokenizer) {
    rt_tokenizer_options options;
    rt_error error;
    size_t longest;
    *vocabulary = NULL;
    *tokenizer = NULL;
    rt_status status = rt_vocabulary_read(path, vocabulary, &error);
    if (status == RT_OK) status = rt_tokenizer_options_beside(path, &options, &longest, &error);
    if (status == RT_OK && is_cased) options = rt_tokenizer_options_cased();
    if (status == RT_OK) status = rt_tokenizer_create(*vocabulary, &options, tokenizer, &error);
    return status == RT_OK || (tell_error(&error), false);
}
