// SPDX-License-Identifier: Apache-2.0
/* Losses between what is inside two models: by the evaluator, what they are for a student that is
 * its teacher, and that padding changes nothing unless it counts; by the schedule, that nothing in
 * memory is as large as the square of a row; and the published recipes as programs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compiler/kernels/kernel.h"
#include "compiler/schedule/memory_plan.h"
#include "compiler/training_program.h"
#include "tests/support/golden.h"
#include "tests/support/test.h"

#define SMALL_BERT(layers)                                                         \
    "{\"model_type\": \"bert\", \"vocab_size\": 400, \"hidden_size\": 48, "        \
    "\"num_hidden_layers\": " layers                                               \
    ", \"num_attention_heads\": 4, \"intermediate_size\": 80, \"num_labels\": 2, " \
    "\"max_position_embeddings\": 512, \"type_vocab_size\": 2}"
#define TINYBERT                                                \
    "  - {kind: mse, feature: embedding, projection: shared}\n" \
    "  - {kind: mse, feature: hidden, projection: shared}\n"    \
    "  - {kind: mse, feature: attention}\n"
/* Every feature, by every kind. */
#define ALL_TERMS                                                  \
    "  - {kind: mse, feature: embedding}\n"                        \
    "  - {kind: mse, feature: hidden}\n"                           \
    "  - {kind: cosine, feature: hidden}\n"                        \
    "  - {kind: normalised_mse, feature: first}\n"                 \
    "  - {kind: mse, feature: attention}\n"                        \
    "  - {kind: kl, feature: attention_probabilities}\n"           \
    "  - {kind: kl, feature: query_relation, relation_heads: 8}\n" \
    "  - {kind: kl, feature: key_relation}\n"                      \
    "  - {kind: kl, feature: value_relation}\n"
enum { ALL_COUNT = 9 };

static rt_module *make(const char *text, const char *path, const char *teacher,
                       const rt_spec_options *spec_options, rt_arena *arena) {
    rt_diagnostics diagnostics = {0};
    rt_model_config config;
    /* Weights as they are: the evaluator has no panels. */
    rt_program_options options = {.optimizations.left_out =
                                      1u << RT_OPTIMIZE_panels | 1u << RT_OPTIMIZE_hoist};
    if (teacher) {
        CU_ASSERT_EQUAL_FATAL(rt_model_config_parse("teacher", teacher, arena, &config, NULL),
                              RT_OK);
        options.random_teacher = &config;
    }
    rt_spec *spec = text ? rt_spec_parse(text, strlen(text), path, spec_options, &diagnostics)
                         : rt_spec_read(path, spec_options, &diagnostics);
    rt_module *module = spec ? rt_training_program(spec, &options, &diagnostics) : NULL;
    if (!module) printf("%s", rt_diagnostics_text(&diagnostics, arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(module);
    rt_spec_destroy(spec);
    rt_diagnostics_deinit(&diagnostics);
    return module;
}

static size_t count_ops(const rt_graph *graph, rt_op op, rt_arena *arena) {
    rt_node *nodes;
    size_t count, found = 0;
    CU_ASSERT_TRUE_FATAL(rt_graph_order(graph, arena, &nodes, &count));
    for (size_t i = 0; i < count; ++i) found += rt_graph_node(graph, nodes[i])->op == op;
    return found;
}

/* ---- memory and dead code */

static int64_t *sizes_of(const rt_module *module, int64_t rows, int64_t longest, rt_arena *arena) {
    const rt_dim_table *dims = rt_module_dims((rt_module *)module);
    size_t count = rt_dim_symbol_count(dims);
    int64_t *symbols = RT_NEW_ARRAY(arena, int64_t, count + 1);
    for (uint32_t i = 0; i < count; ++i) {
        const char *name = rt_dim_symbol_name(dims, i);
        symbols[i] = strcmp(name, "B") == 0   ? rows
                     : strcmp(name, "S") == 0 ? longest
                                              : rows * longest;
    }
    return symbols;
}

/* Every buffer of the step, and what kernels keep beside, for one row of 16384 tokens. */
static void test_no_map_of_scores(void) {
    enum { LONGEST = 16384 };
    rt_arena arena = {0};
    rt_schedule schedule;
    rt_memory_plan plan;
    rt_error error;
    rt_spec_options lacking = {.may_lack_files = true};
    rt_module *module =
        make("task: {labels: [no, yes]}\n"
             "data: {train: none.tsv, vocabulary: none.txt}\n"
             "model: {family: bert, layers: 2, width: 24, heads: 4, vocabulary_size: 400}\n"
             "teacher: {from: none}\nloss:\n" TINYBERT "  - {kind: kl, feature: value_relation}\n",
             "spec.yaml", SMALL_BERT("4"), &lacking, &arena);
    rt_graph *step = rt_module_find_graph(module, "step");
    const rt_dim_table *dims = rt_module_dims(module);
    int64_t *symbols = sizes_of(module, 1, LONGEST, &arena);
    CU_ASSERT_EQUAL(count_ops(step, RT_OP_relation_loss, &arena), 4);
    CU_ASSERT_EQUAL(count_ops(step, RT_OP_relation_loss_gradient, &arena), 4);
    CU_ASSERT_EQUAL_FATAL(
        rt_schedule_create(step, (rt_optimizations){0}, &arena, &schedule, &error), RT_OK);
    CU_ASSERT_EQUAL_FATAL(rt_memory_plan_measure(&schedule, symbols, &arena, &plan, &error), RT_OK);
    CU_ASSERT(plan.total_bytes > 0);
    for (size_t i = 0; i < schedule.buffer_count; ++i)
        CU_ASSERT(plan.sizes[i] < (uint64_t)LONGEST * LONGEST / 8);
    rt_node *nodes;
    size_t count;
    CU_ASSERT_TRUE_FATAL(rt_graph_order(step, &arena, &nodes, &count));
    for (size_t i = 0; i < count; ++i) {
        const rt_kernel_row *row = rt_kernel_find(rt_graph_node(step, nodes[i])->op);
        int64_t bytes = 0;
        if (!row || !row->scratch) continue;
        CU_ASSERT_TRUE(rt_dim_evaluate(dims, row->scratch(step, nodes[i]), symbols, &bytes));
        CU_ASSERT(bytes < (int64_t)LONGEST * LONGEST / 8);
    }
    rt_module_destroy(module);
    rt_arena_deinit(&arena);
}

/* What a teacher computes above what is compared is nowhere: neither nodes nor weights. */
static void test_unread_layers_go(void) {
    static const char spec[] =
        "task: {labels: [no, yes]}\n"
        "data: {train: none.tsv, vocabulary: none.txt}\n"
        "model: {family: bert, layers: 1, width: 48, heads: 4, vocabulary_size: 400}\n"
        "teacher: {from: none}\n"
        "loss: [{kind: mse, feature: hidden, teacher_layers: [%d]}]\n";
    rt_arena arena = {0};
    rt_spec_options lacking = {.may_lack_files = true};
    size_t nodes[2];
    for (int top = 1; top <= 3; top += 2) {
        char text[600];
        snprintf(text, sizeof text, spec, top);
        rt_module *module = make(text, "spec.yaml", SMALL_BERT("4"), &lacking, &arena);
        rt_graph *step = rt_module_find_graph(module, "step");
        rt_node *order;
        CU_ASSERT_TRUE_FATAL(rt_graph_order(step, &arena, &order, &nodes[top / 2]));
        CU_ASSERT_EQUAL(count_ops(step, RT_OP_attention, &arena), (size_t)top + 2);
        for (int layer = 0; layer < 4; ++layer) {
            char name[100];
            snprintf(name, sizeof name, "teacher/bert.encoder.layer.%d.output.dense.weight", layer);
            CU_ASSERT_EQUAL(rt_parameter_is(rt_module_find_parameter(module, name)), layer <= top);
        }
        rt_module_destroy(module);
    }
    CU_ASSERT(nodes[0] < nodes[1]);
    rt_arena_deinit(&arena);
}

/* ---- values */

typedef struct run {
    rt_module *module;
    rt_array **outputs;
} run;

/* The step of these terms over the golden teacher and a student, on the first batch. */
static run evaluate(const char *student, const char *terms, bool counts_padding, rt_arena *arena) {
    rt_safetensors ours = {0}, theirs = {0}, batches = {0};
    char text[3000];
    rt_error error;
    snprintf(text, sizeof text,
             "data: {train: batches.safetensors, padding: %s}\n"
             "model: {from: %s, dropout: 0, attention_dropout: 0}\n"
             "teacher: {from: teacher.safetensors}\nloss:\n%s",
             counts_padding ? "counted" : "none", student, terms);
    char path[100];
    snprintf(path, sizeof path, "golden/kd_tinybert_pred/%s", student);
    run r = {make(text, test_data("golden/kd_tinybert_pred/recipe.json"), NULL, NULL, arena), NULL};
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(path), &ours, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(
        rt_safetensors_open(test_data("golden/kd_tinybert_pred/teacher.safetensors"), &theirs,
                            NULL),
        RT_OK);
    CU_ASSERT_EQUAL_FATAL(
        rt_safetensors_open(test_data("golden/kd_tinybert_pred/batches.safetensors"), &batches,
                            NULL),
        RT_OK);
    rt_graph *step = rt_module_find_graph(r.module, "evaluate");
    golden_batch *batch = golden_pack(&batches, "step01.", counts_padding, arena);
    const rt_array **inputs = golden_inputs(step, batch, arena);
    const rt_array **values = golden_parameters(r.module, &ours, "", NULL, arena);
    values = golden_parameters(r.module, &theirs, "teacher/", values, arena);
    r.outputs = RT_NEW_ARRAY(arena, rt_array *, rt_graph_output_count(step) + 1);
    rt_eval_options options = {0};
    rt_status status = rt_eval_graph(step, inputs, values, &options, arena, r.outputs, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    rt_safetensors_close(&ours);
    rt_safetensors_close(&theirs);
    rt_safetensors_close(&batches);
    return r;
}

/* Output "loss" of evaluate, whose terms read no logits. */
static double loss_of(const char *student, const char *terms, bool counts_padding) {
    rt_arena arena = {0};
    run r = evaluate(student, terms, counts_padding, &arena);
    const rt_graph *graph = rt_module_find_graph(r.module, "evaluate");
    double loss = NAN;
    for (size_t i = 0; i < rt_graph_output_count(graph); ++i)
        if (strcmp(rt_graph_output(graph, i)->name, "loss") == 0) loss = r.outputs[i]->real[0];
    rt_module_destroy(r.module);
    rt_arena_deinit(&arena);
    return loss;
}

/* A student that is its teacher has nothing to learn, and a padded batch is the same loss. */
static void test_values(void) {
    if (!test_data("golden/kd_tinybert_pred/recipe.json")) {
        test_skip("the shared test data is not there");
        return;
    }
    const char *at = ALL_TERMS;
    for (int i = 0; i < ALL_COUNT; ++i) {
        char term[200];
        size_t length = strcspn(at, "\n") + 1;
        snprintf(term, sizeof term, "%.*s", (int)length, at);
        at += length;
        double same = loss_of("teacher.safetensors", term, false);
        if (fabs(same) > 1e-10) printf("%s  is %g of a student that is its teacher\n", term, same);
        CU_ASSERT(fabs(same) <= 1e-10);
    }
    static const char *const others[] = {
        "  - {kind: kl, feature: attention_probabilities}\n",
        "  - {kind: kl, feature: value_relation, relation_heads: 8}\n",
        "  - {kind: mse, feature: attention}\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; ++i) {
        double packed = loss_of("initial.safetensors", others[i], false);
        double padded = loss_of("initial.safetensors", others[i], true);
        CU_ASSERT(packed > 1e-4);
        CU_ASSERT_DOUBLE_EQUAL(packed, padded, 1e-9 * packed);
    }
    char counted[200];
    snprintf(counted, sizeof counted, "%.*s, tokens: all}\n", (int)strlen(others[2]) - 2,
             others[2]);
    double padded = loss_of("initial.safetensors", others[2], true);
    CU_ASSERT(fabs(loss_of("initial.safetensors", counted, true) - padded) > 1e-3 * padded);
}

/* ---- the recipes */

#define BERT_BASE                                                                           \
    "{\"model_type\": \"bert\", \"vocab_size\": 30522, \"hidden_size\": 768, "              \
    "\"num_hidden_layers\": 12, \"num_attention_heads\": 12, \"intermediate_size\": 3072, " \
    "\"num_labels\": 2, \"max_position_embeddings\": 512, \"type_vocab_size\": 2}"

static void test_recipes(void) {
    static const struct {
        const char *file, *teacher;
        bool has_start; /* from a folder that another recipe writes: the golden student here */
        size_t attentions, relations;
    } recipes[] = {{"tinybert-task.yaml", SMALL_BERT("12"), true, 2 + 6, 2},
                   {"tinybert-prediction.yaml", SMALL_BERT("12"), true, 2 + 12, 0},
                   {"pkd.yaml", BERT_BASE, false, 6 + 12, 0},
                   {"tinybert-general.yaml", BERT_BASE, false, 4 + 12, 4},
                   {"minilm.yaml", BERT_BASE, false, 5 + 11, 2},
                   {"minilmv2.yaml", BERT_BASE, false, 5 + 11, 3}};
    if (!test_data("golden/kd_tinybert_pred/initial.safetensors")) {
        test_skip("the shared test data is not there");
        return;
    }
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; ++i) {
        rt_arena arena = {0};
        const char *overrides[] = {"data.max_length=38", "model.vocabulary_size=30522"};
        if (recipes[i].has_start)
            overrides[1] = rt_arena_format(
                &arena, "model.from=%s", test_data("golden/kd_tinybert_pred/initial.safetensors"));
        rt_spec_options options = {
            .may_lack_files = true, .overrides = overrides, .override_count = 2};
        const char *path = rt_arena_format(&arena, "%s/%s", RETORT_ZOO, recipes[i].file);
        rt_module *module = make(NULL, path, recipes[i].teacher, &options, &arena);
        const rt_graph *step = rt_module_find_graph(module, "step");
        CU_ASSERT_EQUAL(count_ops(step, RT_OP_attention, &arena), recipes[i].attentions);
        CU_ASSERT_EQUAL(count_ops(step, RT_OP_relation_loss, &arena), recipes[i].relations);
        rt_module_destroy(module);
        rt_arena_deinit(&arena);
    }
}

TEST_MAIN("features", TEST(test_no_map_of_scores), TEST(test_unread_layers_go), TEST(test_values),
          TEST(test_recipes))
