// SPDX-License-Identifier: Apache-2.0
/* LLVM modules to object code. */
#ifndef RETORT_COMPILER_CODEGEN_OBJECT_H
#define RETORT_COMPILER_CODEGEN_OBJECT_H

#include <llvm-c/Core.h>

#include "compiler/target/target.h"

/* Gives `module` the target's data layout, which decides about places of fields. */
RT_MUST_CHECK rt_status rt_object_set_layout(LLVMModuleRef module, const rt_target *target,
                                             rt_error *error);

/* Compiles `module` for `target`. The emitted code is final: no optimiser
 * runs before the code generator. The caller disposes *object (LLVMDisposeMemoryBuffer). */
RT_MUST_CHECK rt_status rt_object_emit(LLVMModuleRef module, const rt_target *target,
                                       LLVMMemoryBufferRef *object, rt_error *error);

/* The same as assembler text, for people. */
RT_MUST_CHECK rt_status rt_assembly_emit(LLVMModuleRef module, const rt_target *target,
                                         LLVMMemoryBufferRef *text, rt_error *error);

#endif
