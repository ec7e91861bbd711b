// SPDX-License-Identifier: Apache-2.0
/* Whether a model that an adaptation names as its base is the one at hand. */
#ifndef RETORT_RUNTIME_BASE_SAME_MODEL_H
#define RETORT_RUNTIME_BASE_SAME_MODEL_H

typedef enum rt_same_model {
    RT_MODEL_SAME,
    RT_MODEL_OTHER,  /* it is there, with other weights */
    RT_MODEL_UNKNOWN /* it is not there, and is called otherwise */
} rt_same_model;

/* `named` is a path, or a name as of a hub ("organisation/name"); `path` the model at hand, a
 * folder with model.safetensors or a file of weights. One of the same last name that is not there
 * counts as the same. */
rt_same_model rt_model_is_same(const char *named, const char *path);

#endif
