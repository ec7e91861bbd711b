// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of the spec and by nothing else. */
#ifndef RETORT_MODELS_SPEC_INTERNAL_H
#define RETORT_MODELS_SPEC_INTERNAL_H

#include <yaml.h>

#include "models/spec.h"

typedef struct rt_spec_item_values {
    rt_location location;
    rt_spec_value *values; /* by key, from the section's first key on */
} rt_spec_item_values;

typedef struct rt_spec_part {
    bool is_given;
    rt_location location;
    rt_spec_item_values *items; /* of a list section */
    size_t item_count, item_capacity;
} rt_spec_part;

struct rt_spec {
    rt_arena arena;
    const char *path;
    const char *folder; /* of the spec */
    rt_spec_part parts[RT_SPEC_SECTION_COUNT];
    rt_spec_value values[RT_SPEC_KEY_COUNT];
};

/* Where values come from while a YAML document is read. */
typedef struct rt_spec_reader {
    rt_spec *spec;
    rt_diagnostics *diagnostics;
    yaml_document_t *document;
    const char *file;   /* of locations */
    const char *folder; /* that relative paths start from */
    bool has_marks;     /* false: locations have no line (overrides, defaults) */
    bool may_lack_files;
} rt_spec_reader;

rt_location rt_spec_node_location(const rt_spec_reader *reader, const yaml_node_t *node);

/* First key of a section, and how many it has. */
rt_spec_key rt_spec_first_key(rt_spec_section section);
int rt_spec_section_key_count(rt_spec_section section);
bool rt_spec_find_key(rt_spec_section section, const char *name, rt_spec_key *key);
bool rt_spec_find_section(const char *name, rt_spec_section *section);

/* "; did you mean 'layers'?", or where else the name stands, or ""; in `arena`. */
const char *rt_spec_suggest_key(rt_spec_section section, const char *name, rt_arena *arena);
const char *rt_spec_suggest_section(const char *name, rt_arena *arena);

/* Parses YAML text into one document; false after a diagnostic. The caller deletes. */
bool rt_spec_load_yaml(const rt_spec_reader *reader, const char *text, size_t length,
                       yaml_document_t *document);

/* Reads `node` as a value of `key`; false after diagnostics. */
bool rt_spec_read_value(const rt_spec_reader *reader, yaml_node_t *node, rt_spec_key key,
                        rt_spec_value *value);
/* Reads files that a value names; run when all values are known. */
void rt_spec_resolve_paths(const rt_spec_reader *reader, rt_spec_key key, rt_spec_value *value);

/* Rules between keys; what they need from files is checked later (models/task.h). */
void rt_spec_check_rules(const rt_spec *spec, rt_diagnostics *diagnostics);

#endif
