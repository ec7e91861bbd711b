// SPDX-License-Identifier: Apache-2.0
/* The spec: a YAML file that names task, data, model, method and training, checked key by key
 * against spec.def. Every value keeps the place it was written at.
 *
 *     rt_spec *spec = rt_spec_read("student.yaml", &options, &diagnostics);
 *     if (!spec) …  // all errors are in diagnostics
 *     int64_t layers = rt_spec_get(spec, RT_SPEC_model_layers)->integer;
 *     rt_spec_destroy(spec);
 *
 * Keys of a section that is a list ("loss") are read with rt_spec_item. */
#ifndef RETORT_MODELS_SPEC_H
#define RETORT_MODELS_SPEC_H

#include "ir/diagnostic.h"

typedef enum rt_spec_section {
#define SECTION(name, shape, help) RT_SPEC_SECTION_##name,
#include "models/spec.def"
    RT_SPEC_SECTION_COUNT
} rt_spec_section;

/* RT_SPEC_model_layers and so on; the keys of a section are consecutive. */
typedef enum rt_spec_key {
#define KEY(section, name, ...) RT_SPEC_##section##_##name,
#include "models/spec.def"
    RT_SPEC_KEY_COUNT
} rt_spec_key;

/* See runtime/settings.def. */
typedef enum rt_spec_kind {
    RT_SPEC_INT,
    RT_SPEC_FLOAT,
    RT_SPEC_POSITIVE,
    RT_SPEC_BOOL,
    RT_SPEC_ENUM,
    RT_SPEC_TEXT,
    RT_SPEC_INTS,
    RT_SPEC_FLOATS,
    RT_SPEC_TEXTS,
    RT_SPEC_LAYERS,
    RT_SPEC_LABELS,
    RT_SPEC_FILE,
    RT_SPEC_DATA,
    RT_SPEC_MODEL,
    RT_SPEC_FOLDER,
    RT_SPEC_OUTPUT,
    RT_SPEC_KIND_COUNT
} rt_spec_kind;

/* One row of the table. */
typedef struct rt_spec_row {
    rt_spec_section section;
    const char *name; /* without the section */
    rt_spec_kind kind;
    bool is_required;
    const char *initial; /* the default as it would stand in the spec; "" where there is none */
    double least, most;
    const char *choices; /* of ENUM, separated by "|" */
    const char *help;
} rt_spec_row;

const rt_spec_row *rt_spec_row_of(rt_spec_key key);
const char *rt_spec_section_name(rt_spec_section section);
const char *rt_spec_section_help(rt_spec_section section);
bool rt_spec_section_is_list(rt_spec_section section);
/* One map, or several in a list: rt_spec_get gives the first one's values, items are the others. */
bool rt_spec_section_may_repeat(rt_spec_section section);
/* What a value of the row must be: "a whole number of at least 1"; a string in `arena`. */
const char *rt_spec_expected(const rt_spec_row *row, rt_arena *arena);

/* A checked value. Strings and lists live as long as the spec. */
typedef struct rt_spec_value {
    rt_location location; /* of the value; for a default that of its section, else of the file */
    bool is_given;        /* by the spec or an override */
    bool is_present;      /* given, or there is a default; otherwise the rest is zero */
    int64_t integer;      /* INT; BOOL as 0 or 1; ENUM as index into its choices */
    double real;          /* FLOAT, POSITIVE; INT too */
    const char *text;     /* as written: ENUM, TEXT, paths */
    const char *path;     /* FILE, DATA, MODEL, FOLDER, OUTPUT: joined with its folder */
    size_t count;         /* of a list */
    const int64_t *integers;
    const double *reals;
    const char *const *texts;
} rt_spec_value;

typedef struct rt_spec rt_spec;

typedef struct rt_spec_options {
    const char *const *overrides; /* "model.layers=3"; the value is YAML */
    size_t override_count;
    bool may_lack_files; /* paths are not looked at */
} rt_spec_options;

/* Reads and checks a spec; NULL after diagnostics, which hold everything found wrong in it. A path
 * in an override is relative to the current folder. `options` may be NULL. The caller destroys. */
rt_spec *rt_spec_read(const char *path, const rt_spec_options *options,
                      rt_diagnostics *diagnostics);
/* The same for text in memory; `path` names it in diagnostics and gives its folder. */
rt_spec *rt_spec_parse(const char *text, size_t length, const char *path,
                       const rt_spec_options *options, rt_diagnostics *diagnostics);
void rt_spec_destroy(rt_spec *spec); /* NULL is fine */

const rt_spec_value *rt_spec_get(const rt_spec *spec, rt_spec_key key);
/* Items of a list section, or those behind the first of one that may repeat; `key` is one of that
 * section, item < rt_spec_item_count. */
size_t rt_spec_item_count(const rt_spec *spec, rt_spec_section section);
const rt_spec_value *rt_spec_item(const rt_spec *spec, rt_spec_key key, size_t item);

bool rt_spec_has_section(const rt_spec *spec, rt_spec_section section);
rt_location rt_spec_section_location(const rt_spec *spec, rt_spec_section section);
/* task.kind, or what data.format says of it. */
bool rt_spec_is_regression(const rt_spec *spec);
/* task.kind is mlm: masked language modelling. */
bool rt_spec_is_mlm(const rt_spec *spec);
const char *rt_spec_path(const rt_spec *spec);
const char *rt_spec_folder(const rt_spec *spec);

#endif
