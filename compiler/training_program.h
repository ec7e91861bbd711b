// SPDX-License-Identifier: Apache-2.0
/* A checked spec to a module in its final form: what `retort compile` lowers. */
#ifndef RETORT_COMPILER_TRAINING_PROGRAM_H
#define RETORT_COMPILER_TRAINING_PROGRAM_H

#include "ir/graph.h"
#include "models/spec.h"

/* The training program: entry points step, update, evaluate and predict. NULL after diagnostics;
 * the caller destroys the module, which does not need the spec any more.
 *
 * With `settings`, the program reads its own data: what that needs must be there, and *settings
 * receives the program's settings (rt_job_settings) in `arena`. Without, batches are given to it.
 */
rt_module *rt_training_program(const rt_spec *spec, rt_arena *arena, const char **settings,
                               rt_diagnostics *diagnostics);

/* The spec's model alone, forward only: entry point predict with "last_hidden_state" and
 * "pooler_output" of an encoder, "logits" of a bilstm. Not trained, no head, no teacher. */
rt_module *rt_inference_program(const rt_spec *spec, rt_diagnostics *diagnostics);

#endif
