// SPDX-License-Identifier: Apache-2.0
/* RETORT_DEVICE_FOLDER comes from CMake: where <name>.bc of each row lies when Retort is built. */
#include <string.h>

#include "compiler/codegen/device.h"
#include "runtime/base/check.h"

#define DEVICE_CLASS(name)                                          \
    __asm__(".section .rodata\n"                                    \
            "\t.balign 16\n"                                        \
            "rt_device_" #name ":\n"                                \
            "\t.incbin \"" RETORT_DEVICE_FOLDER "/" #name ".bc\"\n" \
            "rt_device_" #name "_end:\n"                            \
            "\t.text\n");                                           \
    extern const char rt_device_##name[], rt_device_##name##_end[];
#include "compiler/codegen/device_classes.def"
#undef DEVICE_CLASS

static const struct {
    const char *name, *begin, *end;
} classes[] = {
#define DEVICE_CLASS(name) {#name, rt_device_##name, rt_device_##name##_end},
#include "compiler/codegen/device_classes.def"
#undef DEVICE_CLASS
};

const void *rt_device_bitcode(const char *name, size_t *size_bytes) {
    for (size_t i = 0; i < RT_COUNT_OF(classes); ++i) {
        if (strcmp(classes[i].name, name) != 0) continue;
        *size_bytes = (size_t)(classes[i].end - classes[i].begin);
        return classes[i].begin;
    }
    return NULL;
}
