// SPDX-License-Identifier: Apache-2.0
/* What a spec's method leaves of the backward pass, beside training everything by the same
 * pipeline: as tables, or as JSON. */
#ifndef RETORT_TOOLS_INSPECT_METHOD_H
#define RETORT_TOOLS_INSPECT_METHOD_H

#include "tools/inspect/backward.h"
#include "tools/model_file.h"

/* Consecutive layers of which everything is the same, or one part. */
typedef struct method_row {
    const char *name; /* "encoder.layer.{0..8}" */
    const backward_part *part,
        *full; /* of the first of them; `full` NULL where it lacks the part */
    size_t parts;
} method_row;

/* What one graph of a step trains; of gradual unfreezing there are several. */
typedef struct method_phase {
    const char *graph; /* "step", "step.1" … */
    backward own;
    method_row *rows;
    size_t row_count;
} method_phase;

typedef struct method_report {
    backward_batch batch;
    method_phase *phases; /* in the order of running */
    size_t phase_count;
    backward full;
} method_report;

/* Of a spec's module, and of the same spec read again with everything trained. In `arena`. */
RT_MUST_CHECK rt_status method_report_make(const model_file *m, const rt_spec_options *changes,
                                           rt_arena *arena, method_report *report, rt_error *error);

/* To standard output. */
void method_report_print(const method_report *report);
RT_MUST_CHECK rt_status method_report_print_json(const method_report *report, rt_error *error);

/* Bytes beside those of weights that do not train. */
int64_t method_beside_frozen(const backward_memory *memory);

#endif
