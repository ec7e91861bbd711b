// SPDX-License-Identifier: Apache-2.0
/* A model as a Hugging Face folder, its weights read from wherever their sources are. */
#include <stdlib.h>
#include <string.h>

#include "models/huggingface.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"

typedef struct saver {
    const rt_module *module;
    rt_arena *arena;
    rt_error *error;
    rt_mapped_file *files; /* by file of the module; mapped when first needed */
} saver;

static rt_status source_bytes(saver *s, const rt_parameter_info *info, const uint8_t **bytes) {
    const rt_source *source = &info->source;
    rt_mapped_file *file = &s->files[source->file];
    const char *path = rt_module_file_path(s->module, source->file);
    if (info->initial != RT_INITIAL_SOURCE)
        return rt_fail(s->error, RT_INVALID_ARGUMENT, "'%s' has no values to be saved", info->name);
    if (!file->data) RT_TRY(rt_file_map(path, file, s->error));
    if (source->offset > file->size || source->size_bytes > file->size - source->offset)
        return rt_fail(s->error, RT_INVALID_DATA, "%s: '%s' lies outside the file", path,
                       source->tensor_name);
    *bytes = file->data + source->offset;
    return RT_OK;
}

/* The values in f32 and in the parameter's own layout: the file's bytes, or a copy. */
static rt_status parameter_values(saver *s, const rt_parameter_info *info,
                                  const rt_model_parameter *p, rt_safetensor *tensor) {
    const uint8_t *bytes = NULL;
    RT_TRY(source_bytes(s, info, &bytes));
    const rt_source *source = &info->source;
    size_t count = (size_t)(p->dims[0] * p->dims[1]);
    if (source->size_bytes != count * rt_dtype_bytes(source->dtype))
        return rt_fail(s->error, RT_INVALID_DATA, "'%s' has %llu bytes, not %zu numbers",
                       source->tensor_name, (unsigned long long)source->size_bytes, count);
    *tensor = (rt_safetensor){.name = p->name,
                              .dtype = RT_F32,
                              .rank = p->rank,
                              .size_bytes = count * sizeof(float),
                              .data = bytes};
    tensor->dims[0] = p->dims[0];
    if (p->rank == 2) tensor->dims[1] = p->dims[1];
    bool is_transposed = source->transform == RT_TRANSFORM_TRANSPOSE;
    if (!is_transposed && source->dtype == RT_F32) return RT_OK;
    float *values = RT_NEW_ARRAY(s->arena, float, count);
    if (!values) return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    size_t rows = (size_t)p->dims[0], columns = (size_t)p->dims[1];
    for (size_t row = 0; row < rows; ++row) {
        for (size_t column = 0; column < columns; ++column) {
            size_t from = is_transposed ? column * rows + row : row * columns + column;
            values[row * columns + column] =
                (float)rt_element_as_double(source->dtype, bytes, from);
        }
    }
    tensor->data = values;
    return RT_OK;
}

static rt_status save_weights(saver *s, const rt_model_config *config, rt_model_parts parts,
                              const char *path) {
    static const char *const metadata[] = {"format", "pt"};
    rt_model_parameters list;
    if (!rt_model_list_parameters(config, parts, s->arena, &list))
        return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    rt_safetensor *tensors = RT_NEW_ARRAY(s->arena, rt_safetensor, list.count);
    if (!tensors) return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < list.count; ++i) {
        rt_parameter parameter = rt_module_find_parameter(s->module, list.items[i].name);
        if (!rt_parameter_is(parameter))
            return rt_fail(s->error, RT_INVALID_ARGUMENT, "the model has no parameter '%s'",
                           list.items[i].name);
        RT_TRY(parameter_values(s, rt_module_parameter(s->module, parameter), &list.items[i],
                                &tensors[i]));
    }
    return rt_safetensors_write(path, tensors, list.count, metadata, 1, s->error);
}

/* Nothing where `from` is NULL. */
static rt_status save_copy(saver *s, const char *folder, const char *name, const char *from) {
    rt_mapped_file file = {0};
    if (!from) return RT_OK;
    const char *path = rt_arena_format(s->arena, "%s/%s", folder, name);
    if (!path) return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(rt_file_map(from, &file, s->error));
    rt_status status = rt_file_replace(path, file.data, file.size, s->error);
    rt_file_unmap(&file);
    return status;
}

static rt_status save_all(saver *s, const rt_model_config *config, rt_model_parts parts,
                          const rt_saved_model *from, const char *folder) {
    const char *path = rt_arena_format(s->arena, "%s/config.json", folder);
    const char *weights = rt_arena_format(s->arena, "%s/model.safetensors", folder);
    const char *text = rt_model_config_text(config, s->arena);
    if (!path || !weights || !text) return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(rt_folder_create(folder, s->error));
    RT_TRY(rt_file_replace(path, text, strlen(text), s->error));
    RT_TRY(save_copy(s, folder, "vocab.txt", from->vocabulary));
    RT_TRY(save_copy(s, folder, "tokenizer_config.json", from->tokenizer_config));
    return save_weights(s, config, parts, weights);
}

rt_status rt_model_save(const rt_module *module, const rt_model_config *config,
                        rt_model_parts parts, const rt_saved_model *from, const char *folder,
                        rt_error *error) {
    rt_arena arena = {0};
    saver s = {.module = module, .arena = &arena, .error = error};
    s.files = RT_NEW_ARRAY(&arena, rt_mapped_file, rt_module_file_count(module));
    const char *temporary = rt_arena_format(&arena, "%s.tmp", folder);
    rt_status status = s.files && temporary ? rt_folder_delete(temporary, error)
                                            : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    if (status == RT_OK) status = save_all(&s, config, parts, from, temporary);
    if (status == RT_OK)
        status = rt_folder_replace(temporary, folder, error);
    else if (temporary)
        (void)rt_folder_delete(temporary, NULL);
    for (size_t i = 0; s.files && i < rt_module_file_count(module); ++i) rt_file_unmap(&s.files[i]);
    rt_arena_deinit(&arena);
    return status;
}
