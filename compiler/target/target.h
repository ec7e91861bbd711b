// SPDX-License-Identifier: Apache-2.0
/* Targets as data: what the emitters ask about a machine. */
#ifndef RETORT_COMPILER_TARGET_TARGET_H
#define RETORT_COMPILER_TARGET_TARGET_H

#include <stdbool.h>

typedef struct rt_target {
    const char *name;      /* "host", or a row of targets.def */
    const char *triple;    /* normalised */
    const char *cpu;       /* LLVM's name of the processor */
    const char *features;  /* LLVM feature string: "+avx2,+fma,…" */
    unsigned vector_bytes; /* preferred: 64 with AVX-512, 32 with AVX2, 16 with SSE or NEON */
    bool has_fma;
    bool has_masked_memory; /* masked loads and stores are instructions */
    unsigned l1_bytes, l2_bytes;
} rt_target;

#endif
