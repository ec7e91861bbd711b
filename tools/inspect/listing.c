// SPDX-License-Identifier: Apache-2.0
/* What a model's parameters are, one by one and in sum. */
#include <stdio.h>
#include <string.h>

#include "tools/inspect/inspect.h"

static int64_t numbers_of(const rt_module *module, const rt_parameter_info *info) {
    int64_t elements;
    return rt_type_is_static(rt_module_dims(module), info->type, NULL, &elements) ? elements : 0;
}

/* "file offset 1024", "normal(0.02)". */
static const char *origin_text(const rt_module *module, const rt_parameter_info *info,
                               rt_arena *arena) {
    const char *path, *slash;
    if (info->kind == RT_PARAMETER_DERIVED) return "computed from weights";
    switch (info->initial) {
    case RT_INITIAL_ZEROS: return "zeros";
    case RT_INITIAL_CONSTANT: return rt_arena_format(arena, "constant(%g)", info->initial_value);
    case RT_INITIAL_NORMAL: return rt_arena_format(arena, "normal(%g)", info->initial_value);
    case RT_INITIAL_UNIFORM: return rt_arena_format(arena, "uniform(%g)", info->initial_value);
    case RT_INITIAL_SOURCE: break;
    }
    path = rt_module_file_path(module, info->source.file);
    slash = strrchr(path, '/');
    return rt_arena_format(arena, "%s at %llu%s%s", slash ? slash + 1 : path,
                           (unsigned long long)info->source.offset,
                           info->source.transform == RT_TRANSFORM_NONE ? "" : ", ",
                           rt_transform_text(info->source.transform));
}

static const char *state_text(const rt_parameter_info *info) {
    static const char *const kinds[] = {[RT_PARAMETER_GRADIENT] = "gradient",
                                        [RT_PARAMETER_STATE] = "state",
                                        [RT_PARAMETER_DERIVED] = "derived"};
    if (info->kind != RT_PARAMETER_WEIGHT) return kinds[info->kind];
    return info->is_trainable ? "trainable" : "frozen";
}

void inspect_parameters(model_file *m) {
    size_t count = rt_module_parameter_count(m->module);
    for (size_t i = 0; i < count; ++i) {
        const rt_parameter_info *info = rt_module_parameter(m->module, (rt_parameter){(uint32_t)i});
        const char *type = rt_type_text(rt_module_dims(m->module), info->type, &m->arena);
        const char *origin = origin_text(m->module, info, &m->arena);
        printf("%-58s %-18s %-9s %s\n", info->name, type ? type : "", state_text(info),
               origin ? origin : "");
    }
}

void inspect_trainable(model_file *m) {
    size_t count = rt_module_parameter_count(m->module);
    int64_t all = 0, trainable = 0;
    for (size_t i = 0; i < count; ++i) {
        const rt_parameter_info *info = rt_module_parameter(m->module, (rt_parameter){(uint32_t)i});
        if (info->kind != RT_PARAMETER_WEIGHT) continue;
        int64_t numbers = numbers_of(m->module, info);
        all += numbers;
        if (!info->is_trainable) continue;
        trainable += numbers;
        puts(info->name);
    }
    printf("trainable params: %lld || all params: %lld || trainable%%: %.4f\n",
           (long long)trainable, (long long)all, all ? 100 * (double)trainable / (double)all : 0.0);
}
