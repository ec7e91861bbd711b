// SPDX-License-Identifier: Apache-2.0
/* The settings that a program is compiled with, as JSON. */
#include <jansson.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/job.h"
#include "models/peft.h"

static json_t *list_of_texts(const char *const *texts, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; ++i) json_array_append_new(list, json_string(texts[i]));
    return list;
}

static json_t *list_of_numbers(const rt_spec_value *value) {
    json_t *list = json_array();
    for (size_t i = 0; i < value->count; ++i)
        json_array_append_new(list, json_real(value->reals[i]));
    return list;
}

static json_t *absolute(const char *path) {
    char *real = realpath(path, NULL);
    json_t *text = json_string(real ? real : path);
    free(real);
    return text;
}

static json_t *value_json(const rt_spec_row *row, const rt_spec_value *value) {
    switch (row->kind) {
    case RT_SPEC_INT: return json_integer(value->integer);
    case RT_SPEC_FLOAT:
    case RT_SPEC_POSITIVE: return json_real(value->real);
    case RT_SPEC_BOOL: return json_boolean(value->integer);
    case RT_SPEC_INTS:
    case RT_SPEC_FLOATS: return list_of_numbers(value);
    case RT_SPEC_TEXTS:
    case RT_SPEC_LAYERS:
    case RT_SPEC_LABELS: return list_of_texts(value->texts, value->count);
    case RT_SPEC_FILE:
    case RT_SPEC_DATA:
    case RT_SPEC_MODEL:
    case RT_SPEC_FOLDER: return absolute(value->path);
    case RT_SPEC_OUTPUT:
    case RT_SPEC_ENUM:
    case RT_SPEC_TEXT:
    case RT_SPEC_KIND_COUNT: break;
    }
    return json_string(value->text);
}

/* The rows of runtime/settings.def, by section. */
static const rt_spec_key settings[] = {
#define SETTING(section, name, ...) RT_SPEC_##section##_##name,
#include "runtime/settings.def"
};

static json_t *section_of(json_t *root, const char *name) {
    json_t *section = json_object_get(root, name);
    if (section) return section;
    json_object_set_new(root, name, json_object());
    return json_object_get(root, name);
}

/* What stands in the spec or is its default, then what was looked up. */
static void put_settings(json_t *root, const rt_job *job) {
    for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i) {
        const rt_spec_row *row = rt_spec_row_of(settings[i]);
        const rt_spec_value *value = rt_spec_get(job->spec, settings[i]);
        if (!value->is_present) continue;
        json_object_set_new(section_of(root, rt_spec_section_name(row->section)), row->name,
                            value_json(row, value));
    }
    json_t *task = section_of(root, "task"), *data = section_of(root, "data");
    json_object_set_new(task, "kind",
                        json_string(job->is_mlm          ? "mlm"
                                    : job->is_regression ? "regression"
                                                         : "classification"));
    json_object_set_new(task, "metric", json_string(job->metric));
    if (job->labels)
        json_object_set_new(task, "labels", list_of_texts(job->labels, (size_t)job->label_count));
    if (!json_object_get(data, "folder"))
        json_object_set_new(data, "folder", absolute(rt_spec_folder(job->spec)));
    json_object_set_new(data, "lowercase", json_boolean(job->is_lower_case));
    if (job->vocabulary) json_object_set_new(data, "vocabulary", json_string(job->vocabulary));
}

/* The tables that data.word_vectors fills, and how many texts a row must have. */
static void put_words(json_t *model, const rt_model_config *config) {
    static const rt_model_module tables[] = {RT_MODULE_word_embeddings,
                                             RT_MODULE_frozen_word_embeddings};
    rt_arena arena = {0};
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof tables / sizeof *tables; ++i)
        if (rt_model_has_module(config, tables[i], RT_PART_ENCODER))
            json_array_append_new(names, json_string(rt_model_parameter_name(
                                             config, tables[i], -1, RT_LEAF_WEIGHT, &arena)));
    json_object_set_new(model, "word_embeddings", names);
    if (config->texts == 2) json_object_set_new(model, "texts", json_integer(config->texts));
    rt_arena_deinit(&arena);
}

static void put_model(json_t *root, const rt_job *job) {
    const rt_model_config *config = &job->student.config;
    rt_arena arena = {0};
    const char *text = rt_model_config_text(config, &arena);
    json_t *model = section_of(root, "model");
    json_object_set_new(model, "name", json_string(rt_family_facts_of(config->family)->model_type));
    if (rt_model_config_is_encoder(config))
        json_object_set_new(model, "positions", json_integer(rt_job_longest_row(job, config)));
    json_object_set_new(model, "vocabulary", json_integer(config->vocabulary_size));
    if (job->vocabulary && (job->student.origin != RT_ORIGIN_RANDOM || job->has_teacher)) {
        char checksum[20];
        snprintf(checksum, sizeof checksum, "%016" PRIx64, job->vocabulary_checksum);
        json_object_set_new(model, "vocabulary_checksum", json_string(checksum));
    }
    put_words(model, config);
    if (config->token_types > 0)
        json_object_set_new(model, "token_types", json_integer(config->token_types));
    if (text) json_object_set_new(section_of(root, "checkpoint"), "config.json", json_string(text));
    rt_arena_deinit(&arena);
}

/* What a PEFT folder must be to fit the program (runtime/train/adapter.h). */
static void put_adaptation(json_t *root, const rt_job *job) {
    const char *method = rt_spec_get(job->spec, RT_SPEC_method_kind)->text;
    const char *type = rt_peft_type_of_method(method);
    const rt_spec_value *base = rt_spec_get(job->spec, RT_SPEC_model_from);
    if (!type) return;
    json_t *adaptation = section_of(root, "adaptation");
    json_object_set_new(adaptation, "peft_type", json_string(type));
    if (base->is_present) json_object_set_new(adaptation, "base", absolute(base->path));
    if (strcmp(method, "lora") == 0)
        json_object_set_new(adaptation, "alpha",
                            json_real(rt_spec_get(job->spec, RT_SPEC_method_alpha)->real));
}

const char *rt_job_settings(const rt_job *job, rt_arena *arena) {
    json_t *root = json_object();
    put_settings(root, job);
    put_model(root, job);
    put_adaptation(root, job);
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    const char *copy = text ? rt_arena_copy_string(arena, text) : NULL;
    free(text);
    json_decref(root);
    return copy;
}
