// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernels/product_dot.h"

#include "compiler/kernels/arithmetic.h"
#include "runtime/base/check.h"

unsigned rt_dot_group(rt_dtype a) {
    return a == RT_I16 ? 2 : 4;
}

typedef struct dot_step {
    rt_emitter *e;
    rt_dtype a_dtype;
    LLVMValueRef a, b, sum;
    unsigned lanes;
} dot_step;

/* The step's numbers of a in every lane, as a vector of elements of `type`. */
static LLVMValueRef repeated(const dot_step *s, LLVMTypeRef type, unsigned group) {
    LLVMValueRef splat = rt_emit_splat(s->e, s->a, s->lanes);
    LLVMTypeRef vector = rt_emit_vector_type(s->e, type, s->lanes * group);
    return LLVMBuildBitCast(s->e->builder, splat, vector, "");
}

/* ---- any target */

/* Number `index` of a's group, as i32. */
static LLVMValueRef number_of_a(const dot_step *s, unsigned index, unsigned bits) {
    rt_emitter *e = s->e;
    int64_t up = 32 - (int64_t)(index + 1) * bits, down = 32 - (int64_t)bits;
    LLVMValueRef x = LLVMBuildShl(e->builder, s->a, rt_emit_int(e, e->i32, up), "");
    LLVMValueRef shift = rt_emit_int(e, e->i32, down);
    return rt_dtype_is_signed(s->a_dtype) ? LLVMBuildAShr(e->builder, x, shift, "")
                                          : LLVMBuildLShr(e->builder, x, shift, "");
}

/* Numbers index, index + group, .. of b, as i32. */
static LLVMValueRef numbers_of_b(const dot_step *s, unsigned index, unsigned group) {
    rt_emitter *e = s->e;
    LLVMTypeRef type = rt_emit_vector_type(e, e->i32, s->lanes);
    LLVMValueRef chosen[64];
    RT_ASSERT(s->lanes <= RT_COUNT_OF(chosen));
    if (s->lanes == 1) {
        LLVMValueRef at = rt_emit_i64(e, index);
        return LLVMBuildSExt(e->builder, LLVMBuildExtractElement(e->builder, s->b, at, ""), type,
                             "");
    }
    for (unsigned i = 0; i < s->lanes; ++i) chosen[i] = rt_emit_int(e, e->i32, i * group + index);
    LLVMValueRef poison = LLVMGetPoison(LLVMTypeOf(s->b));
    LLVMValueRef bytes =
        LLVMBuildShuffleVector(e->builder, s->b, poison, LLVMConstVector(chosen, s->lanes), "");
    return LLVMBuildSExt(e->builder, bytes, type, "");
}

static LLVMValueRef dot_multiply(const dot_step *s) {
    rt_emitter *e = s->e;
    unsigned group = rt_dot_group(s->a_dtype);
    LLVMValueRef sum = s->sum;
    for (unsigned i = 0; i < group; ++i) {
        LLVMValueRef a = rt_emit_splat(e, number_of_a(s, i, 32 / group), s->lanes);
        sum = add(e, sum, mul(e, a, numbers_of_b(s, i, group)));
    }
    return sum;
}

/* ---- instructions */

/* b's bytes widened to 16 bits; of pairs of them each lane's two products are added. */
static LLVMValueRef dot_pairs(const dot_step *s, const char *name) {
    LLVMValueRef arguments[] = {repeated(s, s->e->i16, 2), s->b};
    return add(s->e, s->sum, rt_emit_intrinsic(s->e, name, NULL, 0, arguments, 2));
}

static LLVMValueRef dot_pmaddwd(const dot_step *s) {
    return dot_pairs(s, s->lanes == 16  ? "llvm.x86.avx512.pmaddw.d.512"
                        : s->lanes == 8 ? "llvm.x86.avx2.pmadd.wd"
                                        : "llvm.x86.sse2.pmadd.wd");
}

static LLVMValueRef dot_wasm_dot(const dot_step *s) {
    return dot_pairs(s, "llvm.wasm.dot");
}

static LLVMValueRef dot_vpdpbusd(const dot_step *s) {
    rt_emitter *e = s->e;
    LLVMValueRef words = LLVMBuildBitCast(e->builder, s->b, LLVMTypeOf(s->sum), "");
    LLVMValueRef arguments[] = {s->sum, rt_emit_splat(e, s->a, s->lanes), words};
    const char *name =
        s->lanes == 16 ? "llvm.x86.avx512.vpdpbusd.512" : "llvm.x86.avx512.vpdpbusd.256";
    return rt_emit_intrinsic(e, name, NULL, 0, arguments, 3);
}

static LLVMValueRef dot_sdot(const dot_step *s) {
    LLVMTypeRef overloads[] = {LLVMTypeOf(s->sum), LLVMTypeOf(s->b)};
    LLVMValueRef arguments[] = {s->sum, s->b, repeated(s, s->e->i8, 4)};
    return rt_emit_intrinsic(s->e, "llvm.aarch64.neon.sdot", overloads, 2, arguments, 3);
}

static LLVMValueRef (*const dots[])(const dot_step *) = {
    [RT_DOT_multiply] = dot_multiply, [RT_DOT_pmaddwd] = dot_pmaddwd,
    [RT_DOT_vpdpbusd] = dot_vpdpbusd, [RT_DOT_sdot] = dot_sdot,
    [RT_DOT_wasm_dot] = dot_wasm_dot,
};

LLVMValueRef rt_emit_dot_operand(rt_emitter *e, rt_dot dot, LLVMValueRef b) {
    if (dot != RT_DOT_pmaddwd && dot != RT_DOT_wasm_dot) return b;
    LLVMTypeRef type = rt_emit_vector_type(e, e->i16, rt_emit_lanes(b));
    return LLVMBuildSExt(e->builder, b, type, "");
}

LLVMValueRef rt_emit_dot(rt_emitter *e, rt_dot dot, rt_dtype a_dtype, LLVMValueRef a,
                         LLVMValueRef b, LLVMValueRef sum) {
    RT_ASSERT(dot != RT_DOT_fma);
    dot_step step = {e, a_dtype, a, b, sum, rt_emit_lanes(sum)};
    return dots[dot](&step);
}
