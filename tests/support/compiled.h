// SPDX-License-Identifier: Apache-2.0
/* A function emitted by a test, compiled in memory for this machine:
 *
 *     compiled c;
 *     compiled_begin(&c, "ppl");                        // void f(pointer, pointer, i64)
 *     ... emit with c.emitter, parameters by LLVMGetParam(c.emitter.function, i) ...
 *     void *f = compiled_finish(&c);                    // returns void; verified
 *     ... call ...
 *     compiled_end(&c);
 *
 * Failures end the test. */
#ifndef RETORT_TESTS_SUPPORT_COMPILED_H
#define RETORT_TESTS_SUPPORT_COMPILED_H

#include <llvm-c/LLJIT.h>

#include "compiler/codegen/emitter.h"
#include "tests/support/test.h"

/* Types that a test's function may take, for `signature`: p pointer, l i64, i i32. */
typedef struct compiled {
    rt_arena arena;
    rt_target target;
    LLVMOrcThreadSafeContextRef context;
    LLVMModuleRef module;
    LLVMOrcLLJITRef jit;
    rt_emitter emitter;
} compiled;

/* Begins `void f(...)` with parameters by `signature`, for example "ppl". */
void compiled_begin(compiled *c, const char *signature);
/* Ends f and compiles the module, which may call cblas_sgemm, memcpy and memset alone. */
void *compiled_finish(compiled *c);
void compiled_end(compiled *c);

#endif
