// SPDX-License-Identifier: Apache-2.0
/* What two groups must have in common to share a kernel: the key as text, and what may differ as
 * arguments. Symbols are renamed in the order of their appearance, so f32[T,768] and f32[B,768]
 * are alike; the sites of dropout and all addresses are arguments. */
#ifndef RETORT_COMPILER_CODEGEN_KERNEL_KEY_H
#define RETORT_COMPILER_CODEGEN_KERNEL_KEY_H

#include "compiler/schedule/schedule.h"

/* The `sizes` of a kernel are the values of `symbols`, then the sites. */
typedef struct rt_kernel_key {
    const char *text;
    uint64_t hash;
    uint32_t *symbols; /* of the module */
    size_t symbol_count;
    int64_t *sites; /* of the members that have one, in order */
    size_t site_count;
} rt_kernel_key;

RT_MUST_CHECK rt_status rt_kernel_key_make(const rt_schedule *schedule, const rt_group *group,
                                           rt_arena *arena, rt_kernel_key *key);

/* Index of the attribute `site` of an operator, -1 where it has none. */
int rt_op_site_attr(rt_op op);

#endif
