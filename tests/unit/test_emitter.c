// SPDX-License-Identifier: Apache-2.0
/* Each test emits a small function, compiles it in memory for this machine and calls it. */
#include <llvm-c/LLJIT.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Target.h>
#include <math.h>
#include <string.h>

#include "compiler/codegen/emitter.h"
#include "tests/support/test.h"

typedef struct fixture {
    rt_arena arena;
    rt_target target;
    LLVMOrcThreadSafeContextRef context;
    LLVMModuleRef module;
    LLVMOrcLLJITRef jit;
    rt_emitter e;
    LLVMValueRef parameters[4];
} fixture;

/* Begins `void f(ptr, ptr, i64)`. */
static void begin(fixture *f) {
    *f = (fixture){0};
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    CU_ASSERT_EQUAL_FATAL(rt_target_find("host", &f->target, &f->arena, NULL), RT_OK);
    f->context = LLVMOrcCreateNewThreadSafeContext();
    f->module =
        LLVMModuleCreateWithNameInContext("test", LLVMOrcThreadSafeContextGetContext(f->context));
    rt_emitter_init(&f->e, f->module, &f->target);
    LLVMTypeRef types[] = {f->e.pointer, f->e.pointer, f->e.i64};
    LLVMValueRef function =
        rt_emit_function_begin(&f->e, "f", LLVMFunctionType(f->e.none, types, 3, false));
    for (unsigned i = 0; i < 3; ++i) f->parameters[i] = LLVMGetParam(function, i);
}

typedef void (*compiled)(const void *from, void *to, int64_t count);

static compiled finish(fixture *f) {
    char *message = NULL;
    LLVMBuildRetVoid(f->e.builder);
    rt_emitter_deinit(&f->e);
    CU_ASSERT_FALSE_FATAL(LLVMVerifyModule(f->module, LLVMReturnStatusAction, &message));
    LLVMDisposeMessage(message);
    CU_ASSERT_PTR_NULL_FATAL(LLVMOrcCreateLLJIT(&f->jit, NULL));
    LLVMOrcThreadSafeModuleRef module = LLVMOrcCreateNewThreadSafeModule(f->module, f->context);
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(f->jit);
    CU_ASSERT_PTR_NULL_FATAL(LLVMOrcLLJITAddLLVMIRModule(f->jit, library, module));
    LLVMOrcExecutorAddress address = 0;
    CU_ASSERT_PTR_NULL_FATAL(LLVMOrcLLJITLookup(f->jit, &address, "f"));
    compiled function;
    memcpy(&function, &address, sizeof function);
    return function;
}

static void end(fixture *f) {
    CU_ASSERT_PTR_NULL(LLVMOrcDisposeLLJIT(f->jit));
    LLVMOrcDisposeThreadSafeContext(f->context);
    rt_arena_deinit(&f->arena);
}

/* to[i] = from[i] * 2 + i for i < count, in vectors with a masked tail. */
static void test_loop_with_tail(void) {
    fixture f;
    begin(&f);
    rt_emitter *e = &f.e;
    unsigned lanes = rt_emit_target_lanes(e, 4);
    rt_loop loop =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), f.parameters[2], rt_emit_i64(e, lanes), "column");
    LLVMValueRef mask = rt_emit_tail_mask(e, loop.index, f.parameters[2], lanes);
    LLVMValueRef x = rt_emit_load(e, RT_F32, f.parameters[0], loop.index, lanes, mask);
    LLVMValueRef number = LLVMBuildAdd(e->builder, rt_emit_splat(e, loop.index, lanes),
                                       rt_emit_lane_numbers(e, e->i64, lanes), "");
    LLVMValueRef real = LLVMBuildSIToFP(e->builder, number, LLVMTypeOf(x), "");
    LLVMValueRef y = rt_emit_fma(e, x, rt_emit_real_like(e, x, 2), real);
    rt_emit_store(e, RT_F32, y, f.parameters[1], loop.index, mask);
    rt_emit_loop_end(e, &loop);
    compiled function = finish(&f);
    for (int count = 0; count < 70; ++count) {
        float from[80], to[80];
        for (int i = 0; i < 80; ++i) from[i] = (float)i / 4, to[i] = -1;
        function(from, to, count);
        for (int i = 0; i < 80; ++i)
            CU_ASSERT_EQUAL(to[i], i < count ? from[i] * 2 + (float)i : -1);
    }
    end(&f);
}

/* Four carried accumulators and every lane reduction; results behind a loop that may run 0 times.
 */
static void test_carried_and_reductions(void) {
    fixture f;
    begin(&f);
    rt_emitter *e = &f.e;
    LLVMTypeRef vector = rt_emit_vector_type(e, e->f32, 8);
    const double initial[] = {0, -1e30, 1e30, 1};
    LLVMValueRef carried[4];
    rt_loop loop =
        rt_emit_loop_begin(e, rt_emit_i64(e, 0), f.parameters[2], rt_emit_i64(e, 8), "i");
    for (int i = 0; i < 4; ++i) {
        carried[i] = rt_emit_loop_carry(e, &loop, rt_emit_real(e, vector, initial[i]));
    }
    LLVMValueRef x = rt_emit_load(e, RT_F32, f.parameters[0], loop.index, 8, NULL);
    for (int i = 0; i < 4; ++i) {
        rt_emit_loop_next(e, &loop, carried[i],
                          rt_emit_combine(e, carried[i], x, (rt_lane_reduction)i));
    }
    rt_emit_loop_end(e, &loop);
    for (int i = 0; i < 4; ++i) {
        LLVMValueRef result =
            rt_emit_reduce_lanes(e, rt_emit_loop_result(&loop, carried[i]), (rt_lane_reduction)i);
        rt_emit_store(e, RT_F32, result, f.parameters[1], rt_emit_i64(e, i), NULL);
    }
    compiled function = finish(&f);
    float from[16], to[4];
    for (int i = 0; i < 16; ++i) from[i] = i == 3 ? 2 : i == 9 ? -1 : i == 12 ? 4 : 1;
    function(from, to, 16);
    CU_ASSERT_EQUAL(to[0], 18);
    CU_ASSERT_EQUAL(to[1], 4);
    CU_ASSERT_EQUAL(to[2], -1);
    CU_ASSERT_EQUAL(to[3], -8);
    function(from, to, 0);
    CU_ASSERT_EQUAL(to[0], 0);
    CU_ASSERT_EQUAL(to[3], 1);
    end(&f);
}

/* Largest and smallest of numbers with a NaN anywhere are NaN. */
static void test_nan_stays(void) {
    fixture f;
    begin(&f);
    rt_emitter *e = &f.e;
    LLVMValueRef zero = rt_emit_i64(e, 0);
    LLVMValueRef x = rt_emit_load(e, RT_F32, f.parameters[0], zero, 8, NULL);
    LLVMValueRef most = rt_emit_reduce_lanes(e, x, RT_LANES_MAX);
    LLVMValueRef least = rt_emit_reduce_lanes(e, x, RT_LANES_MIN);
    rt_emit_store(e, RT_F32, most, f.parameters[1], zero, NULL);
    rt_emit_store(e, RT_F32, least, f.parameters[1], rt_emit_i64(e, 1), NULL);
    compiled function = finish(&f);
    for (int at = 0; at <= 8; ++at) {
        float from[9] = {3, -1, 4, 1, -5, 9, 2, 6, 0}, to[2];
        from[at] = NAN;
        function(from, to, 0);
        CU_ASSERT_EQUAL(isnan(to[0]) != 0, at < 8);
        CU_ASSERT_EQUAL(isnan(to[1]) != 0, at < 8);
    }
    end(&f);
}

static uint16_t bf16_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if (value != value) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* bf16 rounds to nearest even, keeps NaN, and widens exactly; halves (f16) too. */
static void test_narrow_floats(void) {
    fixture f;
    begin(&f);
    rt_emitter *e = &f.e;
    LLVMValueRef zero = rt_emit_i64(e, 0);
    LLVMValueRef x = rt_emit_load(e, RT_F32, f.parameters[0], zero, 8, NULL);
    rt_emit_store(e, RT_BF16, x, f.parameters[1], zero, NULL);
    LLVMValueRef wide = rt_emit_load(e, RT_BF16, f.parameters[1], zero, 8, NULL);
    LLVMValueRef behind = rt_emit_address(e, f.parameters[1], rt_emit_i64(e, 16), 1);
    rt_emit_store(e, RT_F32, wide, behind, zero, NULL);
    LLVMValueRef halves = rt_emit_address(e, f.parameters[1], rt_emit_i64(e, 48), 1);
    rt_emit_store(e, RT_F16, x, halves, zero, NULL);
    compiled function = finish(&f);
    const float from[8] = {1, -2.5f, 1.00390625f, 1.01171875f, 1e-40f, 3.4e38f, NAN, -INFINITY};
    struct {
        uint16_t narrow[8];
        float wide[8];
        uint16_t halves[8];
    } to;
    function(from, &to, 0);
    for (int i = 0; i < 8; ++i) {
        CU_ASSERT_EQUAL(to.narrow[i], bf16_of(from[i]));
        uint32_t bits;
        memcpy(&bits, &to.wide[i], 4);
        CU_ASSERT_EQUAL(bits, (uint32_t)to.narrow[i] << 16);
    }
    CU_ASSERT_EQUAL(to.halves[0], 0x3c00);
    CU_ASSERT_EQUAL(to.halves[1], 0xc100);
    CU_ASSERT_EQUAL(to.halves[7], 0xfc00);
    end(&f);
}

/* Any non-zero byte is true; stored bools are 0 or 1; a branch runs only where its condition holds.
 */
static void test_bool_and_branch(void) {
    fixture f;
    begin(&f);
    rt_emitter *e = &f.e;
    LLVMValueRef zero = rt_emit_i64(e, 0);
    LLVMValueRef x = rt_emit_load(e, RT_BOOL, f.parameters[0], zero, 4, NULL);
    rt_emit_store(e, RT_BOOL, x, f.parameters[1], zero, NULL);
    LLVMValueRef is_positive = LLVMBuildICmp(e->builder, LLVMIntSGT, f.parameters[2], zero, "");
    rt_branch branch = rt_emit_if_begin(e, is_positive, "positive");
    rt_emit_store(e, RT_I8, rt_emit_int(e, e->i8, 7), f.parameters[1], rt_emit_i64(e, 4), NULL);
    rt_emit_if_end(e, &branch);
    compiled function = finish(&f);
    const uint8_t from[4] = {0, 1, 2, 255};
    uint8_t to[5] = {9, 9, 9, 9, 9};
    function(from, to, 0);
    CU_ASSERT_EQUAL(memcmp(to, "\0\1\1\1\11", 5), 0);
    function(from, to, 1);
    CU_ASSERT_EQUAL(to[4], 7);
    end(&f);
}

static void test_targets(void) {
    rt_arena arena = {0};
    rt_error error;
    rt_target target;
    CU_ASSERT_EQUAL(rt_target_find("x86_64-linux-gnu-v3", &target, &arena, &error), RT_OK);
    CU_ASSERT_EQUAL(target.vector_bytes, 32);
    CU_ASSERT_EQUAL(rt_target_find("pdp-11", &target, &arena, &error), RT_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "pdp-11"));
    CU_ASSERT_EQUAL(rt_target_find(NULL, &target, &arena, &error), RT_OK);
    CU_ASSERT(target.vector_bytes >= 16 && target.l1_bytes > 0);
    CU_ASSERT_STRING_EQUAL(target.name, "host");
    rt_arena_deinit(&arena);
}

TEST_MAIN("emitter", TEST(test_loop_with_tail), TEST(test_carried_and_reductions),
          TEST(test_nan_stays), TEST(test_narrow_floats), TEST(test_bool_and_branch),
          TEST(test_targets))
