// SPDX-License-Identifier: Apache-2.0
/* Patterns of a spec to names of a checkpoint. */
#ifndef RETORT_MODELS_SELECT_H
#define RETORT_MODELS_SELECT_H

#include "models/parameters.h"

/* The names of the configuration's parameters that one of the patterns in `value` selects,
 * separated by blanks, in `arena`. A pattern is held against a parameter's name in the checkpoint,
 * its name without the family's prefix, and its role, BERT's name for the same part: so
 * "encoder.layer.{0..2}.*" freezes the same layers of every family. A pattern that is wrong or
 * selects nothing is diagnosed at the value; NULL then, or without memory. */
const char *rt_model_select(const rt_model_config *config, const rt_spec_value *value,
                            rt_arena *arena, rt_diagnostics *diagnostics);

/* The names of the head's parameters: what stands above the encoder's pooled vector. */
const char *rt_model_select_head(const rt_model_config *config, rt_arena *arena);

#endif
