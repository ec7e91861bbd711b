// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/cpu.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static uint32_t cores_of_affinity(void) {
    /* The kernel refuses a mask shorter than its own, whose length it does not tell. */
    for (int cores = CPU_SETSIZE; cores <= CPU_SETSIZE << 10; cores *= 2) {
        cpu_set_t *mask = CPU_ALLOC((size_t)cores);
        if (!mask) return 1;
        size_t size = CPU_ALLOC_SIZE((size_t)cores);
        int count = sched_getaffinity(0, size, mask) == 0 ? CPU_COUNT_S(size, mask) : 0;
        CPU_FREE(mask);
        if (count > 0) return (uint32_t)count;
    }
    return 1;
}

uint32_t rt_cpu_usable_cores(void) {
    uint32_t cores = cores_of_affinity();
    double quota = rt_cpu_quota("");
    /* A part of a core is one for a thread: rounded up. */
    return quota > 0 && quota <= cores - 1 ? (uint32_t)ceil(quota) : cores;
}

/* Copies what follows "<key>" and ':' in a file of such lines, without the spaces around it. */
static bool read_line_of(const char *path, const char *key, char *text, size_t size) {
    FILE *file = fopen(path, "re");
    if (!file) return false;
    char line[512];
    bool is_found = false;
    while (!is_found && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, key, strlen(key))) continue;
        char *value = colon + 1 + strspn(colon + 1, " \t");
        size_t length = strcspn(value, "\n");
        while (length > 0 && value[length - 1] == ' ') --length;
        snprintf(text, size, "%.*s", (int)length, value);
        is_found = true;
    }
    fclose(file);
    return is_found;
}

void rt_cpu_name(char *name, size_t size) {
    struct utsname facts;
    if (read_line_of("/proc/cpuinfo", "model name", name, size) && *name) return;
    snprintf(name, size, "%s", uname(&facts) == 0 ? facts.machine : "unknown");
}

#if defined(__x86_64__)
/* The features that vectorised code of ours uses. */
// clang-format off
#define FEATURES(FEATURE)                                                                          \
    FEATURE("sse4.1") FEATURE("sse4.2") FEATURE("avx") FEATURE("avx2") FEATURE("fma")              \
    FEATURE("bmi") FEATURE("bmi2") FEATURE("avx512f") FEATURE("avx512bw") FEATURE("avx512cd")      \
    FEATURE("avx512dq") FEATURE("avx512vl") FEATURE("avx512vnni") FEATURE("avx512bf16")
// clang-format on

static bool has_feature(const char *name, size_t length) {
#define FEATURE(text)                                              \
    if (strlen(text) == length && memcmp(text, name, length) == 0) \
        return __builtin_cpu_supports(text) != 0;
    FEATURES(FEATURE)
#undef FEATURE
    return true;
}
#else
static bool has_feature(const char *name, size_t length) {
    (void)name, (void)length;
    return true;
}
#endif

bool rt_cpu_supports(const char *features, char *missing, size_t size) {
    for (const char *next = features; *next;) {
        size_t length = strcspn(next, ",");
        bool is_wanted = *next != '-';
        size_t sign = *next == '+' || *next == '-';
        if (is_wanted && length > sign && !has_feature(next + sign, length - sign)) {
            snprintf(missing, size, "%.*s", (int)(length - sign), next + sign);
            return false;
        }
        next += length + (next[length] == ',');
    }
    return true;
}

bool rt_cpu_request_tiles(void) {
#if defined(__x86_64__) && defined(SYS_arch_prctl)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM; state component */
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
    return false;
#endif
}

uint64_t rt_memory_peak_bytes(void) {
    char text[64];
    if (read_line_of("/proc/self/status", "VmHWM", text, sizeof text))
        return strtoull(text, NULL, 10) * 1024;
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

uint64_t rt_memory_resident_bytes(void) {
    char text[64];
    return read_line_of("/proc/self/status", "VmRSS", text, sizeof text)
               ? strtoull(text, NULL, 10) * 1024
               : 0;
}

bool rt_memory_peak_reset(void) {
    int descriptor = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    bool is_reset = write(descriptor, "5", 1) == 1; /* 5: the peak alone (proc(5)) */
    close(descriptor);
    return is_reset;
}
