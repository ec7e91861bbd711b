// SPDX-License-Identifier: Apache-2.0
/* A module compiled in memory, with its instance: what `run` and `verify` work with. */
#ifndef RETORT_TOOLS_SESSION_H
#define RETORT_TOOLS_SESSION_H

#include "compiler/retort_compiler.h"
#include "ir/graph.h"
#include "runtime/instance.h"

typedef struct session session;

/* All may be zero. */
typedef struct session_options {
    uint32_t threads; /* 0: as many as the machine offers */
    rt_optimizations optimizations;
} session_options;

/* Compiles the module (schedulable graphs) for this machine and loads its parameters. Diagnostics
 * go to the module's sink. The module may be destroyed afterwards. */
RT_MUST_CHECK rt_status session_open(rt_module *module, const session_options *options,
                                     session **opened, rt_error *error);
void session_close(session *s); /* NULL is fine */

const retort_program *session_program(const session *s);
retort_instance *session_instance(const session *s);

/* Memory for entry points with these symbol values: it grows to the largest seen and stays, so that
 * many batches of different sizes use one block. Where it grew, contents of buffers are lost. */
RT_MUST_CHECK rt_status session_reserve(session *s, const int64_t *symbols, rt_error *error);

/* What the compilation kept to look at (retort_compilation_text). */
const char *session_text(const session *s, retort_text which);

/* Index of an entry point; the error names it where there is none. */
RT_MUST_CHECK rt_status session_entry(const session *s, const char *name, int *entry,
                                      rt_error *error);

#endif
