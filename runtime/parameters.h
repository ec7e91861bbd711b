// SPDX-License-Identifier: Apache-2.0
/* Initial values of a program's parameters. */
#ifndef RETORT_RUNTIME_PARAMETERS_H
#define RETORT_RUNTIME_PARAMETERS_H

#include "runtime/instance.h"

/* Fills memory[i], the zeroed memory of parameter i, for all parameters but those that the caller
 * gives. Random values depend on (options->seed, name) alone, never on order or threads.
 * options->weights may be NULL; a folder: external files are looked for there, and in its folders
 * as far as these are named as they were ("teacher/model.onnx"); a file: it stands for the only
 * external file. A file is read in pieces that are let go at once, so
 * that it adds a few megabytes to the peak of memory whatever its size. */
RT_MUST_CHECK rt_status retort_parameters_initialise(const retort_program *program,
                                                     void *const *memory,
                                                     const retort_instance_options *options,
                                                     rt_error *error);

#endif
