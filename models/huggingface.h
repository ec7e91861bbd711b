// SPDX-License-Identifier: Apache-2.0
/* Hugging Face folders: config.json, model.safetensors, vocab.txt. Weights stay in their file: a
 * parameter gets a source there, and the program reads it when it starts. */
#ifndef RETORT_MODELS_HUGGINGFACE_H
#define RETORT_MODELS_HUGGINGFACE_H

#include "models/parameters.h"

/* The files of a saved model; absolute paths. */
typedef struct rt_saved_model {
    const char *config;           /* config.json */
    const char *weights;          /* model.safetensors, or the file named */
    const char *vocabulary;       /* vocab.txt, or NULL where there is none */
    const char *tokenizer_config; /* tokenizer_config.json, or NULL */
} rt_saved_model;

/* Finds them: `path` is a folder, or a .safetensors file; then the configuration is the file
 * "<stem>_config.json" or else "config.json" beside it; or an .onnx file, which has only texts
 * beside it: `config` and `weights` are NULL then. Strings are in `arena`. */
RT_MUST_CHECK rt_status rt_saved_model_find(const char *path, rt_arena *arena,
                                            rt_saved_model *model, rt_error *error);

typedef struct rt_load_options {
    const char *parameter_prefix; /* of the module's names: "teacher/", or "" */
    rt_model_parts parts;
    bool needs_head;      /* a missing head is an error, not a fresh start */
    rt_location location; /* what names the file, for diagnostics */
    bool has_additions;   /* the file holds what a method added too: no word on what is left over */
} rt_load_options;

/* Gives the module's parameters of the configuration their sources in a safetensors file. A name is
 * looked for with and without the family's prefix, norms also as gamma and beta. A tensor that is
 * missing or has another shape is an error; of the head, it is a note that it starts from random
 * values (unless needs_head). Tensors that nothing uses are warnings, those known to belong to
 * pretraining one note. */
RT_MUST_CHECK rt_status rt_model_load_sources(rt_module *module, const rt_model_config *config,
                                              const char *path, const rt_load_options *options,
                                              rt_diagnostics *diagnostics);

/* The same for parameters that a method added to the configured model: those without a source that
 * the file has under their own names. One of another shape is an error; with needs_head all must be
 * there. */
RT_MUST_CHECK rt_status rt_model_load_added(rt_module *module, const rt_model_config *config,
                                            const char *path, const rt_load_options *options,
                                            rt_diagnostics *diagnostics);

/* Initial layers from a teacher: layer i of the student starts from what layer `layers[i]` of the
 * teacher starts from, its embeddings and final norm from the teacher's, and where both predict
 * tokens the head too. Both are in the module,
 * the student's parameters under no prefix, the teacher's under `teacher_prefix`. A position table
 * may be shorter than the teacher's. Errors are at `location`. */
RT_MUST_CHECK rt_status rt_model_copy_layers(rt_module *module, const rt_model_config *student,
                                             const rt_model_config *teacher,
                                             const char *teacher_prefix, const int64_t *layers,
                                             rt_location location);

/* Writes a folder that transformers loads: config.json, model.safetensors, and copies of vocab.txt
 * and tokenizer_config.json where `from` has them. Every parameter of `parts` must have a source;
 * it is written in f32 as its shape says, transposed where the source is. The folder is replaced
 * whole. */
RT_MUST_CHECK rt_status rt_model_save(const rt_module *module, const rt_model_config *config,
                                      rt_model_parts parts, const rt_saved_model *from,
                                      const char *folder, rt_error *error);

#endif
