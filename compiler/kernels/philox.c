// SPDX-License-Identifier: Apache-2.0
/* Each 32-bit word stands in the low half of a 64-bit lane, so that one 32 x 32 -> 64 bit multiply
 * instruction yields both halves of the product. High halves hold rubbish, which xor never moves
 * down and the multiply does not read. */
#include "compiler/kernels/philox.h"

#include "compiler/kernels/arithmetic.h"
#include "runtime/base/check.h"

enum { ROUNDS = 10 };

/* Words that all lanes share stay scalars, whose arithmetic is free beside that of vectors: of the
 * counter's four words one differs between lanes, and only after two rounds do all. */
typedef struct words {
    LLVMValueRef word[4]; /* <lanes x i64>, low halves, or i64 where all lanes agree */
} words;

static LLVMValueRef low_half(rt_emitter *e, LLVMValueRef x) {
    return LLVMBuildAnd(e->builder, x, rt_emit_int_like(e, x, 0xffffffff), "");
}

static LLVMValueRef high_half(rt_emitter *e, LLVMValueRef x) {
    return LLVMBuildLShr(e->builder, x, rt_emit_int_like(e, x, 32), "");
}

static LLVMValueRef wide(rt_emitter *e, LLVMValueRef word) {
    return LLVMBuildZExt(e->builder, word, e->i64, "");
}

static LLVMValueRef exclusive_or(rt_emitter *e, LLVMValueRef a, LLVMValueRef b) {
    unsigned lanes = rt_emit_lanes(a) > rt_emit_lanes(b) ? rt_emit_lanes(a) : rt_emit_lanes(b);
    if (rt_emit_lanes(a) < lanes) a = rt_emit_splat(e, a, lanes);
    if (rt_emit_lanes(b) < lanes) b = rt_emit_splat(e, b, lanes);
    return LLVMBuildXor(e->builder, a, b, "");
}

/* `key` is a scalar: it joins another one where there is one. */
static LLVMValueRef mix(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef key) {
    if (rt_emit_lanes(b) == 1) return exclusive_or(e, a, exclusive_or(e, b, key));
    return exclusive_or(e, exclusive_or(e, a, key), b);
}

static words evaluate(rt_emitter *e, const rt_draw *draw, LLVMValueRef counter,
                      LLVMValueRef position) {
    LLVMValueRef c[4] = {counter, position, wide(e, draw->example), wide(e, draw->site)};
    for (int round = 0; round < ROUNDS; ++round) {
        /* The key of a round differs from the last one's by a constant. */
        LLVMValueRef k0 = add(e, draw->seed, rt_emit_int(e, e->i32, (int64_t)round * 0x9E3779B9));
        LLVMValueRef k1 = add(e, draw->step, rt_emit_int(e, e->i32, (int64_t)round * 0xBB67AE85));
        LLVMValueRef p0 = mul(e, low_half(e, c[0]), rt_emit_int_like(e, c[0], 0xD2511F53));
        LLVMValueRef p1 = mul(e, low_half(e, c[2]), rt_emit_int_like(e, c[2], 0xCD9E8D57));
        c[0] = mix(e, high_half(e, p1), c[1], wide(e, k0));
        c[2] = mix(e, high_half(e, p0), c[3], wide(e, k1));
        c[1] = p1;
        c[3] = p0;
    }
    return (words){{c[0], c[1], c[2], c[3]}};
}

/* The words of all counters in the order of the elements: w0[0] w1[0] w2[0] w3[0] w0[1] … */
static LLVMValueRef in_order(rt_emitter *e, const words *w) {
    LLVMValueRef pairs[2];
    unsigned counters = rt_emit_lanes(w->word[0]);
    for (int i = 0; i < 2; ++i) {
        LLVMValueRef odd = w->word[2 * i + 1];
        odd = LLVMBuildShl(e->builder, odd, rt_emit_int_like(e, odd, 32), "");
        pairs[i] = LLVMBuildOr(e->builder, low_half(e, w->word[2 * i]), odd, "");
    }
    LLVMTypeRef type = LLVMVectorType(e->i32, 4 * counters);
    LLVMValueRef interleaved;
    if (counters == 1) {
        interleaved = LLVMGetPoison(LLVMVectorType(e->i64, 2));
        for (int i = 0; i < 2; ++i)
            interleaved =
                LLVMBuildInsertElement(e->builder, interleaved, pairs[i], rt_emit_i64(e, i), "");
    } else {
        LLVMValueRef order[64];
        RT_ASSERT(2 * counters <= RT_COUNT_OF(order));
        for (unsigned i = 0; i < 2 * counters; ++i)
            order[i] = rt_emit_int(e, e->i32, i / 2 + (i % 2) * counters);
        interleaved = LLVMBuildShuffleVector(e->builder, pairs[0], pairs[1],
                                             LLVMConstVector(order, 2 * counters), "");
    }
    return LLVMBuildBitCast(e->builder, interleaved, type, "");
}

/* Word j % 4 of element j, alone. */
static LLVMValueRef single_word(rt_emitter *e, const words *w, LLVMValueRef element) {
    LLVMValueRef word = w->word[0];
    LLVMValueRef number = LLVMBuildAnd(e->builder, element, rt_emit_i64(e, 3), "");
    for (int i = 1; i < 4; ++i)
        word = where(e, is_equal(e, number, rt_emit_i64(e, i)), w->word[i], word);
    return LLVMBuildTrunc(e->builder, word, e->i32, "");
}

static LLVMValueRef is_kept(rt_emitter *e, LLVMValueRef word, double rate) {
    double limit = rate * 4294967296.0 + 0.5;
    uint32_t threshold = limit >= 4294967295.0 ? UINT32_MAX : (uint32_t)limit;
    return LLVMBuildICmp(e->builder, LLVMIntUGE, word, rt_emit_int_like(e, word, threshold),
                         "kept");
}

LLVMValueRef rt_emit_kept(rt_emitter *e, const rt_draw *draw, LLVMValueRef first, unsigned lanes,
                          double rate) {
    RT_ASSERT(lanes == 1 || lanes % 4 == 0);
    unsigned counters = lanes == 1 ? 1 : lanes / 4;
    LLVMValueRef counter = LLVMBuildLShr(e->builder, first, rt_emit_i64(e, 2), "");
    counter =
        add(e, rt_emit_splat(e, counter, counters), rt_emit_lane_numbers(e, e->i64, counters));
    words w = evaluate(e, draw, counter, wide(e, draw->position));
    return is_kept(e, lanes == 1 ? single_word(e, &w, first) : in_order(e, &w), rate);
}

/* Rows with even numbers in one evaluation, those with odd ones in another: then the words of both
 * are put together without moving lanes. */
void rt_emit_kept_rows(rt_emitter *e, const rt_draw *draw, LLVMValueRef first, double rate,
                       LLVMValueRef kept[4]) {
    unsigned lanes = rt_emit_lanes(draw->position);
    RT_ASSERT(lanes % 4 == 0);
    LLVMTypeRef halves = rt_emit_vector_type(e, e->i64, lanes / 2);
    LLVMValueRef counter = LLVMBuildLShr(e->builder, first, rt_emit_i64(e, 2), "");
    LLVMValueRef even = LLVMBuildBitCast(e->builder, draw->position, halves, "");
    words low = evaluate(e, draw, counter, even);
    words high = evaluate(e, draw, counter, high_half(e, even));
    for (int i = 0; i < 4; ++i) {
        LLVMValueRef odd = high.word[i];
        odd = LLVMBuildShl(e->builder, odd, rt_emit_int_like(e, odd, 32), "");
        LLVMValueRef both = LLVMBuildOr(e->builder, low_half(e, low.word[i]), odd, "");
        both = LLVMBuildBitCast(e->builder, both, LLVMTypeOf(draw->position), "");
        kept[i] = is_kept(e, both, rate);
    }
}
