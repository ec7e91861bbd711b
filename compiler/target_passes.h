// SPDX-License-Identifier: Apache-2.0
/* What passes need to know of the machine that the program is for. */
#ifndef RETORT_COMPILER_TARGET_PASSES_H
#define RETORT_COMPILER_TARGET_PASSES_H

#include "passes/pass_manager.h"

/* Sets those options of the listed passes; `target` as in retort_compiler_options. An unknown
 * target is diagnosed. */
RT_MUST_CHECK rt_status rt_passes_choose_target(rt_pass_manager *manager, const char *target);

#endif
