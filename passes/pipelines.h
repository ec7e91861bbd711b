// SPDX-License-Identifier: Apache-2.0
/* Named lists of passes: what `retort compile` runs for each purpose, in order. */
#ifndef RETORT_PASSES_PIPELINES_H
#define RETORT_PASSES_PIPELINES_H

#include "passes/pass.h"

typedef struct rt_pipeline {
    const char *name;
    const char *line; /* what it is for */
    const rt_pass *passes;
    size_t count;
} rt_pipeline;

size_t rt_pipeline_count(void);
const rt_pipeline *rt_pipeline_at(size_t index);
const rt_pipeline *rt_pipeline_find(const char *name); /* or NULL */

/* "inference, training", in `arena`. */
const char *rt_pipeline_names(rt_arena *arena);

/* Every pass with its line, then every pipeline with its passes; in `arena`, NULL without memory.
 */
const char *rt_pass_listing(rt_arena *arena);

#endif
