// SPDX-License-Identifier: Apache-2.0
/* Built graphs against the golden forward values, by the evaluator. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/print.h"
#include "ir/verify.h"
#include "models/build.h"
#include "tests/support/golden.h"
#include "tests/support/test.h"

typedef struct model_fixture {
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph;
    rt_model_config config;
    rt_safetensors weights;
} model_fixture;

static bool open_model(model_fixture *f, const char *folder, unsigned outputs, bool has_mask) {
    char name[200];
    rt_error error;
    *f = (model_fixture){0};
    snprintf(name, sizeof name, "golden/%s/config.json", folder);
    if (!test_data(name)) {
        test_skip("no golden data");
        return false;
    }
    CU_ASSERT_EQUAL_FATAL(rt_model_config_read(test_data(name), &f->arena, &f->config, &error),
                          RT_OK);
    snprintf(name, sizeof name, "golden/%s/initial.safetensors", folder);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(name), &f->weights, &error), RT_OK);
    f->module = rt_module_create(&f->diagnostics);
    rt_build_options options = {.graph_name = "model",
                                .parameter_prefix = "",
                                .outputs = outputs,
                                .is_trainable = true,
                                .has_key_mask = has_mask};
    f->graph = rt_model_build(f->module, &f->config, &options);
    if (!f->graph) printf("%s\n", rt_diagnostics_text(&f->diagnostics, &f->arena));
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->graph);
    CU_ASSERT_EQUAL(rt_verify_module(f->module, RT_FORM_TYPED, &f->diagnostics), RT_OK);
    return true;
}

static void close_model(model_fixture *f) {
    rt_module_destroy(f->module);
    rt_safetensors_close(&f->weights);
    rt_diagnostics_deinit(&f->diagnostics);
    rt_arena_deinit(&f->arena);
}

static rt_array **evaluate(model_fixture *f, const golden_batch *batch) {
    rt_array **outputs = RT_NEW_ARRAY(&f->arena, rt_array *, rt_graph_output_count(f->graph));
    rt_eval_options options = {0};
    rt_error error;
    const rt_array **values = golden_parameters(f->module, &f->weights, "", NULL, &f->arena);
    for (size_t i = 0; i < rt_module_parameter_count(f->module); ++i)
        CU_ASSERT_PTR_NOT_NULL_FATAL(values[i]);
    rt_status status = rt_eval_graph(f->graph, golden_inputs(f->graph, batch, &f->arena), values,
                                     &options, &f->arena, outputs, &error);
    if (status != RT_OK) printf("%s\n", error.text);
    CU_ASSERT_EQUAL_FATAL(status, RT_OK);
    return outputs;
}

/* Every output that the golden file has under "<prefix><name>". */
static void check_outputs(model_fixture *f, const golden_batch *batch, const char *prefix,
                          const rt_safetensors *wanted) {
    rt_array **outputs = evaluate(f, batch);
    size_t compared = 0;
    for (size_t i = 0; i < rt_graph_output_count(f->graph); ++i) {
        const char *name = rt_graph_output(f->graph, i)->name;
        rt_array *want =
            golden_array(wanted, rt_arena_format(&f->arena, "%s%s", prefix, name), &f->arena);
        if (!want) continue;
        double largest, error = want->rank == 3
                                    ? golden_token_error(batch, outputs[i], want, &largest)
                                    : golden_error(outputs[i], want, &largest);
        if (!(error >= 0 && error <= 3e-6 * largest)) printf("%s%s: %g\n", prefix, name, error);
        CU_ASSERT(error >= 0 && error <= 3e-6 * largest);
        ++compared;
    }
    CU_ASSERT(compared >= (size_t)f->config.layers + 1);
}

typedef struct forward_files {
    rt_safetensors inputs, outputs;
} forward_files;

static void open_forward(forward_files *files, const char *folder) {
    char name[200];
    *files = (forward_files){0};
    snprintf(name, sizeof name, "golden/%s/inputs.safetensors", folder);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(name), &files->inputs, NULL), RT_OK);
    snprintf(name, sizeof name, "golden/%s/outputs.safetensors", folder);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(name), &files->outputs, NULL), RT_OK);
}

static void close_forward(forward_files *files) {
    rt_safetensors_close(&files->inputs);
    rt_safetensors_close(&files->outputs);
}

static void check_forward(const char *folder) {
    model_fixture f;
    forward_files files;
    unsigned outputs = RT_OUTPUT_HIDDEN_STATES | RT_OUTPUT_POOLER;
    if (!open_model(&f, folder, outputs, false)) return;
    open_forward(&files, folder);
    check_outputs(&f, golden_pack(&files.inputs, "a.", false, &f.arena), "a.", &files.outputs);
    check_outputs(&f, golden_pack(&files.inputs, "b.", false, &f.arena), "b.", &files.outputs);
    close_forward(&files);
    close_model(&f);
}

/* The states at real positions where padding is laid out and masked. Padded positions compute
 * something too, which is not compared. */
static void check_masked(const char *folder) {
    model_fixture f;
    forward_files files;
    if (!open_model(&f, folder, RT_OUTPUT_LAST_HIDDEN_STATE, true)) return;
    open_forward(&files, folder);
    const rt_array *got = evaluate(&f, golden_pack(&files.inputs, "a.", true, &f.arena))[0];
    golden_batch *real = golden_pack(&files.inputs, "a.", false, &f.arena);
    const char *name =
        rt_arena_format(&f.arena, "a.hidden_states.%lld", (long long)f.config.layers);
    const rt_array *want = golden_array(&files.outputs, name, &f.arena);
    CU_ASSERT_EQUAL_FATAL(got->count, want->count);
    double error = 0, largest = 0;
    for (int64_t t = 0; t < real->tokens; ++t) {
        int64_t place = real->token_rows[t] * real->width + real->positions[t];
        for (int64_t at = place * f.config.width; at < (place + 1) * f.config.width; ++at) {
            error = fmax(error, fabs(got->real[at] - want->real[at]));
            largest = fmax(largest, fabs(want->real[at]));
        }
    }
    CU_ASSERT(real->tokens < got->dims[0]);
    CU_ASSERT(error <= 3e-6 * largest && largest > 0);
    close_forward(&files);
    close_model(&f);
}

static void test_bert(void) {
    check_forward("fwd_bert");
}
static void test_distilbert(void) {
    check_forward("fwd_distilbert");
}
static void test_roberta(void) {
    check_forward("fwd_roberta");
}
static void test_pre_norm(void) {
    check_forward("fwd_preln");
}
static void test_gelu_tanh(void) {
    check_forward("fwd_gelu_tanh");
}

static void test_key_mask(void) {
    check_masked("fwd_bert");
    check_masked("fwd_roberta");
    check_masked("fwd_preln");
}

/* Attention probabilities from the parts, against the stored [B,A,S,S]. */
static void test_attention_parts(void) {
    model_fixture f;
    if (!open_model(&f, "fwd_bert", RT_OUTPUT_ATTENTION, false)) return;
    rt_safetensors inputs = {0}, wanted = {0};
    CU_ASSERT_EQUAL_FATAL(
        rt_safetensors_open(test_data("golden/fwd_bert/inputs.safetensors"), &inputs, NULL), RT_OK);
    CU_ASSERT_EQUAL_FATAL(
        rt_safetensors_open(test_data("golden/fwd_bert/outputs.safetensors"), &wanted, NULL),
        RT_OK);
    golden_batch *batch = golden_pack(&inputs, "a.", false, &f.arena);
    rt_array **outputs = evaluate(&f, batch);
    CU_ASSERT_EQUAL(rt_graph_output_count(f.graph), 12);
    const rt_array *q = outputs[4], *k = outputs[5], *lse = outputs[7]; /* of layer 1 */
    const rt_array *want = golden_array(&wanted, "a.attentions.1", &f.arena);
    int64_t width = f.config.width, heads = f.config.heads, d = width / heads;
    double error = 0;
    for (int64_t i = 0; i < batch->tokens; ++i) {
        for (int64_t j = 0; j < batch->tokens; ++j) {
            if (batch->token_rows[i] != batch->token_rows[j]) continue;
            for (int64_t h = 0; h < heads; ++h) {
                double score = 0;
                for (int64_t c = h * d; c < (h + 1) * d; ++c)
                    score += q->real[i * width + c] * k->real[j * width + c];
                double p = exp(score / sqrt((double)d) - lse->real[i * heads + h]);
                int64_t at =
                    ((batch->token_rows[i] * heads + h) * batch->width + batch->positions[i]) *
                        batch->width +
                    batch->positions[j];
                error = fmax(error, fabs(p - want->real[at]));
            }
        }
    }
    CU_ASSERT(error < 2e-6);
    rt_safetensors_close(&inputs);
    rt_safetensors_close(&wanted);
    close_model(&f);
}

/* Logits of the classifiers, from "eval.before" of the trajectories. */
static void check_logits(const char *folder) {
    model_fixture f;
    char name[200];
    if (!open_model(&f, folder, RT_OUTPUT_LOGITS, false)) return;
    rt_safetensors batches = {0}, wanted = {0};
    snprintf(name, sizeof name, "golden/%s/batches.safetensors", folder);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(name), &batches, NULL), RT_OK);
    snprintf(name, sizeof name, "golden/%s/eval.safetensors", folder);
    CU_ASSERT_EQUAL_FATAL(rt_safetensors_open(test_data(name), &wanted, NULL), RT_OK);
    golden_batch *batch = golden_pack(&batches, "eval.", false, &f.arena);
    CU_ASSERT_PTR_NOT_NULL_FATAL(batch);
    rt_array **outputs = evaluate(&f, batch);
    double largest,
        error = golden_error(outputs[0], golden_array(&wanted, "eval.before", &f.arena), &largest);
    CU_ASSERT(error >= 0 && error <= 3e-6 * largest);
    if (!(error >= 0 && error <= 3e-6 * largest)) printf("%s: %g of %g\n", folder, error, largest);
    rt_safetensors_close(&batches);
    rt_safetensors_close(&wanted);
    close_model(&f);
}

static void test_logits(void) {
    check_logits("ft_cls");
    check_logits("ft_reg");
    check_logits("kd_soft");
    check_logits("kd_bilstm");
}

/* Dropout: where the method has it, each place with a number of its own, and none in inference. */
static void test_dropout_places(void) {
    rt_diagnostics diagnostics = {0};
    rt_arena arena = {0};
    rt_model_config config = rt_model_config_default(RT_FAMILY_bert);
    config.vocabulary_size = 50, config.layers = 2, config.width = 8, config.heads = 2;
    config.inner_width = 16, config.label_count = 3;
    rt_module *module = rt_module_create(&diagnostics);
    rt_build_options options = {.graph_name = "training",
                                .parameter_prefix = "",
                                .outputs = RT_OUTPUT_LOGITS,
                                .is_training = true};
    const char *training = rt_print_graph(rt_model_build(module, &config, &options), &arena);
    options.graph_name = "inference";
    options.is_training = false;
    size_t parameters = rt_module_parameter_count(module);
    const char *inference = rt_print_graph(rt_model_build(module, &config, &options), &arena);
    CU_ASSERT_EQUAL(rt_module_parameter_count(module), parameters);
    int places = 0;
    for (const char *at = training; (at = strstr(at, "site = ")); ++at) ++places;
    /* embeddings, classifier, and attention, attention output, feed-forward of each layer; site 0
     * is the default, which is not printed */
    CU_ASSERT_EQUAL(places, 8 - 1);
    for (int site = 1; site < 8; ++site) {
        char text[32];
        snprintf(text, sizeof text, "site = %d}", site);
        char other[32];
        snprintf(other, sizeof other, "site = %d,", site);
        CU_ASSERT(strstr(training, text) || strstr(training, other));
    }
    CU_ASSERT_PTR_NULL(strstr(inference, "dropout"));
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    rt_arena_deinit(&arena);
}

TEST_MAIN("build", TEST(test_bert), TEST(test_distilbert), TEST(test_roberta), TEST(test_pre_norm),
          TEST(test_gelu_tanh), TEST(test_key_mask), TEST(test_attention_parts), TEST(test_logits),
          TEST(test_dropout_places))
