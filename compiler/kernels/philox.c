// SPDX-License-Identifier: Apache-2.0
/* Each 32-bit word stands in the low half of a 64-bit lane, so that one 32 x 32 -> 64 bit multiply
 * instruction yields both halves of the product. High halves hold rubbish, which xor never moves
 * down and the multiply does not read. */
#include "compiler/kernels/philox.h"

#include "compiler/kernels/arithmetic.h"
#include "runtime/base/check.h"

enum { ROUNDS = 10 };

typedef struct words {
    LLVMValueRef word[4]; /* <lanes x i64>, low halves */
} words;

static LLVMValueRef xor3(rt_emitter *e, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c) {
    return LLVMBuildXor(e->builder, LLVMBuildXor(e->builder, a, b, ""), c, "");
}

static LLVMValueRef low_half(rt_emitter *e, LLVMValueRef x) {
    return LLVMBuildAnd(e->builder, x, rt_emit_int_like(e, x, 0xffffffff), "");
}

static LLVMValueRef high_half(rt_emitter *e, LLVMValueRef x) {
    return LLVMBuildLShr(e->builder, x, rt_emit_int_like(e, x, 32), "");
}

static LLVMValueRef widen_and_splat(rt_emitter *e, LLVMValueRef word, unsigned lanes) {
    return rt_emit_splat(e, LLVMBuildZExt(e->builder, word, e->i64, ""), lanes);
}

static words evaluate(rt_emitter *e, const rt_draw *draw, LLVMValueRef counter) {
    unsigned lanes = rt_emit_lanes(counter);
    LLVMValueRef c[4] = {counter, widen_and_splat(e, draw->position, lanes),
                         widen_and_splat(e, draw->example, lanes),
                         widen_and_splat(e, draw->site, lanes)};
    for (int round = 0; round < ROUNDS; ++round) {
        /* The key of a round differs from the last one's by a constant: scalar work, and the same
         * for every row of a loop. */
        LLVMValueRef k0 = add(e, draw->seed, rt_emit_int(e, e->i32, (int64_t)round * 0x9E3779B9));
        LLVMValueRef k1 = add(e, draw->step, rt_emit_int(e, e->i32, (int64_t)round * 0xBB67AE85));
        LLVMValueRef p0 = mul(e, low_half(e, c[0]), rt_emit_int_like(e, counter, 0xD2511F53));
        LLVMValueRef p1 = mul(e, low_half(e, c[2]), rt_emit_int_like(e, counter, 0xCD9E8D57));
        c[0] = xor3(e, high_half(e, p1), c[1], widen_and_splat(e, k0, lanes));
        c[2] = xor3(e, high_half(e, p0), c[3], widen_and_splat(e, k1, lanes));
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

LLVMValueRef rt_emit_kept(rt_emitter *e, const rt_draw *draw, LLVMValueRef first, unsigned lanes,
                          double rate) {
    RT_ASSERT(lanes == 1 || lanes % 4 == 0);
    unsigned counters = lanes == 1 ? 1 : lanes / 4;
    LLVMValueRef counter = LLVMBuildLShr(e->builder, first, rt_emit_i64(e, 2), "");
    counter =
        add(e, rt_emit_splat(e, counter, counters), rt_emit_lane_numbers(e, e->i64, counters));
    words w = evaluate(e, draw, counter);
    LLVMValueRef word = lanes == 1 ? single_word(e, &w, first) : in_order(e, &w);
    double limit = rate * 4294967296.0 + 0.5;
    uint32_t threshold = limit >= 4294967295.0 ? UINT32_MAX : (uint32_t)limit;
    return LLVMBuildICmp(e->builder, LLVMIntUGE, word, rt_emit_int_like(e, word, threshold),
                         "kept");
}
