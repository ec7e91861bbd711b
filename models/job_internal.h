// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of the job and by nothing else. */
#ifndef RETORT_MODELS_JOB_INTERNAL_H
#define RETORT_MODELS_JOB_INTERNAL_H

#include "models/job.h"

typedef struct rt_job_reader {
    rt_job *job;
    const rt_spec *spec;
    const rt_job_options *options;
    rt_diagnostics *diagnostics;
    rt_arena *arena;
} rt_job_reader;

/* Each part of a reading; errors are diagnosed. */
void rt_job_read_vocabulary(rt_job_reader *r);
void rt_job_read_word_vectors(rt_job_reader *r);
void rt_job_read_pairs(rt_job_reader *r);
void rt_job_read_loss(rt_job_reader *r);
void rt_job_read_labels(rt_job_reader *r);
void rt_job_check_fit(rt_job_reader *r);
void rt_job_read_layers(rt_job_reader *r); /* phases and rates */

/* Names of the classes from "labels.txt" beside `path`, where it is there and fits their number. */
void rt_job_name_labels(rt_job_reader *r, const char *path, rt_model_config *config);
/* Whether names were given: transformers writes LABEL_0 … where there are none. */
bool rt_job_has_named_labels(const rt_model_config *config);

#endif
