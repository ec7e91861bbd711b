// SPDX-License-Identifier: Apache-2.0
/* config.json and tokenizer_config.json, in and out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/configuration.h"
#include "runtime/base/check.h"
#include "runtime/base/json.h"

typedef enum field_kind { SIZE, INT, RATE } field_kind;

typedef struct field {
    field_kind kind;
    size_t offset;
    const char *bert, *distilbert, *bilstm;
} field;

static const field fields[] = {
#define FIELD(name, kind, bert, distilbert, bilstm) \
    {kind, offsetof(rt_model_config, name), bert, distilbert, bilstm},
#include "models/configuration.def"
};

static const char *key_of(const field *f, rt_family family) {
    return family == RT_FAMILY_distilbert ? f->distilbert
           : family == RT_FAMILY_bilstm   ? f->bilstm
                                          : f->bert;
}

static int64_t *integer_at(rt_model_config *config, const field *f) {
    return (int64_t *)((char *)config + f->offset);
}

static double *real_at(rt_model_config *config, const field *f) {
    return (double *)((char *)config + f->offset);
}

static const char *const pooling_texts[] = {"pooler", "first", "mean"};

/* Names of activations in config.json; the first of each is the one written. */
static const struct {
    const char *text;
    rt_activation activation;
} activations[] = {
    {"gelu", RT_ACTIVATION_GELU},          {"gelu_pytorch_tanh", RT_ACTIVATION_GELU_TANH},
    {"gelu_new", RT_ACTIVATION_GELU_TANH}, {"gelu_fast", RT_ACTIVATION_GELU_TANH},
    {"relu", RT_ACTIVATION_RELU},
};

static const char *activation_key(rt_family family) {
    return family == RT_FAMILY_distilbert ? "activation" : "hidden_act";
}

/* ---- in */

static void read_activation(rt_json_fields *json, rt_model_config *config) {
    const char *key = activation_key(config->family);
    const char *text = rt_json_string_or(json, key, "gelu");
    for (size_t i = 0; text && i < RT_COUNT_OF(activations); ++i) {
        if (strcmp(text, activations[i].text) != 0) continue;
        config->activation = activations[i].activation;
        return;
    }
    if (text)
        rt_json_refuse(json, key, "is \"%s\"; it can be gelu, gelu_new, gelu_pytorch_tanh or relu",
                       text);
}

static void read_fields(rt_json_fields *json, rt_model_config *config) {
    config->classifier_dropout = -1; /* absent: decided below */
    for (size_t i = 0; i < RT_COUNT_OF(fields); ++i) {
        const field *f = &fields[i];
        const char *key = key_of(f, config->family);
        if (!*key) continue;
        if (f->kind == SIZE) {
            *integer_at(config, f) = rt_json_positive(json, key);
        } else if (f->kind == INT) {
            *integer_at(config, f) = rt_json_integer_or(json, key, *integer_at(config, f));
        } else {
            double usual = *real_at(config, f), rate = rt_json_number_or(json, key, usual);
            if (rate != usual && !(rate >= 0 && rate < 1))
                rt_json_refuse(json, key, "is %g, but must be from 0 to below 1", rate);
            *real_at(config, f) = rate;
        }
    }
    if (config->classifier_dropout < 0) {
        rt_model_config usual = rt_model_config_default(config->family);
        config->classifier_dropout =
            config->family == RT_FAMILY_distilbert ? usual.classifier_dropout : config->dropout;
    }
}

/* "id2label": {"0": "negative", …}; the ids must be 0 to n - 1. */
static void read_labels(rt_json_fields *json, rt_arena *arena, rt_model_config *config) {
    const json_t *map = rt_json_object_or(json, "id2label", NULL);
    size_t count = json_object_size(map);
    if (!count) return;
    const char **labels = RT_NEW_ARRAY(arena, const char *, count);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value) {
        char *end;
        unsigned long id = strtoul(key, &end, 10);
        if (*end || end == key || id >= count || !json_is_string(value) || !labels) {
            rt_json_refuse(json, "id2label", "must name the classes 0 to %zu, found \"%.40s\"",
                           count - 1, key);
            return;
        }
        labels[id] = rt_arena_copy_string(arena, json_string_value(value));
    }
    for (size_t i = 0; i < count; ++i) {
        if (labels[i]) continue;
        rt_json_refuse(json, "id2label", "has no class %zu of %zu", i, count);
        return;
    }
    config->label_count = (int64_t)count;
    config->labels = labels;
}

static bool names_class(const json_t *architectures, const char *class_name) {
    size_t index;
    json_t *item;
    json_array_foreach((json_t *)architectures, index, item) {
        const char *name = json_string_value(item);
        if (name && *class_name && strcmp(name, class_name) == 0) return true;
    }
    return false;
}

/* A table that decodes must be the one that looks words up: there is no other. */
static void read_token_head(rt_json_fields *json, rt_model_config *config) {
    config->predicts_tokens = true;
    if (!rt_json_boolean_or(json, "tie_word_embeddings", true))
        rt_json_refuse(json, "tie_word_embeddings",
                       "is false; tokens are predicted by the table of word embeddings alone");
}

static void read_head(rt_json_fields *json, rt_arena *arena, rt_model_config *config) {
    read_labels(json, arena, config);
    int64_t count = rt_json_integer_or(json, "num_labels", config->label_count);
    if (config->label_count && count != config->label_count)
        rt_json_refuse(json, "num_labels", "is %lld, but id2label names %lld", (long long)count,
                       (long long)config->label_count);
    config->label_count = count;
    const json_t *architectures = rt_json_array_or(json, "architectures", NULL);
    const rt_family_facts *facts = rt_family_facts_of(config->family);
    if (!count && names_class(architectures, facts->token_class)) read_token_head(json, config);
    if (!count && names_class(architectures, facts->classifier_class)) config->label_count = 2;
    const char *problem = rt_json_string_or(json, "problem_type", "");
    config->is_regression =
        config->label_count == 1 || (problem && strcmp(problem, "regression") == 0);
    if (problem && strcmp(problem, "multi_label_classification") == 0)
        rt_json_refuse(json, "problem_type",
                       "is \"%s\"; one label per row can be predicted, or a "
                       "number",
                       problem);
    const char *pooling = rt_json_string_or(json, "retort_pooling", "pooler");
    for (size_t i = 0; pooling && i < RT_COUNT_OF(pooling_texts); ++i) {
        if (strcmp(pooling, pooling_texts[i]) == 0) config->pooling = (rt_pooling)i;
    }
}

/* Variants of the architecture that would silently compute something else. */
static void refuse_variants(rt_json_fields *json) {
    const char *positions = rt_json_string_or(json, "position_embedding_type", "absolute");
    if (positions && strcmp(positions, "absolute") != 0)
        rt_json_refuse(json, "position_embedding_type", "is \"%s\"; it can be \"absolute\"",
                       positions);
    if (rt_json_boolean_or(json, "is_decoder", false))
        rt_json_refuse(json, "is_decoder", "is true; only encoders can be read");
    if (!rt_json_boolean_or(json, "bidirectional", true))
        rt_json_refuse(json, "bidirectional", "is false; only bidirectional models can be read");
}

static const char *list_model_types(char *text, size_t size) {
    size_t used = 0;
    for (int i = 0; i < RT_FAMILY_COUNT && used < size; ++i) {
        const char *separator = i == 0 ? "" : i == RT_FAMILY_COUNT - 1 ? " or " : ", ";
        used += (size_t)snprintf(text + used, size - used, "%s%s", separator,
                                 rt_family_facts_of((rt_family)i)->model_type);
    }
    return text;
}

static void read_config(rt_json_fields *json, rt_arena *arena, rt_model_config *config) {
    char types[200];
    rt_family family;
    const char *type = rt_json_string(json, "model_type");
    if (!type) return;
    if (!rt_family_from_model_type(type, &family)) {
        rt_json_refuse(json, "model_type", "is \"%s\"; it can be %s", type,
                       list_model_types(types, sizeof types));
        return;
    }
    *config = rt_model_config_default(family);
    read_fields(json, config);
    if (rt_model_config_is_encoder(config)) read_activation(json, config);
    read_head(json, arena, config);
    refuse_variants(json);
}

static rt_status read_root(const char *path, json_t *root, rt_arena *arena, rt_model_config *config,
                           rt_error *error) {
    *config = (rt_model_config){0};
    rt_json_fields json = {.object = root, .where = path, .error = error};
    read_config(&json, arena, config);
    json_decref(root);
    if (json.status != RT_OK) return json.status;
    rt_diagnostics diagnostics = {0};
    rt_status status = rt_model_config_check(config, (rt_location){.file = path}, &diagnostics);
    if (status != RT_OK)
        rt_fail(error, status, "%s: %s", path,
                diagnostics.count ? diagnostics.items[0].text : "the sizes do not fit");
    rt_diagnostics_deinit(&diagnostics);
    return status;
}

rt_status rt_model_config_read(const char *path, rt_arena *arena, rt_model_config *config,
                               rt_error *error) {
    json_t *root;
    if (error) error->text[0] = 0;
    RT_TRY(rt_json_read(path, &root, error));
    return read_root(path, root, arena, config, error);
}

rt_status rt_model_config_parse(const char *where, const char *text, rt_arena *arena,
                                rt_model_config *config, rt_error *error) {
    json_t *root;
    if (error) error->text[0] = 0;
    RT_TRY(rt_json_parse(where, text, strlen(text), &root, error));
    return read_root(where, root, arena, config, error);
}

/* ---- out */

static void put_labels(json_t *root, const rt_model_config *config) {
    json_t *names = json_object(), *ids = json_object();
    for (int64_t i = 0; i < config->label_count; ++i) {
        char id[24], fallback[32];
        snprintf(id, sizeof id, "%lld", (long long)i);
        snprintf(fallback, sizeof fallback, "LABEL_%lld", (long long)i);
        const char *label = config->labels ? config->labels[i] : fallback;
        json_object_set_new(names, id, json_string(label));
        json_object_set_new(ids, label, json_integer(i));
    }
    json_object_set_new(root, "id2label", names);
    json_object_set_new(root, "label2id", ids);
    json_object_set_new(
        root, "problem_type",
        json_string(config->is_regression ? "regression" : "single_label_classification"));
    if (!rt_model_config_is_encoder(config))
        json_object_set_new(root, "num_labels", json_integer(config->label_count));
}

static json_t *make_config(const rt_model_config *config) {
    const rt_family_facts *facts = rt_family_facts_of(config->family);
    json_t *root = json_object();
    const char *class_name = config->label_count       ? facts->classifier_class
                             : config->predicts_tokens ? facts->token_class
                                                       : facts->base_class;
    json_object_set_new(root, "architectures", json_pack("[s]", class_name));
    json_object_set_new(root, "model_type", json_string(facts->model_type));
    for (size_t i = 0; i < RT_COUNT_OF(fields); ++i) {
        const field *f = &fields[i];
        const char *key = key_of(f, config->family);
        rt_model_config copy = *config;
        if (!*key) continue;
        json_object_set_new(root, key,
                            f->kind == RATE ? json_real(*real_at(&copy, f))
                                            : json_integer(*integer_at(&copy, f)));
    }
    if (rt_model_config_is_encoder(config)) {
        size_t i = 0;
        while (activations[i].activation != config->activation) ++i;
        json_object_set_new(root, activation_key(config->family), json_string(activations[i].text));
    } else {
        json_object_set_new(root, "bidirectional", json_true());
    }
    if (config->family == RT_FAMILY_distilbert)
        json_object_set_new(root, "sinusoidal_pos_embds", json_false());
    if (config->label_count) put_labels(root, config);
    if (config->predicts_tokens) json_object_set_new(root, "tie_word_embeddings", json_true());
    if (config->pooling != RT_POOLING_POOLER)
        json_object_set_new(root, "retort_pooling", json_string(pooling_texts[config->pooling]));
    json_object_set_new(root, "torch_dtype", json_string("float32"));
    return root;
}

/* Releases `root`. */
static const char *print_json(json_t *root, rt_arena *arena) {
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    const char *copy = text ? rt_arena_format(arena, "%s\n", text) : NULL;
    free(text);
    json_decref(root);
    return copy;
}

const char *rt_model_config_text(const rt_model_config *config, rt_arena *arena) {
    return print_json(make_config(config), arena);
}
