// SPDX-License-Identifier: Apache-2.0
#include "compiler/optimizations.h"

#include <string.h>

static const struct {
    const char *text, *line;
} rows[] = {
#define OPTIMIZATION(id, text, line) {text, line},
#include "compiler/optimizations.def"
};

static const char all_names[] =
#define OPTIMIZATION(id, text, line) ", " text
#include "compiler/optimizations.def"
    ;

_Static_assert(RT_OPTIMIZATION_COUNT <= 63, "a set is one word");

const char *rt_optimization_text(rt_optimization which) {
    return rows[which].text;
}

/* The bits of one name; 0 where there is none such. */
static uint64_t bits_of(const char *name, size_t length) {
    if (length == 3 && memcmp(name, "all", 3) == 0)
        return (UINT64_C(1) << RT_OPTIMIZATION_COUNT) - 1;
    for (int i = 0; i < RT_OPTIMIZATION_COUNT; ++i)
        if (strlen(rows[i].text) == length && memcmp(rows[i].text, name, length) == 0)
            return UINT64_C(1) << i;
    return 0;
}

rt_status rt_optimizations_leave_out(rt_optimizations *set, const char *names, rt_error *error) {
    uint64_t left_out = set->left_out;
    for (;;) {
        size_t length = strcspn(names, ",");
        uint64_t bits = bits_of(names, length);
        if (!bits)
            return rt_fail(error, RT_INVALID_ARGUMENT,
                           "there is no optimisation '%.*s'; there are all%s", (int)length, names,
                           all_names);
        left_out |= bits;
        if (!names[length]) break;
        names += length + 1;
    }
    set->left_out = left_out;
    return RT_OK;
}

void rt_optimizations_choose_passes(rt_optimizations set, rt_pass_manager *manager) {
    rt_pass pass;
    for (int i = 0; i < RT_OPTIMIZATION_COUNT; ++i)
        if (rt_pass_from_text(rows[i].text, strlen(rows[i].text), &pass))
            manager->skips[pass] = !rt_optimizes(set, (rt_optimization)i);
}

const char *rt_optimization_listing(rt_arena *arena) {
    const char *text = "";
    for (int i = 0; text && i < RT_OPTIMIZATION_COUNT; ++i)
        text = rt_arena_format(arena, "%s%-16s %s\n", text, rows[i].text, rows[i].line);
    return text;
}
