// SPDX-License-Identifier: Apache-2.0
/* The folder of a run:
 *
 *     settings.json    the settings in force
 *     metrics.jsonl    a line per log_every updates and per evaluation
 *     last/            checkpoint of the last save: what --resume continues
 *     best/            checkpoint of the best evaluation: the result, with keep_best
 *     trace.json       with --profile
 *
 * One process at a time trains into a folder. */
#ifndef RETORT_RUNTIME_TRAIN_OUTPUT_H
#define RETORT_RUNTIME_TRAIN_OUTPUT_H

#include "runtime/train/checkpoint.h"
#include "runtime/train/settings.h"

typedef struct retort_output {
    char *folder, *last, *best, *metrics, *settings, *trace;
    int lock; /* descriptor of the folder; -1 while it is not locked */
} retort_output;

/* The paths; nothing is touched. */
RT_MUST_CHECK rt_status retort_output_init(const char *folder, retort_output *output,
                                           rt_error *error);
void retort_output_deinit(retort_output *output); /* also of a zeroed struct */

/* Where the folder is there: locks it, and puts a checkpoint back that a killed process had set
 * aside. */
RT_MUST_CHECK rt_status retort_output_recover(retort_output *output, rt_error *error);

/* An error where the folder holds a run, so that none is lost by mistake. */
RT_MUST_CHECK rt_status retort_output_check_empty(const retort_output *output, rt_error *error);

/* Makes the folder and locks it, if not locked yet; a run that it holds is deleted unless
 * `is_resuming`. */
RT_MUST_CHECK rt_status retort_output_begin(retort_output *output, bool is_resuming,
                                            rt_error *error);

RT_MUST_CHECK rt_status retort_output_write_settings(const retort_output *output,
                                                     const retort_settings *settings,
                                                     rt_error *error);

/* The folder of the trained model: best where there is one, else last; NULL where there is none. */
const char *retort_output_result(const retort_output *output);

/* Free bytes on the file system of the folder, UINT64_MAX where unknown. */
uint64_t retort_output_free_bytes(const retort_output *output);

/* metrics.jsonl, a line at a time. What cannot be written is told once and then left out: metrics
 * are not worth a run. */
typedef struct retort_log {
    rt_writer writer;
    rt_json_writer json;
    const char *path; /* lent */
    bool is_open, has_failed;
} retort_log;

/* Keeps the first `keep_bytes` of what is there. */
RT_MUST_CHECK rt_status retort_log_open(retort_log *log, const char *path, uint64_t keep_bytes,
                                        rt_error *error);
/* Opens a line: an object that the caller fills. */
rt_json_writer *retort_log_begin(retort_log *log, const char *event);
void retort_log_end(retort_log *log, retort_console *console);
uint64_t retort_log_bytes(const retort_log *log);
void retort_log_close(retort_log *log); /* also of a zeroed struct */

#endif
