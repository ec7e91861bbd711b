// SPDX-License-Identifier: Apache-2.0
/* The steps of integer products on machines that this one may not be: which instruction each takes,
 * and what comes out where an emulator is at hand. */
#include "compiler/kernels/product_dot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/codegen/object.h"
#include "compiler/kernels/product_tile.h"
#include "runtime/base/file.h"
#include "tests/support/test.h"

typedef struct machine {
    rt_target target;
    rt_dtype dtype; /* of activations */
    rt_dot dot;
    const char *instruction;
} machine;

#define MACHINE(triple, cpu, features, bytes, dtype, dot, instruction)                    \
    {                                                                                     \
        {.name = cpu, triple, cpu, features, .vector_bytes = bytes}, dtype, RT_DOT_##dot, \
            instruction                                                                   \
    }
static const char linux86[] = "x86_64-unknown-linux-gnu", arm[] = "aarch64-unknown-linux-gnu";
static const machine machines[] = {
    MACHINE(linux86, "x86-64-v2", "", 16, RT_I16, pmaddwd, "pmaddwd"),
    MACHINE(linux86, "x86-64-v3", "", 32, RT_I16, pmaddwd, "vpmaddwd"),
    MACHINE(linux86, "x86-64-v3", "+avxvnni", 32, RT_U8, vpdpbusd, "vpdpbusd"),
    MACHINE(linux86, "x86-64-v4", "", 64, RT_I16, pmaddwd, "vpmaddwd"),
    MACHINE(linux86, "x86-64-v4", "+avx512vnni", 64, RT_U8, vpdpbusd, "vpdpbusd"),
    MACHINE(arm, "generic", "+neon", 16, RT_I16, multiply, "mla"),
    MACHINE(arm, "generic", "+neon,+dotprod", 16, RT_I8, sdot, "sdot"),
    MACHINE("wasm32-unknown-unknown", "generic", "+simd128", 16, RT_I16, wasm_dot,
            "i32x4.dot_i16x8_s"),
    MACHINE("riscv64-unknown-linux-gnu", "generic-rv64", "+m,+f,+d", 4, RT_I16, multiply, "mul"),
};
enum { MACHINES = sizeof machines / sizeof *machines };

/* void dot(const void *a, const void *b, void *sums): one step of one vector. */
static LLVMModuleRef emit_dot(const machine *m) {
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("dot", LLVMContextCreate());
    rt_emitter emitter, *e = &emitter;
    rt_emitter_init(e, module, &m->target);
    const rt_tile_shape *shape = rt_tile_shape_of_integers(e);
    CU_ASSERT_EQUAL(shape->dtype, m->dtype);
    CU_ASSERT_EQUAL(shape->dot, m->dot);
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->pointer};
    LLVMValueRef f = rt_emit_function_begin(e, "dot", LLVMFunctionType(e->none, types, 3, false));
    LLVMValueRef zero = rt_emit_i64(e, 0), sums = LLVMGetParam(f, 2);
    unsigned lanes = rt_tile_lanes(e), bytes = lanes * rt_dot_group(shape->dtype);
    LLVMValueRef a = rt_emit_load(e, RT_I32, LLVMGetParam(f, 0), zero, 1, NULL);
    LLVMValueRef b = rt_emit_load(e, RT_I8, LLVMGetParam(f, 1), zero, bytes, NULL);
    LLVMValueRef sum = rt_emit_load(e, RT_I32, sums, zero, lanes, NULL);
    b = rt_emit_dot_operand(e, shape->dot, b);
    sum = rt_emit_dot(e, shape->dot, shape->dtype, a, b, sum);
    rt_emit_store(e, RT_I32, sum, sums, zero, NULL);
    LLVMBuildRetVoid(e->builder);
    rt_emitter_deinit(e);
    return module;
}

static void drop(LLVMModuleRef module) {
    LLVMContextRef context = LLVMGetModuleContext(module);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
}

static void test_instructions(void) {
    rt_target_initialize();
    for (size_t i = 0; i < MACHINES; ++i) {
        LLVMMemoryBufferRef text;
        rt_error error;
        LLVMModuleRef module = emit_dot(&machines[i]);
        CU_ASSERT_EQUAL_FATAL(rt_assembly_emit(module, &machines[i].target, &text, &error), RT_OK);
        bool is_there = strstr(LLVMGetBufferStart(text), machines[i].instruction) != NULL;
        if (!is_there) printf("%s", LLVMGetBufferStart(text));
        CU_ASSERT_TRUE(is_there);
        CU_ASSERT_PTR_NULL(strstr(LLVMGetBufferStart(text), "maddubs")); /* it saturates */
        LLVMDisposeMemoryBuffer(text);
        drop(module);
    }
}

/* The largest numbers of either sign, which 16 bits would not hold. */
static const char harness[] =
    "#include <stdint.h>\n#include <stdio.h>\n"
    "void dot(const void *a, const void *b, void *sums);\n"
    "int main(void) {\n"
    "    int8_t a[4] = {-128, 127, -128, 127}, b[16]; int32_t sums[4];\n"
    "    for (int i = 0; i < 16; ++i) b[i] = (int8_t)(i % 3 ? -128 + i : 127 - i);\n"
    "    for (int i = 0; i < 4; ++i) sums[i] = 1000000 * i;\n"
    "    dot(a, b, sums);\n"
    "    for (int i = 0; i < 4; ++i) {\n"
    "        int32_t want = 1000000 * i;\n"
    "        for (int k = 0; k < 4; ++k) want += a[k] * b[4 * i + k];\n"
    "        if (sums[i] != want) return printf(\"%d, not %d\\n\", sums[i], want), 1;\n"
    "    }\n"
    "    return 0;\n"
    "}\n";

static void test_sdot_under_emulation(void) {
    char command[512];
    rt_error error;
    LLVMMemoryBufferRef object;
    if (system("which aarch64-linux-gnu-gcc qemu-aarch64 >/dev/null 2>&1") != 0) {
        test_skip("no aarch64-linux-gnu-gcc or qemu-aarch64");
        return;
    }
    const machine *m = &machines[6];
    CU_ASSERT_EQUAL_FATAL(m->dot, RT_DOT_sdot);
    rt_target_initialize();
    LLVMModuleRef module = emit_dot(m);
    CU_ASSERT_EQUAL_FATAL(rt_object_emit(module, &m->target, &object, &error), RT_OK);
    snprintf(command, sizeof command, "%s/dot.o", test_folder());
    CU_ASSERT_EQUAL_FATAL(
        rt_file_replace(command, LLVMGetBufferStart(object), LLVMGetBufferSize(object), &error),
        RT_OK);
    snprintf(command, sizeof command, "%s/main.c", test_folder());
    CU_ASSERT_EQUAL_FATAL(rt_file_replace(command, harness, sizeof harness - 1, &error), RT_OK);
    snprintf(command, sizeof command,
             "cd %s && aarch64-linux-gnu-gcc -static main.c dot.o -o dot && qemu-aarch64 ./dot",
             test_folder());
    CU_ASSERT_EQUAL(system(command), 0);
    LLVMDisposeMemoryBuffer(object);
    drop(module);
}

TEST_MAIN("product_dot", TEST(test_instructions), TEST(test_sdot_under_emulation))
