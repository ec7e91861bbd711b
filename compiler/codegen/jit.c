// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/jit.h"

#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/target/target.h"
#include "runtime/base/check.h"

/* Of the OpenBLAS that this program is linked with. Only its address is taken here. */
void cblas_sgemm(void);

struct rt_jit {
    LLVMOrcLLJITRef lljit;
};

/* Takes the error. */
static rt_status fail(LLVMErrorRef failure, rt_error *error) {
    char *message = LLVMGetErrorMessage(failure);
    rt_status status = rt_fail(error, RT_INTERNAL, "linking in memory failed: %s", message);
    LLVMDisposeErrorMessage(message);
    return status;
}

typedef void (*any_function)(void);

/* Compiled code's only undefined symbols: see runtime/abi.h. */
static LLVMErrorRef define_symbols(LLVMOrcLLJITRef lljit) {
    static const struct {
        const char *name;
        any_function function;
    } known[] = {{"cblas_sgemm", cblas_sgemm},
                 {"memcpy", (any_function)memcpy},
                 {"memset", (any_function)memset}};
    LLVMOrcCSymbolMapPair pairs[RT_COUNT_OF(known)];
    for (size_t i = 0; i < RT_COUNT_OF(known); ++i) {
        pairs[i].Name = LLVMOrcLLJITMangleAndIntern(lljit, known[i].name);
        pairs[i].Sym.Address = (LLVMOrcExecutorAddress)(uintptr_t)known[i].function;
        pairs[i].Sym.Flags = (LLVMJITSymbolFlags){LLVMJITSymbolGenericFlagsExported, 0};
    }
    return LLVMOrcJITDylibDefine(LLVMOrcLLJITGetMainJITDylib(lljit),
                                 LLVMOrcAbsoluteSymbols(pairs, RT_COUNT_OF(known)));
}

static LLVMErrorRef load_program(LLVMOrcLLJITRef lljit, const void *object, size_t size,
                                 const retort_program **program) {
    const retort_program *(*query)(uint32_t);
    LLVMOrcExecutorAddress address = 0;
    LLVMErrorRef failure = define_symbols(lljit);
    if (failure) return failure;
    LLVMMemoryBufferRef copy = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, size, "program.o");
    failure = LLVMOrcLLJITAddObjectFile(lljit, LLVMOrcLLJITGetMainJITDylib(lljit), copy);
    if (failure) return failure;
    failure = LLVMOrcLLJITLookup(lljit, &address, "retort_program_query");
    if (failure) return failure;
    memcpy(&query, &address, sizeof query);
    *program = query(RETORT_ABI_VERSION);
    return LLVMErrorSuccess;
}

rt_status rt_jit_create(const void *object, size_t size, rt_jit **jit,
                        const retort_program **program, rt_error *error) {
    rt_jit *created = calloc(1, sizeof *created);
    if (!created) return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to link");
    rt_target_initialize();
    LLVMErrorRef failure = LLVMOrcCreateLLJIT(&created->lljit, NULL);
    if (!failure) failure = load_program(created->lljit, object, size, program);
    if (failure) {
        rt_jit_destroy(created);
        return fail(failure, error);
    }
    *jit = created;
    return RT_OK;
}

void rt_jit_destroy(rt_jit *jit) {
    if (!jit) return;
    LLVMErrorRef failure = jit->lljit ? LLVMOrcDisposeLLJIT(jit->lljit) : NULL;
    if (failure) LLVMConsumeError(failure);
    free(jit);
}
