// SPDX-License-Identifier: Apache-2.0
#include "compiler/spec_model.h"

#include <stdlib.h>
#include <string.h>

#include "models/formats.h"
#include "runtime/base/file.h"

/* ---- labels */

/* The lines of a small text file, in `arena`; NULL where it cannot be read. */
static const char *const *read_lines(const char *path, rt_arena *arena, size_t *count,
                                     rt_error *error) {
    rt_mapped_file file;
    if (rt_file_map(path, &file, error) != RT_OK) return NULL;
    const char *at = (const char *)file.data, *end = at + file.size;
    const char **lines = NULL;
    size_t capacity = 0;
    for (*count = 0; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        size_t kept = length && at[length - 1] == '\r' ? length - 1 : length;
        lines = rt_arena_grow(arena, lines, &capacity, *count + 1, sizeof *lines);
        if (!lines) break;
        if (kept) lines[(*count)++] = rt_arena_copy_text(arena, at, kept);
        at += length + 1;
    }
    rt_file_unmap(&file);
    return lines;
}

/* "0|1" as a list. */
static const char *const *split_labels(const char *text, rt_arena *arena, size_t *count) {
    const char **labels = RT_NEW_ARRAY(arena, const char *, strlen(text) + 1);
    for (*count = 0; labels && *text; ++*count) {
        size_t length = strcspn(text, "|");
        labels[*count] = rt_arena_copy_text(arena, text, length);
        text += length + (text[length] == '|');
    }
    return labels;
}

static bool is_regression(const rt_spec *spec) {
    return strcmp(rt_spec_get(spec, RT_SPEC_task_kind)->text, "regression") == 0;
}

/* Labels that the data's format knows; NULL where it knows none. */
static const char *const *format_labels(const rt_spec *spec, rt_arena *arena, size_t *count,
                                        rt_diagnostics *diagnostics) {
    const rt_spec_value *format = rt_spec_get(spec, RT_SPEC_data_format);
    const rt_format *known = rt_format_find(format->text);
    if (!known || !*known->labels) return NULL;
    if (*known->labels != '@') return split_labels(known->labels, arena, count);
    const rt_spec_value *train = rt_spec_get(spec, RT_SPEC_data_train);
    char *folder = rt_path_folder(train->path ? train->path : train->text);
    char *path = folder ? rt_path_join(folder, known->labels + 1) : NULL;
    rt_error error;
    const char *const *labels = path ? read_lines(path, arena, count, &error) : NULL;
    if (!labels) rt_diagnose(diagnostics, RT_ERROR, format->location, "%s", error.text);
    free(folder);
    free(path);
    return labels;
}

bool rt_spec_resolve_labels(const rt_spec *spec, const rt_model_config *start, rt_arena *arena,
                            const char *const **labels, int64_t *count,
                            rt_diagnostics *diagnostics) {
    const rt_spec_value *given = rt_spec_get(spec, RT_SPEC_task_labels);
    size_t found = 0, errors = diagnostics->error_count;
    *labels = NULL;
    *count = 1;
    if (is_regression(spec)) return true;
    if (given->is_present && given->path) {
        rt_error error;
        *labels = read_lines(given->path, arena, &found, &error);
        if (!*labels) rt_diagnose(diagnostics, RT_ERROR, given->location, "%s", error.text);
    } else if (given->is_present) {
        *labels = given->texts;
        found = given->count;
    } else {
        *labels = format_labels(spec, arena, &found, diagnostics);
        if (!*labels && start && start->label_count > 0) {
            *labels = start->labels;
            found = (size_t)start->label_count;
        }
    }
    if (diagnostics->error_count > errors) return false;
    *count = (int64_t)found;
    if (found >= 2) return true;
    rt_diagnose(diagnostics, RT_ERROR, given->location,
                "the task has %zu labels; list at least two in task.labels", found);
    return false;
}

/* ---- the model */

static bool has_ending(const char *text, const char *ending) {
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

/* Reads what `from` names into the model's start. */
static bool read_start(const rt_spec_value *from, rt_arena *arena, rt_spec_model *model,
                       rt_diagnostics *diagnostics) {
    rt_error error;
    model->location = from->location;
    if (has_ending(from->path, ".onnx")) {
        rt_diagnose(diagnostics, RT_ERROR, from->location,
                    "%s: convert it first: retort convert MODEL.onnx FOLDER", from->path);
        return false;
    }
    if (rt_saved_model_find(from->path, arena, &model->saved, &error) != RT_OK ||
        rt_model_config_read(model->saved.config, arena, &model->config, &error) != RT_OK) {
        rt_diagnose(diagnostics, RT_ERROR, from->location, "%s", error.text);
        return false;
    }
    model->has_start = true;
    return true;
}

/* vocabulary_size: given, or of the start, or the lines of the vocabulary. */
static bool resolve_vocabulary(const rt_spec *spec, rt_arena *arena, rt_spec_model *model,
                               rt_diagnostics *diagnostics) {
    const rt_spec_value *vocabulary = rt_spec_get(spec, RT_SPEC_data_vocabulary);
    rt_error error;
    size_t lines = 0;
    if (model->config.vocabulary_size) return true;
    if (!vocabulary->is_present) {
        rt_diagnose(diagnostics, RT_ERROR, rt_spec_section_location(spec, RT_SPEC_SECTION_data),
                    "data.vocabulary is missing: a model that starts from random values takes its "
                    "vocabulary from there");
        return false;
    }
    if (!read_lines(vocabulary->path, arena, &lines, &error)) {
        rt_diagnose(diagnostics, RT_ERROR, vocabulary->location, "%s", error.text);
        return false;
    }
    model->config.vocabulary_size = (int64_t)lines;
    return true;
}

bool rt_spec_resolve_model(const rt_spec *spec, rt_arena *arena, rt_spec_model *model,
                           rt_diagnostics *diagnostics) {
    const rt_spec_value *from = rt_spec_get(spec, RT_SPEC_model_from);
    *model = (rt_spec_model){.location = rt_spec_section_location(spec, RT_SPEC_SECTION_model)};
    if (from->is_present && !read_start(from, arena, model, diagnostics)) return false;
    if (!rt_model_config_apply_spec(&model->config, model->has_start, spec, diagnostics))
        return false;
    const char *const *labels;
    int64_t label_count;
    if (!rt_spec_resolve_labels(spec, model->has_start ? &model->config : NULL, arena, &labels,
                                &label_count, diagnostics) ||
        !resolve_vocabulary(spec, arena, model, diagnostics))
        return false;
    model->config.labels = labels;
    model->config.label_count = label_count;
    model->config.is_regression = is_regression(spec);
    return rt_model_config_check(&model->config, model->location, diagnostics) == RT_OK;
}

/* ---- the teacher */

static bool fits_student(const rt_spec_model *student, const rt_spec_model *teacher,
                         rt_diagnostics *diagnostics) {
    const rt_model_config *ours = &student->config, *theirs = &teacher->config;
    size_t errors = diagnostics->error_count;
    if (!theirs->label_count)
        rt_diagnose(diagnostics, RT_ERROR, teacher->location,
                    "the teacher has no classifier; a trained classifier is needed");
    else if (theirs->label_count != ours->label_count)
        rt_diagnose(diagnostics, RT_ERROR, teacher->location,
                    "the teacher tells %lld classes apart, the task has %lld",
                    (long long)theirs->label_count, (long long)ours->label_count);
    if (theirs->vocabulary_size != ours->vocabulary_size)
        rt_diagnose(diagnostics, RT_ERROR, teacher->location,
                    "the teacher's vocabulary has %lld entries, the model's %lld: both must read "
                    "the same tokens",
                    (long long)theirs->vocabulary_size, (long long)ours->vocabulary_size);
    return diagnostics->error_count == errors;
}

bool rt_spec_resolve_teacher(const rt_spec *spec, const rt_spec_model *student, rt_arena *arena,
                             rt_spec_model *teacher, rt_diagnostics *diagnostics) {
    *teacher = (rt_spec_model){0};
    return read_start(rt_spec_get(spec, RT_SPEC_teacher_from), arena, teacher, diagnostics) &&
           rt_model_config_check(&teacher->config, teacher->location, diagnostics) == RT_OK &&
           fits_student(student, teacher, diagnostics);
}
