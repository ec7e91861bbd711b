// SPDX-License-Identifier: Apache-2.0
/* Targets as data: what the emitters ask about a machine. */
#ifndef RETORT_COMPILER_TARGET_TARGET_H
#define RETORT_COMPILER_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/arena.h"
#include "runtime/base/status.h"

typedef enum rt_object_format { RT_OBJECT_ELF, RT_OBJECT_MACHO, RT_OBJECT_WASM } rt_object_format;

typedef struct rt_target {
    const char *name;      /* "host", or a row of targets.def */
    const char *triple;    /* normalised */
    const char *cpu;       /* LLVM's name of the processor */
    const char *features;  /* LLVM feature string: "+avx2,+fma,…" */
    unsigned vector_bytes; /* preferred: 64 with AVX-512, 32 with AVX2, 16 with SSE or NEON */
    bool has_fma;
    bool has_masked_memory; /* masked loads and stores of every width are instructions */
    unsigned l1_bytes, l2_bytes;
    bool has_half; /* conversions between f16 and f32 are instructions */
    unsigned pointer_bytes;
    rt_object_format format;
    bool is_position_independent;
    bool has_wide_division; /* 64-bit division is no call */
    const char *device; /* which bitcode of runtime/device it links (codegen/device_bitcode.h) */
    const char *line;   /* what it is, for people */
} rt_target;

/* Makes all of LLVM's targets known; once, on whichever thread comes first. */
void rt_target_initialize(void);

/* The target of that name; "host" or NULL is the machine we run on. Strings live in `arena` or for
 * ever. RT_NOT_FOUND where there is no such row. */
RT_MUST_CHECK rt_status rt_target_find(const char *name, rt_target *target, rt_arena *arena,
                                       rt_error *error);

/* Whether "+name" stands in the target's feature string. */
bool rt_target_has_feature(const rt_target *target, const char *name);

/* Whether LLVM's triple has this prefix, as architectures are told apart. */
bool rt_target_is(const rt_target *target, const char *architecture);

/* "NAME  what it is", a line each, of host and all rows. NULL where there is no memory. */
const char *rt_target_listing(rt_arena *arena);

/* The rows of targets.def. */
size_t rt_target_count(void);
const rt_target *rt_target_at(size_t index);

#endif
