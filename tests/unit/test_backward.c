// SPDX-License-Identifier: Apache-2.0
/* What each method leaves of the backward pass: products, sums, kept values, counted on programs
 * in their final form and on their schedules. */
#include <stdio.h>
#include <string.h>

#include "compiler/training_program.h"
#include "tests/support/test.h"
#include "tools/inspect/backward.h"
#include "tools/inspect/parts.h"

enum { LAYERS = 3 };

#define SPEC                                                                               \
    "task: {labels: ['0', '1']}\n"                                                         \
    "data: {train: none.tsv, vocabulary: none.txt, max_length: 16}\n"                      \
    "model: {family: bert, layers: 3, width: 16, heads: 2, ffn: 32, vocabulary_size: 50, " \
    "positions: 16}\n"

typedef struct fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    backward b;
} fixture;

static void begin(fixture *f, const char *method) {
    *f = (fixture){0};
    rt_error error = {{0}};
    const rt_spec_options options = {.may_lack_files = true};
    const char *text = rt_arena_format(&f->arena, "%s%s", SPEC, method);
    rt_spec *spec = rt_spec_parse(text, strlen(text), "test", &options, &f->diagnostics);
    f->module = spec ? rt_training_program(spec, NULL, &f->diagnostics) : NULL;
    if (!f->module) printf("%s\n", rt_diagnostics_text(&f->diagnostics, &f->arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->module);
    rt_spec_destroy(spec);
    const backward_batch batch = {.rows = 4, .longest = 16};
    CU_ASSERT_EQUAL_FATAL(backward_find(f->module, "step", batch, &f->arena, &f->b, &error), RT_OK);
}

static void end(fixture *f) {
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static const backward_part *part(const fixture *f, const char *name) {
    const backward_part *found = backward_find_part(&f->b, name);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    return found;
}

static const backward_part *layer(const fixture *f, int number) {
    char name[40];
    snprintf(name, sizeof name, "bert.encoder.layer.%d", number);
    return part(f, name);
}

static void expect_products(const backward_part *p, size_t inputs, size_t weights,
                            size_t attention) {
    bool is_right = p->kernels[BACKWARD_INPUTS] == inputs &&
                    p->kernels[BACKWARD_WEIGHTS] == weights &&
                    p->kernels[BACKWARD_ATTENTION] == attention;
    if (!is_right)
        printf("%s: %zu dX, %zu dW, %zu attention, not %zu, %zu, %zu\n", p->name,
               p->kernels[BACKWARD_INPUTS], p->kernels[BACKWARD_WEIGHTS],
               p->kernels[BACKWARD_ATTENTION], inputs, weights, attention);
    CU_ASSERT(is_right);
}

static void expect_nothing(const backward_part *p) {
    size_t kernels = 0;
    for (int k = 0; k < BACKWARD_KIND_COUNT; ++k) kernels += p->kernels[k];
    if (kernels || p->kept_count || p->backward > 0) printf("%s: something is left\n", p->name);
    CU_ASSERT(kernels == 0 && p->kept_count == 0 && p->backward == 0);
}

/* Kept values of the part whose readers' text contains `text`. */
static size_t count_kept_for(const backward_part *p, const char *text) {
    size_t count = 0;
    for (size_t i = 0; i < p->kept_count; ++i) count += strstr(p->kept[i].readers, text) != NULL;
    return count;
}

static size_t count_kept_for_both(const backward_part *p, const char *one, const char *other) {
    size_t count = 0;
    for (size_t i = 0; i < p->kept_count; ++i)
        count += strstr(p->kept[i].readers, one) && strstr(p->kept[i].readers, other);
    return count;
}

/* Sums over the rows of a batch that give a vector, in the graph of the step: gradients of biases
 * and norms. */
static size_t count_row_sums(const fixture *f) {
    const rt_graph *graph = rt_module_find_graph(f->module, "step");
    rt_arena arena = {0};
    rt_node *nodes;
    size_t count, sums = 0;
    CU_ASSERT_FATAL(rt_graph_order(graph, &arena, &nodes, &count));
    for (size_t i = 0; i < count; ++i) {
        const rt_node_info *info = rt_graph_node(graph, nodes[i]);
        rt_type type = rt_graph_type(graph, info->first_result);
        sums += info->op == RT_OP_reduce_sum && type.rank == 1 &&
                rt_type_is_static(rt_module_dims(f->module), type, NULL, NULL);
    }
    rt_arena_deinit(&arena);
    return sums;
}

/* Gradients of weights whose names contain `text`. */
static size_t count_gradients_of(const fixture *f, const char *text) {
    size_t count = 0;
    for (uint32_t i = 0; i < rt_module_parameter_count(f->module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(f->module, (rt_parameter){i});
        count += info->kind == RT_PARAMETER_GRADIENT && strstr(info->name, text) != NULL;
    }
    return count;
}

/* Six maps in each layer, pooler and classifier. Vectors: six biases and two norms in each layer,
 * but for the key's; the embeddings' norm, pooler, classifier. */
static void test_full(void) {
    fixture f;
    begin(&f, "");
    for (int i = 0; i < LAYERS; ++i) expect_products(layer(&f, i), 6, 6, 1);
    expect_products(part(&f, "bert.embeddings"), 0, 0, 0);
    expect_products(part(&f, "bert.pooler"), 1, 1, 0);
    expect_products(part(&f, "classifier"), 1, 1, 0);
    CU_ASSERT_EQUAL(count_row_sums(&f), LAYERS * 9 + 2 + 2);
    CU_ASSERT_EQUAL(f.b.total.trained, f.b.total.numbers);
    CU_ASSERT(f.b.total.backward > 1.9 * f.b.total.forward);
    end(&f);
}

static void test_head(void) {
    fixture f;
    begin(&f, "method: {kind: head}\n");
    for (int i = 0; i < LAYERS; ++i) expect_nothing(layer(&f, i));
    expect_nothing(part(&f, "bert.embeddings"));
    expect_nothing(part(&f, "bert.pooler"));
    expect_products(part(&f, "classifier"), 0, 1, 0);
    CU_ASSERT_EQUAL(count_row_sums(&f), 1);
    end(&f);
}

/* The lowest layer that trains needs no gradient of what it reads. */
static void test_freeze(void) {
    fixture f;
    begin(&f, "method: {freeze: ['embeddings.*', 'encoder.layer.{0..0}.*']}\n");
    expect_nothing(part(&f, "bert.embeddings"));
    expect_nothing(layer(&f, 0));
    expect_products(layer(&f, 1), 3, 6, 1);
    expect_products(layer(&f, 2), 6, 6, 1);
    CU_ASSERT_EQUAL(count_row_sums(&f), 2 * 9 + 2);
    end(&f);
}

/* No product gives the gradient of a weight but the classifier's, and nothing is kept for one. */
static void test_bitfit(void) {
    fixture f, full;
    begin(&f, "method: {kind: bitfit}\n");
    begin(&full, "");
    for (int i = 0; i < LAYERS; ++i) {
        expect_products(layer(&f, i), 6, 0, 1);
        CU_ASSERT_EQUAL(count_kept_for(layer(&f, i), "dW"), 0);
        CU_ASSERT(layer(&f, i)->kept_bytes < 0.8 * (double)layer(&full, i)->kept_bytes);
    }
    expect_products(part(&f, "bert.pooler"), 1, 0, 0);
    expect_products(part(&f, "classifier"), 1, 1, 0);
    /* Of norms the shift alone. */
    CU_ASSERT_EQUAL(count_row_sums(&f), LAYERS * 7 + 1 + 2);
    CU_ASSERT_EQUAL(count_gradients_of(&f, "LayerNorm.weight"), 0);
    end(&f);
    end(&full);
}

/* What the projections that share x need of it is one value, whether it is dropped or not. */
static void check_lora(const char *method, size_t adapted) {
    fixture f;
    begin(&f, method);
    for (int i = 1; i < LAYERS; ++i) {
        const backward_part *p = layer(&f, i);
        expect_products(p, 6 + 2 * adapted, 2 * adapted, 1);
        CU_ASSERT_EQUAL(count_kept_for(p, "query.lora_A.weight"), 1);
        CU_ASSERT_EQUAL(count_kept_for(p, "value.lora_A.weight"), 1);
    }
    /* Of the last layer, queries read the first tokens alone. */
    CU_ASSERT_EQUAL(count_kept_for_both(layer(&f, 1), "query.lora_A", "value.lora_A"), 1);
    /* What the lowest layer reads has no gradient. */
    size_t reading = adapted == 2 ? 2 : 3;
    expect_products(layer(&f, 0), 3 + 2 * adapted - reading, 2 * adapted, 1);
    CU_ASSERT_EQUAL(count_row_sums(&f), 1);
    CU_ASSERT_EQUAL(count_gradients_of(&f, "lora_"), LAYERS * 2 * adapted);
    end(&f);
}

static void test_lora(void) {
    check_lora("method: {kind: lora}\n", 2);
    check_lora("method: {kind: lora, dropout: 0.1}\n", 2);
    check_lora("method: {kind: lora, targets: [all]}\n", 6);
    check_lora("method: {kind: lora, targets: [all], dropout: 0.1}\n", 6);
}

/* Adapters alone have gradients of weights; of norms those that train. */
static void test_adapters(void) {
    fixture f;
    begin(&f, "method: {kind: pfeiffer, bottleneck: 4}\n");
    for (int i = 0; i < LAYERS; ++i) {
        const backward_part *p = layer(&f, i);
        expect_products(p, i ? 8 : 1, 2, i ? 1 : 0);
        CU_ASSERT_EQUAL(count_kept_for(p, "dW"), 2);
    }
    CU_ASSERT_EQUAL(count_row_sums(&f), LAYERS * 2 + 1);
    CU_ASSERT_EQUAL(count_gradients_of(&f, "LayerNorm"), 0);
    end(&f);
    begin(&f, "method: {kind: houlsby, bottleneck: 4}\n");
    for (int i = 0; i < LAYERS; ++i) expect_products(layer(&f, i), 10, 4, 1);
    CU_ASSERT_EQUAL(count_row_sums(&f), 2 + LAYERS * 8 + 1);
    CU_ASSERT_EQUAL(count_gradients_of(&f, "LayerNorm"), 2 + LAYERS * 4);
    end(&f);
}

/* Scales are sums of products by element; no weight has a gradient. */
static void test_ia3(void) {
    fixture f;
    begin(&f, "method: {kind: ia3}\n");
    for (int i = 0; i < LAYERS; ++i) expect_products(layer(&f, i), i ? 6 : 3, 0, 1);
    CU_ASSERT_EQUAL(count_row_sums(&f), LAYERS * 3 + 1);
    end(&f);
}

static void test_memory(void) {
    fixture f, full;
    begin(&f, "method: {kind: head}\n");
    begin(&full, "");
    CU_ASSERT_EQUAL(full.b.memory.frozen, 0);
    CU_ASSERT_EQUAL(full.b.memory.gradients, full.b.memory.trained);
    CU_ASSERT_EQUAL(full.b.memory.state, 2 * full.b.memory.trained);
    CU_ASSERT(full.b.memory.buffers >= full.b.total.kept_bytes);
    CU_ASSERT_EQUAL(f.b.memory.trained, (int64_t)sizeof(float) * (2 * 16 + 2));
    CU_ASSERT(f.b.memory.buffers < full.b.memory.buffers / 2);
    end(&f);
    end(&full);
}

static void test_part_names(void) {
    rt_arena arena = {0};
    part_names names = {.arena = &arena};
    part_names_note(&names, "bert.encoder.layer.3.output.dense");
    part_names_note(&names, "bert.embeddings.LayerNorm");
    CU_ASSERT_EQUAL(part_names_add(&names, "bert.embeddings.LayerNorm"), 0);
    CU_ASSERT_EQUAL(part_names_add(&names, "bert.encoder.layer.3.output.dense"), 1);
    CU_ASSERT_EQUAL(part_names_add(&names, "encoder.layer.3.output.adapters.down.0"), 1);
    CU_ASSERT_EQUAL(part_names_add(&names, "bert.encoder.layer.13.output"), 2);
    CU_ASSERT_EQUAL(part_names_add(&names, "teacher/encoder.layer.3.output"), 3);
    CU_ASSERT_EQUAL(part_names_add(&names, "bert.encoder.norm.weight"), 4);
    CU_ASSERT_EQUAL(part_names_add(&names, "bert.pooler.dense"), 5);
    CU_ASSERT_EQUAL(part_names_add(&names, "classifier"), 6);
    CU_ASSERT_EQUAL(part_names_add(&names, "layer.3"), 1);
    CU_ASSERT_EQUAL(part_names_add(&names, "embeddings.words"), 0);
    CU_ASSERT_STRING_EQUAL(names.items[1].name, "bert.encoder.layer.3");
    CU_ASSERT_STRING_EQUAL(names.items[4].name, "bert.encoder.norm");
    CU_ASSERT_STRING_EQUAL(names.items[5].name, "bert.pooler");
    CU_ASSERT_EQUAL(names.items[2].layer, 13);
    CU_ASSERT_EQUAL(names.items[0].layer, -1);
    CU_ASSERT_STRING_EQUAL(part_relative_name("encoder.layer.3", "bert.encoder.layer.3.a.b"),
                           "a.b");
    CU_ASSERT_STRING_EQUAL(part_relative_name("encoder.layer.3", "encoder.layer.30.a"),
                           "encoder.layer.30.a");
    CU_ASSERT_STRING_EQUAL(part_range_name("encoder.layer.0", 8, &arena), "encoder.layer.{0..8}");
    rt_arena_deinit(&arena);
}

TEST_MAIN("backward", TEST(test_full), TEST(test_head), TEST(test_freeze), TEST(test_bitfit),
          TEST(test_lora), TEST(test_adapters), TEST(test_ia3), TEST(test_memory),
          TEST(test_part_names))
