// SPDX-License-Identifier: Apache-2.0
/* What a model is: one struct for all families, from a config.json or a spec, checked. */
#ifndef RETORT_MODELS_CONFIGURATION_H
#define RETORT_MODELS_CONFIGURATION_H

#include "ir/diagnostic.h"
#include "models/spec.h"

typedef enum rt_family {
#define FAMILY(id, ...) RT_FAMILY_##id,
#include "models/families.def"
    RT_FAMILY_COUNT
} rt_family;

typedef struct rt_family_facts {
    const char *model_type, *spec_family, *norm, *prefix, *base_class, *classifier_class,
        *token_class;
} rt_family_facts;

const rt_family_facts *rt_family_facts_of(rt_family family);
bool rt_family_from_model_type(const char *model_type, rt_family *family);
bool rt_family_from_spec(const char *spec_family, const char *norm, rt_family *family);

/* In the order of the choices of model.activation and model.pooling. */
typedef enum rt_activation {
    RT_ACTIVATION_GELU, /* erf */
    RT_ACTIVATION_GELU_TANH,
    RT_ACTIVATION_RELU
} rt_activation;
typedef enum rt_pooling {
    RT_POOLING_POOLER, /* what the family's own classifier reads */
    RT_POOLING_FIRST,
    RT_POOLING_MEAN
} rt_pooling;

/* Sizes that a family does not have are 0. */
typedef struct rt_model_config {
    rt_family family;
    int64_t vocabulary_size;
    int64_t width; /* hidden size; of a bilstm in each direction */
    int64_t layers;
    int64_t heads;
    int64_t inner_width; /* of the feed-forward part; of a bilstm the layer before the classifier */
    int64_t embedding_width; /* bilstm; elsewhere the word embeddings have the width */
    int64_t channels;  /* bilstm: 2 where a frozen word vector stands beside the trained one */
    int64_t texts;     /* bilstm: 2 where each text of a pair is read by itself, else 1 */
    int64_t positions; /* rows of the position table */
    int64_t token_types;
    int64_t padding_id;
    rt_activation activation;
    rt_pooling pooling;
    double epsilon;       /* of layer normalisation */
    double initial_range; /* standard deviation of initial weights */
    double dropout, attention_dropout, classifier_dropout;
    int64_t label_count;  /* 0: no classifier */
    bool predicts_tokens; /* the head is that of a masked language model; then no classifier */
    bool is_regression;
    const char *const *labels; /* names, or NULL */
} rt_model_config;

/* The family's usual values where no size is meant: rates, epsilon, token types. */
rt_model_config rt_model_config_default(rt_family family);

bool rt_model_config_is_pre_norm(const rt_model_config *config);
bool rt_model_config_is_encoder(const rt_model_config *config); /* not a bilstm */
bool rt_model_config_has_head(const rt_model_config *config);
/* RoBERTa counts positions from padding_id + 1; the others from 0. */
int64_t rt_model_config_first_position(const rt_model_config *config);
/* Most tokens of a row that the position table holds; INT64_MAX for a bilstm. */
int64_t rt_model_config_longest_row(const rt_model_config *config);

/* Diagnoses shapes that cannot be, at `location`. RT_INVALID_DATA where there are any. */
RT_MUST_CHECK rt_status rt_model_config_check(const rt_model_config *config, rt_location location,
                                              rt_diagnostics *diagnostics);

/* Reads a config.json; labels live in `arena`. A head is there where "architectures" names a
 * classifier or a masked language model, "num_labels" or "id2label" stands in it. */
RT_MUST_CHECK rt_status rt_model_config_read(const char *path, rt_arena *arena,
                                             rt_model_config *config, rt_error *error);
/* The same of text in memory; `where` stands for the file's name. */
RT_MUST_CHECK rt_status rt_model_config_parse(const char *where, const char *text, rt_arena *arena,
                                              rt_model_config *config, rt_error *error);

/* Takes what section model of a spec says: onto `config`, which holds the shape of what the model
 * starts from (`has_start`), or nothing. Sets family, sizes, rates and pooling, not labels and
 * vocabulary_size unless given. False after diagnostics: a key that contradicts the start. */
bool rt_model_config_apply_spec(rt_model_config *config, bool has_start, const rt_spec *spec,
                                rt_diagnostics *diagnostics);

/* Text of a config.json that the transformers library loads, in `arena`; NULL where there is no
 * memory. Pooling other than the family's own is written as "retort_pooling", which transformers
 * ignores: it would read the family's pooler there. */
const char *rt_model_config_text(const rt_model_config *config, rt_arena *arena);

#endif
