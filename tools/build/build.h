// SPDX-License-Identifier: Apache-2.0
/* `retort build`: a model to an ahead-of-time library with all that an app needs to use it.
 *     build_precision.c  in how many bits weights are held
 *     build_model.c    opens the model, runs the passes for the target, describes inputs and sizes
 *     build_weights.c  the weights as the library reads them, what derives from them included
 *     build_texts.c    header, example and packages, from templates/
 *     archive.c        the static library; link_shared.c the shared one */
#ifndef RETORT_TOOLS_BUILD_BUILD_H
#define RETORT_TOOLS_BUILD_BUILD_H

#include "compiler/retort_compiler.h"
#include "compiler/target_passes.h"
#include "compiler/target/target.h"
#include "tools/model_file.h"

enum { BUILD_MOST_SIZES = 16, BUILD_MOST_INPUTS = 16 };

/* A largest value that a person gave: --size tokens=4096. */
typedef struct build_size {
    const char *name;
    int64_t value;
} build_size;

typedef struct build_request {
    const char *model_path, *target, *output, *name;
    const char *weights; /* "file" or "inside" */
    int64_t max_length;  /* 0: what the model takes */
    build_size sizes[BUILD_MOST_SIZES];
    size_t size_count;
    const char *inputs[BUILD_MOST_INPUTS]; /* NAME=FILE: inputs whose values are known now */
    size_t input_count;
    bool is_shared; /* a shared library or a wasm module too */
    bool is_quiet;
    rt_optimizations optimizations;
    rt_precision_choice precision;
    /* Labelled texts, by which the precision of each weight is chosen; NULL: none is. */
    const char *evaluation_file, *format;
    double max_drop; /* in points of the metric */
} build_request;

/* An input or output as the header declares it. */
typedef struct build_value {
    const char *name; /* an identifier */
    rt_type type;
    const char *shape; /* "[rows + 1]" */
    const char *note;  /* what it holds */
} build_value;

typedef struct build {
    const build_request *request;
    rt_arena arena;
    rt_error *error;
    model_file model;
    rt_target target;
    rt_precision_choice precision;
    const char *name;     /* of the library: an identifier */
    const char *graph;    /* name of the graph that is compiled */
    const char **symbols; /* names of the sizes, by symbol of the module */
    const char **symbol_notes;
    size_t symbol_count;
    build_value *inputs, *outputs; /* those that a caller gives and gets */
    size_t input_count, output_count;
    retort_device_input_facts *facts; /* of all inputs of the graph */
    int64_t *largest, *planned;
    retort_device_options device;
    uint8_t *weights;
    retort_compilation *compilation;
} build;

/* All of it; b->request and b->error are set. The caller closes in either case. */
RT_MUST_CHECK rt_status build_library(build *b);
void build_close(build *b);

/* Each returns with a diagnostic in build.model or the reason in build.error. */
RT_MUST_CHECK rt_status build_choose_precision(build *b); /* before the model is opened */
RT_MUST_CHECK rt_status build_open_model(build *b);
RT_MUST_CHECK rt_status build_make_weights(build *b);
RT_MUST_CHECK rt_status build_write_texts(build *b);

/* Links the static library in the folder to libNAME.so, libNAME.dylib or NAME.wasm. */
RT_MUST_CHECK rt_status build_link_shared(build *b);

/* The model's own path where a run's folder was named. */
const char *build_find_model(build *b);

/* DIR/<text of the format>, in the arena. */
const char *build_path(build *b, const char *format, ...) RT_PRINTF(2, 3);

#endif
