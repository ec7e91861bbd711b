// SPDX-License-Identifier: Apache-2.0
/* math/<function>: cycles per 16 values of an emitted function over 4,096 floats in the first-level
 * cache, one vector of the target after another, input and output apart. */
#include <stdio.h>
#include <string.h>

#include "compiler/kernels/vector_math.h"
#include "tests/bench/cases.h"
#include "tests/bench/machine.h"
#include "tests/support/compiled.h"

enum { COUNT = 4096, REPEATS = 50, MAX_ROUNDS = 100 };

typedef LLVMValueRef (*emit_unary)(rt_emitter *e, LLVMValueRef x);

static LLVMValueRef emit_copy(rt_emitter *e, LLVMValueRef x) {
    (void)e;
    return x;
}
static LLVMValueRef emit_gelu(rt_emitter *e, LLVMValueRef x) {
    return rt_emit_gelu(e, x, false);
}
static LLVMValueRef emit_gelu_tanh(rt_emitter *e, LLVMValueRef x) {
    return rt_emit_gelu(e, x, true);
}

/* With the range that inputs are taken from. */
static const struct math_case {
    const char *name;
    emit_unary emit;
    float low, high;
} cases[] = {{"math/copy", emit_copy, -1, 1},
             {"math/exp", rt_emit_exp, -20, 20},
             {"math/exp-softmax", rt_emit_exp_falling, -20, 0},
             {"math/log", rt_emit_log, 1e-6f, 100},
             {"math/tanh", rt_emit_tanh, -5, 5},
             {"math/erf", rt_emit_erf, -4, 4},
             {"math/sigmoid", rt_emit_sigmoid, -8, 8},
             {"math/rsqrt", rt_emit_rsqrt, 1e-6f, 100},
             {"math/gelu", emit_gelu, -4, 4},
             {"math/gelu-tanh", emit_gelu_tanh, -4, 4}};

typedef void (*function)(const float *from, float *to, int64_t repeats);

static function compile(compiled *c, emit_unary emit) {
    compiled_begin(c, "ppl");
    rt_emitter *e = &c->emitter;
    unsigned lanes = rt_emit_target_lanes(e, 4);
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    rt_loop repeat = rt_emit_loop_begin(e, zero, LLVMGetParam(e->function, 2), one, "repeat");
    rt_loop loop = rt_emit_loop_begin(e, zero, rt_emit_i64(e, COUNT), rt_emit_i64(e, lanes), "i");
    LLVMValueRef x = rt_emit_load(e, RT_F32, LLVMGetParam(e->function, 0), loop.index, lanes, NULL);
    rt_emit_store(e, RT_F32, emit(e, x), LLVMGetParam(e->function, 1), loop.index, NULL);
    rt_emit_loop_end(e, &loop);
    rt_emit_loop_end(e, &repeat);
    function compiled_function;
    void *address = compiled_finish(c);
    memcpy(&compiled_function, &address, sizeof address);
    return compiled_function;
}

static void run(const struct math_case *which, int rounds) {
    static float from[COUNT], to[COUNT];
    compiled code;
    function f = compile(&code, which->emit);
    double cycles[MAX_ROUNDS];
    for (int i = 0; i < COUNT; ++i)
        from[i] = which->low + (which->high - which->low) * (float)(i * 1237 % COUNT) / COUNT;
    f(from, to, REPEATS);
    if (rounds > MAX_ROUNDS) rounds = MAX_ROUNDS;
    for (int i = 0; i < rounds; ++i) {
        double begin = machine_now();
        f(from, to, REPEATS);
        double ns = machine_now() - begin;
        cycles[i] = ns * machine_cycles_per_ns() * 16 / ((double)COUNT * REPEATS);
    }
    spread s = machine_spread(cycles, rounds);
    printf("{\"case\": \"%s\", \"cycles_per_16_min\": %.2f, \"cycles_per_16_median\": %.2f, "
           "\"rounds\": %d}\n",
           which->name, s.least, s.median, rounds);
    compiled_end(&code);
}

void run_math_cases(const bench_options *options) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        if (bench_wants(options, cases[i].name)) run(&cases[i], options->rounds);
}
