// SPDX-License-Identifier: Apache-2.0
#include "runtime/train/adapter.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/same_model.h"
#include "runtime/program.h"
#include "runtime/train/checkpoint_internal.h"

#define PEFT_CONFIG "adapter_config.json"
#define PEFT_WEIGHTS "adapter_model.safetensors"

static bool has_file(const char *folder, const char *name) {
    char *path = rt_path_join(folder, name);
    bool is_there = path && rt_file_exists(path);
    free(path);
    return is_there;
}

/* ---- what a PEFT folder says of itself */

/* What the compiler said of the method (rt_job_settings); NULL where it adds nothing that such a
 * folder could hold. */
static const json_t *adaptation_of(const retort_settings *settings) {
    return json_object_get(settings->program, "adaptation");
}

static rt_status check_base(retort_adapter *a, const char *named, const char *base,
                            rt_error *error) {
    if (!named || !*named || !base) return RT_OK;
    rt_same_model answer = rt_model_is_same(named, base);
    if (answer == RT_MODEL_OTHER)
        return rt_fail(
            error, RT_INVALID_DATA,
            "--adapter %s: was trained on the base %s, but the program's is %s, which has "
            "other weights",
            a->folder, named, base);
    if (answer == RT_MODEL_UNKNOWN)
        snprintf(a->doubt, sizeof a->doubt, "was trained on '%s'; the program's base is %s", named,
                 base);
    return RT_OK;
}

static rt_status check_config(retort_adapter *a, const json_t *config, const json_t *ours,
                              rt_error *error) {
    const char *type = json_string_value(json_object_get(config, "peft_type"));
    const char *want = json_string_value(json_object_get(ours, "peft_type"));
    const json_t *alpha = json_object_get(config, "lora_alpha");
    const json_t *our_alpha = json_object_get(ours, "alpha");
    if (!type)
        return rt_fail(error, RT_INVALID_DATA, "--adapter %s: " PEFT_CONFIG " has no 'peft_type'",
                       a->folder);
    if (!want)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "--adapter %s: is a PEFT folder of type %s, but the program's method adds "
                       "nothing that such a folder could hold; checkpoints of the program are its "
                       "adaptations",
                       a->folder, type);
    if (strcmp(type, want) != 0)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "--adapter %s: holds an adaptation of type %s, but the program was compiled "
                       "for %s",
                       a->folder, type, want);
    bool has_root = json_is_true(json_object_get(config, "use_rslora"));
    double difference = json_number_value(alpha) - json_number_value(our_alpha);
    if (our_alpha && (has_root || !alpha || fabs(difference) > 1e-9))
        return rt_fail(
            error, RT_INVALID_ARGUMENT,
            "--adapter %s: was trained with alpha %g%s, but the program was compiled with "
            "alpha %g",
            a->folder, json_number_value(alpha), has_root ? " over the root of the rank" : "",
            json_number_value(our_alpha));
    return check_base(a, json_string_value(json_object_get(config, "base_model_name_or_path")),
                      json_string_value(json_object_get(ours, "base")), error);
}

static rt_status open_peft(retort_adapter *a, const retort_settings *settings, rt_error *error) {
    char *config = rt_path_join(a->folder, PEFT_CONFIG);
    char *weights = rt_path_join(a->folder, PEFT_WEIGHTS);
    json_t *root = NULL;
    rt_status status = config && weights ? rt_json_read(config, &root, error)
                                         : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    if (status == RT_OK) status = check_config(a, root, adaptation_of(settings), error);
    if (status == RT_OK) status = rt_safetensors_open(weights, &a->peft, error);
    json_decref(root);
    free(config);
    free(weights);
    return status;
}

/* ---- what it holds */

/* Names in a PEFT folder, of the parameter NAME: with the prefix of adapted modules, of prompts, or
 * alone what was learnt. */
static const rt_safetensor *find_peft(const rt_safetensors *file, const char *name) {
    static const char *const prefixes[] = {"base_model.model.", "base_model."};
    char text[512];
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; ++i) {
        snprintf(text, sizeof text, "%s%s", prefixes[i], name);
        const rt_safetensor *tensor = rt_safetensors_find(file, text);
        if (tensor) return tensor;
    }
    const char *end = strstr(name, "embedding.weight");
    bool is_virtual = strncmp(name, "prompt", 6) == 0 && end && !end[16];
    return is_virtual ? rt_safetensors_find(file, "prompt_embeddings") : NULL;
}

static const rt_safetensors *file_of(const retort_adapter *a) {
    return a->is_peft ? &a->peft : &a->checkpoint.model;
}

static const rt_safetensor *find_tensor(const retort_adapter *a, const retort_parameter *p) {
    return a->is_peft ? find_peft(&a->peft, p->name)
                      : rt_safetensors_find(&a->checkpoint.model, p->name);
}

static bool is_adapted(const retort_parameter *p) {
    return retort_checkpoint_holds(p) && p->is_trainable;
}

static rt_status check_tensor(const retort_adapter *a, const retort_parameter *p,
                              const rt_safetensor *tensor, rt_error *error) {
    char wanted[128], found[128];
    if (!tensor)
        return rt_fail(error, RT_INVALID_DATA,
                       "--adapter %s: has no '%s', which the program's method trains", a->folder,
                       p->name);
    bool has_shape = tensor->rank == (int)p->rank && rt_dtype_is_float(tensor->dtype) &&
                     memcmp(tensor->dims, p->dims, p->rank * sizeof *p->dims) == 0;
    if (has_shape) return RT_OK;
    return rt_fail(
        error, RT_INVALID_DATA,
        "--adapter %s: '%s' is %s, but the program's is %s: it is of another base, or of "
        "other sizes",
        a->folder, tensor->name, retort_shape_text(tensor->rank, tensor->dims, found),
        retort_shape_text((int)p->rank, p->dims, wanted));
}

/* A checkpoint has the base too: it must be this one. */
static rt_status check_frozen(const retort_adapter *a, const retort_instance *instance,
                              uint32_t index, rt_error *error) {
    const retort_parameter *p = &retort_instance_program(instance)->parameters[index];
    const rt_safetensor *tensor = rt_safetensors_find(&a->checkpoint.model, p->name);
    if (!tensor || tensor->dtype != (rt_dtype)p->dtype) return RT_OK;
    RT_TRY(check_tensor(a, p, tensor, error));
    void *values = malloc(tensor->size_bytes + 1);
    if (!values) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_status status = retort_instance_read(instance, (int)index, values, error);
    if (status == RT_OK && memcmp(values, tensor->data, tensor->size_bytes) != 0)
        status = rt_fail(error, RT_INVALID_DATA,
                         "--adapter %s: is of another base: '%s', which does not train, has other "
                         "values than in the program",
                         a->folder, p->name);
    free(values);
    return status;
}

static rt_status check_parameters(const retort_adapter *a, const retort_instance *instance,
                                  rt_error *error) {
    const retort_program *program = retort_instance_program(instance);
    size_t used = 0;
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        const retort_parameter *p = &program->parameters[i];
        if (!retort_checkpoint_holds(p)) continue;
        const rt_safetensor *tensor = find_tensor(a, p);
        used += tensor != NULL;
        if (is_adapted(p))
            RT_TRY(check_tensor(a, p, tensor, error));
        else if (!a->is_peft)
            RT_TRY(check_frozen(a, instance, i, error));
    }
    if (!a->is_peft || used == a->peft.count) return RT_OK;
    return rt_fail(
        error, RT_INVALID_DATA,
        "--adapter %s: adapts more than the program's method does: %zu of its %zu tensors "
        "have no place; it has other 'targets' or 'layers'",
        a->folder, a->peft.count - used, a->peft.count);
}

static rt_status read_labels(retort_adapter *a, rt_error *error) {
    const json_t *labels = json_object_get(a->checkpoint.trainer, "labels"), *label;
    size_t i;
    json_array_foreach((json_t *)labels, i, label) {
        const char *text = json_string_value(label);
        if (text && !rt_labels_add(&a->labels, rt_text_of(text)))
            return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    }
    return RT_OK;
}

/* ---- opening, applying */

static rt_status open_any(retort_adapter *a, const retort_settings *settings, rt_error *error) {
    if (!rt_folder_exists(a->folder))
        return rt_fail(error, RT_NOT_FOUND, "--adapter %s: no such folder", a->folder);
    a->is_peft = has_file(a->folder, PEFT_CONFIG);
    if (a->is_peft) return open_peft(a, settings, error);
    if (!has_file(a->folder, RETORT_MODEL_FILE))
        return rt_fail(error, RT_NOT_FOUND,
                       "--adapter %s: is neither a PEFT folder (" PEFT_CONFIG
                       ") nor a checkpoint (" RETORT_MODEL_FILE
                       "); what a run trained is in its folder's best or last",
                       a->folder);
    RT_TRY(retort_checkpoint_open(a->folder, &a->checkpoint, error));
    return read_labels(a, error);
}

rt_status retort_adapter_open(const char *folder, const retort_settings *settings,
                              const retort_instance *instance, retort_adapter *adapter,
                              rt_error *error) {
    *adapter = (retort_adapter){.folder = folder};
    rt_status status = open_any(adapter, settings, error);
    if (status == RT_OK) status = check_parameters(adapter, instance, error);
    if (status != RT_OK) retort_adapter_close(adapter);
    return status;
}

void retort_adapter_close(retort_adapter *adapter) {
    retort_checkpoint_close(&adapter->checkpoint);
    rt_safetensors_close(&adapter->peft);
    rt_labels_deinit(&adapter->labels);
    *adapter = (retort_adapter){0};
}

rt_status retort_adapter_apply(const retort_adapter *adapter, retort_instance *instance,
                               rt_error *error) {
    const retort_program *program = retort_instance_program(instance);
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        const retort_parameter *p = &program->parameters[i];
        if (!is_adapted(p)) continue;
        void *memory = retort_instance_parameter(instance, (int)i);
        if (!memory)
            return rt_fail(error, RT_UNSUPPORTED, "--adapter %s: '%s' is not kept by the program",
                           adapter->folder, p->name);
        retort_copy_values(p, memory, find_tensor(adapter, p), &file_of(adapter)->file);
    }
    retort_instance_weights_changed(instance);
    return RT_OK;
}
