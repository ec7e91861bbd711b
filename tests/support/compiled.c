// SPDX-License-Identifier: Apache-2.0
#include "tests/support/compiled.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void compiled_begin(compiled *c, const char *signature) {
    LLVMTypeRef types[16];
    unsigned count = 0;
    *c = (compiled){0};
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    const char *target = getenv("RETORT_TEST_TARGET"); /* a narrower machine than this one */
    CU_ASSERT_EQUAL_FATAL(rt_target_find(target, &c->target, &c->arena, NULL), RT_OK);
    c->context = LLVMOrcCreateNewThreadSafeContext();
    c->module =
        LLVMModuleCreateWithNameInContext("test", LLVMOrcThreadSafeContextGetContext(c->context));
    rt_emitter *e = &c->emitter;
    rt_emitter_init(e, c->module, &c->target);
    for (const char *p = signature; *p; ++p)
        types[count++] = *p == 'p' ? e->pointer : *p == 'l' ? e->i64 : e->i32;
    rt_emit_function_begin(e, "f", LLVMFunctionType(e->none, types, count, false));
}

static void require(LLVMErrorRef error) {
    if (!error) return;
    char *message = LLVMGetErrorMessage(error);
    fprintf(stderr, "%s\n", message);
    LLVMDisposeErrorMessage(message);
    CU_FAIL_FATAL("LLVM refused");
}

void *compiled_finish(compiled *c) {
    char *message = NULL;
    LLVMBuildRetVoid(c->emitter.builder);
    rt_emitter_deinit(&c->emitter);
    if (getenv("RETORT_TEST_DUMP")) LLVMDumpModule(c->module);
    if (LLVMVerifyModule(c->module, LLVMReturnStatusAction, &message)) {
        fprintf(stderr, "%s\n", message);
        CU_FAIL_FATAL("the module does not verify");
    }
    LLVMDisposeMessage(message);
    require(LLVMOrcCreateLLJIT(&c->jit, NULL));
    LLVMOrcThreadSafeModuleRef module = LLVMOrcCreateNewThreadSafeModule(c->module, c->context);
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(c->jit);
    LLVMOrcDefinitionGeneratorRef process;
    require(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(
        &process, LLVMOrcLLJITGetGlobalPrefix(c->jit), NULL, NULL));
    LLVMOrcJITDylibAddGenerator(library, process);
    require(LLVMOrcLLJITAddLLVMIRModule(c->jit, library, module));
    LLVMOrcExecutorAddress address = 0;
    require(LLVMOrcLLJITLookup(c->jit, &address, "f"));
    void *function;
    memcpy(&function, &address, sizeof function);
    return function;
}

void compiled_end(compiled *c) {
    require(LLVMOrcDisposeLLJIT(c->jit));
    LLVMOrcDisposeThreadSafeContext(c->context);
    rt_arena_deinit(&c->arena);
}
