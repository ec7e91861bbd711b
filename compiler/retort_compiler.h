// SPDX-License-Identifier: Apache-2.0
/* A module in its final form (ir/verify.h: LEGAL, what the pass `expand` leaves) to code.
 *
 *     retort_compiler_options options;
 *     retort_compiler_options_init(&options);
 *     options.name = "student";
 *     retort_compilation *compilation;
 *     RT_TRY(retort_compile(module, &options, &compilation, error));
 *     RT_TRY(retort_compilation_load(compilation, &program, error));  // into this process, or
 *     RT_TRY(retort_compilation_link(compilation, "train", NULL, 0, error));   // an executable
 *     retort_compilation_destroy(compilation);
 *
 * The module is lent for the call of retort_compile and may be destroyed afterwards; its graphs may
 * get copies of values appended. Every graph becomes an entry point of its name. Nothing here keeps
 * global state: compilations may run on several threads, each with its own module. */
#ifndef RETORT_COMPILER_RETORT_COMPILER_H
#define RETORT_COMPILER_RETORT_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compiler/device_library.h"
#include "compiler/optimizations.h"
#include "ir/graph.h"
#include "runtime/abi.h"
#include "runtime/base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct retort_compilation retort_compilation;

typedef struct retort_compiler_options {
    size_t size;          /* of this struct, set by _init */
    const char *name;     /* of the program, for people; NULL: "program" */
    const char *target;   /* a name of compiler/target; NULL: this machine */
    const char *settings; /* JSON of runtime/settings.def for a training program, or NULL */
    /* Name under which debug information knows the text of the graphs; NULL: "<name>.rtir". Writing
     * the text there is the caller's business. */
    const char *debug_file;
    rt_optimizations optimizations;
    const retort_device_options *device; /* an ahead-of-time library: only its object is wanted */
    const char *left_out;                /* name of a graph that becomes no entry point, or NULL */
    bool is_self_contained;              /* external tensors become part of the executable */
    bool shares_small_work; /* workers share kernels that are too small to gain by it (tests) */
    bool keeps_assembly;    /* see retort_compilation_text */
} retort_compiler_options;

void retort_compiler_options_init(retort_compiler_options *options);

/* Schedules and lowers all graphs. RT_INVALID_ARGUMENT where a graph is not LEGAL, RT_UNSUPPORTED
 * where there is no such target. *compilation is set on success only. */
RT_MUST_CHECK rt_status retort_compile(rt_module *module, const retort_compiler_options *options,
                                       retort_compilation **compilation, rt_error *error);
void retort_compilation_destroy(retort_compilation *compilation); /* NULL is fine */

/* Links the code into this process, once; *program lives as long as the compilation. */
RT_MUST_CHECK rt_status retort_compilation_load(retort_compilation *compilation,
                                                const retort_program **program, rt_error *error);

/* Links an executable at `path` with the runtime's training program, which supplies `main` unless
 * one of `inputs` does: more files for the C compiler (sources, objects, archives). The file is
 * written whole or not at all. */
RT_MUST_CHECK rt_status retort_compilation_link(const retort_compilation *compilation,
                                                const char *path, const char *const *inputs,
                                                size_t input_count, rt_error *error);

/* What to look at. Texts live as long as the compilation; NULL where they were not kept. */
typedef enum retort_text {
    RETORT_TEXT_GRAPHS, /* as lowered: what the lines of debug information count in */
    RETORT_TEXT_SCHEDULE,
    RETORT_TEXT_ASSEMBLY,
    RETORT_TEXT_COUNT
} retort_text;
const char *retort_compilation_text(const retort_compilation *compilation, retort_text which);

typedef struct retort_compilation_figures {
    size_t kernels; /* functions */
    size_t calls;   /* of kernels, in all entry points */
    size_t object_bytes;
    double schedule_seconds, lower_seconds, generate_seconds;
} retort_compilation_figures;
retort_compilation_figures retort_compilation_figures_of(const retort_compilation *compilation);

/* The relocatable object: its bytes live as long as the compilation. */
const void *retort_compilation_object(const retort_compilation *compilation, size_t *size_bytes);

#ifdef __cplusplus
}
#endif

#endif
