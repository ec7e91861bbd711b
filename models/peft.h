// SPDX-License-Identifier: Apache-2.0
/* Adaptations as folders of the PEFT library: adapter_config.json and adapter_model.safetensors,
 * which hold what a method added and what else it trained, and not the base. Of low-rank maps
 * (LORA), scales (IA3), prefixes (PREFIX_TUNING) and prompts (PROMPT_TUNING), told apart by the
 * names of what was added. */
#ifndef RETORT_MODELS_PEFT_H
#define RETORT_MODELS_PEFT_H

#include "ir/graph.h"
#include "models/configuration.h"

/* What is not in the parameters. */
typedef struct rt_peft_facts {
    double alpha, dropout;   /* of low-rank maps */
    int64_t position_offset; /* of prefixes; PEFT's is the number of virtual tokens */
    bool is_prompt_first;    /* of prompts; PEFT's are */
    const char *base;        /* path or name of the base model */
} rt_peft_facts;

bool rt_peft_is_folder(const char *path);
/* "LORA" of the spec's method "lora"; NULL of one that such a folder cannot hold. */
const char *rt_peft_type_of_method(const char *method);

/* Writes the folder whole. All that is saved must have a source. */
RT_MUST_CHECK rt_status rt_peft_save(const rt_module *module, const rt_model_config *config,
                                     const rt_peft_facts *facts, const char *folder,
                                     rt_error *error);

/* Gives what was added, and what else the folder holds, their sources in it. The folder must be of
 * the same kind and shapes, which is told at `location`. */
RT_MUST_CHECK rt_status rt_peft_load(rt_module *module, const rt_model_config *config,
                                     const rt_peft_facts *facts, const char *folder,
                                     rt_location location, rt_diagnostics *diagnostics);

#endif
