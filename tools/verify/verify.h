// SPDX-License-Identifier: Apache-2.0
/* `retort verify`: stored inputs, outputs and training trajectories against what compiled programs
 * compute. Three layouts, one file each:
 *   verify_onnx.c        model.onnx with test_data_set_*
 *   verify_trajectory.c  recipe.json with batches.safetensors: 20 optimiser steps
 *   verify_forward.c     recipe.json with inputs.safetensors: outputs and gradients
 *   verify_forward_onnx.c its model.onnx, as a graph that is run
 * Every case takes the way that `retort compile` takes, and runs in memory. */
#ifndef RETORT_TOOLS_VERIFY_VERIFY_H
#define RETORT_TOOLS_VERIFY_VERIFY_H

#include "ir/diagnostic.h"
#include "runtime/base/json.h"
#include "runtime/base/safetensors.h"
#include "tools/session.h"
#include "tools/verify/compare.h"

typedef struct verify_options {
    bool has_tolerance; /* --rtol or --atol was given: for layout (a) */
    double relative, absolute;
    session_options session;
    const char *target; /* --target: graphs run as a library for it, by an emulator; or NULL */
} verify_options;

typedef struct verify_totals {
    size_t passed, failed, skipped;
} verify_totals;

/* Counts a case and prints its line where it failed: by `status` and `error`, or by comparison. */
void verify_report(verify_totals *totals, const char *folder, const char *what, rt_status status,
                   const rt_error *error, const comparison *c);

/* One folder of a layout; adds its cases to the totals. */
void verify_onnx(const char *folder, const verify_options *options, verify_totals *totals);
void verify_trajectory(const char *folder, const verify_options *options, verify_totals *totals);
void verify_forward(const char *folder, const verify_options *options, verify_totals *totals);

/* The graph of a file as `retort run` runs it, on the cases "a." and "b." of `inputs`: outputs
 * last_hidden_state and pooler_output against `outputs`, within `limit` of the largest value. */
RT_MUST_CHECK rt_status verify_outputs_of_onnx(const char *path, const rt_safetensors *inputs,
                                               const rt_safetensors *outputs, double limit,
                                               const verify_options *options, comparison *found,
                                               rt_error *error);

/* Files of a case. The JSON is released by json_decref. */
RT_MUST_CHECK rt_status verify_read_json(const char *folder, const char *name, json_t **root,
                                         rt_error *error);
RT_MUST_CHECK rt_status verify_read_tensors(const char *folder, const char *name,
                                            rt_safetensors *file, rt_error *error);

/* An F32 tensor of a file with this many elements, aligned for use in place; the error names it. */
RT_MUST_CHECK rt_status verify_floats(const rt_safetensors *file, const char *name, size_t count,
                                      const float **values, rt_error *error);

/* The diagnostics of a sink as one error text. */
rt_status verify_diagnosed(const rt_diagnostics *diagnostics, rt_status status, rt_error *error);

#endif
