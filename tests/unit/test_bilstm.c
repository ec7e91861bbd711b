// SPDX-License-Identifier: Apache-2.0
/* The BiLSTM's forms: pairs by a shared LSTM, word vectors beside a frozen copy, folded products.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/build.h"
#include "passes/pass_manager.h"
#include "tests/support/graph.h"
#include "tests/support/test.h"

enum { VOCABULARY = 11, WIDTH = 3, EMBEDDING = 4, INNER = 5, CLASSES = 2, MOST_PARAMETERS = 32 };

static rt_model_config config_of(int64_t texts, int64_t channels) {
    rt_model_config config = rt_model_config_default(RT_FAMILY_bilstm);
    config.vocabulary_size = VOCABULARY;
    config.width = WIDTH;
    config.embedding_width = EMBEDDING;
    config.inner_width = INNER;
    config.label_count = CLASSES;
    config.texts = texts;
    config.channels = channels;
    return config;
}

typedef struct fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_array *values[MOST_PARAMETERS];
} fixture;

/* The same numbers for a parameter of one name and shape in every model. */
static rt_array *parameter_values(fixture *f, size_t index) {
    const rt_parameter_info *info = rt_module_parameter(f->module, (rt_parameter){(uint32_t)index});
    int64_t dims[RT_MAX_RANK];
    uint32_t stream = 0;
    CU_ASSERT_TRUE_FATAL(rt_type_is_static(rt_module_dims(f->module), info->type, dims, NULL));
    for (const char *c = info->name; *c; ++c) stream = stream * 31 + (uint32_t)*c;
    rt_array *array = rt_array_create(RT_F32, info->type.rank, dims, &f->arena);
    for (int64_t i = 0; i < array->count; ++i) array->real[i] = test_random(stream, (uint32_t)i);
    return array;
}

static void begin(fixture *f, const rt_model_config *config) {
    rt_build_options options = {.graph_name = "predict",
                                .parameter_prefix = "",
                                .outputs = RT_OUTPUT_LOGITS,
                                .is_trainable = true};
    *f = (fixture){0};
    f->module = rt_module_create(&f->diagnostics);
    f->graph = rt_model_build(f->module, config, &options);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->graph);
    CU_ASSERT_TRUE_FATAL(rt_module_parameter_count(f->module) < MOST_PARAMETERS);
    for (size_t i = 0; i < rt_module_parameter_count(f->module); ++i)
        f->values[i] = parameter_values(f, i);
}

static void end(fixture *f) {
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

/* One row of ids, `first` of them of type 0. */
typedef struct row {
    int count, first;
    int64_t ids[8];
} row;

static rt_array *integers(fixture *f, int64_t count) {
    return rt_array_create(RT_I32, 1, &count, &f->arena);
}

/* Logits of the rows; in the fixture's arena. */
static const rt_array *run(fixture *f, const row *rows, int count) {
    int64_t tokens = 0, at = 0;
    for (int b = 0; b < count; ++b) tokens += rows[b].count;
    /* input_ids, token_type_ids, position_ids, row_offsets, example_ids, token_examples */
    rt_array *inputs[6] = {integers(f, tokens),    integers(f, tokens), integers(f, tokens),
                           integers(f, count + 1), integers(f, count),  integers(f, tokens)};
    for (int b = 0; b < count; ++b) {
        for (int t = 0; t < rows[b].count; ++t, ++at) {
            inputs[0]->integer[at] = rows[b].ids[t];
            inputs[1]->integer[at] = t >= rows[b].first;
            inputs[2]->integer[at] = t;
            inputs[5]->integer[at] = b;
        }
        inputs[3]->integer[b + 1] = at;
        inputs[4]->integer[b] = b;
    }
    rt_array *outputs[1];
    rt_error error;
    rt_eval_options options = {0};
    rt_status status =
        rt_eval_graph(rt_module_find_graph(f->module, "predict"), (const rt_array *const *)inputs,
                      (const rt_array *const *)f->values, &options, &f->arena, outputs, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return outputs[0];
}

static rt_array *values_of(fixture *f, const char *name) {
    rt_parameter parameter = rt_module_find_parameter(f->module, name);
    CU_ASSERT_TRUE_FATAL(rt_parameter_is(parameter));
    return f->values[parameter.index];
}

/* Lets the classifier of a siamese model read one of its four features as the classifier of a
 * single text reads its only one. */
static void read_feature(fixture *pair, fixture *single, int feature) {
    rt_array *to = values_of(pair, "fc1.weight"), *from = values_of(single, "fc1.weight");
    memset(to->real, 0, (size_t)to->count * sizeof *to->real);
    for (int i = 0; i < INNER; ++i)
        for (int j = 0; j < 2 * WIDTH; ++j)
            to->real[i * 8 * WIDTH + feature * 2 * WIDTH + j] = from->real[i * 2 * WIDTH + j];
}

static bool same_logits(const rt_array *a, const rt_array *b) {
    bool is_same = a->count == b->count;
    for (int64_t i = 0; i < a->count && is_same; ++i)
        is_same = fabs(a->real[i] - b->real[i]) <= 1e-12;
    return is_same;
}

/* [CLS] is 2, [SEP] is 3. h1 and h2 are what the model of single texts makes of each text. */
static void test_texts_are_read_alone(void) {
    static const row pairs[] = {
        {7, 4, {2, 5, 6, 3, 7, 8, 3}}, {4, 2, {2, 3, 9, 3}}, {6, 3, {2, 10, 3, 5, 6, 3}}};
    static const row first[] = {{3, 3, {5, 6, 3}}, {1, 1, {3}}, {2, 2, {10, 3}}};
    static const row second[] = {{3, 3, {7, 8, 3}}, {2, 2, {9, 3}}, {3, 3, {5, 6, 3}}};
    rt_model_config siamese = config_of(2, 1), plain = config_of(1, 1);
    fixture pair, single;
    begin(&pair, &siamese);
    begin(&single, &plain);
    CU_ASSERT_EQUAL(values_of(&pair, "fc1.weight")->dims[1], 8 * WIDTH);
    read_feature(&pair, &single, 0);
    CU_ASSERT_TRUE(same_logits(run(&pair, pairs, 3), run(&single, first, 3)));
    CU_ASSERT_FALSE(same_logits(run(&pair, pairs, 3), run(&single, second, 3)));
    read_feature(&pair, &single, 1);
    CU_ASSERT_TRUE(same_logits(run(&pair, pairs, 3), run(&single, second, 3)));
    end(&pair);
    end(&single);
}

/* Of a text beside itself |h1 - h2| is 0 and h1 h2 no less than 0; both are the same when the texts
 * change places. */
static void test_comparing_is_symmetric(void) {
    static const row same = {7, 4, {2, 5, 6, 3, 5, 6, 3}}, none = {7, 4, {2, 8, 9, 3, 8, 9, 3}};
    static const row forth = {8, 5, {2, 5, 6, 7, 3, 8, 9, 3}};
    static const row back = {8, 4, {2, 8, 9, 3, 5, 6, 7, 3}};
    rt_model_config siamese = config_of(2, 1), plain = config_of(1, 1);
    fixture pair, single;
    begin(&pair, &siamese);
    begin(&single, &plain);
    read_feature(&pair, &single, 2);
    CU_ASSERT_TRUE(same_logits(run(&pair, &same, 1), run(&pair, &none, 1)));
    CU_ASSERT_TRUE(same_logits(run(&pair, &forth, 1), run(&pair, &back, 1)));
    CU_ASSERT_FALSE(same_logits(run(&pair, &forth, 1), run(&pair, &same, 1)));
    read_feature(&pair, &single, 3);
    CU_ASSERT_TRUE(same_logits(run(&pair, &forth, 1), run(&pair, &back, 1)));
    CU_ASSERT_FALSE(same_logits(run(&pair, &same, 1), run(&pair, &none, 1)));
    end(&pair);
    end(&single);
}

/* Rows that are no pairs are wrong, but whatever is read of them is in range. */
static void test_rows_without_second_text(void) {
    static const row rows[] = {{3, 3, {2, 5, 3}}, {2, 2, {2, 3}}, {1, 1, {2}}, {3, 0, {2, 5, 3}}};
    rt_model_config siamese = config_of(2, 1);
    fixture f;
    begin(&f, &siamese);
    for (int count = 1; count <= 4; ++count) {
        const rt_array *logits = run(&f, rows, count);
        for (int64_t i = 0; i < logits->count; ++i) CU_ASSERT_TRUE(isfinite(logits->real[i]));
    }
    end(&f);
}

/* Tang et al. give 0.96 million numbers without word vectors. */
static void test_parameter_counts(void) {
    rt_model_config config = rt_model_config_default(RT_FAMILY_bilstm);
    config.vocabulary_size = 1000;
    config.width = 150;
    config.label_count = 2;
    config.channels = 2;
    CU_ASSERT_EQUAL(rt_model_count_numbers(&config, RT_PART_HEAD), 963002 + 2 * 300 * 1000);
    config.texts = 2; /* the classifier reads four times as much */
    CU_ASSERT_EQUAL(rt_model_count_numbers(&config, RT_PART_HEAD),
                    963002 + 3 * 300 * 200 + 2 * 300 * 1000);
    config.channels = 1;
    config.texts = 1;
    CU_ASSERT_EQUAL(rt_model_count_numbers(&config, RT_PART_HEAD),
                    963002 - 2 * 600 * 300 + 300 * 1000);
}

/* One of two equal tables does not train; both are read. */
static void test_channels(void) {
    static const row text = {3, 3, {2, 5, 3}};
    rt_model_config two = config_of(1, 2);
    fixture f;
    begin(&f, &two);
    rt_parameter trained = rt_module_find_parameter(f.module, "embedding.weight");
    rt_parameter frozen = rt_module_find_parameter(f.module, "embedding_frozen.weight");
    CU_ASSERT_TRUE_FATAL(rt_parameter_is(trained) && rt_parameter_is(frozen));
    CU_ASSERT_TRUE(rt_module_parameter(f.module, trained)->is_trainable);
    CU_ASSERT_FALSE(rt_module_parameter(f.module, frozen)->is_trainable);
    const rt_array *before = run(&f, &text, 1);
    f.values[frozen.index]->real[5 * EMBEDDING] += 1;
    const rt_array *after = run(&f, &text, 1);
    CU_ASSERT_FALSE(same_logits(before, after));
    f.values[trained.index]->real[5 * EMBEDDING] += 1;
    CU_ASSERT_FALSE(same_logits(after, run(&f, &text, 1)));
    end(&f);
}

static void fold(fixture *f) {
    rt_pass_manager *manager = rt_pass_manager_create(&f->diagnostics);
    CU_ASSERT_EQUAL(rt_pass_manager_add(manager, "fold:graph=predict"), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_pass_manager_run(manager, f->module), RT_OK);
    rt_pass_manager_destroy(manager);
}

static bool has_table(const fixture *f, int64_t columns) {
    const rt_graph *graph = rt_module_find_graph(f->module, "predict");
    for (size_t i = 0; i < rt_graph_node_count(graph); ++i) {
        const rt_node_info *info = rt_graph_node(graph, (rt_node){(uint32_t)i});
        int64_t dims[RT_MAX_RANK];
        if (info->op == RT_OP_gather &&
            rt_type_is_static(rt_module_dims(f->module), rt_graph_type(graph, info->operands[0]),
                              dims, NULL) &&
            dims[0] == VOCABULARY && dims[1] == columns)
            return true;
    }
    return false;
}

/* Folding changes nothing, in any form. */
static void test_folded_products(void) {
    static const row pairs[] = {{7, 4, {2, 5, 6, 3, 7, 8, 3}}, {4, 2, {2, 3, 9, 3}}};
    for (int form = 0; form < 4; ++form) {
        rt_model_config config = config_of(1 + form % 2, 1 + form / 2);
        fixture f;
        begin(&f, &config);
        const rt_array *before = run(&f, pairs, 2);
        CU_ASSERT_FALSE(has_table(&f, 4 * WIDTH));
        fold(&f);
        CU_ASSERT_TRUE(has_table(&f, 4 * WIDTH));
        CU_ASSERT_TRUE(same_logits(before, run(&f, pairs, 2)));
        end(&f);
    }
}

TEST_MAIN("bilstm", TEST(test_texts_are_read_alone), TEST(test_comparing_is_symmetric),
          TEST(test_rows_without_second_text), TEST(test_parameter_counts), TEST(test_channels),
          TEST(test_folded_products))
