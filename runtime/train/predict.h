// SPDX-License-Identifier: Apache-2.0
/* --predict: rows in, answers out, in the order of the file. */
#ifndef RETORT_RUNTIME_TRAIN_PREDICT_H
#define RETORT_RUNTIME_TRAIN_PREDICT_H

#include "runtime/train/evaluate.h"

/* Writes what the evaluator answers to its rows (retort_evaluator_answer was called): the number of
 * the row, its class by name with a probability per class, or its score. `path` "-" is standard
 * output. */
RT_MUST_CHECK rt_status retort_predictions_write(const retort_evaluator *evaluator,
                                                 const char *path, rt_error *error);

/* Answers the rows with each of these adaptations (adapter.h) on the base that the instance holds,
 * and writes all answers into one file with a column that names the folder. All are opened before
 * any answers. */
RT_MUST_CHECK rt_status retort_predict_adapters(retort_evaluator *evaluator,
                                                const retort_settings *settings,
                                                const char *const *folders, size_t count,
                                                retort_console *console, const char *path,
                                                rt_error *error);

#endif
