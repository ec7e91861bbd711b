// SPDX-License-Identifier: Apache-2.0
/* Object code into this process. */
#ifndef RETORT_COMPILER_CODEGEN_JIT_H
#define RETORT_COMPILER_CODEGEN_JIT_H

#include <stddef.h>

#include "runtime/abi.h"
#include "runtime/base/status.h"

typedef struct rt_jit rt_jit;

/* Links a copy of the object's bytes in memory. What a program leaves undefined is bound to this
 * process's own functions. *program lives until rt_jit_destroy. */
RT_MUST_CHECK rt_status rt_jit_create(const void *object, size_t size, rt_jit **jit,
                                      const retort_program **program, rt_error *error);
void rt_jit_destroy(rt_jit *jit); /* NULL is fine */

/* The same for an object that is no program, whose functions are found by name. */
RT_MUST_CHECK rt_status rt_jit_link(const void *object, size_t size, rt_jit **jit, rt_error *error);
RT_MUST_CHECK rt_status rt_jit_find(rt_jit *jit, const char *name, void **address, rt_error *error);

#endif
