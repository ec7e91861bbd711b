// SPDX-License-Identifier: Apache-2.0
/* Shared by the files of PEFT folders and by nothing else. */
#ifndef RETORT_MODELS_PEFT_INTERNAL_H
#define RETORT_MODELS_PEFT_INTERNAL_H

#include "models/parameters.h"
#include "models/peft.h"

#define RT_PEFT_CONFIG "adapter_config.json"
#define RT_PEFT_WEIGHTS "adapter_model.safetensors"

typedef enum rt_peft_kind {
    RT_PEFT_LORA,
    RT_PEFT_IA3,
    RT_PEFT_PREFIX,
    RT_PEFT_PROMPT,
    RT_PEFT_KIND_COUNT /* none */
} rt_peft_kind;

const char *rt_peft_kind_text(rt_peft_kind kind);

/* The kind that an added parameter is of. */
rt_peft_kind rt_peft_kind_of(const char *name);
/* That of what was added to the module; RT_PEFT_KIND_COUNT where nothing was, or, with its name in
 * *stranger, something that PEFT has no form for. */
rt_peft_kind rt_peft_kind_of_module(const rt_module *module, const rt_model_parameters *own,
                                    const char **stranger);

/* Whether the parameter is a weight of the model that the configuration does not have. */
bool rt_peft_is_added(const rt_parameter_info *info, const rt_model_parameters *own);
/* The name of a parameter in the folder, in `arena`. */
const char *rt_peft_name(rt_peft_kind kind, const char *name, rt_arena *arena);

#endif
