// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/machine_speed.h"

#include <string.h>
#include <sys/mman.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

enum { TURNS = 4, ROUNDS = 200000, CHAINS = 12, MAX_LANES = 16, CACHE_LINE = 64 };

/* ---- arithmetic: CHAINS independent chains of multiply-adds hide the latency of each */

typedef void (*run_chains)(float *numbers, int64_t rounds);

#define STEP(v, fma) v = fma(v, x, x);
// clang-format off
#define DEFINE_CHAINS(name, attribute, vector, broadcast, fma, add, store)                         \
    attribute static void name(float *n, int64_t rounds) {                                         \
        vector x = broadcast(n[12]), a = broadcast(n[0]), b = broadcast(n[1]);                     \
        vector c = broadcast(n[2]), d = broadcast(n[3]), e = broadcast(n[4]);                      \
        vector f = broadcast(n[5]), g = broadcast(n[6]), h = broadcast(n[7]);                      \
        vector i = broadcast(n[8]), j = broadcast(n[9]), k = broadcast(n[10]);                     \
        vector l = broadcast(n[11]);                                                               \
        for (int64_t round = 0; round < rounds; ++round) {                                         \
            STEP(a, fma) STEP(b, fma) STEP(c, fma) STEP(d, fma) STEP(e, fma) STEP(f, fma)          \
            STEP(g, fma) STEP(h, fma) STEP(i, fma) STEP(j, fma) STEP(k, fma) STEP(l, fma)          \
        }                                                                                          \
        a = add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h)));                             \
        store(n, add(a, add(add(i, j), add(k, l))));                                               \
    }

#define PLAIN_SAME(x) (x)
#define PLAIN_FMA(x, y, z) ((x) * (y) + (z))
#define PLAIN_ADD(x, y) ((x) + (y))
#define PLAIN_STORE(n, x) (*(n) = (x))
#if defined(__x86_64__)
DEFINE_CHAINS(run_avx512, __attribute__((target("avx512f"))), __m512, _mm512_set1_ps,
              _mm512_fmadd_ps, _mm512_add_ps, _mm512_storeu_ps)
DEFINE_CHAINS(run_avx2, __attribute__((target("avx2,fma"))), __m256, _mm256_set1_ps,
              _mm256_fmadd_ps, _mm256_add_ps, _mm256_storeu_ps)
#define SSE_FMA(x, y, z) _mm_add_ps(_mm_mul_ps(x, y), z)
DEFINE_CHAINS(run_own, , __m128, _mm_set1_ps, SSE_FMA, _mm_add_ps, _mm_storeu_ps)
enum { OWN_LANES = 4 };
#elif defined(__aarch64__)
#define NEON_FMA(x, y, z) vfmaq_f32(z, x, y)
DEFINE_CHAINS(run_own, , float32x4_t, vdupq_n_f32, NEON_FMA, vaddq_f32, vst1q_f32)
enum { OWN_LANES = 4 };
#else
DEFINE_CHAINS(run_own, , float, PLAIN_SAME, PLAIN_FMA, PLAIN_ADD, PLAIN_STORE)
enum { OWN_LANES = 1 };
#endif
// clang-format on

static run_chains choose_chains(int *lanes) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return *lanes = 16, run_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return *lanes = 8, run_avx2;
#endif
    return *lanes = OWN_LANES, run_own;
}

/* Each worker runs the chains on numbers of its own. */
static void compute(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    const run_chains *run = argument;
    _Alignas(CACHE_LINE) float numbers[MAX_LANES];
    (void)worker;
    for (int64_t part = begin; part < end; ++part) {
        for (int i = 0; i < MAX_LANES; ++i) numbers[i] = 0.25F + 0.01F * (float)i;
        (*run)(numbers, ROUNDS);
        volatile float kept = numbers[0];
        (void)kept;
    }
}

/* ---- memory: adding to numbers in place reads and writes each byte once */

enum { BUFFER_BYTES = 128 << 20, PIECE_BYTES = 1 << 16 };

static void add_to(void *argument, int64_t begin, int64_t end, uint32_t worker) {
    uint64_t *words = (uint64_t *)argument + begin * (PIECE_BYTES / 8);
    int64_t count = (end - begin) * (PIECE_BYTES / 8);
    (void)worker;
    for (int64_t i = 0; i < count; ++i) words[i] += 3;
}

/* ---- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Work per second, `work` being that of one turn; a turn before them warms up. */
static double best_rate(rt_threads *threads, rt_threads_function function, void *argument,
                        int64_t count, double work) {
    double best = 0;
    for (int turn = 0; turn <= TURNS; ++turn) {
        double begin = now();
        rt_threads_run(threads, function, argument, count, 1);
        double rate = work / (now() - begin);
        if (turn > 0 && rate > best) best = rate;
    }
    return best;
}

rt_status rt_machine_measure(rt_threads *threads, rt_machine_speed *speed, rt_error *error) {
    int lanes;
    run_chains run = choose_chains(&lanes);
    uint32_t workers = rt_threads_workers(threads);
    double flops = 2.0 * CHAINS * ROUNDS * lanes * workers;
    void *buffer =
        mmap(NULL, BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == MAP_FAILED) return rt_fail(error, RT_OUT_OF_MEMORY, "no memory to measure with");
    speed->flops = best_rate(threads, compute, &run, workers, flops);
    speed->bytes =
        best_rate(threads, add_to, buffer, BUFFER_BYTES / PIECE_BYTES, 2.0 * BUFFER_BYTES);
    munmap(buffer, BUFFER_BYTES);
    return RT_OK;
}
