// SPDX-License-Identifier: Apache-2.0
#include "compiler/codegen/probe.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/codegen/emitter.h"
#include "compiler/codegen/jit.h"
#include "compiler/codegen/object.h"
#include "runtime/base/check.h"
#include "runtime/base/cpu.h"

/* void f(memory, i64 bytes, i64 times) */
typedef void (*probe_function)(void *memory, int64_t bytes, int64_t times);

struct rt_probe {
    rt_arena arena;
    rt_target target;
    rt_jit *jit;
    probe_function functions[RT_PROBE_COUNT];
};

typedef enum probe_work { FLOPS, BYTES } probe_work;

typedef struct probe_code {
    rt_emitter *e;
    LLVMValueRef memory, bytes, times;
} probe_code;

typedef struct probe_row {
    const char *name, *text, *feature;
    probe_work work;
    int numbers; /* that a lane of four bytes multiplies */
    void (*emit)(probe_code *code);
} probe_row;

/* Accumulators: enough for every multiply-add unit and its latency, few enough for 16 registers. */
enum { CHAINS = 12, TILES = 4, OPERAND_BYTES = 4096, MOVED_VECTORS = 4 };

static LLVMTypeRef vector_of(rt_emitter *e, LLVMTypeRef element, unsigned bytes) {
    return LLVMVectorType(element, e->target->vector_bytes / bytes);
}

static LLVMValueRef load_at(rt_emitter *e, LLVMTypeRef type, LLVMValueRef memory, LLVMValueRef at) {
    LLVMValueRef load = LLVMBuildLoad2(e->builder, type, rt_emit_address(e, memory, at, 1), "");
    LLVMSetAlignment(load, 4);
    return load;
}

static void store_at(rt_emitter *e, LLVMValueRef value, LLVMValueRef memory, LLVMValueRef at) {
    LLVMValueRef address = rt_emit_address(e, memory, at, 1);
    LLVMSetAlignment(LLVMBuildStore(e->builder, value, address), 4);
}

/* ---- arithmetic: independent chains of one instruction */

typedef LLVMValueRef (*chain_step)(rt_emitter *e, LLVMValueRef sum, LLVMValueRef x);

static void emit_chains(probe_code *p, LLVMTypeRef sum_type, LLVMTypeRef operand_type,
                        chain_step step) {
    rt_emitter *e = p->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), sums[CHAINS];
    LLVMValueRef x = load_at(e, operand_type, p->memory, zero);
    rt_loop loop = rt_emit_loop_begin(e, zero, p->times, rt_emit_i64(e, 1), "times");
    for (int i = 0; i < CHAINS; ++i)
        sums[i] = rt_emit_loop_carry(e, &loop, LLVMConstNull(sum_type));
    for (int i = 0; i < CHAINS; ++i) rt_emit_loop_next(e, &loop, sums[i], step(e, sums[i], x));
    rt_emit_loop_end(e, &loop);
    for (int i = 0; i < CHAINS; ++i)
        store_at(e, sums[i], p->memory, rt_emit_i64(e, i * (int)e->target->vector_bytes));
}

static LLVMValueRef step_fma(rt_emitter *e, LLVMValueRef sum, LLVMValueRef x) {
    return rt_emit_fma(e, x, x, sum);
}

static void emit_fma_f32(probe_code *p) {
    LLVMTypeRef type = vector_of(p->e, p->e->f32, 4);
    emit_chains(p, type, type, step_fma);
}

static LLVMValueRef step_bf16(rt_emitter *e, LLVMValueRef sum, LLVMValueRef x) {
    LLVMValueRef arguments[] = {sum, x, x};
    return rt_emit_intrinsic(e, "llvm.x86.avx512bf16.dpbf16ps.512", NULL, 0, arguments, 3);
}

static void emit_dot_bf16(probe_code *p) {
    LLVMTypeRef operand = vector_of(p->e, LLVMBFloatTypeInContext(p->e->context), 2);
    emit_chains(p, vector_of(p->e, p->e->f32, 4), operand, step_bf16);
}

static LLVMValueRef step_int8(rt_emitter *e, LLVMValueRef sum, LLVMValueRef x) {
    LLVMValueRef arguments[] = {sum, x, x};
    return rt_emit_intrinsic(e, "llvm.x86.avx512.vpdpbusd.512", NULL, 0, arguments, 3);
}

static void emit_dot_int8(probe_code *p) {
    LLVMTypeRef type = vector_of(p->e, p->e->i32, 4);
    emit_chains(p, type, type, step_int8);
}

/* ---- tiles of 16 rows of 64 bytes: registers 0 to 3 sum, 4 to 7 are multiplied */

static void emit_tile_call(rt_emitter *e, const char *name, int a, int b, int c, int count) {
    LLVMValueRef arguments[] = {rt_emit_int(e, e->i8, a), rt_emit_int(e, e->i8, b),
                                rt_emit_int(e, e->i8, c)};
    rt_emit_intrinsic(e, name, NULL, 0, arguments, (unsigned)count);
}

static void emit_tile_load(rt_emitter *e, int tile, LLVMValueRef from) {
    LLVMValueRef arguments[] = {rt_emit_int(e, e->i8, tile), from, rt_emit_i64(e, 64)};
    rt_emit_intrinsic(e, "llvm.x86.tileloadd64", NULL, 0, arguments, 3);
}

/* Palette 1, every tile of 16 rows of 64 bytes. */
static LLVMValueRef emit_tile_configuration(rt_emitter *e) {
    LLVMValueRef bytes[64];
    for (int i = 0; i < 64; ++i) {
        bool is_width = i >= 16 && i < 32 && i % 2 == 0, is_height = i >= 48 && i < 56;
        bytes[i] = rt_emit_int(e, e->i8, i == 0 ? 1 : is_width ? 64 : is_height ? 16 : 0);
    }
    LLVMValueRef place = LLVMBuildAlloca(e->builder, LLVMVectorType(e->i8, 64), "tiles");
    LLVMBuildStore(e->builder, LLVMConstVector(bytes, 64), place);
    return place;
}

static void emit_tiles(probe_code *p, const char *product) {
    rt_emitter *e = p->e;
    LLVMValueRef configuration = emit_tile_configuration(e), zero = rt_emit_i64(e, 0);
    rt_emit_intrinsic(e, "llvm.x86.ldtilecfg", NULL, 0, &configuration, 1);
    for (int i = 0; i < TILES; ++i) {
        emit_tile_call(e, "llvm.x86.tilezero", i, 0, 0, 1);
        emit_tile_load(e, TILES + i, p->memory);
    }
    rt_loop loop = rt_emit_loop_begin(e, zero, p->times, rt_emit_i64(e, 1), "times");
    for (int i = 0; i < TILES; ++i) emit_tile_call(e, product, i, 4 + i % 2, 6 + i / 2, 3);
    rt_emit_loop_end(e, &loop);
    rt_emit_intrinsic(e, "llvm.x86.tilerelease", NULL, 0, NULL, 0);
}

static void emit_tile_bf16(probe_code *p) {
    emit_tiles(p, "llvm.x86.tdpbf16ps");
}

static void emit_tile_int8(probe_code *p) {
    emit_tiles(p, "llvm.x86.tdpbusd");
}

/* ---- memory */

typedef enum moves { READS = 1, WRITES = 2, ADDS = 4 } moves;

/* Runs over `bytes` of memory `times` times; what is written lies `distance` bytes behind what is
 * read. */
static void emit_moves(probe_code *p, moves what, LLVMValueRef bytes, LLVMValueRef distance) {
    rt_emitter *e = p->e;
    LLVMTypeRef type = vector_of(e, e->f32, 4);
    LLVMValueRef zero = rt_emit_i64(e, 0), sums[MOVED_VECTORS];
    int64_t width = e->target->vector_bytes;
    rt_loop times = rt_emit_loop_begin(e, zero, p->times, rt_emit_i64(e, 1), "times");
    rt_loop loop =
        rt_emit_loop_begin(e, zero, bytes, rt_emit_i64(e, MOVED_VECTORS * width), "bytes");
    for (int i = 0; i < MOVED_VECTORS; ++i)
        sums[i] = rt_emit_loop_carry(e, &loop, LLVMConstNull(type));
    for (int i = 0; i < MOVED_VECTORS; ++i) {
        LLVMValueRef at = LLVMBuildAdd(e->builder, loop.index, rt_emit_i64(e, i * width), "");
        LLVMValueRef x = what & READS ? load_at(e, type, p->memory, at) : sums[i];
        if (what & ADDS) x = LLVMBuildFAdd(e->builder, x, x, "");
        LLVMValueRef to = LLVMBuildAdd(e->builder, at, distance, "");
        bool is_sum = !(what & WRITES);
        if (!is_sum) store_at(e, x, p->memory, to);
        rt_emit_loop_next(e, &loop, sums[i],
                          is_sum ? LLVMBuildFAdd(e->builder, sums[i], x, "") : sums[i]);
    }
    rt_emit_loop_end(e, &loop);
    for (int i = 0; i < MOVED_VECTORS; ++i)
        if (!(what & WRITES)) store_at(e, sums[i], p->memory, rt_emit_i64(e, i * width));
    rt_emit_loop_end(e, &times);
}

static void emit_read(probe_code *p) {
    emit_moves(p, READS, p->bytes, rt_emit_i64(p->e, 0));
}

static void emit_write(probe_code *p) {
    emit_moves(p, WRITES, p->bytes, rt_emit_i64(p->e, 0));
}

static void emit_copy(probe_code *p) {
    LLVMValueRef half = LLVMBuildLShr(p->e->builder, p->bytes, rt_emit_i64(p->e, 1), "");
    emit_moves(p, READS | WRITES, half, half);
}

static void emit_update(probe_code *p) {
    emit_moves(p, READS | WRITES | ADDS, p->bytes, rt_emit_i64(p->e, 0));
}

static const probe_row rows[] = {
#define PROBE(id, text, feature, work, numbers) \
    {"rt_probe_" #id, text, feature, work, numbers, emit_##id},
#include "compiler/codegen/probes.def"
};

/* ---- compiling */

bool rt_probe_has(const rt_probe *probe, rt_probe_kind kind) {
    return probe->functions[kind] != NULL;
}

const char *rt_probe_text(rt_probe_kind kind) {
    return rows[kind].text;
}

bool rt_probe_is_memory(rt_probe_kind kind) {
    return rows[kind].work == BYTES;
}

static bool uses_tiles(const probe_row *row) {
    return !strncmp(row->feature, "amx", 3);
}

static bool is_possible(const rt_probe *probe, const probe_row *row) {
    if (!*row->feature) return true;
    if (!rt_target_has_feature(&probe->target, row->feature)) return false;
    return !uses_tiles(row) || rt_cpu_request_tiles();
}

static void emit_all(const rt_probe *probe, LLVMModuleRef module) {
    rt_emitter e;
    rt_emitter_init(&e, module, &probe->target);
    LLVMTypeRef types[] = {e.pointer, e.i64, e.i64};
    LLVMTypeRef type = LLVMFunctionType(e.none, types, RT_COUNT_OF(types), false);
    for (int i = 0; i < RT_PROBE_COUNT; ++i) {
        if (!is_possible(probe, &rows[i])) continue;
        LLVMValueRef f = rt_emit_function_begin(&e, rows[i].name, type);
        probe_code code = {&e, LLVMGetParam(f, 0), LLVMGetParam(f, 1), LLVMGetParam(f, 2)};
        rows[i].emit(&code);
        LLVMBuildRetVoid(e.builder);
    }
    rt_emitter_deinit(&e);
}

static rt_status compile(rt_probe *probe, rt_error *error) {
    LLVMMemoryBufferRef object = NULL;
    LLVMContextRef context = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("probe", context);
    emit_all(probe, module);
    rt_status status = rt_object_emit(module, &probe->target, &object, error);
    if (status == RT_OK)
        status =
            rt_jit_link(LLVMGetBufferStart(object), LLVMGetBufferSize(object), &probe->jit, error);
    if (object) LLVMDisposeMemoryBuffer(object);
    LLVMDisposeModule(module);
    LLVMContextDispose(context);
    for (int i = 0; status == RT_OK && i < RT_PROBE_COUNT; ++i) {
        void *address = NULL;
        if (!is_possible(probe, &rows[i])) continue;
        status = rt_jit_find(probe->jit, rows[i].name, &address, error);
        memcpy(&probe->functions[i], &address, sizeof address);
    }
    return status;
}

rt_status rt_probe_create(rt_probe **probe, rt_error *error) {
    rt_probe *fresh = calloc(1, sizeof *fresh);
    *probe = NULL;
    if (!fresh) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    rt_target_initialize();
    rt_status status = rt_target_find("host", &fresh->target, &fresh->arena, error);
    if (status == RT_OK) status = compile(fresh, error);
    if (status == RT_OK)
        *probe = fresh;
    else
        rt_probe_destroy(fresh);
    return status;
}

void rt_probe_destroy(rt_probe *probe) {
    if (!probe) return;
    rt_jit_destroy(probe->jit);
    rt_arena_deinit(&probe->arena);
    free(probe);
}

/* ---- measuring */

static double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Operations of one turn of the loop: a lane of four bytes multiplies and adds 4 / bytes numbers.
 */
static double flops_of(const rt_probe *probe, rt_probe_kind kind) {
    double lane = 2.0 * probe->target.vector_bytes / 4 * CHAINS;
    double tile = 2.0 * 16 * 16 * 16 * TILES; /* of a square of lanes */
    return uses_tiles(&rows[kind]) ? tile * rows[kind].numbers : lane * rows[kind].numbers;
}

double rt_probe_flops(const rt_probe *probe, rt_probe_kind kind) {
    enum { TIMES = 300000 };
    _Alignas(64) unsigned char memory[OPERAND_BYTES];
    memset(memory, 0x3f, sizeof memory); /* 0.747 in f32 and in bf16 */
    int64_t times = TIMES / (uses_tiles(&rows[kind]) ? 8 : 1);
    double begin = seconds_now();
    probe->functions[kind](memory, sizeof memory, times);
    return flops_of(probe, kind) * (double)times / (seconds_now() - begin);
}

double rt_probe_bytes(const rt_probe *probe, rt_probe_kind kind, void *memory, size_t bytes,
                      int times) {
    double moved = (double)bytes * (kind == RT_PROBE_update ? 2 : 1);
    double begin = seconds_now();
    probe->functions[kind](memory, (int64_t)bytes, times);
    return moved * times / (seconds_now() - begin);
}
