// SPDX-License-Identifier: Apache-2.0
#include "passes/training/phases.h"

#include <stdio.h>

const char *rt_phase_graph_name(const char *base, size_t phase, size_t count, rt_arena *arena) {
    return phase == count ? base : rt_arena_format(arena, "%s.%zu", base, phase);
}

size_t rt_phase_count(const rt_module *module) {
    char name[32];
    size_t count = 0;
    do snprintf(name, sizeof name, "step.%zu", ++count);
    while (rt_module_find_graph(module, name));
    return count;
}
