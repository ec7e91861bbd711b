// SPDX-License-Identifier: Apache-2.0
/* Layout (c): an encoder's hidden states, pooled output, attention probabilities, and the gradients
 * of loss = sum(cotangent * last hidden state), from its weights and again from its ONNX file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/import_model.h"
#include "ir/builder.h"
#include "models/build.h"
#include "models/huggingface.h"
#include "passes/differentiate.h"
#include "passes/pass_manager.h"
#include "runtime/base/file.h"
#include "runtime/program.h"
#include "runtime/train/batch_inputs.h"
#include "tools/padded_rows.h"
#include "tools/session.h"
#include "tools/verify/verify.h"

typedef struct forward_case {
    const char *folder;
    json_t *recipe, *expected;
    rt_safetensors inputs, outputs, gradients;
    double outputs_limit, of_tensor, of_global; /* tolerances */
    rt_arena arena;
    rt_model_config config;
    rt_error *error;
} forward_case;

static rt_status read_case(forward_case *c) {
    RT_TRY(verify_read_json(c->folder, "recipe.json", &c->recipe, c->error));
    RT_TRY(verify_read_json(c->folder, "expected.json", &c->expected, c->error));
    RT_TRY(verify_read_tensors(c->folder, "inputs.safetensors", &c->inputs, c->error));
    RT_TRY(verify_read_tensors(c->folder, "outputs.safetensors", &c->outputs, c->error));
    RT_TRY(verify_read_tensors(c->folder, "grads.safetensors", &c->gradients, c->error));
    rt_json_fields top = {.object = c->expected, .where = "expected.json", .error = c->error};
    rt_json_fields tolerance = top;
    tolerance.object = rt_json_object(&top, "tolerance");
    rt_json_fields grads = top;
    grads.object = rt_json_object(&tolerance, "grads");
    c->outputs_limit = rt_json_number(&tolerance, "outputs_abs_over_max");
    c->of_tensor = rt_json_number(&grads, "of_tensor_max");
    c->of_global = rt_json_number(&grads, "of_global_max");
    if (top.status != RT_OK) return top.status;
    if (tolerance.status != RT_OK) return tolerance.status;
    return grads.status;
}

static void release_case(forward_case *c) {
    json_decref(c->recipe);
    json_decref(c->expected);
    rt_safetensors_close(&c->inputs);
    rt_safetensors_close(&c->outputs);
    rt_safetensors_close(&c->gradients);
    rt_arena_deinit(&c->arena);
}

/* ---- the program: outputs, and gradients by cotangent */

/* Families that specs do not know skip the case. */
static rt_status check_family(forward_case *c) {
    json_t *root;
    rt_family family;
    RT_TRY(verify_read_json(c->folder, "config.json", &root, c->error));
    const char *type = json_string_value(json_object_get(root, "model_type"));
    rt_status status = RT_OK;
    if (type && !rt_family_from_model_type(type, &family))
        status = rt_fail(c->error, RT_UNSUPPORTED, "the model '%s' is not known to specs", type);
    json_decref(root);
    return status;
}

static rt_status load_config(forward_case *c) {
    const char *path = rt_arena_format(&c->arena, "%s/config.json", c->folder);
    if (!path) return RT_OUT_OF_MEMORY;
    RT_TRY(check_family(c));
    return rt_model_config_read(path, &c->arena, &c->config, c->error);
}

/* Adds to `graph` the loss by a cotangent input and the gradient at the word look-up. */
static rt_status add_loss(rt_graph *graph) {
    rt_builder b = rt_builder_begin(graph);
    rt_value hidden = rt_graph_find_output(graph, "last_hidden_state");
    rt_value words = rt_graph_find_output(graph, "word_embeddings"), gradient;
    rt_value cotangent = rt_build_input(&b, "cotangent", rt_graph_type(graph, hidden));
    rt_value loss = rt_build_sum_all(&b, rt_build_mul(&b, hidden, cotangent));
    rt_value one = rt_build_scalar(&b, RT_F32, 1);
    if (!rt_value_is(loss)) return rt_module_status(rt_graph_module(graph));
    rt_graph_add_output(graph, "loss", loss);
    RT_TRY(rt_differentiate(graph, loss, one, &words, 1, &gradient));
    rt_graph_add_output(graph, "grad.word_embeddings_out", gradient);
    rt_differentiate_options options = {0};
    return rt_differentiate_loss(graph, &options);
}

static rt_status run_passes(rt_module *module, rt_diagnostics *diagnostics) {
    static const char *const passes[] = {"simplify", "prune", "expand"};
    rt_pass_manager *manager = rt_pass_manager_create(diagnostics);
    if (!manager) return RT_OUT_OF_MEMORY;
    rt_status status = RT_OK;
    for (size_t i = 0; status == RT_OK && i < sizeof passes / sizeof *passes; ++i)
        status = rt_pass_manager_add(manager, passes[i]);
    if (status == RT_OK) status = rt_pass_manager_run(manager, module);
    rt_pass_manager_destroy(manager);
    return status;
}

/* Parameters are those of `imported`, or else of the folder's weights. */
static rt_status build_module(forward_case *c, const rt_recognition *imported, rt_module *module,
                              rt_diagnostics *diagnostics) {
    const char *weights = rt_arena_format(&c->arena, "%s/initial.safetensors", c->folder);
    unsigned pooler = rt_safetensors_find(&c->outputs, "a.pooler_output") ? RT_OUTPUT_POOLER : 0;
    unsigned outputs = RT_OUTPUT_LAST_HIDDEN_STATE | RT_OUTPUT_HIDDEN_STATES | pooler |
                       RT_OUTPUT_WORD_EMBEDDINGS | RT_OUTPUT_ATTENTION;
    rt_build_options options = {
        .graph_name = "step", .parameter_prefix = "", .outputs = outputs, .is_trainable = true};
    rt_load_options load = {.parameter_prefix = "", .parts = rt_model_parts_of_outputs(outputs)};
    if (imported) RT_TRY(rt_recognition_adopt(module, imported, &c->config, "", true));
    rt_graph *graph = rt_model_build(module, &c->config, &options);
    if (!weights || !graph) return rt_module_status(module);
    if (!imported) RT_TRY(rt_model_load_sources(module, &c->config, weights, &load, diagnostics));
    RT_TRY(add_loss(graph));
    return run_passes(module, diagnostics);
}

/* ---- comparing */

/* Compares output `name` of the entry, [tokens, columns], with tensor `key`, [rows, width, columns]
 * at real positions. */
static rt_status compare_tokens(forward_case *c, const session *s, int entry, const char *name,
                                const char *key, const padded_rows *padded, comparison *found) {
    const rt_safetensor *tensor = rt_safetensors_find(&c->outputs, key);
    const float *want, *got = retort_instance_output(session_instance(s), entry, name);
    if (!tensor) return RT_OK;
    if (!got) return rt_fail(c->error, RT_INTERNAL, "the program has no output '%s'", name);
    size_t columns = (size_t)tensor->dims[tensor->rank - 1];
    size_t tokens = (size_t)padded_rows_tokens(padded);
    RT_TRY(verify_floats(&c->outputs, key, (size_t)padded->rows * (size_t)padded->width * columns,
                         &want, c->error));
    float *packed = rt_arena_array(&c->arena, tokens * columns, sizeof *packed);
    if (!packed) return RT_OUT_OF_MEMORY;
    padded_rows_gather(padded, want, columns, packed);
    compare_to_largest(found, got, packed, tokens * columns, c->outputs_limit, key);
    return RT_OK;
}

/* Probability of (row, head, query, key) from the program's query, key and log-sum-exp. */
static rt_status compare_attention(forward_case *c, const session *s, int entry, int layer,
                                   const char *key, const padded_rows *padded,
                                   const rt_batch *batch, comparison *found) {
    size_t heads = (size_t)c->config.heads, width = (size_t)c->config.width, d = width / heads;
    size_t positions = (size_t)padded->width;
    const float *want, *parts[3];
    static const char *const names[3] = {"query", "key", "log_sum_exp"};
    if (!rt_safetensors_find(&c->outputs, key)) return RT_OK;
    RT_TRY(verify_floats(&c->outputs, key, (size_t)padded->rows * heads * positions * positions,
                         &want, c->error));
    for (int i = 0; i < 3; ++i) {
        char name[64];
        snprintf(name, sizeof name, "attention.%d.%s", layer, names[i]);
        parts[i] = retort_instance_output(session_instance(s), entry, name);
        if (!parts[i]) return rt_fail(c->error, RT_INTERNAL, "there is no output '%s'", name);
    }
    for (int32_t r = 0; r < batch->rows; ++r)
        for (size_t h = 0; h < heads; ++h)
            for (int32_t q = batch->row_offsets[r]; q < batch->row_offsets[r + 1]; ++q)
                for (int32_t k = batch->row_offsets[r]; k < batch->row_offsets[r + 1]; ++k) {
                    double score = 0;
                    for (size_t i = 0; i < d; ++i)
                        score += (double)parts[0][(size_t)q * width + h * d + i] *
                                 parts[1][(size_t)k * width + h * d + i];
                    double got = exp(score / sqrt((double)d) - parts[2][(size_t)q * heads + h]);
                    size_t row = (size_t)r * heads + h;
                    size_t at =
                        (row * positions + (size_t)(q - batch->row_offsets[r])) * positions +
                        (size_t)(k - batch->row_offsets[r]);
                    compare_value(found, got, want[at], c->outputs_limit, key);
                }
    return RT_OK;
}

static rt_status compare_outputs(forward_case *c, const session *s, int entry, char which,
                                 const padded_rows *padded, const rt_batch *batch,
                                 comparison *found) {
    char key[64], name[64];
    for (int64_t k = 0; k <= c->config.layers; ++k) {
        snprintf(key, sizeof key, "%c.hidden_states.%d", which, (int)k);
        RT_TRY(compare_tokens(c, s, entry, key + 2, key, padded, found));
        snprintf(key, sizeof key, "%c.attentions.%d", which, (int)k);
        RT_TRY(compare_attention(c, s, entry, (int)k, key, padded, batch, found));
    }
    snprintf(key, sizeof key, "%c.grad.word_embeddings_out", which);
    RT_TRY(compare_tokens(c, s, entry, key + 2, key, padded, found));
    snprintf(key, sizeof key, "%c.pooler_output", which);
    snprintf(name, sizeof name, "pooler_output");
    const float *want, *got = retort_instance_output(session_instance(s), entry, name);
    size_t count = (size_t)padded->rows * (size_t)c->config.width;
    if (!rt_safetensors_find(&c->outputs, key) || !got) return RT_OK;
    RT_TRY(verify_floats(&c->outputs, key, count, &want, c->error));
    compare_to_largest(found, got, want, count, c->outputs_limit, key);
    return RT_OK;
}

static double largest_gradient(const rt_safetensors *gradients) {
    double largest = 0;
    for (size_t i = 0; i < gradients->count; ++i) {
        double magnitude = largest_magnitude(gradients->tensors[i].data,
                                             (size_t)gradients->tensors[i].size_bytes / 4);
        if (magnitude > largest) largest = magnitude;
    }
    return largest;
}

/* Every stored gradient against the program's gradient parameter of that weight. */
static rt_status compare_gradients(forward_case *c, const session *s, comparison *found) {
    double global = largest_gradient(&c->gradients);
    for (size_t i = 0; i < c->gradients.count; ++i) {
        const rt_safetensor *tensor = &c->gradients.tensors[i];
        char name[256];
        const float *want;
        size_t count = (size_t)tensor->size_bytes / sizeof *want;
        snprintf(name, sizeof name, "gradient:%s", tensor->name);
        const float *got = retort_instance_parameter(
            session_instance(s), retort_program_find_parameter(session_program(s), name));
        RT_TRY(verify_floats(&c->gradients, tensor->name, count, &want, c->error));
        if (!got)
            return rt_fail(c->error, RT_INVALID_DATA, "no gradient of '%s' is computed",
                           tensor->name);
        double allowed = c->of_tensor * largest_magnitude(want, count) + c->of_global * global;
        for (size_t k = 0; k < count; ++k)
            compare_value(found, got[k], want[k], allowed, tensor->name);
    }
    return RT_OK;
}

/* ---- running */

static rt_status feed_cotangent(forward_case *c, const session *s, int entry, char which,
                                const padded_rows *padded) {
    char key[32];
    const float *cotangent;
    size_t width = (size_t)c->config.width;
    snprintf(key, sizeof key, "%c.cotangent", which);
    RT_TRY(verify_floats(&c->inputs, key, (size_t)padded->rows * (size_t)padded->width * width,
                         &cotangent, c->error));
    float *input = retort_instance_input(session_instance(s), entry, "cotangent");
    float *scale = retort_instance_input(session_instance(s), entry, "loss_scale");
    if (!input || !scale) return rt_fail(c->error, RT_INTERNAL, "the program takes no cotangent");
    padded_rows_gather(padded, cotangent, width, input);
    *scale = 1;
    return RT_OK;
}

static rt_status run_batch(forward_case *c, const session *s, int entry, char which,
                           comparison *found) {
    char prefix[4] = {which, '.', '\0'};
    padded_rows padded;
    rt_batch batch = {0};
    RT_TRY(padded_rows_read(&c->inputs, prefix, &padded, c->error));
    RT_TRY(padded_rows_pack(&padded, &batch, c->error));
    int64_t *symbols = rt_arena_array(&c->arena, session_program(s)->symbol_count + 1, 8);
    if (symbols) retort_batch_symbols(session_program(s), &batch, symbols);
    rt_status status = symbols ? RT_OK : RT_OUT_OF_MEMORY;
    if (status == RT_OK) status = retort_instance_reserve(session_instance(s), symbols, c->error);
    if (status == RT_OK) {
        retort_batch_feed(session_instance(s), entry, &batch);
        status = feed_cotangent(c, s, entry, which, &padded);
    }
    if (status == RT_OK)
        status = retort_instance_run(session_instance(s), entry, symbols, c->error);
    if (status == RT_OK) status = compare_outputs(c, s, entry, which, &padded, &batch, found);
    if (status == RT_OK && which == 'a') status = compare_gradients(c, s, found);
    rt_batch_destroy(&batch);
    return status;
}

/* Both batches by the program of c->config. */
static rt_status run_config(forward_case *c, const rt_recognition *imported,
                            const verify_options *options, comparison *found) {
    rt_diagnostics diagnostics = {0};
    session *s = NULL;
    int entry;
    rt_module *module = rt_module_create(&diagnostics);
    rt_status status = module ? build_module(c, imported, module, &diagnostics) : RT_OUT_OF_MEMORY;
    if (status == RT_OK) status = session_open(module, &options->session, &s, c->error);
    if (status != RT_OK && rt_diagnostics_failed(&diagnostics))
        status = verify_diagnosed(&diagnostics, status, c->error);
    if (status == RT_OK) status = session_entry(s, "step", &entry, c->error);
    if (status == RT_OK) status = run_batch(c, s, entry, 'a', found);
    if (status == RT_OK) status = run_batch(c, s, entry, 'b', found);
    session_close(s);
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    return status;
}

static rt_status verify_weights(forward_case *c, const verify_options *options, comparison *found) {
    RT_TRY(load_config(c));
    return run_config(c, NULL, options, found);
}

/* ---- from the ONNX file */

/* An imported encoder of a family gives what its weights give, gradients under the checkpoint's
 * names included. */
static rt_status verify_imported(forward_case *c, const char *path, const verify_options *options,
                                 comparison *found) {
    rt_diagnostics diagnostics = {0};
    rt_imported_model model;
    rt_status status = rt_import_model(path, NULL, &c->arena, &diagnostics, &model, c->error);
    if (status == RT_OK && model.is_recognised) {
        c->config = model.found.config;
        status = run_config(c, &model.found, options, found);
    } else if (rt_diagnostics_failed(&diagnostics)) {
        status = verify_diagnosed(&diagnostics, status, c->error);
    }
    rt_imported_model_close(&model);
    rt_diagnostics_deinit(&diagnostics);
    return status;
}

static void verify_graph(forward_case *c, const verify_options *options, verify_totals *totals) {
    comparison found = {0};
    const char *path = rt_arena_format(&c->arena, "%s/model.onnx", c->folder);
    if (path && !rt_file_exists(path)) return;
    rt_status status = path ? verify_outputs_of_onnx(path, &c->inputs, &c->outputs,
                                                     c->outputs_limit, options, &found, c->error)
                            : RT_OUT_OF_MEMORY;
    if (status == RT_OK && !options->target) status = verify_imported(c, path, options, &found);
    verify_report(totals, c->folder, "onnx", status, c->error, &found);
}

void verify_forward(const char *folder, const verify_options *options, verify_totals *totals) {
    rt_error error = {{0}};
    forward_case c = {.folder = folder, .error = &error};
    comparison found = {0};
    rt_status status = read_case(&c), read = status;
    if (status == RT_OK && !options->target) status = verify_weights(&c, options, &found);
    if (status != RT_OK || !options->target)
        verify_report(totals, folder, "weights", status, &error, &found);
    error = (rt_error){{0}};
    if (read == RT_OK) verify_graph(&c, options, totals);
    release_case(&c);
}
