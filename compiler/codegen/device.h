// SPDX-License-Identifier: Apache-2.0
/* The parts of an ahead-of-time library: the constant of runtime/device/tables.h, and the bitcode
 * of runtime/device that reads it. */
#ifndef RETORT_COMPILER_CODEGEN_DEVICE_H
#define RETORT_COMPILER_CODEGEN_DEVICE_H

#include "compiler/codegen/lower_impl.h"

/* Emits retort_device_model_tables for the one graph that was lowered. False where there is no
 * memory. */
bool rt_emit_device_tables(rt_lower_state *state);

/* Links the bitcode for the target into `module`, which has the tables, gives the functions of
 * runtime/device/model.h the prefix in place of "retort_model", and makes everything else internal.
 * What a target has no instruction for and would call a library (64-bit division) is called here.
 */
RT_MUST_CHECK rt_status rt_device_link(LLVMModuleRef module, const rt_target *target,
                                       const retort_device_options *device, rt_error *error);

/* The bitcode of runtime/device for a target's `device`; NULL where there is none of that name. */
const void *rt_device_bitcode(const char *name, size_t *size_bytes);

#endif
