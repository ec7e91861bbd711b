// SPDX-License-Identifier: Apache-2.0
/* What a person names as a model: an ONNX file, a Hugging Face folder (or its .safetensors file), a
 * graph in text form (.rtir), a spec (.yaml). Opened, it is a module with the graph that runs
 * forward, or with those of the training program that a spec asks for; weights stay in their files.
 *
 *     model_file m;
 *     if (!model_file_open("model.onnx", &m)) return 1;   // told on standard error
 *     … m.module, m.graph …
 *     model_file_close(&m);
 */
#ifndef RETORT_TOOLS_MODEL_FILE_H
#define RETORT_TOOLS_MODEL_FILE_H

#include "models/huggingface.h"

typedef enum model_kind { MODEL_ONNX, MODEL_SAVED, MODEL_TEXT, MODEL_SPEC } model_kind;

typedef struct model_file {
    model_kind kind;
    const char *path;
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph; /* of several in a text the first, of a spec's that of a step */
    bool has_config; /* it is of a family: `config`, `parts` and the family's names hold */
    rt_model_config config;
    rt_model_parts parts;
    const char *mismatch; /* why an ONNX graph is of no family; NULL where it is */
    rt_saved_model files; /* vocabulary and tokenizer settings, where they are there */
    const char *labels;   /* labels.txt beside an ONNX file, or NULL */
} model_file;

/* By what `path` is and ends in; false after the errors were told. */
bool model_kind_of(const char *path, model_kind *kind);

/* False after the errors were told; then nothing is left open. */
bool model_file_open(const char *path, model_file *m);
/* The same, where keys of a spec have other values: "model.layers=3". */
bool model_file_open_with(const char *path, const char *const *overrides, size_t override_count,
                          model_file *m);
void model_file_close(model_file *m);

/* A path that ends in `ending`, which begins with a dot. */
bool has_path_ending(const char *path, const char *ending);

#endif
