// SPDX-License-Identifier: Apache-2.0
/* The settings of a run: one value per row of runtime/settings.def, each from the last of these
 * that gives it: the row's default, the program (its spec), the checkpoint that is resumed, a flag.
 *
 *     retort_settings settings;
 *     RT_TRY(retort_settings_init(&settings, program->settings, error));
 *     RT_TRY(retort_settings_set(&settings, RETORT_SETTING_training_epochs, "3", error));
 *     double epochs = retort_settings_get(&settings, RETORT_SETTING_training_epochs)->real;
 *     retort_settings_deinit(&settings);
 *
 * The program's JSON has one object per section, keys as in settings.def, absent ones at their
 * default; paths are absolute. Three more objects are the compiler's word on the model:
 *     "checkpoint": { "config.json": "…" }   files to write beside model.safetensors, by their text
 *     "model": { "name", "positions", "vocabulary", "token_types" }   what rows may hold; optional,
 *              as is "vocabulary_checksum", where weights depend on what token ids mean; "texts", 2
 *              where a row must be a pair; "word_embeddings", the tables that word vectors fill
 *     "adaptation": { "peft_type", "base", "alpha" }   what a PEFT folder must be to fit; optional
 * Other keys are ignored, so that a newer compiler may add to them. */
#ifndef RETORT_RUNTIME_TRAIN_SETTINGS_H
#define RETORT_RUNTIME_TRAIN_SETTINGS_H

#include <stdbool.h>

#include "runtime/base/arena.h"
#include "runtime/base/json.h"

/* RETORT_SETTING_training_epochs and so on. */
typedef enum retort_setting {
#define SETTING(section, name, ...) RETORT_SETTING_##section##_##name,
#include "runtime/settings.def"
    RETORT_SETTING_COUNT
} retort_setting;

typedef enum retort_setting_kind {
    RETORT_KIND_INT,
    RETORT_KIND_FLOAT,
    RETORT_KIND_POSITIVE,
    RETORT_KIND_BOOL,
    RETORT_KIND_ENUM,
    RETORT_KIND_TEXT,
    RETORT_KIND_INTS,
    RETORT_KIND_FLOATS,
    RETORT_KIND_TEXTS,
    RETORT_KIND_LABELS,
    RETORT_KIND_FILE,
    RETORT_KIND_DATA,
    RETORT_KIND_MODEL,
    RETORT_KIND_FOLDER,
    RETORT_KIND_OUTPUT
} retort_setting_kind;

typedef struct retort_setting_row {
    const char *section, *name;
    retort_setting_kind kind;
    bool is_required;
    const char *initial; /* the default as text, "" for none */
    double least, most;
    const char *choices; /* of ENUM: "a|b" */
    const char *help;
} retort_setting_row;

const retort_setting_row *retort_setting_row_of(retort_setting setting);
/* The flag without "--": "epochs" (section training), "data-max-length". */
enum { RETORT_FLAG_SIZE = 64 };
void retort_setting_flag(retort_setting setting, char flag[RETORT_FLAG_SIZE]);
/* What a value must be: "a whole number of at least 1"; in `arena`. */
const char *retort_setting_expected(retort_setting setting, rt_arena *arena);

typedef enum retort_setting_origin {
    RETORT_FROM_NOWHERE, /* absent: the value is zero */
    RETORT_FROM_DEFAULT,
    RETORT_FROM_PROGRAM,
    RETORT_FROM_CHECKPOINT,
    RETORT_FROM_FLAG
} retort_setting_origin;

typedef struct retort_setting_value {
    retort_setting_origin origin;
    int64_t integer;          /* INT; BOOL as 0 or 1; ENUM as index into its choices */
    double real;              /* numbers */
    const char *text;         /* ENUM, TEXT and paths; LABELS that are a file */
    size_t count;             /* of lists */
    const double *reals;      /* INTS, FLOATS */
    const char *const *texts; /* TEXTS, LABELS */
} retort_setting_value;

typedef struct retort_settings {
    rt_arena arena;
    json_t *program; /* the program's settings, with "checkpoint" and "model" */
    retort_setting_value values[RETORT_SETTING_COUNT];
    retort_setting_value compiled[RETORT_SETTING_COUNT]; /* defaults and the program alone */
} retort_settings;

/* Defaults, then what the program says; `json` NULL or "" for nothing. */
RT_MUST_CHECK rt_status retort_settings_init(retort_settings *settings, const char *json,
                                             rt_error *error);
void retort_settings_deinit(retort_settings *settings); /* also of a zeroed struct */

static inline const retort_setting_value *retort_settings_get(const retort_settings *settings,
                                                              retort_setting setting) {
    return &settings->values[setting];
}
static inline bool retort_settings_has(const retort_settings *settings, retort_setting setting) {
    return settings->values[setting].origin != RETORT_FROM_NOWHERE;
}
/* Whether an ENUM has this choice. */
bool retort_settings_is(const retort_settings *settings, retort_setting setting,
                        const char *choice);

/* Sets values from an object of sections as the program's JSON is one; the error lists every value
 * that is wrong, each as "<where>: 'section.name' must be …". */
RT_MUST_CHECK rt_status retort_settings_merge(retort_settings *settings, const json_t *sections,
                                              retort_setting_origin origin, const char *where,
                                              rt_error *error);

/* Sets a value from the text of a flag: lists separated by commas, relative paths from the current
 * folder. The error begins with the flag: "--epochs must be …, not 'many'". */
RT_MUST_CHECK rt_status retort_settings_set(retort_settings *settings, retort_setting setting,
                                            const char *text, rt_error *error);

/* Puts a list of texts, which is copied. */
RT_MUST_CHECK rt_status retort_settings_put_texts(retort_settings *settings, retort_setting setting,
                                                  const char *const *texts, size_t count,
                                                  retort_setting_origin origin);

/* The value as a flag would have it; "" where it is absent. In `arena`. */
const char *retort_setting_text(const retort_settings *settings, retort_setting setting,
                                rt_arena *arena);
bool retort_setting_values_equal(const retort_setting_value *a, const retort_setting_value *b);

/* Writes the sections with all present values; reads back by retort_settings_merge. */
void retort_settings_write(const retort_settings *settings, const char *key, rt_json_writer *json);

#endif
