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

enum { SUM_BYTES = 4 };

static const rt_tile_shape shapes[] = {
#define PRODUCT_TILE(...) {__VA_ARGS__},
#include "compiler/kernels/product_tiles.def"
};

static bool fits(const rt_emitter *e, const rt_tile_shape *shape) {
    RT_ASSERT(shape->rows <= RT_TILE_MAX_ROWS && shape->vectors <= RT_TILE_MAX_VECTORS);
    const rt_target *target = e->target;
    return target->vector_bytes >= shape->least_vector_bytes &&
           !strncmp(target->triple, shape->architecture, strlen(shape->architecture)) &&
           (!*shape->feature || rt_target_has_feature(target, shape->feature));
}

const rt_tile_shape *rt_tile_shape_of(const rt_emitter *e, rt_dtype dtype) {
    for (size_t i = 0; i < RT_COUNT_OF(shapes); ++i)
        if (shapes[i].dtype == dtype && fits(e, &shapes[i])) return &shapes[i];
    return NULL;
}

const rt_tile_shape *rt_tile_shape_of_integers(const rt_emitter *e) {
    for (size_t i = 0; i < RT_COUNT_OF(shapes); ++i)
        if (rt_dtype_is_integer(shapes[i].dtype) && fits(e, &shapes[i])) return &shapes[i];
    return NULL;
}

unsigned rt_tile_lanes(const rt_emitter *e) {
    return rt_emit_target_lanes(e, SUM_BYTES);
}

int64_t rt_tile_width(const rt_emitter *e, const rt_tile_shape *shape) {
    int64_t width = (int64_t)shape->vectors * rt_tile_lanes(e);
    RT_ASSERT(width <= RT_TILE_MAX_WIDTH);
    return width;
}

int64_t rt_tile_a_bytes(const rt_tile_numbers *numbers) {
    return numbers->scale_steps ? 8 : 4;
}

int64_t rt_tile_b_bytes(const rt_tile_shape *shape, const rt_tile_numbers *numbers) {
    bool is_grouped = rt_dtype_is_integer(shape->dtype);
    return (int64_t)rt_dtype_bytes(numbers->dtype) * (is_grouped ? rt_dot_group(shape->dtype) : 1);
}

/* ---- the function of one size of tile: its parameters in the order of rt_tile */

enum { TILE_PARAMETERS = 14 };

typedef struct tile_code tile_code;
typedef struct places places;

struct tile_code {
    const rt_tile_shape *shape;
    rt_tile_numbers numbers;
    unsigned rows, vectors, lanes;
    bool has_packed_rows;
    size_t a_bytes, b_bytes; /* of a row of a and of a column of b, in a step */
    rt_dtype sum_dtype;
    void (*step)(rt_emitter *e, tile_code *t, places at);
    LLVMValueRef a, a_row, b, c, c_row, inner, columns, adds, scales;
    rt_tile_fetch next_b, next_a;
    LLVMValueRef next_c;
    LLVMValueRef a_rows[RT_TILE_MAX_ROWS], c_rows[RT_TILE_MAX_ROWS];
    LLVMValueRef sums[RT_TILE_MAX_ROWS][RT_TILE_MAX_VECTORS];
    LLVMValueRef mask; /* of the last vector */
};

static LLVMTypeRef tile_type(rt_emitter *e) {
    LLVMTypeRef types[TILE_PARAMETERS] = {e->pointer, e->i64, e->pointer, e->pointer, e->i64,
                                          e->i64,     e->i64, e->i1,      e->pointer, e->i64,
                                          e->pointer, e->i64, e->pointer, e->pointer};
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
    return (int64_t)(t->shape->vectors * t->lanes * t->b_bytes);
}

static LLVMValueRef vector_at(rt_emitter *e, const tile_code *t, unsigned vector) {
    return rt_emit_i64(e, vector * t->lanes);
}

/* Begins blocks that one of two ways leads to. */
static LLVMBasicBlockRef new_block(rt_emitter *e, const char *name) {
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

static void load_sums(rt_emitter *e, tile_code *t) {
    LLVMTypeRef type = rt_emit_vector_type(e, rt_emit_dtype(e, t->sum_dtype), t->lanes);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder), old = new_block(e, "old"),
                      start = new_block(e, "start");
    LLVMBuildCondBr(e->builder, t->adds, old, start);
    LLVMPositionBuilderAtEnd(e->builder, old);
    for (unsigned r = 0; r < t->rows; ++r)
        for (unsigned v = 0; v < t->vectors; ++v)
            t->sums[r][v] = rt_emit_load(e, t->sum_dtype, t->c_rows[r], vector_at(e, t, v),
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

/* Where a step reads: the panel's row, the index in rows of a, the scales of the step's rows. */
struct places {
    LLVMValueRef b, a, scales;
};

/* Steps from a number of a row of a to its next. */
static int64_t a_inner(const tile_code *t) {
    return t->has_packed_rows ? t->shape->rows : 1;
}

/* sums[r] += x b, x being row r's number at `index`, for all rows. */
static void multiply_rows(rt_emitter *e, tile_code *t, const LLVMValueRef *b, LLVMValueRef index) {
    for (unsigned r = 0; r < t->rows; ++r) {
        LLVMValueRef x = rt_emit_load(e, RT_F32, t->a_rows[r], index, 1, NULL);
        x = rt_emit_splat(e, x, t->lanes);
        for (unsigned v = 0; v < t->vectors; ++v)
            t->sums[r][v] = mul_add(e, x, b[v], t->sums[r][v]);
    }
}

static void step_reals(rt_emitter *e, tile_code *t, places at) {
    LLVMValueRef b[RT_TILE_MAX_VECTORS];
    for (unsigned v = 0; v < t->vectors; ++v)
        b[v] = rt_emit_load(e, t->numbers.dtype, at.b, vector_at(e, t, v), t->lanes, NULL);
    multiply_rows(e, t, b, at.a);
}

static void step_integers(rt_emitter *e, tile_code *t, places at) {
    LLVMValueRef b[RT_TILE_MAX_VECTORS];
    unsigned group = rt_dot_group(t->shape->dtype);
    for (unsigned v = 0; v < t->vectors; ++v) {
        LLVMValueRef first = rt_emit_i64(e, v * t->lanes * group);
        b[v] = rt_emit_load(e, RT_I8, at.b, first, t->lanes * group, NULL);
        b[v] = rt_emit_dot_operand(e, t->shape->dot, b[v]);
    }
    for (unsigned r = 0; r < t->rows; ++r) {
        LLVMValueRef x = rt_emit_load(e, RT_I32, t->a_rows[r], at.a, 1, NULL);
        for (unsigned v = 0; v < t->vectors; ++v)
            t->sums[r][v] = rt_emit_dot(e, t->shape->dot, t->shape->dtype, x, b[v], t->sums[r][v]);
    }
}

/* The low four bits of each lane as a number from -8 to 7, times the lane's scale. */
static LLVMValueRef scaled_number(rt_emitter *e, LLVMValueRef bits, LLVMValueRef scale) {
    bits = LLVMBuildAnd(e->builder, bits, rt_emit_int_like(e, bits, 15), "");
    LLVMValueRef number = sub(e, bits, rt_emit_int_like(e, bits, 8));
    return mul(e, LLVMBuildSIToFP(e->builder, number, LLVMTypeOf(scale), ""), scale);
}

static void step_pairs(rt_emitter *e, tile_code *t, places at) {
    LLVMValueRef low[RT_TILE_MAX_VECTORS], high[RT_TILE_MAX_VECTORS];
    for (unsigned v = 0; v < t->vectors; ++v) {
        LLVMValueRef pair = rt_emit_load(e, RT_U8, at.b, vector_at(e, t, v), t->lanes, NULL);
        LLVMValueRef scale =
            rt_emit_load(e, t->numbers.scale_dtype, at.scales, vector_at(e, t, v), t->lanes, NULL);
        pair = LLVMBuildZExt(e->builder, pair, rt_emit_vector_type(e, e->i32, t->lanes), "");
        low[v] = scaled_number(e, pair, scale);
        pair = LLVMBuildLShr(e->builder, pair, rt_emit_int_like(e, pair, 4), "");
        high[v] = scaled_number(e, pair, scale);
    }
    LLVMValueRef first = mul(e, at.a, rt_emit_i64(e, 2));
    multiply_rows(e, t, low, first);
    multiply_rows(e, t, high, add(e, first, rt_emit_i64(e, 1)));
}

/* The inner index's step number `step` from these places: a row of the panel times a number of each
 * row of a. */
static void emit_step(rt_emitter *e, tile_code *t, places at, unsigned step) {
    at.b = moved(e, at.b, rt_emit_i64(e, step * panel_row_bytes(t)));
    at.a = add(e, at.a, rt_emit_i64(e, step * a_inner(t)));
    for (int64_t line = 0; line < panel_row_bytes(t); line += LINE_BYTES)
        emit_fetch(e, at.b, FETCH_AHEAD_BYTES + line, 1, false);
    t->step(e, t, at);
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
    places at = {rt_emit_loop_carry(e, &k, from.b), k.index, from.scales};
    for (unsigned step = 0; step < steps; ++step) emit_step(e, t, at, step);
    hand_on_sums(e, t, &k, carried);
    rt_emit_loop_next(e, &k, at.b, moved(e, at.b, rt_emit_i64(e, steps * panel_row_bytes(t))));
    rt_emit_loop_end(e, &k);
    return at;
}

/* The scales of step `index`. */
static LLVMValueRef scales_at(rt_emitter *e, const tile_code *t, LLVMValueRef index) {
    if (!t->numbers.scale_steps) return t->scales;
    LLVMValueRef group =
        LLVMBuildUDiv(e->builder, index, rt_emit_i64(e, t->numbers.scale_steps), "");
    size_t bytes = t->shape->vectors * t->lanes * rt_dtype_bytes(t->numbers.scale_dtype);
    return rt_emit_address(e, t->scales, group, bytes);
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
    LLVMValueRef c_step = mul(e, t->c_row, rt_emit_i64(e, SUM_BYTES));
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
    places behind =
        emit_steps(e, t, (places){b, block.index, scales_at(e, t, block.index)}, end, STEPS);
    hand_on_sums(e, t, &block, carried);
    LLVMValueRef is_last = LLVMBuildICmp(e->builder, LLVMIntEQ, c, c_last, "");
    rt_emit_loop_next(e, &block, c, where(e, is_last, c, moved(e, c, c_step)));
    rt_emit_loop_next(e, &block, next_b, moved(e, next_b, t->next_b.step));
    rt_emit_loop_next(e, &block, next_a, moved(e, next_a, t->next_a.step));
    rt_emit_loop_next(e, &block, b, behind.b);
    rt_emit_loop_end(e, &block);
    emit_steps(e, t, (places){b, whole, scales_at(e, t, whole)}, all, 1);
}

static void store_sums(rt_emitter *e, const tile_code *t, LLVMValueRef mask) {
    for (unsigned r = 0; r < t->rows; ++r)
        for (unsigned v = 0; v < t->vectors; ++v)
            rt_emit_store(e, t->sum_dtype, t->sums[r][v], t->c_rows[r], vector_at(e, t, v),
                          v + 1 == t->vectors ? mask : NULL);
}

static void emit_rows(rt_emitter *e, tile_code *t) {
    LLVMValueRef c = t->c, a = t->has_packed_rows ? hide_origin(e, t->a) : t->a;
    for (unsigned r = 0; r < t->rows; ++r) {
        LLVMValueRef row = rt_emit_i64(e, r);
        if (!t->has_packed_rows) row = mul(e, row, t->a_row);
        t->a_rows[r] = rt_emit_address(e, a, row, t->a_bytes);
        if (!t->has_packed_rows) t->a_rows[r] = hide_origin(e, t->a_rows[r]);
        t->c_rows[r] = c;
        c = rt_emit_address(e, c, t->c_row, SUM_BYTES);
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

/* "rt_tile_f32_6x2", "rt_tile_f32_u8_f16_16_6x2". */
static void print_name(const rt_tile *tile, char *name, size_t size) {
    const rt_tile_numbers *numbers = &tile->numbers;
    int used = snprintf(name, size, "rt_tile_%s", rt_dtype_text(tile->shape->dtype));
    if (numbers->dtype != tile->shape->dtype)
        used += snprintf(name + used, size - (size_t)used, "_%s", rt_dtype_text(numbers->dtype));
    if (numbers->scale_steps)
        used += snprintf(name + used, size - (size_t)used, "_%s_%d",
                         rt_dtype_text(numbers->scale_dtype), (int)numbers->scale_steps);
    snprintf(name + used, size - (size_t)used, "_%ux%u%s", tile->rows, tile->vectors,
             tile->has_packed_rows ? "_packed" : "");
}

static tile_code describe_code(rt_emitter *e, const rt_tile *tile) {
    bool is_integer = rt_dtype_is_integer(tile->shape->dtype);
    return (tile_code){.shape = tile->shape,
                       .numbers = tile->numbers,
                       .rows = tile->rows,
                       .vectors = tile->vectors,
                       .has_packed_rows = tile->has_packed_rows,
                       .lanes = rt_tile_lanes(e),
                       .a_bytes = (size_t)rt_tile_a_bytes(&tile->numbers),
                       .b_bytes = (size_t)rt_tile_b_bytes(tile->shape, &tile->numbers),
                       .sum_dtype = is_integer ? RT_I32 : RT_F32,
                       .step = is_integer                  ? step_integers
                               : tile->numbers.scale_steps ? step_pairs
                                                           : step_reals};
}

static LLVMValueRef tile_function(rt_emitter *e, const rt_tile *tile) {
    char name[64];
    print_name(tile, name, sizeof name);
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name);
    if (function) return function;
    LLVMValueRef outer = e->function;
    rt_place back = {LLVMGetInsertBlock(e->builder), LLVMGetCurrentDebugLocation2(e->builder)};
    function = rt_emit_function_begin(e, name, tile_type(e));
    LLVMSetLinkage(function, LLVMInternalLinkage);
    tile_code t = describe_code(e, tile);
    LLVMValueRef *fields[TILE_PARAMETERS] = {
        &t.a,    &t.a_row,     &t.b,           &t.c,         &t.c_row,       &t.inner,  &t.columns,
        &t.adds, &t.next_b.at, &t.next_b.step, &t.next_a.at, &t.next_a.step, &t.next_c, &t.scales};
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
        tile->a,         tile->a_row,
        tile->b,         tile->c,
        tile->c_row,     tile->inner,
        tile->columns,   tile->adds,
        tile->next_b.at, tile->next_b.step,
        tile->next_a.at, tile->next_a.step,
        tile->next_c,    tile->scales ? tile->scales : LLVMConstNull(e->pointer)};
    LLVMBuildCall2(e->builder, tile_type(e), function, arguments, TILE_PARAMETERS, "");
}
