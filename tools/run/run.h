// SPDX-License-Identifier: Apache-2.0
/* `retort run`: a model compiled in memory and run on a person's arrays or texts.
 *   run_inputs.c    arrays from files, by place or name
 *   run_text.c      token ids, mask and token types from texts
 *   run_outputs.c   what comes out: shown, or written to files
 *   run_evaluation.c  a file of texts with labels */
#ifndef RETORT_TOOLS_RUN_RUN_H
#define RETORT_TOOLS_RUN_RUN_H

#include "tools/forward.h"
#include "tools/precision.h"

enum { RUN_MOST_FILES = 256, RUN_MOST_TEXTS = 4096 };

/* A text, or a pair of texts. */
typedef struct run_text {
    const char *first, *second; /* NULL: no second one */
} run_text;

typedef struct run_request {
    const char *model_path;
    const char *inputs[RUN_MOST_FILES]; /* "FILE" or "NAME=FILE" */
    size_t input_count;
    const char *outputs[RUN_MOST_FILES]; /* "FOLDER", "FILE" or "NAME=FILE" */
    size_t output_count;
    run_text texts[RUN_MOST_TEXTS];
    size_t text_count;
    const char *text_file, *vocabulary;
    const char *evaluation_file, *format;
    double max_drop;    /* in points; negative: nothing is chosen */
    int64_t max_length; /* most tokens of a row; 0: what the model has positions for */
    int64_t rounds, threads;
    rt_optimizations optimizations;
    precision_request precision;
    bool lists, profiles;
    dumps dumps;
} run_request;

/* The inputs of a run. */
typedef struct run_inputs {
    rt_arena arena;
    named_tensor *tensors;
    size_t count;
} run_inputs;

/* Reads the files of the request. `names` are the model's inputs in order. An error names the file
 * and what there is. */
RT_MUST_CHECK rt_status run_inputs_read(const run_request *request, const char *const *names,
                                        size_t name_count, run_inputs *inputs, rt_error *error);

/* Adds the arrays made of the request's texts, under the names that the model gives them. Warns
 * where a row was cut. */
RT_MUST_CHECK rt_status run_inputs_add_texts(const run_request *request, const forward *f,
                                             run_inputs *inputs, rt_error *error);
bool run_has_texts(const run_request *request);

/* Checks what the options -o name against the model's outputs, before anything is computed. */
RT_MUST_CHECK rt_status run_outputs_check(const run_request *request, const forward *f,
                                          rt_error *error);

/* Writes the results that -o asks for and shows the others. */
RT_MUST_CHECK rt_status run_outputs_give(const run_request *request, const forward *f,
                                         rt_error *error);

/* Opens and compiles the model, answers request->evaluation_file and says how well; where max_drop
 * is given chooses a precision of each weight first. `m` and `f` are zeroed, and the caller's to
 * close.
 */
RT_MUST_CHECK rt_status run_evaluation(const run_request *request, model_file *m, forward *f,
                                       rt_error *error);

#endif
