// SPDX-License-Identifier: Apache-2.0
/* A model as a Hugging Face folder, its weights read from wherever their sources are. */
#include <stdlib.h>
#include <string.h>

#include "models/huggingface.h"
#include "models/source_values.h"
#include "runtime/base/check.h"
#include "runtime/base/file.h"
#include "runtime/base/safetensors.h"

typedef struct saver {
    rt_source_values values;
    rt_arena *arena;
    rt_error *error;
} saver;

static rt_status save_weights(saver *s, const rt_model_config *config, rt_model_parts parts,
                              const char *path) {
    static const char *const metadata[] = {"format", "pt"};
    rt_model_parameters list;
    if (!rt_model_list_parameters(config, parts, s->arena, &list))
        return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    rt_safetensor *tensors = RT_NEW_ARRAY(s->arena, rt_safetensor, list.count);
    if (!tensors) return rt_fail(s->error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t i = 0; i < list.count; ++i) {
        const rt_model_parameter *p = &list.items[i];
        size_t count = (size_t)(p->dims[0] * p->dims[1]);
        tensors[i] = (rt_safetensor){.name = p->name,
                                     .dtype = RT_F32,
                                     .rank = p->rank,
                                     .dims = {p->dims[0], p->rank == 2 ? p->dims[1] : 0},
                                     .size_bytes = count * sizeof(float)};
        RT_TRY(rt_source_values_find(&s->values, p->name, count, &tensors[i].data, s->error));
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
    saver s = {.arena = &arena, .error = error};
    const char *temporary = rt_arena_format(&arena, "%s.tmp", folder);
    rt_status status = rt_source_values_open(module, &arena, &s.values, error);
    if (status == RT_OK)
        status = temporary ? rt_folder_delete(temporary, error)
                           : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    if (status == RT_OK) status = save_all(&s, config, parts, from, temporary);
    if (status == RT_OK)
        status = rt_folder_replace(temporary, folder, error);
    else if (temporary)
        (void)rt_folder_delete(temporary, NULL);
    rt_source_values_close(&s.values);
    rt_arena_deinit(&arena);
    return status;
}
