// SPDX-License-Identifier: Apache-2.0
#include "models/peft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/peft_internal.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"
#include "runtime/base/safetensors.h"
#include "runtime/base/same_model.h"

/* ---- kinds and names */

static const struct {
    const char *text, *prefix; /* of names */
    const char *method;        /* kind in a spec */
} kinds[RT_PEFT_KIND_COUNT] = {{"LORA", "base_model.model.", "lora"},
                               {"IA3", "base_model.model.", "ia3"},
                               {"PREFIX_TUNING", "base_model.", "prefix"},
                               {"PROMPT_TUNING", "base_model.", "prompt"}};

static const struct {
    const char *ending;
    rt_peft_kind kind;
} endings[] = {{".lora_A.weight", RT_PEFT_LORA},
               {".lora_B.weight", RT_PEFT_LORA},
               {".ia3_l", RT_PEFT_IA3},
               {"prompt_encoder.embedding.weight", RT_PEFT_PREFIX},
               {"prompt.embedding.weight", RT_PEFT_PROMPT}};

const char *rt_peft_type_of_method(const char *method) {
    for (size_t i = 0; i < RT_PEFT_KIND_COUNT; ++i)
        if (strcmp(kinds[i].method, method) == 0) return kinds[i].text;
    return NULL;
}

const char *rt_peft_kind_text(rt_peft_kind kind) {
    return kinds[kind].text;
}

rt_peft_kind rt_peft_kind_of(const char *name) {
    for (size_t i = 0; i < sizeof endings / sizeof *endings; ++i) {
        size_t length = strlen(name), size = strlen(endings[i].ending);
        if (length >= size && strcmp(name + length - size, endings[i].ending) == 0)
            return endings[i].kind;
    }
    return RT_PEFT_KIND_COUNT;
}

bool rt_peft_is_added(const rt_parameter_info *info, const rt_model_parameters *own) {
    if (info->kind != RT_PARAMETER_WEIGHT || strncmp(info->name, "teacher/", 8) == 0) return false;
    for (size_t i = 0; i < own->count; ++i)
        if (strcmp(own->items[i].name, info->name) == 0) return false;
    return true;
}

rt_peft_kind rt_peft_kind_of_module(const rt_module *module, const rt_model_parameters *own,
                                    const char **stranger) {
    rt_peft_kind kind = RT_PEFT_KIND_COUNT;
    *stranger = NULL;
    for (uint32_t i = 0; i < rt_module_parameter_count(module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(module, (rt_parameter){i});
        if (!rt_peft_is_added(info, own)) continue;
        kind = rt_peft_kind_of(info->name);
        if (kind != RT_PEFT_KIND_COUNT) continue;
        *stranger = info->name;
        return kind;
    }
    return kind;
}

const char *rt_peft_name(rt_peft_kind kind, const char *name, rt_arena *arena) {
    rt_peft_kind own = rt_peft_kind_of(name);
    if (own == RT_PEFT_PREFIX || own == RT_PEFT_PROMPT) return "prompt_embeddings";
    return rt_arena_format(arena, "%s%s", kinds[kind].prefix, name);
}

bool rt_peft_is_folder(const char *path) {
    char *config = rt_path_join(path, RT_PEFT_CONFIG);
    bool is_one = config && rt_file_exists(config);
    free(config);
    return is_one;
}

/* ---- loading */

typedef struct loader {
    rt_module *module;
    const rt_peft_facts *facts;
    const char *folder;
    rt_location location;
    rt_diagnostics *diagnostics;
    rt_arena *arena;
    rt_model_parameters own;
    rt_peft_kind kind;
    rt_safetensors file;
    bool *is_used; /* by tensor */
    uint32_t file_index;
} loader;

#define FAIL(l, ...) \
    rt_diagnose_error((l)->diagnostics, RT_INVALID_DATA, (l)->location, __VA_ARGS__)

static rt_status check_config(loader *l, const json_t *root) {
    rt_error error = {{0}};
    rt_json_fields fields = {.object = root, .where = RT_PEFT_CONFIG, .error = &error};
    const char *type = rt_json_string(&fields, "peft_type");
    double alpha = rt_json_number_or(&fields, "lora_alpha", 8);
    bool has_root_scale = rt_json_boolean_or(&fields, "use_rslora", false);
    bool has_projection = rt_json_boolean_or(&fields, "prefix_projection", false);
    if (fields.status != RT_OK) return FAIL(l, "%s/%s", l->folder, error.text);
    if (strcmp(type, kinds[l->kind].text) != 0)
        return FAIL(l, "%s holds an adaptation of type %s, but the method's is %s", l->folder, type,
                    kinds[l->kind].text);
    if (l->kind == RT_PEFT_LORA && (has_root_scale || fabs(alpha - l->facts->alpha) > 1e-9))
        return FAIL(l, "%s was trained with alpha %g%s, but 'alpha' is %g", l->folder, alpha,
                    has_root_scale ? " over the root of the rank" : "", l->facts->alpha);
    const char *base = json_string_value(json_object_get(root, "base_model_name_or_path"));
    rt_same_model is_same =
        base && *base && l->facts->base ? rt_model_is_same(base, l->facts->base) : RT_MODEL_SAME;
    if (is_same == RT_MODEL_OTHER)
        return FAIL(l,
                    "%s was trained on the base %s, but the model starts from %s, which has other "
                    "weights",
                    l->folder, base, l->facts->base);
    if (is_same == RT_MODEL_UNKNOWN)
        rt_diagnose(l->diagnostics, RT_WARNING, l->location,
                    "%s was trained on '%s'; the model starts from %s", l->folder, base,
                    l->facts->base);
    if (l->kind == RT_PEFT_PREFIX && has_projection)
        return FAIL(l, "%s: prefixes that come from a projection are not read", l->folder);
    return RT_OK;
}

static bool has_shape(const loader *l, const rt_safetensor *tensor, rt_type type) {
    int64_t sizes[RT_MAX_RANK], count;
    if (!rt_type_is_static(rt_module_dims(l->module), type, sizes, &count) ||
        tensor->rank != type.rank || !rt_dtype_is_float(tensor->dtype))
        return false;
    for (int i = 0; i < type.rank; ++i)
        if (tensor->dims[i] != sizes[i]) return false;
    return true;
}

static const char *dims_text(const loader *l, const rt_safetensor *tensor) {
    const char *text = "";
    for (int i = 0; i < tensor->rank && text; ++i)
        text =
            rt_arena_format(l->arena, "%s%s%lld", text, i ? "," : "", (long long)tensor->dims[i]);
    return text ? text : "";
}

static rt_status load_parameter(loader *l, rt_parameter parameter) {
    rt_parameter_info *info = rt_module_edit_parameter(l->module, parameter);
    const char *name = rt_peft_name(l->kind, info->name, l->arena);
    const rt_safetensor *tensor = name ? rt_safetensors_find(&l->file, name) : NULL;
    if (!name) return RT_OUT_OF_MEMORY;
    if (!tensor && !rt_peft_is_added(info, &l->own)) return RT_OK;
    if (!tensor) return FAIL(l, "%s has no '%s', which the method adds", l->folder, name);
    l->is_used[tensor - l->file.tensors] = true;
    if (!has_shape(l, tensor, info->type))
        return FAIL(l,
                    "%s: '%s' is [%s], but here it is %s: the folder is of another base, or of "
                    "other sizes",
                    l->folder, name, dims_text(l, tensor),
                    rt_type_text(rt_module_dims(l->module), info->type, l->arena));
    info->initial = RT_INITIAL_SOURCE;
    info->source = (rt_source){.file = l->file_index,
                               .offset = tensor->offset,
                               .size_bytes = tensor->size_bytes,
                               .dtype = tensor->dtype,
                               .transform = RT_TRANSFORM_NONE,
                               .tensor_name = rt_module_intern(l->module, tensor->name)};
    return RT_OK;
}

static rt_status load_all(loader *l) {
    const char *path = rt_arena_format(l->arena, "%s/" RT_PEFT_CONFIG, l->folder);
    const char *weights = rt_arena_format(l->arena, "%s/" RT_PEFT_WEIGHTS, l->folder);
    rt_error error = {{0}};
    json_t *root;
    if (!path || !weights) return RT_OUT_OF_MEMORY;
    if (rt_json_read(path, &root, &error) != RT_OK) return FAIL(l, "%s", error.text);
    rt_status status = check_config(l, root);
    json_decref(root);
    RT_TRY(status);
    if (rt_safetensors_open(weights, &l->file, &error) != RT_OK) return FAIL(l, "%s", error.text);
    l->is_used = RT_NEW_ARRAY(l->arena, bool, l->file.count + 1);
    l->file_index = rt_module_add_file(l->module, weights);
    if (!l->is_used) return RT_OUT_OF_MEMORY;
    for (uint32_t i = 0; i < rt_module_parameter_count(l->module); ++i) {
        const rt_parameter_info *info = rt_module_parameter(l->module, (rt_parameter){i});
        bool is_models = info->kind == RT_PARAMETER_WEIGHT && strncmp(info->name, "teacher/", 8);
        if (is_models) RT_TRY(load_parameter(l, (rt_parameter){i}));
    }
    for (size_t i = 0; i < l->file.count; ++i)
        if (!l->is_used[i])
            return FAIL(l, "%s adapts '%s', which the method here does not", l->folder,
                        l->file.tensors[i].name);
    return RT_OK;
}

rt_status rt_peft_load(rt_module *module, const rt_model_config *config, const rt_peft_facts *facts,
                       const char *folder, rt_location location, rt_diagnostics *diagnostics) {
    rt_arena arena = {0};
    loader l = {.module = module,
                .facts = facts,
                .folder = folder,
                .location = location,
                .diagnostics = diagnostics,
                .arena = &arena};
    const char *stranger = NULL;
    rt_status status = RT_OUT_OF_MEMORY;
    if (rt_model_list_parameters(config, RT_PART_HEAD, &arena, &l.own)) {
        l.kind = rt_peft_kind_of_module(module, &l.own, &stranger);
        status = l.kind == RT_PEFT_KIND_COUNT
                     ? FAIL(&l, "%s: the method adds nothing that a PEFT folder could hold", folder)
                     : load_all(&l);
    }
    rt_safetensors_close(&l.file);
    rt_arena_deinit(&arena);
    return status;
}
