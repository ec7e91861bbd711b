// SPDX-License-Identifier: Apache-2.0
/* What passes need to know of the machine that the program is for. */
#ifndef RETORT_COMPILER_TARGET_PASSES_H
#define RETORT_COMPILER_TARGET_PASSES_H

#include "passes/pass_manager.h"
#include "passes/quantize.h"

/* Sets those options of the listed passes; `target` as in retort_compiler_options. An unknown
 * target is diagnosed. */
RT_MUST_CHECK rt_status rt_passes_choose_target(rt_pass_manager *manager, const char *target);

/* In how many bits a program holds its weights; zero: all of f32. */
typedef struct rt_precision_choice {
    const char *precision; /* a name of passes/precisions.def; NULL: f32 */
    const char *layers;    /* "PATTERN=PRECISION;..", see passes/quantize.c; NULL: none */
    int64_t group;         /* rows of int4 that share a scale; 0: the pass's own choice */
} rt_precision_choice;

/* Sets the options of the pass `quantize`, which the list has. */
RT_MUST_CHECK rt_status rt_passes_choose_precision(rt_pass_manager *manager,
                                                   const rt_precision_choice *choice);

/* The form that the kernels of `target` want (passes/quantize.h), with the group of `choice`. */
RT_MUST_CHECK rt_status rt_quantize_form_on(const char *target, const rt_precision_choice *choice,
                                            rt_quantize_form *form, rt_error *error);

#endif
