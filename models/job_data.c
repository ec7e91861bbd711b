// SPDX-License-Identifier: Apache-2.0
/* What the data says about a job: its vocabulary and its classes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/formats.h"
#include "models/job_internal.h"
#include "runtime/base/check.h"
#include "runtime/base/checksum.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"

/* ---- vocabulary */

static const char *const special_tokens[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
enum { MASK_TOKEN = 4 };

typedef struct vocabulary_facts {
    int64_t lines;
    int64_t special[RT_COUNT_OF(special_tokens)]; /* line from 0, or -1 */
    uint64_t checksum;
} vocabulary_facts;

static void scan_vocabulary(const rt_mapped_file *file, vocabulary_facts *v) {
    const char *at = (const char *)file->data, *end = at + file->size;
    rt_checksum_state checksum;
    rt_checksum_begin(&checksum);
    *v = (vocabulary_facts){0};
    for (size_t i = 0; i < RT_COUNT_OF(special_tokens); ++i) v->special[i] = -1;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        if (length && at[length - 1] == '\r') --length;
        for (size_t i = 0; i < RT_COUNT_OF(special_tokens); ++i) {
            bool is_this =
                strlen(special_tokens[i]) == length && memcmp(at, special_tokens[i], length) == 0;
            if (is_this && v->special[i] < 0) v->special[i] = v->lines;
        }
        rt_checksum_add(&checksum, at, length);
        rt_checksum_add(&checksum, "\n", 1);
        ++v->lines;
        at = stop ? stop + 1 : end;
    }
    v->checksum = rt_checksum_end(&checksum);
}

/* The vocabulary's path and what names it. */
static const char *choose_vocabulary(rt_job_reader *r, rt_location *location) {
    const rt_spec_value *given = rt_spec_get(r->spec, RT_SPEC_data_vocabulary);
    const rt_job *job = r->job;
    *location = given->location;
    if (given->is_present) return given->path;
    *location = job->student.location;
    if (job->student.files.vocabulary) return job->student.files.vocabulary;
    *location = job->teacher.location;
    if (job->teacher.files.vocabulary) return job->teacher.files.vocabulary;
    *location = given->location;
    if (!r->options->may_lack_data)
        rt_diagnose(r->diagnostics, RT_ERROR, *location,
                    "'data.vocabulary' is missing, and there is no vocab.txt beside a model that "
                    "the spec names; 'retort data vocabulary' makes one from text");
    return NULL;
}

static void check_special_tokens(rt_job_reader *r, const vocabulary_facts *v, const char *path,
                                 rt_location location) {
    for (size_t i = 0; i < RT_COUNT_OF(special_tokens); ++i) {
        if (v->special[i] >= 0 || (i == MASK_TOKEN && !r->job->is_mlm)) continue;
        rt_diagnose(r->diagnostics, RT_ERROR, location, "%s has no line '%s', which %s needs", path,
                    special_tokens[i],
                    i == MASK_TOKEN ? "task.kind mlm" : "a WordPiece vocabulary");
    }
}

/* A model without a start has as many word vectors as the vocabulary has lines, and positions for
 * the longest row, unless told. */
static void adopt_vocabulary(rt_job_reader *r, const vocabulary_facts *v) {
    rt_job_model *student = &r->job->student;
    rt_model_config *config = &student->config;
    if (student->origin != RT_ORIGIN_RANDOM || !student->has_config) return;
    if (!config->vocabulary_size) config->vocabulary_size = v->lines;
    if (v->special[0] >= 0) config->padding_id = v->special[0];
    int64_t needed = rt_spec_get(r->spec, RT_SPEC_data_max_length)->integer +
                     rt_model_config_first_position(config);
    bool is_told = rt_spec_get(r->spec, RT_SPEC_model_positions)->is_present;
    if (config->positions && config->positions < needed && !is_told) config->positions = needed;
}

static bool read_lower_case(rt_job_reader *r, const char *vocabulary) {
    char *folder = rt_path_folder(vocabulary);
    char *path = folder ? rt_path_join(folder, "tokenizer_config.json") : NULL;
    bool is_lower_case = true;
    json_t *root;
    if (path && rt_file_exists(path)) {
        rt_error error;
        rt_status status = rt_json_read(path, &root, &error);
        rt_json_fields json = {
            .object = status == RT_OK ? root : NULL, .where = path, .error = &error};
        if (status == RT_OK) {
            error.text[0] = 0;
            is_lower_case = rt_json_boolean_or(&json, "do_lower_case", true);
            status = json.status;
            json_decref(root);
        }
        if (status != RT_OK)
            rt_diagnose(r->diagnostics, RT_ERROR, (rt_location){0}, "%s", error.text);
    }
    free(folder);
    free(path);
    return is_lower_case;
}

void rt_job_read_vocabulary(rt_job_reader *r) {
    const rt_spec_value *lower = rt_spec_get(r->spec, RT_SPEC_data_lowercase);
    rt_location location;
    rt_mapped_file file = {0};
    rt_error error;
    vocabulary_facts v;
    const char *path = choose_vocabulary(r, &location);
    r->job->is_lower_case = lower->is_present ? lower->integer : true;
    if (!path || (r->options->may_lack_data && !rt_file_exists(path))) return;
    if (rt_file_map(path, &file, &error) != RT_OK) {
        rt_diagnose(r->diagnostics, RT_ERROR, location, "%s", error.text);
        return;
    }
    scan_vocabulary(&file, &v);
    rt_file_unmap(&file);
    check_special_tokens(r, &v, path, location);
    char *real = realpath(path, NULL);
    r->job->vocabulary = rt_arena_copy_string(r->arena, real ? real : path);
    free(real);
    r->job->vocabulary_size = v.lines;
    r->job->vocabulary_checksum = v.checksum;
    if (!lower->is_present) r->job->is_lower_case = read_lower_case(r, path);
    adopt_vocabulary(r, &v);
}

/* ---- classes */

bool rt_job_has_named_labels(const rt_model_config *config) {
    if (!config->labels) return false;
    for (int64_t i = 0; i < config->label_count; ++i) {
        char unnamed[32];
        snprintf(unnamed, sizeof unnamed, "LABEL_%lld", (long long)i);
        if (strcmp(config->labels[i], unnamed) != 0) return true;
    }
    return false;
}

static void set_labels(rt_job *job, const char *const *labels, int64_t count) {
    job->labels = labels;
    job->label_count = count;
}

/* "a|b|c" as a list; `separator` is "|" here. */
static const char *const *split_labels(rt_job_reader *r, const char *text, const char *separator,
                                       int64_t *count) {
    size_t parts = 1;
    for (const char *c = text; *c; ++c) parts += *c == *separator;
    const char **labels = RT_NEW_ARRAY(r->arena, const char *, parts);
    for (size_t i = 0; labels && i < parts; ++i) {
        size_t length = strcspn(text, separator);
        labels[i] = rt_arena_copy_text(r->arena, text, length);
        text += length + 1;
    }
    *count = labels ? (int64_t)parts : 0;
    return labels;
}

/* The lines of the file `name` beside `path`; NULL where it cannot be read. */
static const char *const *read_labels_beside(rt_job_reader *r, const char *path, const char *name,
                                             int64_t *count, rt_error *error) {
    char *folder = rt_path_folder(path), *joined = folder ? rt_path_join(folder, name) : NULL;
    rt_mapped_file file = {0};
    const char *const *labels = NULL;
    if (joined && rt_file_map(joined, &file, error) == RT_OK) {
        const char *bytes = (const char *)file.data;
        size_t size = file.size;
        while (size && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r')) --size;
        char *text = rt_arena_copy_text(r->arena, bytes, size), *to = text;
        for (const char *from = text; from && *from; ++from) {
            if (*from != '\r') *to++ = *from;
        }
        if (text) {
            *to = 0;
            labels = split_labels(r, text, "\n", count);
        }
        rt_file_unmap(&file);
    }
    free(folder);
    free(joined);
    return labels;
}

void rt_job_name_labels(rt_job_reader *r, const char *path, rt_model_config *config) {
    int64_t count = 0;
    const char *const *labels = read_labels_beside(r, path, "labels.txt", &count, NULL);
    if (labels && count == config->label_count) config->labels = labels;
}

/* Of a known format: its own classes, or those of its file beside the training rows. */
static void take_format_labels(rt_job_reader *r, const rt_format *format) {
    const rt_spec_value *train = rt_spec_get(r->spec, RT_SPEC_data_train);
    int64_t count = 0;
    rt_error error;
    const char *const *labels;
    if (*format->labels != '@') {
        labels = split_labels(r, format->labels, "|", &count);
    } else {
        if (!train->path) return;
        labels = read_labels_beside(r, train->path, format->labels + 1, &count, &error);
        if (!labels)
            rt_diagnose(r->diagnostics, RT_ERROR,
                        rt_spec_get(r->spec, RT_SPEC_data_format)->location,
                        "format %s has its classes in a file: %s", format->name, error.text);
    }
    if (labels) set_labels(r->job, labels, count);
}

/* Who names the classes, in this order: the spec, the model that training starts from, the teacher,
 * the format; else a classifier among them gives their number alone. */
static void choose_labels(rt_job_reader *r) {
    rt_job *job = r->job;
    const rt_spec_value *given = rt_spec_get(r->spec, RT_SPEC_task_labels);
    const rt_spec_value *taught = rt_spec_get(r->spec, RT_SPEC_teacher_labels);
    const rt_model_config *student = &job->student.config, *teacher = &job->teacher.config;
    const rt_format *format = rt_format_find(rt_spec_get(r->spec, RT_SPEC_data_format)->text);
    bool has_start = job->student.origin != RT_ORIGIN_RANDOM;
    if (given->is_present) {
        set_labels(job, given->texts, (int64_t)given->count);
    } else if (has_start && rt_job_has_named_labels(student)) {
        set_labels(job, student->labels, student->label_count);
    } else if (taught->is_present) {
        set_labels(job, taught->texts, (int64_t)taught->count);
    } else if (rt_job_has_named_labels(teacher)) {
        set_labels(job, teacher->labels, teacher->label_count);
    } else if (format && *format->labels) {
        take_format_labels(r, format);
    } else if (has_start && student->label_count) {
        set_labels(job, NULL, student->label_count);
    } else {
        set_labels(job, NULL, teacher->label_count);
    }
}

void rt_job_read_labels(rt_job_reader *r) {
    rt_job *job = r->job;
    size_t errors = r->diagnostics->error_count;
    if (job->is_regression)
        set_labels(job, NULL, 1);
    else if (!job->is_mlm)
        choose_labels(r);
    bool is_ready = job->student.has_config && r->diagnostics->error_count == errors;
    bool needs_classes = !job->is_regression && !job->is_mlm && !r->options->may_lack_data;
    if (is_ready && job->label_count < 2 && needs_classes) {
        rt_diagnose(r->diagnostics, RT_ERROR,
                    rt_spec_section_location(r->spec, RT_SPEC_SECTION_task),
                    "'task.labels' is missing: the classes in order of their numbers, such as "
                    "[negative, positive]");
    }
    job->student.config.label_count = job->label_count;
    job->student.config.labels = job->labels;
    job->student.config.is_regression = job->is_regression;
    job->student.config.predicts_tokens = job->is_mlm;
}
