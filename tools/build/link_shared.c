// SPDX-License-Identifier: Apache-2.0
/* RETORT_LLD comes from CMake: LLVM's linker, for every object format. */
#include <string.h>

#include "tools/build/build.h"
#include "tools/run_program.h"

enum { MOST_ARGUMENTS = 32 };

typedef struct command {
    const char *arguments[MOST_ARGUMENTS];
    size_t count;
} command;

static void add(command *c, const char *argument) {
    if (c->count + 1 < MOST_ARGUMENTS) c->arguments[c->count++] = argument;
}

/* What differs by the object format: the linker's manner, the name of what it makes, how symbols
 * are kept. */
static const char *describe(build *b, command *c) {
    static const char *const functions[] = {"memory", "init", "run", "run_text"};
    const char *name = b->name;
    add(c, "-flavor");
    switch (b->target.format) {
    case RT_OBJECT_ELF:
        add(c, "gnu");
        add(c, "-shared");
        add(c, "--whole-archive");
        return build_path(b, "lib%s.so", name);
    case RT_OBJECT_MACHO:
        add(c, "darwin");
        add(c, "-dylib");
        add(c, "-arch");
        add(c, "arm64");
        add(c, "-platform_version");
        add(c, strstr(b->target.triple, "ios") ? "ios" : "macos");
        add(c, "13.0");
        add(c, "13.0");
        add(c, "-undefined");
        add(c, "dynamic_lookup");
        add(c, "-all_load");
        return build_path(b, "lib%s.dylib", name);
    case RT_OBJECT_WASM:
        add(c, "wasm");
        add(c, "--no-entry");
        add(c, "--strip-all");
        for (size_t i = 0; i < (b->device.text ? 4 : 3); ++i)
            add(c, rt_arena_format(&b->arena, "--export=%s_%s", name, functions[i]));
        add(c, "--export=__heap_base");
        add(c, "--export-table");
        return build_path(b, "%s.wasm", name);
    }
    return NULL;
}

rt_status build_link_shared(build *b) {
    command c = {{RETORT_LLD}, 1};
    int code = 0;
    const char *output = describe(b, &c), *archive = build_path(b, "lib%s.a", b->name);
    add(&c, archive);
    add(&c, "-o");
    add(&c, output);
    if (rt_arena_failed(&b->arena)) return rt_fail(b->error, RT_OUT_OF_MEMORY, "out of memory");
    RT_TRY(run_program(c.arguments, &code, b->error));
    if (code == 0) return RT_OK;
    return rt_fail(b->error, RT_IO, "%s: linking failed", output);
}
