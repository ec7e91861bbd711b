// SPDX-License-Identifier: Apache-2.0
/* A compiled program as a command-line program that trains, evaluates and predicts: what `main` of
 * a produced binary calls. See --help. */
#ifndef RETORT_RUNTIME_TRAIN_TRAIN_H
#define RETORT_RUNTIME_TRAIN_TRAIN_H

#include "runtime/abi.h"

/* Results go to standard output, everything else to standard error. Returns the exit status: 0; 1
 * where the work failed; 2 for a wrong command line; 128 + the signal that interrupted a run, which
 * was saved before. */
int retort_train_main(const retort_program *program, int argc, char **argv);

#endif
