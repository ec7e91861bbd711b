// SPDX-License-Identifier: Apache-2.0
/* What a spec says about its model and its teacher, resolved: configurations, and where weights
 * come from. */
#ifndef RETORT_COMPILER_SPEC_MODEL_H
#define RETORT_COMPILER_SPEC_MODEL_H

#include "models/configuration.h"
#include "models/huggingface.h"

typedef struct rt_spec_model {
    rt_model_config config;
    bool has_start; /* weights come from `saved` */
    rt_saved_model saved;
    rt_location location; /* of what names it in the spec */
} rt_spec_model;

/* The labels of the task: task.labels, else those of the format, else those of the model that
 * training starts from. *count is 1, and *labels NULL, for a regression. False after diagnostics.
 */
bool rt_spec_resolve_labels(const rt_spec *spec, const rt_model_config *start, rt_arena *arena,
                            const char *const **labels, int64_t *count,
                            rt_diagnostics *diagnostics);

/* Section model; then the configuration is complete and checked. False after diagnostics. Strings
 * live in `arena`. */
bool rt_spec_resolve_model(const rt_spec *spec, rt_arena *arena, rt_spec_model *model,
                           rt_diagnostics *diagnostics);

/* Section teacher, which is there. Its classes, vocabulary and positions must fit the model's. */
bool rt_spec_resolve_teacher(const rt_spec *spec, const rt_spec_model *student, rt_arena *arena,
                             rt_spec_model *teacher, rt_diagnostics *diagnostics);

#endif
