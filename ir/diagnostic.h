// SPDX-License-Identifier: Apache-2.0
/* Diagnostics: what is wrong with what the user wrote, where, and what would be right.
 *
 *     student.yaml:14:3: error: 'heads' is 5 but must divide width 768: 1, 2, 3, 4, 6, 8 or 12
 *
 * A stage reports all errors it finds and then stops; rt_diagnostics_failed says whether any. */
#ifndef RETORT_IR_DIAGNOSTIC_H
#define RETORT_IR_DIAGNOSTIC_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/status.h"

/* Where something came from. Strings on nodes are interned by the module; all parts are optional:
 * NULL or 0. */
typedef struct rt_location {
    const char *file;
    uint32_t line;    /* from 1 */
    uint32_t column;  /* from 1 */
    const char *name; /* node, tensor or layer: "encoder.layer.0.attention" */
} rt_location;

typedef enum rt_severity { RT_ERROR, RT_WARNING, RT_NOTE } rt_severity;

typedef struct rt_diagnostic {
    rt_severity severity;
    rt_location location;
    const char *text;
} rt_diagnostic;

typedef struct rt_diagnostics {
    rt_arena arena;
    rt_diagnostic *items;
    size_t count;
    size_t capacity;
    size_t error_count;
} rt_diagnostics;

/* Records one diagnostic. The location's strings are copied, so diagnostics outlive the module they
 * speak of. An error counts even where there is no memory left for its text. */
void rt_diagnose(rt_diagnostics *sink, rt_severity severity, rt_location location,
                 const char *format, ...) RT_PRINTF(4, 5);

/* As RT_ERROR; returns `status`, so that failing is one statement. */
rt_status rt_diagnose_error(rt_diagnostics *sink, rt_status status, rt_location location,
                            const char *format, ...) RT_PRINTF(4, 5);

bool rt_diagnostics_failed(const rt_diagnostics *sink);

/* One diagnostic per line in order: "file:line:column: error: 'name': text"; parts that are absent
 * are left out. Returns a string in `arena`, NULL where there is no memory. */
const char *rt_diagnostic_text(const rt_diagnostic *diagnostic, rt_arena *arena);
const char *rt_diagnostics_text(const rt_diagnostics *sink, rt_arena *arena);
void rt_diagnostics_deinit(rt_diagnostics *sink);

#endif
