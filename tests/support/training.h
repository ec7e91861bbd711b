// SPDX-License-Identifier: Apache-2.0
/* Runs of the fake training program (tests/support/fake_train.c) on data made for them. */
#ifndef RETORT_TESTS_SUPPORT_TRAINING_H
#define RETORT_TESTS_SUPPORT_TRAINING_H

#include "tests/support/process.h"

/* Writes ~/vocab.txt and, for the seed, ~/train.tsv of 200 and ~/dev.tsv of 60 rows: words and a
 * label 0 or 1 that most of the words give away. FAKE_SETTINGS then names them: batches of 8, 3
 * epochs, 75 updates in all, rate 0.05, output ~/run. `more` is put into section training:
 * ",\"accumulate\":2". */
void training_prepare(const char *more);

/* Runs the program; `options` is the environment's FAKE. Returns the exit status. */
int training_run(const char *options, const char *line, process *result);

/* Writes a text file; '~' in the path. */
void training_write(const char *path, const char *text);

/* The number after `"key":` in the last line of text that has it; -1 where none has. */
double training_number(const char *text, const char *key);

/* metrics.jsonl without what time tells, so that two runs can be compared; the caller frees. */
char *training_metrics(const char *path);

#endif
