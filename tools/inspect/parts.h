// SPDX-License-Identifier: Apache-2.0
/* Parts of a model by the names of its places: a numbered layer with all in front of the number
 * ("bert.encoder.layer.3" of "bert.encoder.layer.3.output.dense"), or else the first components
 * that no layer's name begins with ("bert.embeddings" of "bert.embeddings.LayerNorm",
 * "classifier"). A name may have components in front that another lacks: "encoder.layer.3" is the
 * same part. */
#ifndef RETORT_TOOLS_INSPECT_PARTS_H
#define RETORT_TOOLS_INSPECT_PARTS_H

#include <stdint.h>

#include "runtime/base/arena.h"

typedef struct part_name {
    const char *name;
    int64_t layer; /* -1 without a number */
} part_name;

typedef struct part_names {
    rt_arena *arena;
    part_name *items; /* in the order of adding */
    size_t count, capacity;
    const char **stems; /* of layers: "bert.encoder.layer" */
    size_t stem_count, stem_capacity;
} part_names;

/* Takes note of a place that is to be added, so that the names of layers are known before the first
 * is. */
void part_names_note(part_names *names, const char *place);

/* The index of the part that the place belongs to, added where it is new; SIZE_MAX without memory.
 */
size_t part_names_add(part_names *names, const char *place);

/* What stands behind the part's name in a place's: "output.dense"; the whole name where the place
 * is of another part, or the part itself. */
const char *part_relative_name(const char *part, const char *place);

/* "encoder.layer.{0..8}" of the names of layers 0 and 8, as patterns of names are written. */
const char *part_range_name(const char *first, int64_t last_layer, rt_arena *arena);

#endif
