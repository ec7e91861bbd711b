// SPDX-License-Identifier: Apache-2.0
/* Schedules to one LLVM module: each kernel once, one entry function per graph, and the tables of
 * runtime/abi.h that describe them. */
#ifndef RETORT_COMPILER_CODEGEN_LOWER_H
#define RETORT_COMPILER_CODEGEN_LOWER_H

#include <llvm-c/Core.h>

#include "compiler/device_library.h"
#include "compiler/schedule/schedule.h"
#include "compiler/target/target.h"

typedef struct rt_lowering {
    const rt_module *module;
    const rt_schedule *schedules; /* of the module's graphs, in order */
    size_t schedule_count;
    const rt_target *target;
    rt_optimizations optimizations;
    const char *name;     /* of the program */
    const char *settings; /* JSON, or NULL */
    /* rt_checksum of each external tensor, by parameter; NULL: all 0. */
    const uint64_t *checksums;
    /* Where not NULL: the bytes of parameter p's source are at this symbol, by parameter. */
    const char *const *embedded;
    /* Where not NULL: there is one schedule, and what comes out is an ahead-of-time library. */
    const retort_device_options *device;
    int64_t least_shared_work; /* calls of kernels with less work run on the calling thread */
    /* Name of the graphs' text in debug information (NULL: none), and the line in it of each
     * graph's heading. */
    const char *debug_file;
    const uint32_t *debug_lines;
} rt_lowering;

typedef struct rt_lowering_counts {
    size_t kernels; /* functions */
    size_t calls;   /* of kernels, in all entries */
} rt_lowering_counts;

/* Emits into `module`, which is empty. RT_INTERNAL with LLVM's message where what was emitted does
 * not verify. `counts` may be NULL. */
RT_MUST_CHECK rt_status rt_lower(const rt_lowering *lowering, LLVMModuleRef module,
                                 rt_lowering_counts *counts, rt_error *error);

#endif
