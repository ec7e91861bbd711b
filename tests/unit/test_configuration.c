// SPDX-License-Identifier: Apache-2.0
/* Configurations against config.json files, parameter lists against checkpoints and against the
 * published numbers of parameters. */
#include <stdio.h>
#include <string.h>

#include "models/configuration.h"
#include "models/parameters.h"
#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"
#include "tests/support/test.h"

static rt_model_config sizes(rt_family family, int64_t vocabulary, int64_t layers, int64_t width,
                             int64_t heads, int64_t inner) {
    rt_model_config config = rt_model_config_default(family);
    config.vocabulary_size = vocabulary;
    config.layers = layers;
    config.width = width;
    config.heads = heads;
    config.inner_width = inner;
    return config;
}

/* The check values of the models' own papers and releases. */
static void test_published_sizes(void) {
    rt_model_config base = sizes(RT_FAMILY_bert, 30522, 12, 768, 12, 3072);
    CU_ASSERT_EQUAL(rt_model_count_numbers(&base, RT_PART_POOLER), 109482240);
    rt_model_config large = sizes(RT_FAMILY_bert, 30522, 24, 1024, 16, 4096);
    CU_ASSERT_EQUAL(rt_model_count_numbers(&large, RT_PART_POOLER), 335141888);
    rt_model_config distilled = sizes(RT_FAMILY_distilbert, 30522, 6, 768, 12, 3072);
    CU_ASSERT_EQUAL(rt_model_count_numbers(&distilled, RT_PART_POOLER), 66362880);
    rt_model_config tiny = sizes(RT_FAMILY_bert, 30522, 4, 312, 12, 1200);
    CU_ASSERT_EQUAL(rt_model_count_numbers(&tiny, RT_PART_POOLER), 14350248);
    rt_model_config mini = sizes(RT_FAMILY_bert, 30522, 6, 384, 12, 1536);
    CU_ASSERT_EQUAL(rt_model_count_numbers(&mini, RT_PART_POOLER), 22713216);
    rt_model_config roberta = sizes(RT_FAMILY_roberta, 50265, 12, 768, 12, 3072);
    CU_ASSERT_EQUAL(rt_model_count_numbers(&roberta, RT_PART_ENCODER), 124055040);
    /* Tang et al.: hidden 150, layer of 200, input of 600, two classes: 0.96 million beside the
     * word vectors (with one hidden layer to the output). */
    rt_model_config lstm = rt_model_config_default(RT_FAMILY_bilstm);
    lstm.vocabulary_size = 1000;
    lstm.width = 150;
    lstm.embedding_width = 600;
    lstm.label_count = 2;
    CU_ASSERT_EQUAL(rt_model_count_numbers(&lstm, RT_PART_HEAD) - 1000 * 600, 963002);
}

static bool read_config(const char *name, rt_arena *arena, rt_model_config *config) {
    const char *path = test_data(name);
    rt_error error;
    if (!path) return false;
    rt_status status = rt_model_config_read(path, arena, config, &error);
    CU_ASSERT_EQUAL(status, RT_OK);
    if (status != RT_OK) printf("%s\n", error.text);
    return status == RT_OK;
}

static void check_list(const char *folder, const char *stem) {
    char name[200];
    rt_arena arena = {0};
    rt_model_config config;
    bool is_teacher = strcmp(stem, "teacher") == 0;
    snprintf(name, sizeof name, "golden/%s/%s", folder,
             is_teacher ? "teacher_config.json" : "config.json");
    if (!read_config(name, &arena, &config)) {
        test_skip("no golden data");
        return;
    }
    snprintf(name, sizeof name, "golden/%s/%s.safetensors", folder, stem);
    rt_safetensors file = {0};
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(name), &file, NULL), RT_OK);
    rt_model_parameters list;
    rt_model_parts parts = config.label_count ? RT_PART_HEAD : RT_PART_POOLER;
    CU_ASSERT_FATAL(rt_model_list_parameters(&config, parts, &arena, &list));
    CU_ASSERT_EQUAL(list.count, file.count);
    for (size_t i = 0; i < list.count; ++i) {
        const rt_model_parameter *p = &list.items[i];
        const rt_safetensor *tensor = rt_safetensors_find(&file, p->name);
        bool fits = tensor && tensor->rank == p->rank && tensor->dims[0] == p->dims[0] &&
                    (p->rank == 1 || tensor->dims[1] == p->dims[1]);
        if (!fits) printf("%s: %s\n", folder, p->name);
        CU_ASSERT(fits);
    }
    rt_safetensors_close(&file);
    rt_arena_deinit(&arena);
}

static void test_lists_of_checkpoints(void) {
    static const char *const folders[] = {"fwd_bert",       "fwd_distilbert", "fwd_roberta",
                                          "fwd_preln",      "fwd_gelu_tanh",  "ft_cls",
                                          "ft_reg",         "freeze_k",       "head_only",
                                          "grad_accum_cls", "kd_soft",        "kd_bilstm"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; ++i) check_list(folders[i], "initial");
    check_list("kd_soft", "teacher");
    check_list("kd_bilstm", "teacher");
}

static void test_golden_config(void) {
    rt_arena arena = {0};
    rt_model_config config;
    if (!read_config("golden/fwd_preln/config.json", &arena, &config)) {
        test_skip("no golden data");
        return;
    }
    CU_ASSERT_EQUAL(config.family, RT_FAMILY_roberta_pre);
    CU_ASSERT(rt_model_config_is_pre_norm(&config));
    CU_ASSERT_EQUAL(config.width, 48);
    CU_ASSERT_EQUAL(config.epsilon, 1e-12);
    CU_ASSERT_EQUAL(rt_model_config_first_position(&config), 2);
    CU_ASSERT_EQUAL(rt_model_config_longest_row(&config), 48);
    CU_ASSERT_EQUAL(config.label_count, 0);
    CU_ASSERT_EQUAL(config.dropout, 0);
    if (read_config("golden/fwd_gelu_tanh/config.json", &arena, &config))
        CU_ASSERT_EQUAL(config.activation, RT_ACTIVATION_GELU_TANH);
    if (read_config("golden/ft_reg/config.json", &arena, &config)) CU_ASSERT(config.is_regression);
    if (read_config("models/minilm-l6/config.json", &arena, &config)) {
        CU_ASSERT_EQUAL(config.layers, 6);
        CU_ASSERT_EQUAL(config.attention_dropout, 0.1);
        CU_ASSERT_EQUAL(config.classifier_dropout, 0.1);
    }
    rt_arena_deinit(&arena);
}

static rt_status read_text(const char *text, rt_arena *arena, rt_model_config *config,
                           rt_error *error) {
    char path[200];
    snprintf(path, sizeof path, "%s/config.json", test_folder());
    CU_ASSERT_EQUAL(rt_file_replace(path, text, strlen(text), NULL), RT_OK);
    return rt_model_config_read(path, arena, config, error);
}

static void test_text_is_read_back(void) {
    static const char *const labels[] = {"negative", "neutral", "positive"};
    rt_arena arena = {0};
    for (int family = 0; family < RT_FAMILY_COUNT; ++family) {
        rt_model_config config = sizes((rt_family)family, 120, 1, 24, 4, 40), again;
        config.label_count = 3;
        config.labels = labels;
        if (rt_model_config_is_encoder(&config)) {
            config.activation = RT_ACTIVATION_GELU_TANH;
            config.pooling = RT_POOLING_MEAN;
        } else {
            config.heads = 0;
            config.embedding_width = 32;
        }
        rt_error error;
        rt_status status = read_text(rt_model_config_text(&config, &arena), &arena, &again, &error);
        CU_ASSERT_EQUAL_FATAL(status, RT_OK);
        CU_ASSERT_EQUAL(again.family, config.family);
        CU_ASSERT_EQUAL(again.activation, config.activation);
        CU_ASSERT_EQUAL(again.pooling, config.pooling);
        CU_ASSERT_EQUAL(again.label_count, 3);
        CU_ASSERT_STRING_EQUAL(again.labels[1], "neutral");
        CU_ASSERT_EQUAL(again.dropout, config.dropout);
        CU_ASSERT_EQUAL(again.classifier_dropout, config.classifier_dropout);
        CU_ASSERT_EQUAL(rt_model_count_numbers(&again, RT_PART_HEAD),
                        rt_model_count_numbers(&config, RT_PART_HEAD));
        CU_ASSERT(rt_model_count_numbers(&again, RT_PART_HEAD) > 0);
    }
    rt_arena_deinit(&arena);
}

static void refuse(const char *text, const char *reason) {
    rt_arena arena = {0};
    rt_model_config config;
    rt_error error;
    CU_ASSERT_EQUAL(read_text(text, &arena, &config, &error), RT_INVALID_DATA);
    bool is_said = strstr(error.text, reason) != NULL;
    if (!is_said) printf("%s\nnot: %s\n", error.text, reason);
    CU_ASSERT(is_said);
    rt_arena_deinit(&arena);
}

#define SHAPE                                                                  \
    "\"vocab_size\": 50, \"num_hidden_layers\": 1, \"intermediate_size\": 8, " \
    "\"max_position_embeddings\": 16, \"type_vocab_size\": 2, "

static void test_refused_configs(void) {
    refuse("{\"model_type\": \"gpt2\"}", "'model_type' is \"gpt2\"; it can be bert, distilbert");
    refuse("{}", "'model_type' must be a string");
    refuse("{\"model_type\": \"bert\"}", "'num_hidden_layers' must be a positive integer");
    refuse("{\"model_type\": \"bert\", " SHAPE "\"hidden_size\": 10, \"num_attention_heads\": 3}",
           "3 heads do not divide the width 10");
    refuse("{\"model_type\": \"bert\", " SHAPE
           "\"hidden_size\": 8, \"num_attention_heads\": 2, \"hidden_act\": \"silu\"}",
           "'hidden_act' is \"silu\"");
    refuse("{\"model_type\": \"bert\", " SHAPE "\"hidden_size\": 8, \"num_attention_heads\": 2, "
           "\"position_embedding_type\": \"relative_key\"}",
           "it can be \"absolute\"");
    refuse("{\"model_type\": \"bert\", " SHAPE "\"hidden_size\": 8, \"num_attention_heads\": 2, "
           "\"hidden_dropout_prob\": 1.5}",
           "'hidden_dropout_prob' is 1.5");
    refuse("{\"model_type\": \"bert\", " SHAPE "\"hidden_size\": 8, \"num_attention_heads\": 2, "
           "\"id2label\": {\"0\": \"a\", \"2\": \"b\"}}",
           "must name the classes 0 to 1");
    refuse("{\"model_type\": \"bert\", " SHAPE "\"hidden_size\": 99999999999, "
           "\"num_attention_heads\": 1}",
           "'width' is 99999999999, but must be from 1 to 65536");
}

TEST_MAIN("configuration", TEST(test_published_sizes), TEST(test_lists_of_checkpoints),
          TEST(test_golden_config), TEST(test_text_is_read_back), TEST(test_refused_configs))
