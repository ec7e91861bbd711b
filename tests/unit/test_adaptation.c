// SPDX-License-Identifier: Apache-2.0
/* What holds of every method: how many numbers it trains in BERT-base, as the papers count them;
 * it begins as the model it is added to, and merged into that is the same; what it is told and
 * cannot do is said where it was told.
 */
#include <stdio.h>
#include <string.h>

#include "models/build.h"
#include "passes/pass_manager.h"
#include "tests/support/golden.h"
#include "tests/support/test.h"

typedef struct adaptation_fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_model_config config;
} adaptation_fixture;

static void begin(adaptation_fixture *f, rt_family family, const int64_t sizes[4]) {
    *f = (adaptation_fixture){.config = rt_model_config_default(family)};
    f->config.vocabulary_size = sizes[0] > 64 ? 30522 : 40;
    f->config.layers = sizes[1];
    f->config.width = sizes[0];
    f->config.heads = sizes[2];
    f->config.inner_width = sizes[3];
    f->config.positions = 512;
    f->config.label_count = 2;
    f->module = rt_module_create(&f->diagnostics);
    rt_build_options options = {.graph_name = "student",
                                .parameter_prefix = "",
                                .outputs = RT_OUTPUT_LOGITS,
                                .is_trainable = true};
    CU_ASSERT_PTR_NOT_NULL_FATAL(rt_model_build(f->module, &f->config, &options));
}

static void end(adaptation_fixture *f) {
    rt_module_destroy(f->module);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static rt_status adapt(adaptation_fixture *f, const char *options) {
    rt_pass_manager *manager = rt_pass_manager_create(&f->diagnostics);
    const char *text = rt_arena_format(&f->arena, "adapt:%s", options);
    rt_status status = rt_pass_manager_add(manager, text);
    if (status == RT_OK) status = rt_pass_manager_run(manager, f->module);
    rt_pass_manager_destroy(manager);
    return status;
}

static int64_t count_trained(const adaptation_fixture *f) {
    int64_t sum = 0, numbers;
    for (uint32_t i = 0; i < rt_module_parameter_count(f->module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(f->module, (rt_parameter){i});
        if (info->is_trainable &&
            rt_type_is_static(rt_module_dims(f->module), info->type, NULL, &numbers))
            sum += numbers;
    }
    return sum;
}

/* The head apart, of BERT-base. Houlsby's adapters are 1,789,056 and 2,379,264; its 25 norms,
 * 38,400 numbers, train too. */
static void test_counts(void) {
    static const int64_t base[4] = {768, 12, 12, 3072};
    static const struct {
        const char *options;
        int64_t count;
    } methods[] = {
        {"method=bitfit,head=classifier.weight", 102912 + 2 + 2 * 768}, /* with the head's */
        {"method=bitfit,targets=query ffn_inner", 12 * (768 + 3072)},
        {"method=pfeiffer,bottleneck=48", 894528},
        {"method=pfeiffer,bottleneck=48,layers=3 4 5 6 7 8 9 10 11", 894528 / 12 * 9},
        {"method=houlsby,bottleneck=48", 1789056 + 38400},
        {"method=houlsby,bottleneck=64", 2379264 + 38400},
        {"method=lora,rank=8", 294912},
        {"method=lora,rank=8,targets=all", 12 * 8 * (4 * 2 * 768 + 2 * (768 + 3072))},
        {"method=ia3", 55296},
        {"method=prefix,virtual_tokens=30", 2 * 12 * 30 * 768},
        {"method=prompt,prompt_tokens=30", 30 * 768},
        {"method=head", 0},
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; ++i) {
        adaptation_fixture f;
        begin(&f, RT_FAMILY_bert, base);
        CU_ASSERT_EQUAL(adapt(&f, methods[i].options), RT_OK);
        int64_t count = count_trained(&f);
        if (count != methods[i].count) printf("%s: %lld\n", methods[i].options, (long long)count);
        CU_ASSERT_EQUAL(count, methods[i].count);
        end(&f);
    }
}

/* ---- a small model on two rows */

static rt_array *draw(adaptation_fixture *f, const rt_parameter_info *info, uint64_t stream) {
    int64_t sizes[RT_MAX_RANK], count;
    CU_ASSERT_FATAL(rt_type_is_static(rt_module_dims(f->module), info->type, sizes, &count));
    rt_array *array = rt_array_create(RT_F32, info->type.rank, sizes, &f->arena);
    bool is_added = stream >= 1000;
    for (int64_t i = 0; i < count; ++i) {
        double noise = (double)((stream * 7919 + (uint64_t)i * 104729) % 1009) / 1009 - 0.5;
        array->real[i] = info->initial == RT_INITIAL_CONSTANT            ? info->initial_value
                         : is_added && info->initial == RT_INITIAL_ZEROS ? 0
                                                                         : 0.4 * noise;
    }
    return array;
}

static const rt_array **draw_parameters(adaptation_fixture *f, size_t own) {
    size_t count = rt_module_parameter_count(f->module);
    const rt_array **values = RT_NEW_ARRAY(&f->arena, const rt_array *, count + 1);
    for (size_t i = 0; i < count; ++i)
        values[i] = draw(f, rt_module_parameter(f->module, (rt_parameter){(uint32_t)i}),
                         i < own ? i : 1000 + i);
    return values;
}

static rt_array *vector(adaptation_fixture *f, int64_t count, const int64_t *values) {
    rt_array *array = rt_array_create(RT_I32, 1, &count, &f->arena);
    memcpy(array->integer, values, (size_t)count * sizeof *values);
    return array;
}

/* The logits of rows of four and three tokens. */
static const rt_array *evaluate(adaptation_fixture *f, const rt_graph *graph,
                                const rt_array **values) {
    static const int64_t ids[] = {2, 7, 9, 3, 2, 8, 3}, types[] = {0, 0, 1, 1, 0, 0, 0},
                         positions[] = {0, 1, 2, 3, 0, 1, 2}, offsets[] = {0, 4, 7},
                         examples[] = {0, 1}, of_tokens[] = {0, 0, 0, 0, 1, 1, 1};
    const rt_array *inputs[] = {vector(f, 7, ids),       vector(f, 7, types),
                                vector(f, 7, positions), vector(f, 3, offsets),
                                vector(f, 2, examples),  vector(f, 7, of_tokens)};
    rt_array *outputs[1];
    rt_eval_options options = {0};
    rt_error error = {{0}};
    rt_status status = rt_eval_graph(graph, inputs, values, &options, &f->arena, outputs, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return outputs[0];
}

static const rt_array *logits(adaptation_fixture *f, size_t own) {
    return evaluate(f, rt_module_find_graph(f->module, "student"), draw_parameters(f, own));
}

static bool begins_as_it_was(rt_family family, const char *options) {
    static const int64_t small[4] = {8, 2, 2, 12};
    adaptation_fixture f;
    begin(&f, family, small);
    size_t own = rt_module_parameter_count(f.module);
    const rt_array *before = logits(&f, own);
    rt_status status = adapt(&f, options);
    if (status != RT_OK) printf("%s\n", rt_diagnostics_text(&f.diagnostics, &f.arena));
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    CU_ASSERT(rt_module_parameter_count(f.module) > own);
    const rt_array *after = logits(&f, own);
    bool is_same = before->count == 4;
    for (int64_t i = 0; i < before->count; ++i) is_same &= before->real[i] == after->real[i];
    end(&f);
    return is_same;
}

static void test_identity(void) {
    static const char *const options[] = {"method=lora,rank=2,targets=all", "method=ia3",
                                          "method=houlsby,bottleneck=4",
                                          "method=pfeiffer,bottleneck=4"};
    static const rt_family families[] = {RT_FAMILY_bert, RT_FAMILY_distilbert, RT_FAMILY_roberta};
    for (size_t i = 0; i < 4; ++i)
        for (size_t j = 0; j < 3; ++j) CU_ASSERT(begins_as_it_was(families[j], options[i]));
    /* A prefix has keys at once. */
    CU_ASSERT(!begins_as_it_was(RT_FAMILY_bert, "method=prefix,virtual_tokens=2"));
}

/* ---- merging */

/* Draws everything, what was added too: scales that begin at 1 are others. */
static const rt_array **draw_all(adaptation_fixture *f) {
    size_t count = rt_module_parameter_count(f->module);
    const rt_array **values = draw_parameters(f, count);
    for (size_t i = 0; i < count; ++i) {
        const char *name = rt_module_parameter(f->module, (rt_parameter){(uint32_t)i})->name;
        for (int64_t k = 0; strstr(name, "ia3_l") && k < values[i]->count; ++k)
            values[i]->real[k] = 1 + 0.1 * (double)(k % 5 - 1);
    }
    return values;
}

/* The logits with what a method added, and those of the plain model on merged weights. */
static void check_merge(rt_family family, const char *options) {
    static const int64_t small[4] = {8, 2, 2, 12};
    adaptation_fixture f;
    begin(&f, family, small);
    rt_graph *plain = rt_graph_rewrite(rt_module_find_graph(f.module, "student"), NULL, NULL);
    CU_ASSERT_EQUAL_FATAL(adapt(&f, options), RT_OK);
    const rt_graph *merge = rt_module_find_graph(f.module, "merge");
    CU_ASSERT_PTR_NOT_NULL_FATAL(merge);
    const rt_array **values = draw_all(&f);
    const rt_array *want = evaluate(&f, rt_module_find_graph(f.module, "student"), values);
    rt_array *merged[64];
    size_t count = rt_graph_output_count(merge);
    rt_error error;
    CU_ASSERT_FATAL(count > 0 && count <= 64);
    CU_ASSERT_EQUAL_FATAL(
        rt_eval_graph(merge, NULL, values, &(rt_eval_options){0}, &f.arena, merged, &error), RT_OK);
    for (size_t i = 0; i < count; ++i)
        values[rt_graph_output(merge, i)->parameter.index] = merged[i];
    const rt_array *got = evaluate(&f, plain, values);
    double largest, distance = golden_error(got, want, &largest);
    CU_ASSERT(distance >= 0 && distance <= 1e-12 * largest);
    end(&f);
}

/* Merged and taken out again, the weights are as they were, but for rounding. */
static void check_unmerge(const char *merge, const char *undo) {
    static const int64_t small[4] = {8, 2, 2, 12};
    adaptation_fixture into, out;
    rt_array *merged[64], *restored[64];
    rt_error error;
    begin(&into, RT_FAMILY_bert, small);
    begin(&out, RT_FAMILY_bert, small);
    CU_ASSERT_EQUAL_FATAL(adapt(&into, merge), RT_OK);
    CU_ASSERT_EQUAL_FATAL(adapt(&out, undo), RT_OK);
    const rt_graph *graph = rt_module_find_graph(into.module, "merge");
    const rt_graph *back = rt_module_find_graph(out.module, "merge");
    const rt_array **values = draw_all(&into), **before = draw_all(&into);
    size_t count = rt_graph_output_count(graph);
    CU_ASSERT_FATAL(count > 0 && count <= 64 && count == rt_graph_output_count(back));
    CU_ASSERT_EQUAL_FATAL(
        rt_eval_graph(graph, NULL, values, &(rt_eval_options){0}, &into.arena, merged, &error),
        RT_OK);
    for (size_t i = 0; i < count; ++i)
        values[rt_graph_output(graph, i)->parameter.index] = merged[i];
    CU_ASSERT_EQUAL_FATAL(
        rt_eval_graph(back, NULL, values, &(rt_eval_options){0}, &into.arena, restored, &error),
        RT_OK);
    for (size_t i = 0; i < count; ++i) {
        const rt_array *want = before[rt_graph_output(back, i)->parameter.index];
        double largest, distance = golden_error(restored[i], want, &largest);
        CU_ASSERT(distance >= 0 && distance <= 1e-12 * largest);
        CU_ASSERT(golden_error(merged[i], want, &largest) > 1e-3 * largest);
    }
    end(&into);
    end(&out);
}

static void test_unmerge(void) {
    check_unmerge("method=lora,rank=2,alpha=4,targets=all,merge=true",
                  "method=lora,rank=2,alpha=4,targets=all,merge=undo");
    check_unmerge("method=ia3,merge=true", "method=ia3,merge=undo");
    adaptation_fixture f;
    begin(&f, RT_FAMILY_bert, (const int64_t[4]){8, 2, 2, 12});
    CU_ASSERT_EQUAL(adapt(&f, "method=ia3,merge=perhaps"), RT_INVALID_ARGUMENT);
    end(&f);
}

static void test_merge(void) {
    static const rt_family families[] = {RT_FAMILY_bert, RT_FAMILY_distilbert, RT_FAMILY_bert_pre};
    for (size_t i = 0; i < 3; ++i) {
        check_merge(families[i], "method=lora,rank=2,alpha=4,targets=all,merge=true");
        check_merge(families[i], "method=ia3,layers=1,merge=true");
    }
    static const int64_t small[4] = {8, 2, 2, 12};
    adaptation_fixture f;
    begin(&f, RT_FAMILY_bert, small);
    CU_ASSERT_EQUAL(adapt(&f, "method=houlsby,merge=true"), RT_UNSUPPORTED);
    end(&f);
}

/* ---- prompts */

/* Rows of `lengths` words each; `words` are all of them. */
typedef struct text {
    int64_t tokens, rows, words[16], types[16], positions[16], examples[16], offsets[4];
} text;

static void add_word(text *t, int64_t word, int64_t type) {
    t->words[t->tokens] = word;
    t->types[t->tokens] = type;
    t->positions[t->tokens] = t->tokens - t->offsets[t->rows];
    t->examples[t->tokens++] = t->rows;
}

static void end_row(text *t) {
    t->offsets[++t->rows] = t->tokens;
}

static const rt_array *evaluate_text(adaptation_fixture *f, const rt_graph *graph, const text *t,
                                     const rt_array **values) {
    static const int64_t numbers[] = {0, 1, 2, 3};
    const rt_array *inputs[] = {
        vector(f, t->tokens, t->words),     vector(f, t->tokens, t->types),
        vector(f, t->tokens, t->positions), vector(f, t->rows + 1, t->offsets),
        vector(f, t->rows, numbers),        vector(f, t->tokens, t->examples)};
    rt_array *outputs[1];
    rt_error error = {{0}};
    rt_status status =
        rt_eval_graph(graph, inputs, values, &(rt_eval_options){0}, &f->arena, outputs, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return outputs[0];
}

/* A prompt is words: those whose vectors are the prompt's, written into the rows of the model as it
 * was, give the same logits. */
static void check_prompt(rt_family family, bool is_first) {
    static const int64_t small[4] = {8, 2, 2, 12}, rows[2][4] = {{2, 7, 9, 3}, {2, 8, 3, 0}};
    adaptation_fixture f;
    text plain = {0}, written = {0};
    begin(&f, family, small);
    rt_graph *before = rt_graph_rewrite(rt_module_find_graph(f.module, "student"), NULL, NULL);
    CU_ASSERT_EQUAL_FATAL(adapt(&f, is_first ? "method=prompt,prompt_tokens=2,place=first"
                                             : "method=prompt,prompt_tokens=2"),
                          RT_OK);
    for (int row = 0; row < 2; ++row) {
        for (int i = 0; i < 4 - row; ++i) {
            if (i == !is_first) add_word(&written, 30, 0), add_word(&written, 31, 0);
            add_word(&written, rows[row][i], i > 1);
            add_word(&plain, rows[row][i], i > 1);
        }
        end_row(&written);
        end_row(&plain);
    }
    const rt_array **values = draw_all(&f);
    rt_parameter prompt = rt_module_find_parameter(f.module, "prompt.embedding.weight");
    for (int i = 0; i < 2 * 8; ++i) values[0]->real[30 * 8 + i] = values[prompt.index]->real[i];
    const rt_array *got =
        evaluate_text(&f, rt_module_find_graph(f.module, "student"), &plain, values);
    const rt_array *want = evaluate_text(&f, before, &written, values);
    double largest, distance = golden_error(got, want, &largest);
    CU_ASSERT(distance >= 0 && distance <= 1e-12 * largest);
    end(&f);
}

static void test_prompt(void) {
    static const rt_family families[] = {RT_FAMILY_bert, RT_FAMILY_distilbert, RT_FAMILY_roberta,
                                         RT_FAMILY_bert_pre};
    for (size_t i = 0; i < 4; ++i) {
        check_prompt(families[i], true);
        check_prompt(families[i], false);
    }
    static const int64_t small[4] = {8, 1, 1, 12};
    adaptation_fixture f;
    begin(&f, RT_FAMILY_bert, small);
    CU_ASSERT_EQUAL(adapt(&f, "method=prompt"), RT_INVALID_ARGUMENT);
    end(&f);
}

/* Pre-LN: adapters behind sublayers have their place, one behind a norm has none. */
static void test_pre_norm(void) {
    static const int64_t small[4] = {8, 2, 2, 12};
    CU_ASSERT(begins_as_it_was(RT_FAMILY_bert_pre, "method=houlsby,bottleneck=4"));
    adaptation_fixture f;
    begin(&f, RT_FAMILY_bert_pre, small);
    CU_ASSERT_EQUAL(adapt(&f, "method=pfeiffer"), RT_INVALID_ARGUMENT);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(rt_diagnostics_text(&f.diagnostics, &f.arena), "1 of 2 layers have no norm behind"));
    end(&f);
}

TEST_MAIN("adaptation", TEST(test_counts), TEST(test_identity), TEST(test_merge),
          TEST(test_unmerge), TEST(test_prompt), TEST(test_pre_norm))
