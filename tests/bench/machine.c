// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/machine.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/compiled.h"

typedef void (*repeated)(void *at, int64_t rounds);

enum { CHAIN = 64, CHAIN_CYCLES = 4, SUMS = 28, TURNS = 5 };

static struct {
    compiled chain_code, peak_code;
    repeated chain, peak;
    unsigned lanes;
} machine;

double machine_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static repeated finish(compiled *c) {
    repeated function;
    void *address = compiled_finish(c);
    memcpy(&function, &address, sizeof function);
    return function;
}

/* x = (x * y) ^ y, CHAIN times a round; products alone would be joined. Beside it, where it does
 * not delay it, a multiply-add of the target's vectors, since many cores slow down for those. */
static void compile_chain(void) {
    compiled_begin(&machine.chain_code, "pl");
    rt_emitter *e = &machine.chain_code.emitter;
    unsigned lanes = rt_emit_target_lanes(e, 4);
    LLVMValueRef zero = rt_emit_i64(e, 0), at = LLVMGetParam(e->function, 0);
    LLVMValueRef factor = rt_emit_load(e, RT_I64, at, zero, 1, NULL);
    LLVMValueRef vector = rt_emit_load(e, RT_F32, at, zero, lanes, NULL), sums[4], next_sums[4];
    rt_loop loop =
        rt_emit_loop_begin(e, zero, LLVMGetParam(e->function, 1), rt_emit_i64(e, 1), "round");
    LLVMValueRef x = rt_emit_loop_carry(e, &loop, factor), next = x;
    for (int i = 0; i < 4; ++i) next_sums[i] = sums[i] = rt_emit_loop_carry(e, &loop, vector);
    for (int i = 0; i < CHAIN; ++i) {
        next = LLVMBuildMul(e->builder, next, factor, "");
        next = LLVMBuildXor(e->builder, next, factor, "");
        next_sums[i % 4] = rt_emit_fma(e, vector, vector, next_sums[i % 4]);
    }
    rt_emit_loop_next(e, &loop, x, next);
    for (int i = 0; i < 4; ++i) rt_emit_loop_next(e, &loop, sums[i], next_sums[i]);
    rt_emit_loop_end(e, &loop);
    rt_emit_store(e, RT_I64, rt_emit_loop_result(&loop, x), at, zero, NULL);
    for (int i = 0; i < 4; ++i)
        rt_emit_store(e, RT_F32, rt_emit_loop_result(&loop, sums[i]), at,
                      rt_emit_i64(e, (i + 1) * (int)lanes), NULL);
    machine.chain = finish(&machine.chain_code);
}

/* sum = x * y + sum for SUMS independent sums. */
static void compile_peak(void) {
    compiled_begin(&machine.peak_code, "pl");
    rt_emitter *e = &machine.peak_code.emitter;
    machine.lanes = rt_emit_target_lanes(e, 4);
    LLVMValueRef zero = rt_emit_i64(e, 0), at = LLVMGetParam(e->function, 0);
    LLVMValueRef factor = rt_emit_load(e, RT_F32, at, zero, machine.lanes, NULL);
    rt_loop loop =
        rt_emit_loop_begin(e, zero, LLVMGetParam(e->function, 1), rt_emit_i64(e, 1), "round");
    LLVMValueRef sums[SUMS];
    for (int i = 0; i < SUMS; ++i) {
        sums[i] = rt_emit_loop_carry(e, &loop, factor);
        rt_emit_loop_next(e, &loop, sums[i], rt_emit_fma(e, factor, factor, sums[i]));
    }
    rt_emit_loop_end(e, &loop);
    for (int i = 0; i < SUMS; ++i)
        rt_emit_store(e, RT_F32, rt_emit_loop_result(&loop, sums[i]), at,
                      rt_emit_i64(e, i * (int)machine.lanes), NULL);
    machine.peak = finish(&machine.peak_code);
}

void machine_begin(void) {
    compile_chain();
    compile_peak();
}

void machine_end(void) {
    compiled_end(&machine.chain_code);
    compiled_end(&machine.peak_code);
}

/* Work per nanosecond, `work` being that of one round. */
static double best_rate(repeated function, double work) {
    enum { ROUNDS = 2000, NUMBERS = SUMS * 64 };
    static float numbers[NUMBERS];
    double best = 0;
    for (int turn = 0; turn < TURNS; ++turn) {
        memset(numbers, 0, sizeof numbers);
        double begin = machine_now();
        function(numbers, ROUNDS);
        double rate = ROUNDS * work / (machine_now() - begin);
        if (rate > best) best = rate;
    }
    return best;
}

double machine_cycles_per_ns(void) {
    return best_rate(machine.chain, CHAIN * CHAIN_CYCLES);
}

double machine_peak(void) {
    return best_rate(machine.peak, 2.0 * SUMS * machine.lanes);
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

spread machine_spread(double *numbers, int count) {
    qsort(numbers, (size_t)count, sizeof *numbers, compare_doubles);
    return (spread){numbers[0], (numbers[(count - 1) / 2] + numbers[count / 2]) / 2};
}
