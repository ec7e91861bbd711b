// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/object.h"

#include <llvm-c/TargetMachine.h>

static rt_status create_machine(const rt_target *target, LLVMTargetMachineRef *machine,
                                rt_error *error) {
    LLVMTargetRef found;
    char *message = NULL;
    rt_target_initialize();
    if (LLVMGetTargetFromTriple(target->triple, &found, &message)) {
        rt_status status = rt_fail(error, RT_UNSUPPORTED, "target '%s' (%s): %s", target->name,
                                   target->triple, message);
        LLVMDisposeMessage(message);
        return status;
    }
    LLVMRelocMode mode = target->is_position_independent ? LLVMRelocPIC : LLVMRelocStatic;
    *machine = LLVMCreateTargetMachine(found, target->triple, target->cpu, target->features,
                                       LLVMCodeGenLevelDefault, mode, LLVMCodeModelDefault);
    if (*machine) return RT_OK;
    return rt_fail(error, RT_UNSUPPORTED, "target '%s': no code generator for %s", target->name,
                   target->triple);
}

static void set_layout(LLVMModuleRef module, LLVMTargetMachineRef machine) {
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
}

rt_status rt_object_set_layout(LLVMModuleRef module, const rt_target *target, rt_error *error) {
    LLVMTargetMachineRef machine;
    RT_TRY(create_machine(target, &machine, error));
    set_layout(module, machine);
    LLVMDisposeTargetMachine(machine);
    return RT_OK;
}

static rt_status emit(LLVMModuleRef module, const rt_target *target, LLVMCodeGenFileType type,
                      LLVMMemoryBufferRef *buffer, rt_error *error) {
    LLVMTargetMachineRef machine;
    char *message = NULL;
    RT_TRY(create_machine(target, &machine, error));
    set_layout(module, machine);
    rt_status status = RT_OK;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, type, &message, buffer)) {
        status = rt_fail(error, RT_INTERNAL, "code generation failed: %s", message);
        LLVMDisposeMessage(message);
    }
    LLVMDisposeTargetMachine(machine);
    return status;
}

rt_status rt_object_emit(LLVMModuleRef module, const rt_target *target, LLVMMemoryBufferRef *object,
                         rt_error *error) {
    return emit(module, target, LLVMObjectFile, object, error);
}

rt_status rt_assembly_emit(LLVMModuleRef module, const rt_target *target, LLVMMemoryBufferRef *text,
                           rt_error *error) {
    return emit(module, target, LLVMAssemblyFile, text, error);
}
