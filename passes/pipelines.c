// SPDX-License-Identifier: Apache-2.0
#include "passes/pipelines.h"

#include <string.h>

#include "runtime/base/check.h"

static const rt_pass inference[] = {
    RT_PASS_raise,    RT_PASS_simplify, RT_PASS_narrow, RT_PASS_prune,  RT_PASS_fold,
    RT_PASS_quantize, RT_PASS_panels,   RT_PASS_hoist,  RT_PASS_expand,
};

static const rt_pass training[] = {
    RT_PASS_simplify, RT_PASS_adapt,    RT_PASS_imitate,       RT_PASS_distil, RT_PASS_narrow,
    RT_PASS_decode,   RT_PASS_unfreeze, RT_PASS_differentiate, RT_PASS_update, RT_PASS_prune,
    RT_PASS_fold,     RT_PASS_panels,   RT_PASS_hoist,         RT_PASS_expand,
};

static const rt_pipeline pipelines[] = {
    {"inference", "A model as it is, forward only.", inference, RT_COUNT_OF(inference)},
    {"training", "A model and its losses into steps and updates.", training, RT_COUNT_OF(training)},
};

size_t rt_pipeline_count(void) {
    return RT_COUNT_OF(pipelines);
}

const rt_pipeline *rt_pipeline_at(size_t index) {
    RT_ASSERT(index < RT_COUNT_OF(pipelines));
    return &pipelines[index];
}

const rt_pipeline *rt_pipeline_find(const char *name) {
    for (size_t i = 0; i < RT_COUNT_OF(pipelines); ++i) {
        if (strcmp(pipelines[i].name, name) == 0) return &pipelines[i];
    }
    return NULL;
}

const char *rt_pipeline_names(rt_arena *arena) {
    const char *names = "";
    for (size_t i = 0; i < RT_COUNT_OF(pipelines) && names; ++i) {
        names = rt_arena_format(arena, "%s%s%s", names, i ? ", " : "", pipelines[i].name);
    }
    return names ? names : "";
}

const char *rt_pass_listing(rt_arena *arena) {
    const char *text = "";
    for (int i = 0; i < RT_PASS_COUNT && text; ++i) {
        const rt_pass_info *info = rt_pass_describe((rt_pass)i);
        text = rt_arena_format(arena, "%s%-14s %s\n", text, info->text, info->line);
    }
    for (size_t i = 0; i < RT_COUNT_OF(pipelines) && text; ++i) {
        text = rt_arena_format(arena, "%s\n%-14s %s\n              ", text, pipelines[i].name,
                               pipelines[i].line);
        for (size_t p = 0; p < pipelines[i].count && text; ++p) {
            text = rt_arena_format(arena, "%s %s", text,
                                   rt_pass_describe(pipelines[i].passes[p])->text);
        }
        if (text) text = rt_arena_format(arena, "%s\n", text);
    }
    return text;
}
