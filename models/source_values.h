// SPDX-License-Identifier: Apache-2.0
/* The numbers of parameters that have a source, for what writes models: f32, in the parameter's own
 * layout, read where they lie wherever that is possible. */
#ifndef RETORT_MODELS_SOURCE_VALUES_H
#define RETORT_MODELS_SOURCE_VALUES_H

#include "ir/graph.h"
#include "runtime/base/file.h"

typedef struct rt_source_values {
    const rt_module *module;
    rt_arena *arena;
    rt_mapped_file *files; /* by file of the module; mapped when first needed */
} rt_source_values;

/* Both are lent until the close; values that had to be converted live in `arena`. */
RT_MUST_CHECK rt_status rt_source_values_open(const rt_module *module, rt_arena *arena,
                                              rt_source_values *values, rt_error *error);
void rt_source_values_close(rt_source_values *values); /* also of a zeroed struct */

/* `count` numbers of the module's parameter `name`: the file's bytes, maybe unaligned, or a copy
 * that was converted or transposed. */
RT_MUST_CHECK rt_status rt_source_values_find(rt_source_values *values, const char *name,
                                              size_t count, const void **numbers, rt_error *error);

#endif
