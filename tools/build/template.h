// SPDX-License-Identifier: Apache-2.0
/* Texts with places to fill in: "@key@" stands for a value, and "retort_model" and "RETORT_MODEL"
 * for the model's name. A line that is "@key@" alone, or a comment of it, becomes the value's
 * lines. */
#ifndef RETORT_TOOLS_BUILD_TEMPLATE_H
#define RETORT_TOOLS_BUILD_TEMPLATE_H

#include <stdbool.h>

#include "runtime/base/arena.h"

typedef struct template_value {
    const char *key, *value;
} template_value;

/* The text filled in, in the arena; NULL where there is no memory. A key without a value stays. */
const char *template_fill(const char *text, size_t length, const char *name,
                          const template_value *values, size_t count, rt_arena *arena);

typedef enum template_id {
#define TEMPLATE(id, ...) TEMPLATE_##id,
#include "tools/build/templates.def"
#undef TEMPLATE
    TEMPLATE_COUNT
} template_id;

/* The text of a template and how what it gives is called. */
const char *template_text(template_id id, size_t *length);
const char *template_output(template_id id);

/* The program that runs a stored case: check.c.in, or check.mjs.in for wasm. */
const char *template_check(bool is_wasm, size_t *length);

#endif
