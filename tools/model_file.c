// SPDX-License-Identifier: Apache-2.0
#include "tools/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/frontend/onnx_reader.h"
#include "compiler/import_model.h"
#include "compiler/training_program.h"
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
    else if (has_path_ending(path, ".yaml") || has_path_ending(path, ".yml"))
        *kind = MODEL_SPEC;
    else if (has_path_ending(path, ".safetensors") || rt_folder_exists(path))
        *kind = MODEL_SAVED;
    else
        is_known = false;
    if (!is_known)
        fprintf(stderr,
                rt_file_exists(path)
                    ? "%s: error: is no model: one is a file .onnx, .safetensors, .rtir or .yaml, "
                      "or a folder with config.json and model.safetensors\n"
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

/* The packed graph of the configuration: logits, or the states and the pooled vector. */
static rt_status build_family(model_file *m, bool has_pooler) {
    unsigned states = RT_OUTPUT_LAST_HIDDEN_STATE | (has_pooler ? RT_OUTPUT_POOLER : 0);
    unsigned outputs = m->config.label_count ? RT_OUTPUT_LOGITS : states;
    rt_build_options build = {
        .graph_name = "forward", .parameter_prefix = "", .outputs = outputs, .is_trainable = true};
    m->parts = rt_model_parts_of_outputs(outputs);
    m->has_config = true;
    m->graph = rt_model_build(m->module, &m->config, &build);
    return m->graph ? RT_OK : RT_INVALID_DATA;
}

static rt_status open_saved(model_file *m, rt_error *error) {
    RT_TRY(rt_saved_model_find(m->path, &m->arena, &m->files, error));
    RT_TRY(rt_model_config_read(m->files.config, &m->arena, &m->config, error));
    rt_location location = {.file = m->files.config};
    RT_TRY(rt_model_config_check(&m->config, location, &m->diagnostics));
    RT_TRY(build_family(m, has_pooler_weights(m)));
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

/* What is of no family stays the graph it is, under the names of the file. */
static rt_status open_onnx(model_file *m, rt_error *error) {
    rt_imported_model imported;
    m->files.vocabulary = find_beside(m, "vocab.txt");
    m->files.tokenizer_config = find_beside(m, "tokenizer_config.json");
    m->labels = find_beside(m, "labels.txt");
    rt_status status = rt_import_model(m->path, &m->arena, &m->diagnostics, &imported, error);
    if (status == RT_OK && imported.is_recognised) {
        m->config = imported.found.config;
        status = rt_recognition_adopt(m->module, &imported.found, &m->config, "", true);
        if (status == RT_OK) status = build_family(m, imported.found.has_pooler);
    } else if (status == RT_OK) {
        rt_module_destroy(m->module);
        m->mismatch = imported.found.reason;
        m->module = imported.module;
        m->graph = imported.graph;
        imported.module = NULL;
    }
    rt_imported_model_close(&imported);
    return status;
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

/* ---- specs */

static rt_status open_spec(model_file *m, const rt_spec_options *changes) {
    const char *settings;
    rt_program_options options = {.settings = &settings, .arena = &m->arena};
    rt_spec *spec = rt_spec_read(m->path, changes, &m->diagnostics);
    if (!spec) return RT_INVALID_DATA;
    rt_module_destroy(m->module);
    m->module = rt_training_program(spec, &options, &m->diagnostics);
    rt_spec_destroy(spec);
    if (!m->module) return RT_INVALID_DATA;
    m->graph = rt_module_find_graph(m->module, "step");
    return m->graph ? RT_OK : RT_INTERNAL;
}

/* ---- all */

bool model_file_open_with(const char *path, const char *const *overrides, size_t override_count,
                          model_file *m) {
    rt_spec_options changes = {.overrides = overrides, .override_count = override_count};
    rt_error error = {""};
    *m = (model_file){.path = path};
    if (!model_kind_of(path, &m->kind)) return false;
    if (override_count && m->kind != MODEL_SPEC)
        fprintf(stderr, "%s: warning: '%s' changes nothing: only a spec has keys\n", path,
                overrides[0]);
    m->module = rt_module_create(&m->diagnostics);
    rt_status status = m->module ? RT_OK : rt_fail(&error, RT_OUT_OF_MEMORY, "out of memory");
    if (status == RT_OK && m->kind == MODEL_ONNX) status = open_onnx(m, &error);
    if (status == RT_OK && m->kind == MODEL_SAVED) status = open_saved(m, &error);
    if (status == RT_OK && m->kind == MODEL_TEXT) status = open_text(m, &error);
    if (status == RT_OK && m->kind == MODEL_SPEC) status = open_spec(m, &changes);
    tell_diagnostics(&m->diagnostics);
    if (status == RT_OK) return true;
    if (!rt_diagnostics_failed(&m->diagnostics)) {
        if (!*error.text) rt_fail(&error, status, "%s: %s", path, rt_status_text(status));
        tell_error(&error);
    }
    model_file_close(m);
    return false;
}

bool model_file_open(const char *path, model_file *m) {
    return model_file_open_with(path, NULL, 0, m);
}

void model_file_close(model_file *m) {
    rt_module_destroy(m->module);
    rt_diagnostics_deinit(&m->diagnostics);
    rt_arena_deinit(&m->arena);
    *m = (model_file){0};
}
