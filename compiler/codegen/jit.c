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

static LLVMErrorRef add_object(LLVMOrcLLJITRef lljit, const void *object, size_t size) {
    LLVMErrorRef failure = define_symbols(lljit);
    if (failure) return failure;
    LLVMMemoryBufferRef copy = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, size, "program.o");
    return LLVMOrcLLJITAddObjectFile(lljit, LLVMOrcLLJITGetMainJITDylib(lljit), copy);
}

rt_status rt_jit_link(const void *object, size_t size, rt_jit **jit, rt_error *error) {
    rt_jit *created = calloc(1, sizeof *created);
    if (!created) return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to link");
    rt_target_initialize();
    LLVMErrorRef failure = LLVMOrcCreateLLJIT(&created->lljit, NULL);
    if (!failure) failure = add_object(created->lljit, object, size);
    if (failure) {
        rt_jit_destroy(created);
        return fail(failure, error);
    }
    *jit = created;
    return RT_OK;
}

rt_status rt_jit_find(rt_jit *jit, const char *name, void **address, rt_error *error) {
    LLVMOrcExecutorAddress found = 0;
    LLVMErrorRef failure = LLVMOrcLLJITLookup(jit->lljit, &found, name);
    if (failure) return fail(failure, error);
    *address = (void *)(uintptr_t)found;
    return RT_OK;
}

rt_status rt_jit_create(const void *object, size_t size, rt_jit **jit,
                        const retort_program **program, rt_error *error) {
    const retort_program *(*query)(uint32_t);
    rt_jit *created;
    void *address;
    RT_TRY(rt_jit_link(object, size, &created, error));
    rt_status status = rt_jit_find(created, "retort_program_query", &address, error);
    if (status != RT_OK) {
        rt_jit_destroy(created);
        return status;
    }
    memcpy(&query, &address, sizeof query);
    *program = query(RETORT_ABI_VERSION);
    *jit = created;
    return RT_OK;
}

void rt_jit_destroy(rt_jit *jit) {
    if (!jit) return;
    LLVMErrorRef failure = jit->lljit ? LLVMOrcDisposeLLJIT(jit->lljit) : NULL;
    if (failure) LLVMConsumeError(failure);
    free(jit);
}
