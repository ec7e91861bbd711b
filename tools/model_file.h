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

#include "compiler/frontend/onnx_import.h"
#include "models/huggingface.h"
#include "tools/padded_input.h"

typedef enum model_kind { MODEL_ONNX, MODEL_SAVED, MODEL_TEXT, MODEL_SPEC } model_kind;

enum { MODEL_MOST_OUTPUTS = 8 };

/* How the users of a family's model, whose rows they pad, name its arrays. */
typedef struct model_arrays {
    const char *inputs[PADDED_PART_COUNT]; /* NULL where the model takes none */
    size_t output_count;
    struct model_output {
        const char *name;
        const char *family_name; /* of the graph's output: "last_hidden_state" */
        rt_dtype dtype;
    } outputs[MODEL_MOST_OUTPUTS];
} model_arrays;

typedef struct model_file {
    model_kind kind;
    const char *path;
    rt_arena arena;
    rt_diagnostics diagnostics;
    rt_module *module;
    rt_graph *graph; /* of several in a text the first, of a spec's that of a step */
    bool has_config; /* it is of a family: `config`, `parts` and the family's names hold */
    rt_model_config config;
    bool is_random;       /* of a spec that is run: it starts from no weights */
    rt_model_parts parts; /* but for a spec */
    int64_t most_tokens;  /* of a spec's rows */
    int64_t batch_rows;   /* of a spec's training */
    model_arrays arrays;  /* with has_config; of an ONNX file only where it is opened to be run */
    const char *mismatch; /* why an ONNX file or a text is of no family; NULL where it is */
    rt_saved_model files; /* vocabulary and tokenizer settings, where they are there */
    const char *labels;   /* labels.txt beside an ONNX file, or NULL */
    const char **onnx_inputs; /* an ONNX file's inputs in its order, initialisers left out */
    size_t onnx_input_count;  /* known also where only the import failed */
} model_file;

/* False after the errors were told; then nothing is left open. */
bool model_file_open(const char *path, model_file *m);
/* The same, where keys of a spec have other values: "model.layers=3". */
bool model_file_open_with(const char *path, const char *const *overrides, size_t override_count,
                          model_file *m);
void model_file_close(model_file *m);

typedef struct model_file_options {
    /* An ONNX graph is of a family only where the family gives every output of the file; a spec is
     * its model alone. */
    bool is_to_run;
    /* Inputs of an ONNX graph whose values are given now and become constants, for graphs whose
     * shapes depend on them. */
    const rt_onnx_known_input *known;
    size_t known_count;
    rt_spec_options spec; /* keys of a spec with other values */
} model_file_options;

/* The same without telling: why it failed is in m->diagnostics, or else in `error`. The model is
 * closed by the caller in either case. */
RT_MUST_CHECK rt_status model_file_read(const char *path, const model_file_options *options,
                                        model_file *m, rt_error *error);

/* Tells what model_file_read left: diagnostics, and `error` where it failed without an error among
 * them. */
void model_file_tell(const model_file *m, rt_status status, const rt_error *error);

/* A path that ends in `ending`, which begins with a dot. */
bool has_path_ending(const char *path, const char *ending);

#endif
