// SPDX-License-Identifier: Apache-2.0
/* Adaptations on one base: what training changed, alone, put into a program that holds the weights
 * that it began with. From a checkpoint of the program, of which only what trains is taken, or from
 * a PEFT folder (adapter_config.json, adapter_model.safetensors).
 *
 *     RT_TRY(retort_adapter_open(folder, &settings, instance, &adapter, error));  // all is checked
 *     RT_TRY(retort_adapter_apply(&adapter, instance, error));
 *     retort_adapter_close(&adapter);
 *
 * Each adaptation sets every parameter that trains, so none is left of the one before. */
#ifndef RETORT_RUNTIME_TRAIN_ADAPTER_H
#define RETORT_RUNTIME_TRAIN_ADAPTER_H

#include "runtime/text/labels.h"
#include "runtime/train/checkpoint.h"

typedef struct retort_adapter {
    const char *folder; /* lent */
    bool is_peft;
    retort_checkpoint checkpoint; /* where it is none */
    rt_safetensors peft;
    rt_labels labels; /* its classes; none where it does not name them */
    char doubt[300];  /* what may be wrong with it and cannot be told; "" for nothing */
} retort_adapter;

/* Opens it and holds it against the program and the weights in the instance: another method, other
 * shapes, another base are errors that name the folder. */
RT_MUST_CHECK rt_status retort_adapter_open(const char *folder, const retort_settings *settings,
                                            const retort_instance *instance,
                                            retort_adapter *adapter, rt_error *error);
void retort_adapter_close(retort_adapter *adapter); /* also of a zeroed struct */

/* Puts its values into the instance. */
RT_MUST_CHECK rt_status retort_adapter_apply(const retort_adapter *adapter,
                                             retort_instance *instance, rt_error *error);

#endif
