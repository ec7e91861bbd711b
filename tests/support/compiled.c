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

/* All that compiled code may ask of the world around it: no mathematics, no conversions. Products
 * are there in the test programs that link the library. */
extern void cblas_sgemm(void) __attribute__((weak));

static void add_symbol(compiled *c, LLVMOrcJITDylibRef library, const char *name,
                       uint64_t address) {
    LLVMOrcCSymbolMapPair pair = {
        .Name = LLVMOrcLLJITMangleAndIntern(c->jit, name),
        .Sym = {address, {LLVMJITSymbolGenericFlagsExported | LLVMJITSymbolGenericFlagsCallable}}};
    require(LLVMOrcJITDylibDefine(library, LLVMOrcAbsoluteSymbols(&pair, 1)));
}

typedef struct found_symbol {
    LLVMErrorRef error;
    uint64_t address;
} found_symbol;

static void take_symbol(LLVMErrorRef error, LLVMOrcCSymbolMapPairs result, size_t count,
                        void *context) {
    found_symbol *found = context;
    found->error = error;
    if (!error && count == 1) found->address = result[0].Sym.Address;
}

/* Looked up in `library` alone: the JIT's own would see every symbol of the process. */
static void *find_function(compiled *c, LLVMOrcJITDylibRef library, const char *name) {
    LLVMOrcCJITDylibSearchOrderElement order = {library, LLVMOrcJITDylibLookupFlagsMatchAllSymbols};
    LLVMOrcCLookupSetElement wanted[] = {
        {LLVMOrcLLJITMangleAndIntern(c->jit, name), LLVMOrcSymbolLookupFlagsRequiredSymbol}, {0}};
    found_symbol found = {0};
    LLVMOrcExecutionSessionLookup(LLVMOrcLLJITGetExecutionSession(c->jit), LLVMOrcLookupKindStatic,
                                  &order, 1, wanted, 1, take_symbol, &found);
    require(found.error);
    void *function;
    memcpy(&function, &found.address, sizeof function);
    return function;
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
    LLVMOrcJITDylibRef library = LLVMOrcExecutionSessionCreateBareJITDylib(
        LLVMOrcLLJITGetExecutionSession(c->jit), "kernel");
    add_symbol(c, library, "memcpy", (uintptr_t)memcpy);
    add_symbol(c, library, "memset", (uintptr_t)memset);
    if (cblas_sgemm) add_symbol(c, library, "cblas_sgemm", (uintptr_t)cblas_sgemm);
    LLVMOrcThreadSafeModuleRef module = LLVMOrcCreateNewThreadSafeModule(c->module, c->context);
    require(LLVMOrcLLJITAddLLVMIRModule(c->jit, library, module));
    return find_function(c, library, "f");
}

void compiled_end(compiled *c) {
    require(LLVMOrcDisposeLLJIT(c->jit));
    LLVMOrcDisposeThreadSafeContext(c->context);
    rt_arena_deinit(&c->arena);
}
