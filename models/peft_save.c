// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "models/peft_internal.h"
#include "models/source_values.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/safetensors.h"

typedef struct saver {
    const rt_module *module;
    const rt_model_config *config;
    const rt_peft_facts *facts;
    rt_arena *arena;
    rt_error *error;
    rt_model_parameters own;
    rt_peft_kind kind;
    rt_source_values values;
} saver;

/* ---- what is saved */

/* "bert.pooler.dense" of "bert.pooler.dense.weight" */
static size_t module_length(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : strlen(name);
}

static bool has_module(const char *name, const char *module, size_t length) {
    return module_length(name) == length && memcmp(name, module, length) == 0;
}

/* Whether some parameter of the module trains, so that PEFT saves the module. */
static bool is_saved_module(const saver *s, const char *name) {
    size_t length = module_length(name);
    for (size_t i = 0; i < s->own.count; ++i) {
        rt_parameter other = rt_module_find_parameter(s->module, s->own.items[i].name);
        if (rt_parameter_is(other) && has_module(s->own.items[i].name, name, length) &&
            rt_module_parameter(s->module, other)->is_trainable)
            return true;
    }
    return false;
}

static bool is_saved(const saver *s, const rt_parameter_info *info) {
    if (info->kind != RT_PARAMETER_WEIGHT || strncmp(info->name, "teacher/", 8) == 0) return false;
    return rt_peft_is_added(info, &s->own) || is_saved_module(s, info->name);
}

static rt_status save_weights(saver *s, const char *path) {
    static const char *const metadata[] = {"format", "pt"};
    size_t most = rt_module_parameter_count(s->module), count = 0;
    rt_safetensor *tensors = RT_NEW_ARRAY(s->arena, rt_safetensor, most + 1);
    if (!tensors) return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    for (uint32_t i = 0; i < most; ++i) {
        const rt_parameter_info *info = rt_module_parameter(s->module, (rt_parameter){i});
        rt_safetensor *t = &tensors[count];
        int64_t numbers;
        if (!is_saved(s, info)) continue;
        *t = (rt_safetensor){.name = rt_peft_name(s->kind, info->name, s->arena),
                             .dtype = RT_F32,
                             .rank = info->type.rank};
        if (!t->name ||
            !rt_type_is_static(rt_module_dims(s->module), info->type, t->dims, &numbers))
            return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
        t->size_bytes = (size_t)numbers * sizeof(float);
        RT_TRY(rt_source_values_find(&s->values, info->name, (size_t)numbers, &t->data, s->error));
        ++count;
    }
    return rt_safetensors_write(path, tensors, count, metadata, 1, s->error);
}

/* ---- adapter_config.json */

static int64_t size_of(const saver *s, const rt_parameter_info *info, int axis) {
    int64_t size = 0;
    rt_dim_is_constant(rt_module_dims(s->module), info->type.dims[axis], &size);
    return size;
}

/* The first parameter that was added. */
static const rt_parameter_info *first_added(const saver *s) {
    uint32_t i = 0;
    while (!rt_peft_is_added(rt_module_parameter(s->module, (rt_parameter){i}), &s->own)) ++i;
    return rt_module_parameter(s->module, (rt_parameter){i});
}

/* Modules that have an added parameter with this ending; with `needs_row`, of one row only. */
static void put_targets(saver *s, json_t *root, const char *key, const char *ending,
                        bool needs_row) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < rt_module_parameter_count(s->module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(s->module, (rt_parameter){i});
        size_t length = strlen(info->name), size = strlen(ending);
        if (!rt_peft_is_added(info, &s->own) || length <= size ||
            strcmp(info->name + length - size, ending) != 0 ||
            (needs_row && size_of(s, info, 0) != 1))
            continue;
        json_array_append_new(list, json_stringn(info->name, length - size));
    }
    json_object_set_new(root, key, list);
}

static void put_saved_modules(saver *s, json_t *root) {
    json_t *list = json_array();
    const char *last = "";
    for (size_t i = 0; i < s->own.count; ++i) {
        const char *name = s->own.items[i].name;
        size_t length = module_length(name);
        if (!is_saved_module(s, name) || has_module(last, name, length)) continue;
        json_array_append_new(list, json_stringn(name, length));
        last = name;
    }
    json_object_set_new(root, "modules_to_save", list);
}

static void put_lora(saver *s, json_t *root) {
    json_object_set_new(root, "r", json_integer(size_of(s, first_added(s), 0)));
    json_object_set_new(root, "lora_alpha", json_real(s->facts->alpha));
    json_object_set_new(root, "lora_dropout", json_real(s->facts->dropout));
    json_object_set_new(root, "bias", json_string("none"));
    put_targets(s, root, "target_modules", ".lora_A.weight", false);
}

static void put_ia3(saver *s, json_t *root) {
    put_targets(s, root, "target_modules", ".ia3_l", false);
    put_targets(s, root, "feedforward_modules", ".ia3_l", true);
}

static void put_virtual_tokens(saver *s, json_t *root) {
    json_object_set_new(root, "num_virtual_tokens", json_integer(size_of(s, first_added(s), 0)));
    json_object_set_new(root, "token_dim", json_integer(s->config->width));
    json_object_set_new(root, "num_attention_heads", json_integer(s->config->heads));
    json_object_set_new(root, "num_layers", json_integer(s->config->layers));
    json_object_set_new(root, "num_transformer_submodules", json_integer(1));
}

static void put_prefix(saver *s, json_t *root) {
    put_virtual_tokens(s, root);
    json_object_set_new(root, "encoder_hidden_size", json_integer(s->config->width));
    json_object_set_new(root, "prefix_projection", json_false());
}

static rt_status save_config(saver *s, const char *path) {
    static void (*const put[RT_PEFT_KIND_COUNT])(saver *, json_t *) = {
        put_lora, put_ia3, put_prefix, put_virtual_tokens};
    json_t *root = json_object();
    json_object_set_new(root, "peft_type", json_string(rt_peft_kind_text(s->kind)));
    json_object_set_new(root, "task_type", json_string("SEQ_CLS"));
    json_object_set_new(root, "base_model_name_or_path", json_string(s->facts->base));
    json_object_set_new(root, "inference_mode", json_true());
    put_saved_modules(s, root);
    put[s->kind](s, root);
    rt_writer writer;
    rt_status status = rt_writer_open(&writer, path, s->error);
    if (status == RT_OK) {
        rt_json_writer json = {.out = &writer, .is_pretty = true};
        rt_json_put_value(&json, NULL, root);
        status = rt_writer_commit(&writer, s->error);
    }
    json_decref(root);
    return status;
}

/* ---- the whole */

static rt_status check(saver *s) {
    const char *stranger;
    s->kind = rt_peft_kind_of_module(s->module, &s->own, &stranger);
    if (stranger) return rt_fail(s->error, RT_UNSUPPORTED, "PEFT has no form for '%s'", stranger);
    if (s->kind == RT_PEFT_KIND_COUNT)
        return rt_fail(s->error, RT_INVALID_ARGUMENT,
                       "the method adds nothing to the model: the trained model is the whole");
    if (s->kind == RT_PEFT_PROMPT && !s->facts->is_prompt_first)
        return rt_fail(s->error, RT_UNSUPPORTED,
                       "PEFT's prompts stand before a row's first token; 'place' is second");
    if (s->kind != RT_PEFT_PREFIX) return RT_OK;
    int64_t count = size_of(s, first_added(s), 0), columns = size_of(s, first_added(s), 1);
    if (columns != 2 * s->config->layers * s->config->width)
        return rt_fail(s->error, RT_UNSUPPORTED, "PEFT's prefixes are in all layers");
    if (s->facts->position_offset == count) return RT_OK;
    return rt_fail(s->error, RT_UNSUPPORTED,
                   "PEFT counts positions behind a prefix from %lld, but 'position_offset' is %lld",
                   (long long)count, (long long)s->facts->position_offset);
}

static rt_status save_all(saver *s, const char *folder) {
    const char *config = rt_arena_format(s->arena, "%s/" RT_PEFT_CONFIG, folder);
    const char *weights = rt_arena_format(s->arena, "%s/" RT_PEFT_WEIGHTS, folder);
    if (!config || !weights) return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(rt_folder_create(folder, s->error));
    RT_TRY(save_config(s, config));
    return save_weights(s, weights);
}

rt_status rt_peft_save(const rt_module *module, const rt_model_config *config,
                       const rt_peft_facts *facts, const char *folder, rt_error *error) {
    rt_arena arena = {0};
    saver s = {.module = module, .config = config, .facts = facts, .arena = &arena, .error = error};
    const char *temporary = rt_arena_format(&arena, "%s.tmp", folder);
    rt_status status = rt_source_values_open(module, &arena, &s.values, error);
    if (status == RT_OK &&
        (!temporary || !rt_model_list_parameters(config, RT_PART_HEAD, &arena, &s.own)))
        status = rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    if (status == RT_OK) status = check(&s);
    if (status == RT_OK) status = rt_folder_delete(temporary, error);
    if (status == RT_OK) status = save_all(&s, temporary);
    if (status == RT_OK)
        status = rt_folder_replace(temporary, folder, error);
    else if (temporary)
        (void)rt_folder_delete(temporary, NULL);
    rt_source_values_close(&s.values);
    rt_arena_deinit(&arena);
    return status;
}
