// SPDX-License-Identifier: Apache-2.0
/* names.def expanded for one configuration. */
#include "models/parameters.h"

#include <math.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/sizes.h"

typedef enum place { BASE, LAYER, POOLER, HEAD, TOKENS } place;
typedef enum kind { TABLE, LINEAR, NORM, BIAS, LSTM, KIND_COUNT } kind;

/* Sizes that shapes are made of. */
typedef enum extent {
    EXTENT_ONE,
    EXTENT_VOCABULARY,
    EXTENT_POSITIONS,
    EXTENT_TOKEN_TYPES,
    EXTENT_WIDTH,
    EXTENT_INNER,
    EXTENT_EMBEDDING, /* of a word vector: the width, but in a bilstm */
    EXTENT_FROZEN,    /* the vocabulary where its vectors have a frozen copy */
    EXTENT_CHANNELS,  /* of a word's vectors together: of both copies where there are two */
    EXTENT_GATES,     /* the four gates of one direction */
    EXTENT_POOLED,    /* what the head reads: the width, in a bilstm both directions; of a pair in
                         four forms */
    EXTENT_HEAD,      /* what the last map reads */
    EXTENT_LABELS
} extent;

typedef struct module {
    place place;
    kind kind;
    extent rows, columns;
    const char *role;
    const char *names[RT_FAMILY_COUNT]; /* in the order of families.def; see there */
} module;

#define SAME NULL
#define NONE ""
static const module modules[RT_MODULE_COUNT] = {
#define MODULE(id, place, kind, rows, columns, role, ...) \
    {place, kind, EXTENT_##rows, EXTENT_##columns, role, {__VA_ARGS__}},
#include "models/names.def"
};
_Static_assert(RT_FAMILY_bert == 0 && RT_FAMILY_distilbert == 1 && RT_FAMILY_roberta == 2 &&
                   RT_FAMILY_roberta_pre == 3 && RT_FAMILY_bert_pre == 4 && RT_FAMILY_bilstm == 5,
               "the columns of names.def");

static const struct {
    const char *text;
    kind kind;
    bool is_vector;
    extent columns; /* of a matrix whose columns are not the module's; else EXTENT_ONE */
} leaves[RT_LEAF_COUNT] = {
    [RT_LEAF_WEIGHT] = {"weight", KIND_COUNT, false, EXTENT_ONE}, /* of TABLE, LINEAR and NORM */
    [RT_LEAF_BIAS] = {"bias", KIND_COUNT, true, EXTENT_ONE},      /* of LINEAR, NORM and BIAS */
    [RT_LEAF_WEIGHT_IH] = {"weight_ih_l0", LSTM, false, EXTENT_ONE},
    [RT_LEAF_WEIGHT_HH] = {"weight_hh_l0", LSTM, false, EXTENT_WIDTH},
    [RT_LEAF_BIAS_IH] = {"bias_ih_l0", LSTM, true, EXTENT_ONE},
    [RT_LEAF_BIAS_HH] = {"bias_hh_l0", LSTM, true, EXTENT_ONE},
    [RT_LEAF_WEIGHT_IH_REVERSE] = {"weight_ih_l0_reverse", LSTM, false, EXTENT_ONE},
    [RT_LEAF_WEIGHT_HH_REVERSE] = {"weight_hh_l0_reverse", LSTM, false, EXTENT_WIDTH},
    [RT_LEAF_BIAS_IH_REVERSE] = {"bias_ih_l0_reverse", LSTM, true, EXTENT_ONE},
    [RT_LEAF_BIAS_HH_REVERSE] = {"bias_hh_l0_reverse", LSTM, true, EXTENT_ONE},
};

static bool module_has_leaf(const module *m, rt_model_leaf leaf) {
    if (m->kind == LSTM || leaves[leaf].kind == LSTM) return m->kind == leaves[leaf].kind;
    return leaf == RT_LEAF_WEIGHT ? m->kind != BIAS : m->kind != TABLE;
}

static int64_t size_of(const rt_model_config *config, extent size) {
    bool is_lstm = !rt_model_config_is_encoder(config);
    switch (size) {
    case EXTENT_ONE: return 1;
    case EXTENT_VOCABULARY: return config->vocabulary_size;
    case EXTENT_POSITIONS: return config->positions;
    case EXTENT_TOKEN_TYPES: return config->token_types;
    case EXTENT_WIDTH: return config->width;
    case EXTENT_INNER: return config->inner_width;
    case EXTENT_EMBEDDING: return is_lstm ? config->embedding_width : config->width;
    case EXTENT_FROZEN: return config->channels == 2 ? config->vocabulary_size : 0;
    case EXTENT_CHANNELS: return config->channels * config->embedding_width;
    case EXTENT_GATES: return 4 * config->width;
    case EXTENT_POOLED:
        return is_lstm ? 2 * config->width * (config->texts == 2 ? 4 : 1) : config->width;
    case EXTENT_HEAD: return is_lstm ? config->inner_width : config->width;
    case EXTENT_LABELS: return config->label_count;
    }
    return 0;
}

/* ---- which modules there are */

bool rt_model_has_module(const rt_model_config *config, rt_model_module id, rt_model_parts parts) {
    const module *m = &modules[id];
    const char *name = m->names[config->family];
    bool has_name = !name || *name, has_head = (parts & RT_PART_HEAD) && config->label_count;
    bool is_whole_head = config->pooling == RT_POOLING_POOLER;
    has_head = has_head && !config->predicts_tokens;
    if (!has_name || size_of(config, m->rows) == 0) return false;
    if (m->place == TOKENS) return (parts & RT_PART_HEAD) && config->predicts_tokens;
    if (m->place == HEAD) return has_head && (is_whole_head || id == RT_MODULE_head_output);
    if (m->place != POOLER) return true;
    /* A family whose head has a dense layer of its own reads the first token, not the pooler. */
    const char *dense = modules[RT_MODULE_head_dense].names[config->family];
    bool head_reads_pooler = dense && !*dense;
    return (parts & RT_PART_POOLER) || (has_head && is_whole_head && head_reads_pooler);
}

/* ---- names */

/* "encoder.layer.#.x" with the number in place of "#". */
static const char *number_layer(const char *pattern, int64_t layer, rt_arena *arena) {
    const char *mark = strchr(pattern, '#');
    if (!mark) return pattern;
    return rt_arena_format(arena, "%.*s%lld%s", (int)(mark - pattern), pattern, (long long)layer,
                           mark + 1);
}

const char *rt_model_parameter_name(const rt_model_config *config, rt_model_module id,
                                    int64_t layer, rt_model_leaf leaf, rt_arena *arena) {
    const module *m = &modules[id];
    const char *own = m->names[config->family];
    bool is_beside_head =
        rt_model_config_has_head(config) && m->place != HEAD && m->place != TOKENS;
    const char *prefix = is_beside_head ? rt_family_facts_of(config->family)->prefix : "";
    const char *name = number_layer(own ? own : m->role, layer, arena);
    return name ? rt_arena_format(arena, "%s%s.%s", prefix, name, leaves[leaf].text) : NULL;
}

/* ---- the list */

/* The usual start of each family: normal of initial_range, biases 0, scales 1; of a bilstm uniform
 * within 1 / sqrt(inputs), word vectors within 0.25. */
static void set_initial(const rt_model_config *config, const module *m, rt_model_parameter *p) {
    bool is_lstm = !rt_model_config_is_encoder(config);
    if (m->kind == NORM) {
        p->initial = p->leaf == RT_LEAF_WEIGHT ? RT_INITIAL_CONSTANT : RT_INITIAL_ZEROS;
        p->initial_value = p->leaf == RT_LEAF_WEIGHT ? 1 : 0;
    } else if (is_lstm) {
        int64_t inputs = m->kind == LSTM ? config->width : size_of(config, m->columns);
        p->initial = RT_INITIAL_UNIFORM;
        p->initial_value = m->kind == TABLE ? 0.25 : 1 / sqrt((double)inputs);
    } else if (p->leaf == RT_LEAF_WEIGHT) {
        p->initial = RT_INITIAL_NORMAL;
        p->initial_value = config->initial_range;
    }
}

rt_model_parameter rt_model_describe_parameter(const rt_model_config *config, rt_model_module id,
                                               int64_t layer, rt_model_leaf leaf, rt_arena *arena) {
    const module *m = &modules[id];
    bool is_vector = leaves[leaf].is_vector || m->kind == NORM;
    extent columns = leaves[leaf].columns == EXTENT_ONE ? m->columns : leaves[leaf].columns;
    rt_model_parameter p = {.module = id, .leaf = leaf, .layer = m->place == LAYER ? layer : -1};
    const char *role = number_layer(m->role, layer, arena);
    p.name = rt_model_parameter_name(config, id, layer, leaf, arena);
    p.role = role ? rt_arena_format(arena, "%s.%s", role, leaves[leaf].text) : NULL;
    p.is_head = m->place == HEAD || m->place == TOKENS;
    p.is_frozen = id == RT_MODULE_frozen_word_embeddings;
    p.rank = is_vector ? 1 : 2;
    p.dims[0] = size_of(config, m->rows);
    p.dims[1] = is_vector ? 1 : size_of(config, columns);
    set_initial(config, m, &p);
    return p;
}

typedef struct list_builder {
    const rt_model_config *config;
    rt_model_parts parts;
    rt_arena *arena;
    rt_model_parameters *list;
    size_t capacity;
} list_builder;

static bool add_module(list_builder *l, rt_model_module id, int64_t layer) {
    if (!rt_model_has_module(l->config, id, l->parts)) return true;
    for (int leaf = 0; leaf < RT_LEAF_COUNT; ++leaf) {
        if (!module_has_leaf(&modules[id], (rt_model_leaf)leaf)) continue;
        rt_model_parameter *items = rt_arena_grow(l->arena, l->list->items, &l->capacity,
                                                  l->list->count + 1, sizeof *items);
        if (!items) return false;
        l->list->items = items;
        items[l->list->count++] =
            rt_model_describe_parameter(l->config, id, layer, (rt_model_leaf)leaf, l->arena);
    }
    return true;
}

bool rt_model_list_parameters(const rt_model_config *config, rt_model_parts parts, rt_arena *arena,
                              rt_model_parameters *list) {
    list_builder l = {.config = config, .parts = parts, .arena = arena, .list = list};
    *list = (rt_model_parameters){0};
    int first = 0, last = RT_MODULE_COUNT;
    while (modules[first].place != LAYER) ++first;
    while (modules[last - 1].place != LAYER) --last;
    bool is_right = true;
    for (int id = 0; id < first; ++id)
        is_right = is_right && add_module(&l, (rt_model_module)id, -1);
    for (int64_t layer = 0; layer < config->layers; ++layer) {
        for (int id = first; id < last; ++id)
            is_right = is_right && add_module(&l, (rt_model_module)id, layer);
    }
    for (int id = last; id < RT_MODULE_COUNT; ++id)
        is_right = is_right && add_module(&l, (rt_model_module)id, -1);
    return is_right && !rt_arena_failed(arena);
}

int64_t rt_model_count_numbers(const rt_model_config *config, rt_model_parts parts) {
    rt_arena arena = {0};
    rt_model_parameters list;
    int64_t total = rt_model_list_parameters(config, parts, &arena, &list) ? 0 : -1;
    for (size_t i = 0; i < list.count && total >= 0; ++i) {
        int64_t numbers;
        bool fits = rt_int64_multiply(list.items[i].dims[0], list.items[i].dims[1], &numbers) &&
                    rt_int64_add(total, numbers, &total);
        if (!fits) total = -1;
    }
    rt_arena_deinit(&arena);
    return total;
}
