// SPDX-License-Identifier: Apache-2.0
/* A model compiled in memory and run on the arrays that its users have: what `retort run` does, and
 * `retort verify` with stored arrays.
 *
 *     forward f;
 *     RT_TRY(model_file_read("model.onnx", &(model_file_options){.is_to_run = true}, &model,
 * error)); RT_TRY(forward_open(&model, &f, error));            // what it takes and gives
 *     RT_TRY(forward_compile(&f, &options, error));
 *     RT_TRY(forward_run(&f, inputs, count, error));      // any number of times, of any sizes
 *     … f.results[0 .. f.output_count) …
 *     forward_close(&f);
 *     model_file_close(&model);
 *
 * A model of a family runs packed: it takes token ids, mask and token types padded to [rows,
 * positions], computes the real tokens only and gives outputs in the padded shape, with zeros at
 * padding. Every other graph runs as it is written. */
#ifndef RETORT_TOOLS_FORWARD_H
#define RETORT_TOOLS_FORWARD_H

#include "compiler/target_passes.h"
#include "runtime/train/profile.h"
#include "tools/dumps.h"
#include "tools/graph_run.h"
#include "tools/model_file.h"
#include "tools/padded_input.h"
#include "tools/slice_check.h"

/* An input or output. */
typedef struct forward_value {
    const char *name;
    const char *type; /* "i64[batch,sequence]" */
    /* Of an input. */
    bool is_optional; /* may be missing */
    padded_part part; /* PADDED_PART_COUNT where the model is not packed */
    int64_t limit;    /* of what is a number of rows: see index_limit; 0 for none */
    /* Of an output; family_name and is_per_token where the model is packed. */
    rt_dtype dtype;
    const char *family_name; /* in the program: "last_hidden_state" */
    bool is_per_token;
} forward_value;

typedef struct forward_options {
    session_options session;
    rt_precision_choice precision;
    const dumps *dumps; /* NULL: none */
} forward_options;

struct forward;

/* Runs an entry elsewhere: from the inputs in the instance's buffers to its outputs there. */
typedef struct forward_runner {
    rt_status (*run)(void *user, const struct forward *f, rt_error *error);
    void *user;
} forward_runner;

typedef struct forward {
    model_file *model;
    bool is_packed;
    forward_value *inputs, *outputs; /* in the model's arena, in the order of its users */
    size_t input_count, output_count;
    slice_checks slices; /* where the model is not packed */
    session *session;    /* after forward_compile */
    int entry;
    retort_profile *profile;      /* counts what runs while not NULL; the caller's */
    const forward_runner *runner; /* in place of the instance while not NULL; the caller's */
    /* Of the last run. */
    named_tensor *results; /* output_count */
    double seconds;        /* without copying in and out */
    int64_t tokens;        /* computed, of a packed model */
    int64_t *symbols;
    rt_arena arena; /* of the last run alone */
} forward;

/* Describes what the model takes and gives. The model is lent until forward_close, and its module
 * is changed by forward_compile. */
RT_MUST_CHECK rt_status forward_open(model_file *model, forward *f, rt_error *error);
void forward_close(forward *f); /* also of a zeroed struct */

/* Runs the pipeline "inference" and compiles. Where it fails by diagnostics these are the model's.
 */
RT_MUST_CHECK rt_status forward_compile(forward *f, const forward_options *options,
                                        rt_error *error);

/* The inputs of an ONNX graph that its shapes may depend on: small ones of integers, which a second
 * reading of the file can be given (model_file_read). Into known[count]; how many there are. */
size_t forward_known_inputs(const named_tensor *inputs, size_t count, rt_onnx_known_input *known);

/* Inputs may come in any order; those that the model does not have are passed over. */
RT_MUST_CHECK rt_status forward_run(forward *f, const named_tensor *inputs, size_t count,
                                    rt_error *error);

/* Runs a packed model on a batch; its outputs, by their family's names, are then the instance's. */
RT_MUST_CHECK rt_status forward_run_batch(forward *f, const rt_batch *batch, rt_error *error);
const float *forward_batch_output(const forward *f, const char *family_name);

#endif
