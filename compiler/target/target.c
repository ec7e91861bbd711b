// SPDX-License-Identifier: Apache-2.0
/* Rows of targets.def, and the machine that runs the compiler. */
#include "compiler/target/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/check.h"

static const rt_target targets[] = {
#define TARGET(...) {__VA_ARGS__},
#include "compiler/target/targets.def"
#undef TARGET
};

static void initialize(void) {
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
}

void rt_target_initialize(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, initialize);
}

size_t rt_target_count(void) {
    return RT_COUNT_OF(targets);
}

const rt_target *rt_target_at(size_t index) {
    return index < RT_COUNT_OF(targets) ? &targets[index] : NULL;
}

/* Whether "+name" stands in LLVM's comma-separated list. */
static bool has_feature(const char *features, const char *name) {
    size_t length = strlen(name);
    for (const char *at = features; (at = strchr(at, '+')) != NULL; ++at) {
        if (!strncmp(at + 1, name, length) && (at[1 + length] == ',' || !at[1 + length]))
            return true;
    }
    return false;
}

bool rt_target_is(const rt_target *target, const char *architecture) {
    return !strncmp(target->triple, architecture, strlen(architecture));
}

const char *rt_target_listing(rt_arena *arena) {
    const char *text =
        rt_arena_format(arena, "%-25s %s\n", "host", "the machine that Retort runs on");
    for (size_t i = 0; i < RT_COUNT_OF(targets) && text; ++i)
        text = rt_arena_format(arena, "%s%-25s %s\n", text, targets[i].name, targets[i].line);
    return text;
}

bool rt_target_has_feature(const rt_target *target, const char *name) {
    return has_feature(target->features, name);
}

static unsigned cache_bytes(int name, unsigned otherwise) {
    long bytes = sysconf(name);
    return bytes > 0 && bytes < (1 << 30) ? (unsigned)bytes : otherwise;
}

/* A copy in `arena` of a string that LLVM gave away. */
static const char *keep(rt_arena *arena, char *message) {
    const char *copy = rt_arena_copy_string(arena, message);
    LLVMDisposeMessage(message);
    return copy;
}

static rt_status detect_host(rt_target *target, rt_arena *arena, rt_error *error) {
    char *triple = LLVMGetDefaultTargetTriple();
    *target = (rt_target){
        .name = "host",
        .triple = keep(arena, LLVMNormalizeTargetTriple(triple)),
        .cpu = keep(arena, LLVMGetHostCPUName()),
        .features = keep(arena, LLVMGetHostCPUFeatures()),
        .l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32768),
        .l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 262144),
    };
    LLVMDisposeMessage(triple);
    if (rt_arena_failed(arena)) {
        return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to describe the host");
    }
    bool is_wide = has_feature(target->features, "avx512f") &&
                   has_feature(target->features, "avx512bw") &&
                   has_feature(target->features, "avx512vl");
    bool is_arm = rt_target_is(target, "aarch64");
    target->vector_bytes = is_wide ? 64 : has_feature(target->features, "avx2") ? 32 : 16;
    target->has_fma = is_arm || has_feature(target->features, "fma");
    target->has_masked_memory = is_wide;
    target->has_half = is_arm || has_feature(target->features, "f16c");
    target->pointer_bytes = sizeof(void *);
    target->format = RT_OBJECT_ELF;
    target->is_position_independent = true;
    target->has_wide_division = true;
    target->device = is_arm ? "aarch64" : "x86_64";
    target->line = "";
    return RT_OK;
}

rt_status rt_target_find(const char *name, rt_target *target, rt_arena *arena, rt_error *error) {
    if (!name || !strcmp(name, "host")) return detect_host(target, arena, error);
    for (size_t i = 0; i < RT_COUNT_OF(targets); ++i) {
        if (!strcmp(targets[i].name, name)) {
            *target = targets[i];
            return RT_OK;
        }
    }
    const char *names = "host";
    for (size_t i = 0; i < RT_COUNT_OF(targets) && names; ++i)
        names = rt_arena_format(arena, "%s, %s", names, targets[i].name);
    return rt_fail(error, RT_NOT_FOUND, "no target '%s': there are %s", name,
                   names ? names : "others");
}
