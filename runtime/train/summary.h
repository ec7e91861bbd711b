// SPDX-License-Identifier: Apache-2.0
/* What is told of a run before it begins and after it ended. */
#ifndef RETORT_RUNTIME_TRAIN_SUMMARY_H
#define RETORT_RUNTIME_TRAIN_SUMMARY_H

#include "runtime/train/session.h"

/* Model, data, memory and length of the run, as notes. */
void retort_summary_begin(retort_session *session);

/* The table at the end, on the console's results: metric, where everything was written, what to do
 * next. */
void retort_summary_end(const retort_session *session);

#endif
