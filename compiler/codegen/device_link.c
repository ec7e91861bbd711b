// SPDX-License-Identifier: Apache-2.0
#include <llvm-c/BitReader.h>
#include <llvm-c/Linker.h>
#include <llvm-c/Target.h>
#include <stdio.h>
#include <string.h>

#include "compiler/codegen/device.h"
#include "compiler/codegen/object.h"

static const char public_prefix[] = "retort_model";

/* ---- functions of the bitcode become functions of this module */

/* They were compiled for an architecture; here they are compiled for the target. */
static void set_attribute(LLVMValueRef function, const char *name, const char *value) {
    LLVMContextRef context = LLVMGetModuleContext(LLVMGetGlobalParent(function));
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(context, name, (unsigned)strlen(name),
                                                           value, (unsigned)strlen(value));
    LLVMAddAttributeAtIndex(function, LLVMAttributeFunctionIndex, attribute);
}

static void adapt_functions(LLVMModuleRef module, const rt_target *target) {
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f)) {
        if (LLVMIsDeclaration(f)) continue;
        set_attribute(f, "target-cpu", target->cpu);
        set_attribute(f, "target-features", target->features);
        LLVMRemoveStringAttributeAtIndex(f, LLVMAttributeFunctionIndex, "tune-cpu", 8);
    }
}

/* The name of an interface function under the model's prefix; false for any other. */
static bool public_name(const char *name, const char *prefix, char *text, size_t room) {
    size_t length = strlen(public_prefix);
    if (strncmp(name, public_prefix, length) != 0) return false;
    return (size_t)snprintf(text, room, "%s%s", prefix, name + length) < room;
}

static void name_functions(LLVMModuleRef module, const char *prefix) {
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f)) {
        char text[256];
        size_t length;
        if (LLVMIsDeclaration(f)) continue;
        if (public_name(LLVMGetValueName2(f, &length), prefix, text, sizeof text))
            LLVMSetValueName2(f, text, strlen(text));
        else
            LLVMSetLinkage(f, LLVMInternalLinkage);
    }
    for (LLVMValueRef g = LLVMGetFirstGlobal(module); g; g = LLVMGetNextGlobal(g))
        if (LLVMGetInitializer(g) && LLVMGetLinkage(g) == LLVMExternalLinkage)
            LLVMSetLinkage(g, LLVMInternalLinkage);
}

/* ---- division */

static bool is_division(LLVMValueRef instruction) {
    LLVMOpcode op = LLVMGetInstructionOpcode(instruction);
    return (op == LLVMSDiv || op == LLVMUDiv || op == LLVMSRem || op == LLVMURem) &&
           LLVMGetTypeKind(LLVMTypeOf(instruction)) == LLVMIntegerTypeKind;
}

/* a / b or a % b of 32 or 64 bits as a call of the runtime's, which is for 64. */
static void call_division(LLVMModuleRef module, LLVMBuilderRef builder, LLVMValueRef old) {
    LLVMOpcode op = LLVMGetInstructionOpcode(old);
    bool is_signed = op == LLVMSDiv || op == LLVMSRem;
    bool is_rest = op == LLVMSRem || op == LLVMURem;
    LLVMValueRef function = LLVMGetNamedFunction(
        module, is_signed ? "retort_device_divide" : "retort_device_divide_unsigned");
    LLVMTypeRef type = LLVMTypeOf(old), wide = LLVMInt64TypeInContext(LLVMGetModuleContext(module));
    LLVMPositionBuilderBefore(builder, old);
    LLVMValueRef operands[2];
    for (unsigned i = 0; i < 2; ++i) {
        LLVMValueRef operand = LLVMGetOperand(old, i);
        operands[i] = is_signed ? LLVMBuildSExt(builder, operand, wide, "")
                                : LLVMBuildZExt(builder, operand, wide, "");
    }
    LLVMValueRef result =
        LLVMBuildCall2(builder, LLVMGlobalGetValueType(function), function, operands, 2, "");
    if (is_rest)
        result =
            LLVMBuildSub(builder, operands[0], LLVMBuildMul(builder, result, operands[1], ""), "");
    LLVMReplaceAllUsesWith(old, LLVMBuildTrunc(builder, result, type, ""));
    LLVMInstructionEraseFromParent(old);
}

/* ---- clearing */

static bool is_clearing(LLVMValueRef instruction) {
    static const char intrinsic[] = "llvm.memset.";
    size_t length;
    if (!LLVMIsACallInst(instruction)) return false;
    LLVMValueRef called = LLVMGetCalledValue(instruction);
    const char *name = LLVMIsAFunction(called) ? LLVMGetValueName2(called, &length) : "";
    return !strncmp(name, intrinsic, sizeof intrinsic - 1);
}

/* llvm.memset as a call of memset, where it would become one of bzero. */
static void call_memset(LLVMModuleRef module, LLVMBuilderRef builder, LLVMValueRef old) {
    LLVMContextRef context = LLVMGetModuleContext(module);
    LLVMValueRef to = LLVMGetOperand(old, 0), byte = LLVMGetOperand(old, 1),
                 bytes = LLVMGetOperand(old, 2), function = LLVMGetNamedFunction(module, "memset");
    LLVMTypeRef pointer = LLVMTypeOf(to), word = LLVMInt32TypeInContext(context);
    LLVMTypeRef types[] = {pointer, word, LLVMTypeOf(bytes)};
    LLVMTypeRef type = LLVMFunctionType(pointer, types, 3, false);
    if (!function) function = LLVMAddFunction(module, "memset", type);
    LLVMPositionBuilderBefore(builder, old);
    LLVMValueRef operands[] = {to, LLVMBuildZExt(builder, byte, word, ""), bytes};
    LLVMBuildCall2(builder, type, function, operands, 3, "");
    LLVMInstructionEraseFromParent(old);
}

/* ---- what would become a call of another library */

static void replace_instructions(LLVMModuleRef module, const rt_target *target) {
    bool is_apple = target->format == RT_OBJECT_MACHO, divides = !target->has_wide_division;
    LLVMBuilderRef builder = LLVMCreateBuilderInContext(LLVMGetModuleContext(module));
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f))
        for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(f); b; b = LLVMGetNextBasicBlock(b))
            for (LLVMValueRef i = LLVMGetFirstInstruction(b), next; i; i = next) {
                next = LLVMGetNextInstruction(i);
                if (divides && is_division(i))
                    call_division(module, builder, i);
                else if (is_apple && is_clearing(i))
                    call_memset(module, builder, i);
            }
    LLVMDisposeBuilder(builder);
}

/* ---- unused */

/* Deletes what nothing uses any more: parts of the runtime that this model does not need. */
static void drop_unused(LLVMModuleRef module) {
    bool is_changed = true;
    while (is_changed) {
        is_changed = false;
        for (LLVMValueRef f = LLVMGetFirstFunction(module), next; f; f = next) {
            next = LLVMGetNextFunction(f);
            bool is_kept = !LLVMIsDeclaration(f) && LLVMGetLinkage(f) != LLVMInternalLinkage;
            if (is_kept || LLVMGetFirstUse(f)) continue;
            LLVMDeleteFunction(f);
            is_changed = true;
        }
    }
}

/* ---- all */

static rt_status read_bitcode(LLVMModuleRef module, const rt_target *target, LLVMModuleRef *read,
                              rt_error *error) {
    size_t size;
    const void *bytes = rt_device_bitcode(target->device, &size);
    if (!bytes)
        return rt_fail(error, RT_INTERNAL, "there is no device runtime for %s", target->name);
    LLVMMemoryBufferRef buffer =
        LLVMCreateMemoryBufferWithMemoryRange(bytes, size, "device", false);
    bool is_bad = LLVMParseBitcodeInContext2(LLVMGetModuleContext(module), buffer, read);
    LLVMDisposeMemoryBuffer(buffer);
    return is_bad ? rt_fail(error, RT_INTERNAL, "the device runtime cannot be read") : RT_OK;
}

rt_status rt_device_link(LLVMModuleRef module, const rt_target *target,
                         const retort_device_options *device, rt_error *error) {
    LLVMModuleRef runtime;
    RT_TRY(rt_object_set_layout(module, target, error));
    RT_TRY(read_bitcode(module, target, &runtime, error));
    LLVMSetTarget(runtime, target->triple);
    LLVMSetDataLayout(runtime, LLVMGetDataLayoutStr(module));
    if (!device->text) {
        LLVMValueRef run_text = LLVMGetNamedFunction(runtime, "retort_model_run_text");
        if (run_text) LLVMSetLinkage(run_text, LLVMInternalLinkage);
    }
    if (LLVMLinkModules2(module, runtime))
        return rt_fail(error, RT_INTERNAL, "the device runtime cannot be linked");
    adapt_functions(module, target);
    replace_instructions(module, target);
    name_functions(module, device->prefix);
    drop_unused(module);
    return RT_OK;
}
