// SPDX-License-Identifier: Apache-2.0
#include "tools/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/frontend/onnx_reader.h"
#include "compiler/import_model.h"
#include "ir/parse.h"
#include "models/build.h"
#include "runtime/base/safetensors.h"
#include "tools/read_text.h"
#include "tools/tell.h"

bool has_path_ending(const char *path, const char *ending) {
    size_t length = strlen(path), size = strlen(ending);
    return length > size && strcmp(path + length - size, ending) == 0;
}

bool model_kind_of(const char *path, model_kind *kind) {
    bool is_known = true;
    if (has_path_ending(path, ".onnx"))
        *kind = MODEL_ONNX;
    else if (has_path_ending(path, ".rtir"))
        *kind = MODEL_TEXT;
    else if (has_path_ending(path, ".safetensors") || rt_folder_exists(path))
        *kind = MODEL_SAVED;
    else
        is_known = false;
    if (!is_known)
        fprintf(stderr,
                rt_file_exists(path)
                    ? "%s: error: is no model: one is a file .onnx, .safetensors or .rtir, or a "
                      "folder with config.json and model.safetensors\n"
                    : "%s: error: No such file or directory\n",
                path);
    return is_known;
}

/* ---- Hugging Face folders */

/* Whether the checkpoint has the family's pooler, so that its output can be asked for. */
static bool has_pooler_weights(model_file *m) {
    rt_safetensors file;
    bool is_found = false;
    if (!rt_model_has_module(&m->config, RT_MODULE_pooler, RT_PART_POOLER) ||
        rt_safetensors_open(m->files.weights, &file, NULL) != RT_OK)
        return false;
    const char *name =
        rt_model_parameter_name(&m->config, RT_MODULE_pooler, -1, RT_LEAF_WEIGHT, &m->arena);
    const char *prefix = rt_family_facts_of(m->config.family)->prefix;
    const char *prefixed = name ? rt_arena_format(&m->arena, "%s%s", prefix, name) : NULL;
    if (prefixed)
        is_found = rt_safetensors_find(&file, name) || rt_safetensors_find(&file, prefixed);
    rt_safetensors_close(&file);
    return is_found;
}

static unsigned outputs_of(model_file *m) {
    if (m->config.label_count) return RT_OUTPUT_LOGITS;
    unsigned pooler = has_pooler_weights(m) ? RT_OUTPUT_POOLER : 0;
    return RT_OUTPUT_LAST_HIDDEN_STATE | pooler;
}

static rt_status open_saved(model_file *m, rt_error *error) {
    RT_TRY(rt_saved_model_find(m->path, &m->arena, &m->files, error));
    RT_TRY(rt_model_config_read(m->files.config, &m->arena, &m->config, error));
    rt_location location = {.file = m->files.config};
    RT_TRY(rt_model_config_check(&m->config, location, &m->diagnostics));
    unsigned outputs = outputs_of(m);
    rt_build_options build = {
        .graph_name = "forward", .parameter_prefix = "", .outputs = outputs, .is_trainable = true};
    m->parts = rt_model_parts_of_outputs(outputs);
    m->has_config = true;
    m->graph = rt_model_build(m->module, &m->config, &build);
    if (!m->graph) return RT_INVALID_DATA;
    rt_load_options load = {.parameter_prefix = "",
                            .parts = m->parts,
                            .needs_head = m->config.label_count > 0,
                            .location = {.file = m->files.weights}};
    return rt_model_load_sources(m->module, &m->config, m->files.weights, &load, &m->diagnostics);
}

/* ---- ONNX files */

static const char *find_beside(model_file *m, const char *name) {
    char *folder = rt_path_folder(m->path);
    const char *path = folder ? rt_arena_format(&m->arena, "%s/%s", folder, name) : NULL;
    free(folder);
    return path && rt_file_exists(path) ? path : NULL;
}

/* Names of what is imported, until it is known to be of a family. */
static const char FOREIGN[] = "onnx/";

static rt_status fresh_module(model_file *m) {
    rt_module_destroy(m->module);
    m->module = rt_module_create(&m->diagnostics);
    return m->module ? RT_OK : RT_OUT_OF_MEMORY;
}

/* Drops the imported graph and the names it had: the family's stand for them now. */
static rt_status drop_foreign(model_file *m) {
    size_t count = rt_module_parameter_count(m->module);
    bool *keeps = RT_NEW_ARRAY(&m->arena, bool, count + 1);
    if (!keeps) return RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < count; ++i)
        keeps[i] = strncmp(rt_module_parameter(m->module, (rt_parameter){i})->name, FOREIGN,
                           strlen(FOREIGN)) != 0;
    rt_module_remove_graph(m->module, "imported");
    rt_module_keep_parameters(m->module, keeps);
    return RT_OK;
}

/* The family's graph over packed rows, with the imported values as its parameters. */
static rt_status become_family(model_file *m, const rt_recognition *found) {
    m->config = found->config;
    unsigned pooler = found->has_pooler ? RT_OUTPUT_POOLER : 0;
    unsigned outputs =
        m->config.label_count ? RT_OUTPUT_LOGITS : RT_OUTPUT_LAST_HIDDEN_STATE | pooler;
    rt_build_options build = {
        .graph_name = "forward", .parameter_prefix = "", .outputs = outputs, .is_trainable = true};
    m->parts = rt_model_parts_of_outputs(outputs);
    m->has_config = true;
    RT_TRY(rt_recognition_adopt(m->module, found, &m->config, "", true));
    RT_TRY(drop_foreign(m));
    m->graph = rt_model_build(m->module, &m->config, &build);
    return m->graph ? RT_OK : RT_INVALID_DATA;
}

/* A file that is no ONNX is told by its name as it was given, before its graph is looked at. */
static rt_status check_onnx(const model_file *m, rt_error *error) {
    rt_onnx_source source;
    RT_TRY(rt_onnx_open(m->path, &source, error));
    rt_onnx_close(&source);
    return RT_OK;
}

static rt_status open_onnx(model_file *m, rt_error *error) {
    rt_imported_model imported;
    rt_location place = {0};
    RT_TRY(check_onnx(m, error));
    m->files.vocabulary = find_beside(m, "vocab.txt");
    m->files.tokenizer_config = find_beside(m, "tokenizer_config.json");
    m->labels = find_beside(m, "labels.txt");
    RT_TRY(rt_import_model(m->module, m->path, "imported", FOREIGN, place, &m->arena, &imported));
    if (imported.is_recognised) return become_family(m, &imported.found);
    m->mismatch = imported.found.reason;
    RT_TRY(fresh_module(m));
    RT_TRY(rt_import_model(m->module, m->path, "forward", NULL, place, &m->arena, &imported));
    m->graph = imported.graph;
    return RT_OK;
}

/* ---- text */

static rt_status open_text(model_file *m, rt_error *error) {
    size_t length;
    const char *text = rt_read_text(m->path, &m->arena, &length, error);
    if (!text) return RT_IO;
    rt_module_destroy(m->module);
    m->module = rt_parse_module(text, length, m->path, &m->diagnostics);
    if (!m->module) return RT_INVALID_DATA;
    if (!rt_module_graph_count(m->module))
        return rt_fail(error, RT_INVALID_DATA, "%s: there is no graph in it", m->path);
    m->graph = rt_module_graph(m->module, 0);
    return RT_OK;
}

/* ---- all */

bool model_file_open(const char *path, model_file *m) {
    rt_error error = {""};
    *m = (model_file){.path = path};
    if (!model_kind_of(path, &m->kind)) return false;
    m->module = rt_module_create(&m->diagnostics);
    rt_status status = m->module ? RT_OK : rt_fail(&error, RT_OUT_OF_MEMORY, "out of memory");
    if (status == RT_OK && m->kind == MODEL_ONNX) status = open_onnx(m, &error);
    if (status == RT_OK && m->kind == MODEL_SAVED) status = open_saved(m, &error);
    if (status == RT_OK && m->kind == MODEL_TEXT) status = open_text(m, &error);
    tell_diagnostics(&m->diagnostics);
    if (status == RT_OK) return true;
    if (!rt_diagnostics_failed(&m->diagnostics)) {
        if (!*error.text) rt_fail(&error, status, "%s: %s", path, rt_status_text(status));
        tell_error(&error);
    }
    model_file_close(m);
    return false;
}

void model_file_close(model_file *m) {
    rt_module_destroy(m->module);
    rt_diagnostics_deinit(&m->diagnostics);
    rt_arena_deinit(&m->arena);
    *m = (model_file){0};
}
