// SPDX-License-Identifier: Apache-2.0
/* What a spec asks for, with everything it names looked up: configurations, classes, vocabulary,
 * which parameters train, the loss; checked to fit together. */
#ifndef RETORT_MODELS_JOB_H
#define RETORT_MODELS_JOB_H

#include "ir/graph.h"
#include "models/configuration.h"
#include "models/huggingface.h"

/* Where a model comes from. */
typedef enum rt_origin_kind {
    RT_ORIGIN_RANDOM, /* nowhere: initial values */
    RT_ORIGIN_SAVED,  /* a Hugging Face folder or a .safetensors file */
    RT_ORIGIN_ONNX    /* read by the compiler's frontend, not here */
} rt_origin_kind;

rt_origin_kind rt_origin_of(const rt_spec_value *from);

typedef struct rt_job_model {
    rt_origin_kind origin;
    rt_saved_model files;   /* of RT_ORIGIN_SAVED */
    rt_model_config config; /* of the model as it is trained, or as the teacher runs */
    bool has_config;        /* false: an ONNX graph that matches no family */
    rt_location location;   /* of "from", or of the section */
    const char *classes;    /* of a teacher: its class for each of the task's; NULL for the same */
} rt_job_model;

enum { RT_MAX_TEACHERS = 8 };

/* An option of a pass, with the place in the spec that says it. */
typedef struct rt_job_option {
    const char *key, *value;
    rt_location location;
} rt_job_option;

enum { RT_MAX_JOB_OPTIONS = 32 };

typedef struct rt_job {
    const rt_spec *spec; /* lent */
    rt_job_model student, teacher;
    rt_job_model others[RT_MAX_TEACHERS - 1]; /* teachers behind the first */
    size_t other_count;
    bool has_teacher, is_regression, is_mlm, has_key_mask;
    int64_t label_count;
    const char *const *labels; /* names, or NULL where nothing names them */
    const char *metric;
    const char *vocabulary;       /* path, or NULL (only with may_lack_data) */
    int64_t vocabulary_size;      /* its lines; 0 without one */
    uint64_t vocabulary_checksum; /* XXH64 of its lines, each followed by LF */
    bool is_lower_case;
    /* Options of the pass adapt: what the spec's section `method` says, and the head's names. */
    rt_job_option adapt[RT_MAX_JOB_OPTIONS];
    size_t adapt_count;
    /* Options of the passes unfreeze and update that choose parameters by layer; "" where nothing
     * is asked for. */
    const char *phases, *rates;
    int64_t first_position; /* of a row's tokens */
    /* Options of the pass distil; "" where the pass's default holds. */
    const char *distil_terms;
    const char *unlabelled;    /* "skip" or "teacher"; NULL where all rows have labels */
    bool reads_teacher_logits; /* a term of the loss does */
    bool compares_features;    /* a term does: graphs have outputs for what is inside them */
} rt_job;

typedef struct rt_job_options {
    /* Configurations recognised in ONNX origins, or NULL and why there is none. */
    const rt_model_config *student_import, *teacher_import;
    const char *student_mismatch, *teacher_mismatch;
    const rt_model_config *other_imports[RT_MAX_TEACHERS - 1];
    const char *other_mismatches[RT_MAX_TEACHERS - 1];
    /* A teacher of this shape and of random values in place of what `teacher.from` names, or NULL:
     * for whoever only times. */
    const rt_model_config *random_teacher;
    bool may_lack_data; /* no vocabulary and no classes are needed: batches are given */
} rt_job_options;

/* Most tokens of a row: what the model's position table holds behind the first position. */
int64_t rt_job_longest_row(const rt_job *job, const rt_model_config *config);

/* Looks everything up. RT_INVALID_DATA after all that is wrong was diagnosed. The job's texts are
 * in `arena` or in the spec, which it borrows. */
RT_MUST_CHECK rt_status rt_job_read(const rt_spec *spec, const rt_job_options *options,
                                    rt_arena *arena, rt_job *job, rt_diagnostics *diagnostics);

/* Adds a graph of the student to the module, with its parameters and their sources. */
RT_MUST_CHECK rt_status rt_job_build_student(const rt_job *job, rt_module *module,
                                             const char *graph_name, unsigned outputs,
                                             bool is_training);
/* Adds the graphs "student" (as it trains: with dropout, output "logits") and, where the teacher
 * has a configuration, "teacher" to the module, their parameters with sources: the teacher's under
 * "teacher/"; of further teachers "teacher.2" … under "teacher/2/" …. Parameters that are in the
 * module already, as after an import, keep theirs. */
RT_MUST_CHECK rt_status rt_job_build(const rt_job *job, rt_module *module);

/* The settings of the program as JSON: an object per section of runtime/settings.def with what the
 * spec says, paths absolute, what was looked up filled in; "model" with "name", "positions"
 * (longest row), "vocabulary" and "token_types" (rows of tables), "vocabulary_checksum" where
 * weights depend on what the ids mean; "adaptation" with "peft_type", "base" and "alpha" of a
 * method that a PEFT folder can hold; "checkpoint" with the text of config.json. In `arena`, NULL
 * where there is no memory. */
const char *rt_job_settings(const rt_job *job, rt_arena *arena);

#endif
