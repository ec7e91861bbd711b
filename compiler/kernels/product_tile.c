// SPDX-License-Identifier: Apache-2.0
#include "compiler/kernels/product_tile.h"

#include <llvm-c/DebugInfo.h>
#include <stdio.h>
#include <string.h>

#include "compiler/kernels/arithmetic.h"
#include "runtime/base/check.h"

/* How far ahead of its use b is fetched into the first-level cache. From 512 bytes on, what comes
 * from the second-level cache arrives in time; further on it displaces rows of a. */
enum { FETCH_AHEAD_BYTES = 768, LINE_BYTES = 64 };

/* Steps of the inner index in one turn of the loop: its counting takes ports from multiply-adds. */
enum { STEPS = 2 };

static const rt_tile_shape shapes[] = {
#define PRODUCT_TILE(...) {__VA_ARGS__},
#include "compiler/kernels/product_tiles.def"
};

const rt_tile_shape *rt_tile_shape_of(const rt_emitter *e, rt_dtype dtype) {
    for (size_t i = 0; i < RT_COUNT_OF(shapes); ++i) {
        const rt_tile_shape *shape = &shapes[i];
        RT_ASSERT(shape->rows <= RT_TILE_MAX_ROWS && shape->vectors <= RT_TILE_MAX_VECTORS);
        if (shape->dtype == dtype && e->target->vector_bytes >= shape->least_vector_bytes &&
            !strncmp(e->target->triple, shape->architecture, strlen(shape->architecture)))
            return shape;
    }
    return NULL;
}

unsigned rt_tile_lanes(const rt_emitter *e, const rt_tile_shape *shape) {
    return rt_emit_target_lanes(e, (unsigned)rt_dtype_bytes(shape->dtype));
}

int64_t rt_tile_width(const rt_emitter *e, const rt_tile_shape *shape) {
    int64_t width = (int64_t)shape->vectors * rt_tile_lanes(e, shape);
    RT_ASSERT(width <= RT_TILE_MAX_WIDTH);
    return width;
}

/* ---- the function of one size of tile: its parameters in the order of rt_tile */

enum { TILE_PARAMETERS = 13 };

typedef struct tile_code {
    const rt_tile_shape *shape;
    unsigned rows, vectors, lanes;
    bool has_packed_rows;
    size_t bytes; /* of an element */
    LLVMValueRef a, a_row, b, c, c_row, inner, columns, adds;
    rt_tile_fetch next_b, next_a;
    LLVMValueRef next_c;
    LLVMValueRef a_rows[RT_TILE_MAX_ROWS], c_rows[RT_TILE_MAX_ROWS];
    LLVMValueRef sums[RT_TILE_MAX_ROWS][RT_TILE_MAX_VECTORS];
    LLVMValueRef mask; /* of the last vector */
} tile_code;

static LLVMTypeRef tile_type(rt_emitter *e) {
    LLVMTypeRef types[TILE_PARAMETERS] = {e->pointer, e->i64, e->pointer, e->pointer, e->i64,
                                          e->i64,     e->i64, e->i1,      e->pointer, e->i64,
                                          e->pointer, e->i64, e->pointer};
    return LLVMFunctionType(e->none, types, TILE_PARAMETERS, false);
}

/* The same pointer, but the code generator does not see from what it was computed. Otherwise it
 * derives rows of a from each other inside the loop, and that arithmetic takes the ports of a
 * twentieth of the multiply-adds. */
static LLVMValueRef hide_origin(rt_emitter *e, LLVMValueRef pointer) {
    LLVMTypeRef type = LLVMFunctionType(e->pointer, &e->pointer, 1, false);
    LLVMValueRef code =
        LLVMGetInlineAsm(type, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    return LLVMBuildCall2(e->builder, type, code, &pointer, 1, "");
}

/* `level` 1 or 2. */
static void emit_fetch(rt_emitter *e, LLVMValueRef at, int64_t offset, int level, bool is_write) {
    if (!rt_optimizes(e->optimizations, RT_OPTIMIZE_prefetch)) return;
    LLVMValueRef address = rt_emit_address(e, at, rt_emit_i64(e, offset), 1);
    LLVMValueRef arguments[] = {address, rt_emit_int(e, e->i32, is_write),
                                rt_emit_int(e, e->i32, level == 1 ? 3 : 2),
                                rt_emit_int(e, e->i32, 1)};
    rt_emit_intrinsic(e, "llvm.prefetch", &e->pointer, 1, arguments, 4);
}

static LLVMValueRef moved(rt_emitter *e, LLVMValueRef at, LLVMValueRef bytes) {
    return rt_emit_address(e, at, bytes, 1);
}

static int64_t panel_row_bytes(const tile_code *t) {
    return (int64_t)(t->shape->vectors * t->lanes * t->bytes);
}

static LLVMValueRef vector_at(rt_emitter *e, const tile_code *t, unsigned vector) {
    return rt_emit_i64(e, vector * t->lanes);
}

/* Begins blocks that one of two ways leads to. */
static LLVMBasicBlockRef new_block(rt_emitter *e, const char *name) {
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

static void load_sums(rt_emitter *e, tile_code *t) {
    LLVMTypeRef type = rt_emit_vector_type(e, rt_emit_dtype(e, t->shape->dtype), t->lanes);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder), old = new_block(e, "old"),
                      start = new_block(e, "start");
    LLVMBuildCondBr(e->builder, t->adds, old, start);
    LLVMPositionBuilderAtEnd(e->builder, old);
    for (unsigned r = 0; r < t->rows; ++r)
        for (unsigned v = 0; v < t->vectors; ++v)
            t->sums[r][v] = rt_emit_load(e, t->shape->dtype, t->c_rows[r], vector_at(e, t, v),
                                         t->lanes, v + 1 == t->vectors ? t->mask : NULL);
    old = LLVMGetInsertBlock(e->builder);
    LLVMBuildBr(e->builder, start);
    LLVMPositionBuilderAtEnd(e->builder, start);
    LLVMValueRef zero = LLVMConstNull(type);
    for (unsigned r = 0; r < t->rows; ++r)
        for (unsigned v = 0; v < t->vectors; ++v) {
            LLVMValueRef sum = LLVMBuildPhi(e->builder, type, "");
            LLVMAddIncoming(sum, &zero, &before, 1);
            LLVMAddIncoming(sum, &t->sums[r][v], &old, 1);
            t->sums[r][v] = sum;
        }
}

/* Loops around the accumulators hand them on. */
static void carry_sums(rt_emitter *e, tile_code *t, rt_loop *loop) {
    for (unsigned r = 0; r < t->rows; ++r)
        for (unsigned v = 0; v < t->vectors; ++v)
            t->sums[r][v] = rt_emit_loop_carry(e, loop, t->sums[r][v]);
}

static LLVMValueRef multiply_add(rt_emitter *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef sum) {
    return mul_add(e, x, y, sum);
}

/* Where a step reads: the panel's row, the index in rows of a. */
typedef struct places {
    LLVMValueRef b, a;
} places;

/* Elements from a number of a row of a to its next. */
static int64_t a_inner(const tile_code *t) {
    return t->has_packed_rows ? t->shape->rows : 1;
}

/* The inner index's step number `step` from these places: a row of the panel times a number of each
 * row of a. */
static void emit_step(rt_emitter *e, tile_code *t, places at, unsigned step) {
    LLVMValueRef b_row[RT_TILE_MAX_VECTORS], b_at = rt_emit_i64(e, step * panel_row_bytes(t));
    LLVMValueRef a_at = add(e, at.a, rt_emit_i64(e, step * a_inner(t))), b = moved(e, at.b, b_at);
    for (unsigned v = 0; v < t->vectors; ++v)
        b_row[v] = rt_emit_load(e, t->shape->dtype, b, vector_at(e, t, v), t->lanes, NULL);
    for (int64_t line = 0; line < panel_row_bytes(t); line += LINE_BYTES)
        emit_fetch(e, b, FETCH_AHEAD_BYTES + line, 1, false);
    for (unsigned r = 0; r < t->rows; ++r) {
        LLVMValueRef x = rt_emit_load(e, t->shape->dtype, t->a_rows[r], a_at, 1, NULL);
        x = rt_emit_splat(e, x, t->lanes);
        for (unsigned v = 0; v < t->vectors; ++v)
            t->sums[r][v] = multiply_add(e, x, b_row[v], t->sums[r][v]);
    }
}

typedef LLVMValueRef tile_sums[RT_TILE_MAX_ROWS][RT_TILE_MAX_VECTORS];

/* Ends a loop around the accumulators that carried `carried`. */
static void hand_on_sums(rt_emitter *e, tile_code *t, rt_loop *loop, tile_sums carried) {
    for (unsigned r = 0; r < t->rows; ++r)
        for (unsigned v = 0; v < t->vectors; ++v)
            rt_emit_loop_next(e, loop, carried[r][v], t->sums[r][v]);
    memcpy(t->sums, carried, sizeof t->sums);
}

/* Steps in turns of `steps` while the index in rows of a is below `end`; it alone counts. */
static places emit_steps(rt_emitter *e, tile_code *t, places from, LLVMValueRef end,
                         unsigned steps) {
    tile_sums carried;
    rt_loop k = rt_emit_loop_begin(e, from.a, end, rt_emit_i64(e, steps * a_inner(t)), "inner");
    carry_sums(e, t, &k);
    memcpy(carried, t->sums, sizeof carried);
    places at = {rt_emit_loop_carry(e, &k, from.b), k.index};
    for (unsigned step = 0; step < steps; ++step) emit_step(e, t, at, step);
    hand_on_sums(e, t, &k, carried);
    rt_emit_loop_next(e, &k, at.b, moved(e, at.b, rt_emit_i64(e, steps * panel_row_bytes(t))));
    rt_emit_loop_end(e, &k);
    return at;
}

/* The whole inner index, fetching on the way what later tiles read; and the next tile's rows of c,
 * one every few steps, as all at once they would keep a and b waiting. */
static void emit_inner(rt_emitter *e, tile_code *t) {
    tile_sums carried;
    LLVMValueRef stride = rt_emit_i64(e, a_inner(t)), zero = rt_emit_i64(e, 0);
    LLVMValueRef all = mul(e, t->inner, stride);
    LLVMValueRef turns = LLVMBuildAnd(e->builder, t->inner, rt_emit_i64(e, -STEPS), "");
    LLVMValueRef whole = mul(e, turns, stride);
    LLVMValueRef size = rt_emit_i64(e, RT_TILE_FETCH_INNER * a_inner(t));
    LLVMValueRef c_step = mul(e, t->c_row, rt_emit_i64(e, (int64_t)t->bytes));
    LLVMValueRef c_last = moved(e, t->next_c, mul(e, c_step, rt_emit_i64(e, t->rows - 1)));
    rt_loop block = rt_emit_loop_begin(e, zero, whole, size, "block");
    carry_sums(e, t, &block);
    memcpy(carried, t->sums, sizeof carried);
    LLVMValueRef c = rt_emit_loop_carry(e, &block, t->next_c);
    LLVMValueRef next_b = rt_emit_loop_carry(e, &block, t->next_b.at);
    LLVMValueRef next_a = rt_emit_loop_carry(e, &block, t->next_a.at);
    LLVMValueRef b = rt_emit_loop_carry(e, &block, t->b);
    for (int64_t line = 0; line < panel_row_bytes(t); line += LINE_BYTES) {
        emit_fetch(e, c, line, 1, true);
        emit_fetch(e, next_b, line, 2, false);
    }
    emit_fetch(e, next_a, 0, 2, false);
    LLVMValueRef end = rt_emit_min(e, add(e, block.index, size), whole, true);
    places behind = emit_steps(e, t, (places){b, block.index}, end, STEPS);
    hand_on_sums(e, t, &block, carried);
    LLVMValueRef is_last = LLVMBuildICmp(e->builder, LLVMIntEQ, c, c_last, "");
    rt_emit_loop_next(e, &block, c, where(e, is_last, c, moved(e, c, c_step)));
    rt_emit_loop_next(e, &block, next_b, moved(e, next_b, t->next_b.step));
    rt_emit_loop_next(e, &block, next_a, moved(e, next_a, t->next_a.step));
    rt_emit_loop_next(e, &block, b, behind.b);
    rt_emit_loop_end(e, &block);
    emit_steps(e, t, (places){b, whole}, all, 1);
}

static void store_sums(rt_emitter *e, const tile_code *t, LLVMValueRef mask) {
    for (unsigned r = 0; r < t->rows; ++r)
        for (unsigned v = 0; v < t->vectors; ++v)
            rt_emit_store(e, t->shape->dtype, t->sums[r][v], t->c_rows[r], vector_at(e, t, v),
                          v + 1 == t->vectors ? mask : NULL);
}

static void emit_rows(rt_emitter *e, tile_code *t) {
    LLVMValueRef c = t->c, a = t->has_packed_rows ? hide_origin(e, t->a) : t->a;
    for (unsigned r = 0; r < t->rows; ++r) {
        LLVMValueRef row = rt_emit_i64(e, r);
        if (!t->has_packed_rows) row = mul(e, row, t->a_row);
        t->a_rows[r] = rt_emit_address(e, a, row, t->bytes);
        if (!t->has_packed_rows) t->a_rows[r] = hide_origin(e, t->a_rows[r]);
        t->c_rows[r] = c;
        c = rt_emit_address(e, c, t->c_row, t->bytes);
    }
}

static void emit_tile_body(rt_emitter *e, tile_code *t) {
    emit_rows(e, t);
    LLVMValueRef last = vector_at(e, t, t->vectors - 1);
    if (t->lanes > 1) t->mask = rt_emit_tail_mask(e, last, t->columns, t->lanes);
    load_sums(e, t);
    emit_inner(e, t);
    LLVMValueRef whole = rt_emit_i64(e, t->vectors * t->lanes);
    LLVMValueRef is_whole = LLVMBuildICmp(e->builder, LLVMIntSGE, t->columns, whole, "");
    rt_branch branch = rt_emit_if_begin(e, is_whole, "whole");
    store_sums(e, t, NULL);
    rt_emit_if_end(e, &branch);
    if (t->lanes == 1) return;
    branch = rt_emit_if_begin(e, LLVMBuildNot(e->builder, is_whole, ""), "part");
    store_sums(e, t, t->mask);
    rt_emit_if_end(e, &branch);
}

static LLVMValueRef tile_function(rt_emitter *e, const rt_tile *tile) {
    char name[48];
    snprintf(name, sizeof name, "rt_tile_%s_%ux%u%s", rt_dtype_text(tile->shape->dtype), tile->rows,
             tile->vectors, tile->has_packed_rows ? "_packed" : "");
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name);
    if (function) return function;
    LLVMValueRef outer = e->function;
    rt_place back = {LLVMGetInsertBlock(e->builder), LLVMGetCurrentDebugLocation2(e->builder)};
    function = rt_emit_function_begin(e, name, tile_type(e));
    LLVMSetLinkage(function, LLVMInternalLinkage);
    tile_code t = {.shape = tile->shape,
                   .rows = tile->rows,
                   .vectors = tile->vectors,
                   .has_packed_rows = tile->has_packed_rows,
                   .lanes = rt_tile_lanes(e, tile->shape),
                   .bytes = rt_dtype_bytes(tile->shape->dtype)};
    LLVMValueRef *fields[TILE_PARAMETERS] = {
        &t.a,    &t.a_row,     &t.b,           &t.c,         &t.c_row,       &t.inner, &t.columns,
        &t.adds, &t.next_b.at, &t.next_b.step, &t.next_a.at, &t.next_a.step, &t.next_c};
    for (unsigned i = 0; i < TILE_PARAMETERS; ++i) *fields[i] = LLVMGetParam(function, i);
    emit_tile_body(e, &t);
    LLVMBuildRetVoid(e->builder);
    e->function = outer;
    rt_emit_leave(e, back);
    return function;
}

void rt_emit_tile(rt_emitter *e, const rt_tile *tile) {
    LLVMValueRef function = tile_function(e, tile);
    LLVMValueRef arguments[TILE_PARAMETERS] = {
        tile->a,         tile->a_row,       tile->b,     tile->c,         tile->c_row,
        tile->inner,     tile->columns,     tile->adds,  tile->next_b.at, tile->next_b.step,
        tile->next_a.at, tile->next_a.step, tile->next_c};
    LLVMBuildCall2(e->builder, tile_type(e), function, arguments, TILE_PARAMETERS, "");
}
