// SPDX-License-Identifier: Apache-2.0
/* Initial values of a program's parameters. */
#ifndef RETORT_RUNTIME_PARAMETERS_H
#define RETORT_RUNTIME_PARAMETERS_H

#include "runtime/base/file.h"
#include "runtime/instance.h"

/* Where values come from. Files that are read again later stay mapped, so that they are the same
 * files still; their pages are let go. */
typedef struct retort_sources {
    const retort_program *program;
    retort_instance_options options;
    rt_mapped_file *files; /* by index; empty where not mapped */
    char **paths;          /* where they lie */
} retort_sources;

/* Fills memory[i], the zeroed memory of parameter i, for all parameters that have one but those
 * that the caller gives. What has none is read later, by retort_sources_read: its files are mapped
 * here. Random values depend on (options->seed, name) alone, never on order or threads.
 * options->weights may be NULL; a folder: external files are looked for there, and in its folders
 * as far as these are named as they were ("teacher/model.onnx"); a file: it stands for the only
 * external file. A file is read in pieces that are let go at once, so
 * that it adds a few megabytes to the peak of memory whatever its size. */
RT_MUST_CHECK rt_status retort_sources_open(const retort_program *program,
                                            const retort_instance_options *options,
                                            void *const *memory, retort_sources *sources,
                                            rt_error *error);
void retort_sources_close(retort_sources *sources); /* also of a zeroed struct */

/* The first value of a parameter that has no memory of its own, into `memory`. */
RT_MUST_CHECK rt_status retort_sources_read(const retort_sources *sources, uint32_t parameter,
                                            void *memory, rt_error *error);

#endif
