// SPDX-License-Identifier: Apache-2.0
/* docs/spec.md, written from the table of keys and from example specs. */
#ifndef RETORT_MODELS_SPEC_DOCUMENT_H
#define RETORT_MODELS_SPEC_DOCUMENT_H

#include "runtime/base/arena.h"

typedef struct rt_spec_example {
    const char *path; /* as the document names it: "models/zoo/freeze.yaml" */
    const char *text; /* of the file; its first comment line is the title */
} rt_spec_example;

/* The document in Markdown, in `arena`; NULL where there is no memory. */
const char *rt_spec_document(const rt_spec_example *examples, size_t count, rt_arena *arena);

#endif
