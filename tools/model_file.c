// SPDX-License-Identifier: Apache-2.0
#include "tools/model_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/frontend/onnx_reader.h"
#include "compiler/import_model.h"
#include "compiler/training_program.h"
#include "ir/parse.h"
#include "ir/print.h"
#include "models/build.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"
#include "tools/model_text.h"
#include "tools/read_text.h"
#include "tools/tell.h"

bool has_path_ending(const char *path, const char *ending) {
    size_t length = strlen(path), size = strlen(ending);
    return length > size && strcmp(path + length - size, ending) == 0;
}

static rt_status find_kind(const char *path, model_kind *kind, rt_error *error) {
    if (has_path_ending(path, ".onnx"))
        *kind = MODEL_ONNX;
    else if (has_path_ending(path, ".rtir"))
        *kind = MODEL_TEXT;
    else if (has_path_ending(path, ".yaml") || has_path_ending(path, ".yml"))
        *kind = MODEL_SPEC;
    else if (has_path_ending(path, ".safetensors") || rt_folder_exists(path))
        *kind = MODEL_SAVED;
    else
        return rt_file_exists(path)
                   ? rt_fail(error, RT_UNSUPPORTED,
                             "%s: is no model: one is a file .onnx, .safetensors, .rtir or .yaml, "
                             "or a folder with config.json and model.safetensors",
                             path)
                   : rt_fail(error, RT_NOT_FOUND, "%s: No such file or directory", path);
    return RT_OK;
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

/* What the configuration is for: logits, or the states and the pooled vector. */
static unsigned family_outputs(const rt_model_config *config, bool has_pooler) {
    unsigned states = RT_OUTPUT_LAST_HIDDEN_STATE | (has_pooler ? RT_OUTPUT_POOLER : 0);
    return config->label_count ? RT_OUTPUT_LOGITS : states;
}

/* The packed graph of the configuration. */
static rt_graph *build_family_in(rt_module *module, const rt_model_config *config,
                                 unsigned outputs) {
    rt_build_options build = {
        .graph_name = "forward", .parameter_prefix = "", .outputs = outputs, .is_trainable = true};
    return rt_model_build(module, config, &build);
}

static rt_status build_family(model_file *m, unsigned outputs) {
    m->parts = rt_model_parts_of_outputs(outputs);
    m->has_config = true;
    m->graph = build_family_in(m->module, &m->config, outputs);
    return m->graph ? RT_OK : RT_INVALID_DATA;
}

static void add_output(model_file *m, const char *name, const char *family_name, rt_dtype dtype) {
    model_arrays *arrays = &m->arrays;
    arrays->outputs[arrays->output_count++] = (struct model_output){name, family_name, dtype};
}

/* As the library that wrote the folder has them. */
static void name_arrays(model_file *m) {
    m->arrays.inputs[PADDED_IDS] = "input_ids";
    m->arrays.inputs[PADDED_MASK] = "attention_mask";
    if (m->config.token_types) m->arrays.inputs[PADDED_TYPES] = "token_type_ids";
    for (size_t i = 0; i < rt_graph_output_count(m->graph); ++i) {
        const char *name = rt_graph_output(m->graph, i)->name;
        add_output(m, name, name, RT_F32);
    }
}

static rt_status open_saved(model_file *m, rt_error *error) {
    RT_TRY(rt_saved_model_find(m->path, &m->arena, &m->files, error));
    RT_TRY(rt_model_config_read(m->files.config, &m->arena, &m->config, error));
    m->config.predicts_tokens = false; /* the encoder is what is run, shown and converted */
    rt_location location = {.file = m->files.config};
    RT_TRY(rt_model_config_check(&m->config, location, &m->diagnostics));
    RT_TRY(build_family(m, family_outputs(&m->config, has_pooler_weights(m))));
    name_arrays(m);
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

/* What the family calls an output of the imported graph; NULL where it has none such. */
static const char *family_output(const rt_recognition *found, rt_value value, unsigned *outputs) {
    const struct {
        rt_value value;
        rt_model_output bit;
        const char *name;
    } known[] = {
        {found->logits, RT_OUTPUT_LOGITS, "logits"},
        {found->hidden, RT_OUTPUT_LAST_HIDDEN_STATE, "last_hidden_state"},
        {found->pooled, RT_OUTPUT_POOLER, "pooler_output"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(known); ++i) {
        if (!rt_value_is(known[i].value) || !rt_value_equal(known[i].value, value)) continue;
        *outputs |= known[i].bit;
        return known[i].name;
    }
    return NULL;
}

/* Name of a graph's input, in the model's arena; NULL where there is none. */
static const char *input_name(model_file *m, const rt_graph *graph, rt_value input) {
    if (!rt_value_is(input)) return NULL;
    rt_node node = rt_graph_definition(graph, input);
    const char *name = rt_graph_attr(graph, node, RT_ATTR_input_name).text;
    return rt_arena_copy_string(&m->arena, name);
}

/* Arrays of the file by their part in the family; which of the family's outputs they need. False,
 * with the mismatch, where the file gives something else too. */
static bool match_arrays(model_file *m, const rt_imported_model *imported, unsigned *outputs) {
    const rt_recognition *found = &imported->found;
    const rt_graph *graph = imported->graph;
    m->arrays.inputs[PADDED_IDS] = input_name(m, graph, found->ids);
    m->arrays.inputs[PADDED_MASK] = input_name(m, graph, found->mask);
    m->arrays.inputs[PADDED_TYPES] = input_name(m, graph, found->types);
    if (rt_value_is(found->mask) && rt_value_equal(found->mask, found->ids))
        m->mismatch = "its mask is made of the token ids";
    for (size_t i = 0; i < rt_graph_output_count(graph) && !m->mismatch; ++i) {
        const rt_output *output = rt_graph_output(graph, i);
        const char *name = rt_arena_copy_string(&m->arena, output->name);
        const char *family_name = family_output(found, output->value, outputs);
        if (family_name && m->arrays.output_count < MODEL_MOST_OUTPUTS)
            add_output(m, name, family_name, rt_graph_type(graph, output->value).dtype);
        else
            m->mismatch =
                rt_arena_format(&m->arena, "its output '%s' is none of the family's", output->name);
    }
    return !m->mismatch;
}

/* What is of no family stays the graph it is, under the names of the file. */
static rt_status take_imported(model_file *m, rt_imported_model *imported, bool is_to_run) {
    const rt_recognition *found = &imported->found;
    unsigned outputs = family_outputs(&found->config, found->has_pooler);
    m->mismatch = imported->is_recognised ? NULL : found->reason;
    if (!m->mismatch && is_to_run) outputs = 0;
    if (m->mismatch || (is_to_run && !match_arrays(m, imported, &outputs))) {
        rt_module_destroy(m->module);
        m->module = imported->module;
        m->graph = imported->graph;
        imported->module = NULL;
        return RT_OK;
    }
    m->config = found->config;
    RT_TRY(rt_recognition_adopt(m->module, found, &m->config, "", true));
    return build_family(m, outputs);
}

static rt_status open_onnx(model_file *m, const model_file_options *options, rt_error *error) {
    rt_imported_model imported;
    rt_onnx_import_options onnx = {.known_inputs = options->known,
                                   .known_input_count = options->known_count};
    m->files.vocabulary = find_beside(m, "vocab.txt");
    m->files.tokenizer_config = find_beside(m, "tokenizer_config.json");
    m->labels = find_beside(m, "labels.txt");
    rt_status status =
        rt_import_model(m->path, &onnx, &m->arena, &m->diagnostics, &imported, error);
    m->onnx_inputs = imported.inputs;
    m->onnx_input_count = imported.input_count;
    if (status == RT_OK) status = take_imported(m, &imported, options->is_to_run);
    rt_imported_model_close(&imported);
    return status;
}

/* ---- text */

/* A text that says of itself that it is of a family is so where its graph is the one that the
 * configuration stands for. */
static rt_status take_family(model_file *m, const char *config, rt_error *error) {
    rt_diagnostics diagnostics = {0};
    RT_TRY(rt_model_config_parse(m->path, config, &m->arena, &m->config, error));
    bool has_pooler = rt_value_is(rt_graph_find_output(m->graph, "pooler_output"));
    unsigned outputs = family_outputs(&m->config, has_pooler);
    rt_module *module = rt_module_create(&diagnostics);
    const rt_graph *wanted = module ? build_family_in(module, &m->config, outputs) : NULL;
    const char *own = rt_print_graph(m->graph, &m->arena);
    const char *text = wanted ? rt_print_graph(wanted, &m->arena) : NULL;
    m->has_config = own && text && strcmp(own, text) == 0;
    if (m->has_config) {
        m->parts = rt_model_parts_of_outputs(outputs);
        name_arrays(m);
    } else {
        m->mismatch = "the graph is not the one that its configuration stands for";
    }
    rt_module_destroy(module);
    rt_diagnostics_deinit(&diagnostics);
    return RT_OK;
}

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
    const char *whole = rt_arena_copy_text(&m->arena, text, length);
    const char *config = whole ? model_text_config(whole, &m->arena) : NULL;
    return config ? take_family(m, config, error) : RT_OK;
}

/* ---- specs */

static rt_status open_spec(model_file *m, const rt_spec_options *changes) {
    const char *settings;
    rt_program_options options = {.settings = &settings, .arena = &m->arena};
    rt_spec *spec = rt_spec_read(m->path, changes, &m->diagnostics);
    if (!spec) return RT_INVALID_DATA;
    rt_module_destroy(m->module);
    m->module = rt_training_program(spec, &options, &m->diagnostics);
    m->most_tokens = rt_spec_get(spec, RT_SPEC_data_max_length)->integer;
    m->batch_rows = rt_spec_get(spec, RT_SPEC_training_batch_rows)->integer;
    rt_spec_destroy(spec);
    if (!m->module) return RT_INVALID_DATA;
    m->graph = rt_module_find_graph(m->module, "step");
    return m->graph ? RT_OK : RT_INTERNAL;
}

/* The model of a spec, forward only, with the weights that training would begin with. */
static rt_status open_student(model_file *m, const rt_spec_options *changes) {
    rt_student student;
    rt_spec *spec = rt_spec_read(m->path, changes, &m->diagnostics);
    if (!spec) return RT_INVALID_DATA;
    rt_module_destroy(m->module);
    m->module = rt_student_program(spec, &m->arena, &student, &m->diagnostics);
    rt_spec_destroy(spec);
    if (!m->module) return RT_INVALID_DATA;
    m->graph = rt_module_find_graph(m->module, "forward");
    m->config = student.config;
    m->has_config = true;
    m->files.vocabulary = student.vocabulary;
    m->is_random = student.is_random;
    name_arrays(m);
    return RT_OK;
}

/* ---- all */

rt_status model_file_read(const char *path, const model_file_options *options, model_file *m,
                          rt_error *error) {
    rt_error why = {""};
    rt_status status = RT_INTERNAL;
    *m = (model_file){.path = path};
    RT_TRY(find_kind(path, &m->kind, error));
    m->module = rt_module_create(&m->diagnostics);
    if (!m->module) return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    switch (m->kind) {
    case MODEL_ONNX: status = open_onnx(m, options, &why); break;
    case MODEL_SAVED: status = open_saved(m, &why); break;
    case MODEL_TEXT: status = open_text(m, &why); break;
    case MODEL_SPEC:
        status =
            options->is_to_run ? open_student(m, &options->spec) : open_spec(m, &options->spec);
        break;
    }
    if (status == RT_OK) return RT_OK;
    return *why.text ? rt_fail(error, status, "%s", why.text)
                     : rt_fail(error, status, "%s: %s", path, rt_status_text(status));
}

void model_file_tell(const model_file *m, rt_status status, const rt_error *error) {
    tell_diagnostics(&m->diagnostics);
    if (status != RT_OK && !rt_diagnostics_failed(&m->diagnostics)) tell_error(error);
}

bool model_file_open_with(const char *path, const char *const *overrides, size_t override_count,
                          model_file *m) {
    rt_error error = {""};
    const model_file_options options = {
        .spec = {.overrides = overrides, .override_count = override_count}};
    rt_status status = model_file_read(path, &options, m, &error);
    if (override_count && m->kind != MODEL_SPEC)
        fprintf(stderr, "%s: warning: '%s' changes nothing: only a spec has keys\n", path,
                overrides[0]);
    model_file_tell(m, status, &error);
    if (status != RT_OK) model_file_close(m);
    return status == RT_OK;
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
