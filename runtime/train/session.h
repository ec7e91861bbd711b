// SPDX-License-Identifier: Apache-2.0
/* A training program's process: settings, data, memory and checkpoint, opened in this order and
 * held until the end. Each step says what is wrong and what would be right. */
#ifndef RETORT_RUNTIME_TRAIN_SESSION_H
#define RETORT_RUNTIME_TRAIN_SESSION_H

#include "runtime/train/command.h"
#include "runtime/train/plan.h"

typedef struct retort_session {
    const retort_program *program;
    const char *name; /* how the program was called */
    retort_command command;
    retort_settings settings;
    retort_console console;
    retort_output output;
    retort_checkpoint checkpoint; /* its mappings are closed once it is loaded */
    bool has_checkpoint;
    retort_data data;
    rt_dataset train_rows, eval_rows;
    size_t unlabelled_rows; /* of train_rows */
    retort_runner runner;
    retort_evaluator evaluator;
    bool has_evaluator;
    retort_trainer trainer;
    bool has_trainer;
    retort_profile *profile;
    uint64_t loaded_bytes; /* resident once the rows were read */
} retort_session;

/* Settings: the program's, those of the checkpoint that the command needs, the command's. */
RT_MUST_CHECK rt_status retort_session_configure(retort_session *session, rt_error *error);

/* Data, instance, evaluator and trainer as the mode needs them; the checkpoint is loaded. */
RT_MUST_CHECK rt_status retort_session_prepare(retort_session *session, rt_error *error);

void retort_session_close(retort_session *session); /* also of a zeroed struct */

retort_plan retort_session_plan(const retort_session *session);

/* The program's name with what leads to the same output: "./train --output x". In `arena`. */
const char *retort_session_call(const retort_session *session, rt_arena *arena);

#endif
