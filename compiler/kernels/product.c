// SPDX-License-Identifier: Apache-2.0
/* The product runs over column strips of up to four vectors, and in each over tiles of rows whose
 * accumulators fill the registers; the last vector of a strip is masked. For scalars (b with a
 * column stride, or types without vectors) the same code runs with one lane. */
#include "compiler/kernels/product.h"

#include <llvm-c/DebugInfo.h>
#include <stdio.h>

#include "compiler/kernels/arithmetic.h"
#include "compiler/kernels/product_tile.h"
#include "runtime/base/check.h"

enum { MAX_ROWS = 6, MAX_VECTORS = 4 };

/* Steps of the inner index in one turn of its loop, a power of two: counting takes ports from
 * multiply-adds. */
enum { STEPS = 2 };

/* ---- the tile: accumulators fill the registers but for b's vectors and one of a's numbers */

typedef struct tile_size {
    unsigned rows, vectors;
} tile_size;

static tile_size tile_of(const rt_emitter *e) {
    bool has_32_registers = e->target->vector_bytes >= 64;
    return has_32_registers ? (tile_size){MAX_ROWS, MAX_VECTORS} : (tile_size){4, 3};
}

/* Of accumulators: narrow floats are summed in f32. */
static unsigned vector_lanes(const rt_emitter *e, rt_dtype dtype) {
    bool is_narrow_float = dtype == RT_F16 || dtype == RT_BF16;
    return rt_emit_target_lanes(e, is_narrow_float ? 4 : (unsigned)rt_dtype_bytes(dtype));
}

int64_t rt_product_panel(const rt_emitter *e, rt_dtype dtype) {
    const rt_tile_shape *shape = rt_tile_shape_of(e, dtype);
    return shape ? rt_tile_width(e, shape) : (int64_t)tile_of(e).vectors * vector_lanes(e, dtype);
}

rt_integer_product rt_integer_product_on(const rt_target *target) {
    const rt_emitter e = {.target = target};
    const rt_tile_shape *shape = rt_tile_shape_of_integers(&e);
    return (rt_integer_product){shape->dtype, rt_tile_width(&e, shape)};
}

int64_t rt_product_panel_on(const rt_target *target, rt_dtype dtype) {
    const rt_emitter e = {.target = target};
    return rt_product_panel(&e, dtype);
}

int64_t rt_product_strip(const rt_emitter *e, rt_dtype dtype) {
    int64_t columns = (int64_t)tile_of(e).vectors * vector_lanes(e, dtype);
    RT_ASSERT(columns <= RT_PRODUCT_MAX_STRIP);
    return columns;
}

/* ---- functions of the module */

typedef struct place {
    LLVMBasicBlockRef block;
    LLVMValueRef function;
    LLVMMetadataRef line;
} place;

/* Begins a function that only this module sees; returns where the builder was. */
static place begin_helper(rt_emitter *e, const char *name, LLVMTypeRef type) {
    place before = {LLVMGetInsertBlock(e->builder), e->function,
                    LLVMGetCurrentDebugLocation2(e->builder)};
    LLVMSetLinkage(rt_emit_function_begin(e, name, type), LLVMInternalLinkage);
    return before;
}

static void end_helper(rt_emitter *e, place before) {
    LLVMBuildRetVoid(e->builder);
    e->function = before.function;
    LLVMPositionBuilderAtEnd(e->builder, before.block);
    LLVMSetCurrentDebugLocation2(e->builder, before.line);
}

/* ---- product */

/* Inside the function: its parameters, and what is fixed for its element type. */
typedef struct strip {
    rt_dtype dtype;
    unsigned lanes, tile_rows, tile_vectors;
    LLVMValueRef a, a_row, a_inner, b, b_inner, b_column, c, c_row, rows, columns, inner, adds;
    /* Of the current strip of columns. */
    LLVMValueRef first_column, mask; /* the mask of its last vector */
    unsigned vectors;
} strip;

static LLVMValueRef column_of(rt_emitter *e, const strip *s, unsigned vector) {
    return add(e, s->first_column, rt_emit_i64(e, vector * s->lanes));
}

/* The rows of a tile: where they begin in a, and in c at the strip's first column. */
typedef struct tile {
    unsigned count;
    LLVMValueRef a[MAX_ROWS], c[MAX_ROWS];
    LLVMValueRef sums[MAX_ROWS][MAX_VECTORS];
} tile;

/* The same pointer, but the code generator does not see where it comes from: it would compute rows
 * from each other inside the inner loop, on ports that multiply-adds need. */
static LLVMValueRef hide_origin(rt_emitter *e, LLVMValueRef pointer) {
    LLVMTypeRef type = LLVMFunctionType(e->pointer, &e->pointer, 1, false);
    LLVMValueRef code =
        LLVMGetInlineAsm(type, "", 0, "=r,0", 4, false, false, LLVMInlineAsmDialectATT, false);
    return LLVMBuildCall2(e->builder, type, code, &pointer, 1, "");
}

static LLVMValueRef vector_at(rt_emitter *e, const strip *s, unsigned vector) {
    return rt_emit_i64(e, vector * s->lanes);
}

static LLVMValueRef last_mask(const strip *s, unsigned vector) {
    return s->lanes > 1 && vector + 1 == s->vectors ? s->mask : NULL;
}

/* The accumulators before the first multiply-add: c where the product adds to it. */
static void load_sums(rt_emitter *e, const strip *s, tile *t) {
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder);
    rt_branch adds = rt_emit_if_begin(e, s->adds, "adds");
    LLVMBasicBlockRef old = LLVMGetInsertBlock(e->builder);
    for (unsigned r = 0; r < t->count; ++r)
        for (unsigned v = 0; v < s->vectors; ++v)
            t->sums[r][v] =
                rt_emit_load(e, s->dtype, t->c[r], vector_at(e, s, v), s->lanes, last_mask(s, v));
    rt_emit_if_end(e, &adds);
    for (unsigned r = 0; r < t->count; ++r) {
        for (unsigned v = 0; v < s->vectors; ++v) {
            LLVMTypeRef type = LLVMTypeOf(t->sums[r][v]);
            LLVMValueRef values[] = {LLVMConstNull(type), t->sums[r][v]};
            LLVMBasicBlockRef blocks[] = {before, old};
            t->sums[r][v] = LLVMBuildPhi(e->builder, type, "");
            LLVMAddIncoming(t->sums[r][v], values, blocks, 2);
        }
    }
}

static LLVMValueRef multiply_add(rt_emitter *e, LLVMValueRef x, LLVMValueRef y, LLVMValueRef sum) {
    return is_real(x) ? mul_add(e, x, y, sum) : add(e, sum, mul(e, x, y));
}

/* sums += a[.][k] b[k][.] */
static void emit_step(rt_emitter *e, const strip *s, tile *t, LLVMValueRef k) {
    LLVMValueRef b_row = mul(e, k, s->b_inner), a_k = mul(e, k, s->a_inner), b[MAX_VECTORS];
    for (unsigned v = 0; v < s->vectors; ++v) {
        LLVMValueRef column = column_of(e, s, v);
        if (s->b_column) column = mul(e, column, s->b_column);
        b[v] = rt_emit_load(e, s->dtype, s->b, add(e, b_row, column), s->lanes, last_mask(s, v));
    }
    for (unsigned r = 0; r < t->count; ++r) {
        LLVMValueRef x = rt_emit_load(e, s->dtype, t->a[r], a_k, 1, NULL);
        x = rt_emit_splat(e, x, s->lanes);
        for (unsigned v = 0; v < s->vectors; ++v)
            t->sums[r][v] = multiply_add(e, x, b[v], t->sums[r][v]);
    }
}

/* Steps [begin, end) of the inner index, so many in one turn of a loop. */
static void emit_steps(rt_emitter *e, const strip *s, tile *t, LLVMValueRef begin, LLVMValueRef end,
                       unsigned steps) {
    LLVMValueRef carried[MAX_ROWS][MAX_VECTORS];
    rt_loop k = rt_emit_loop_begin(e, begin, end, rt_emit_i64(e, steps), "inner");
    for (unsigned r = 0; r < t->count; ++r)
        for (unsigned v = 0; v < s->vectors; ++v)
            carried[r][v] = t->sums[r][v] = rt_emit_loop_carry(e, &k, t->sums[r][v]);
    for (unsigned step = 0; step < steps; ++step)
        emit_step(e, s, t, add(e, k.index, rt_emit_i64(e, step)));
    for (unsigned r = 0; r < t->count; ++r)
        for (unsigned v = 0; v < s->vectors; ++v)
            rt_emit_loop_next(e, &k, carried[r][v], t->sums[r][v]);
    rt_emit_loop_end(e, &k);
    for (unsigned r = 0; r < t->count; ++r)
        for (unsigned v = 0; v < s->vectors; ++v)
            t->sums[r][v] = rt_emit_loop_result(&k, carried[r][v]);
}

/* Rows [row, row + count) of the strip. */
static void emit_tile(rt_emitter *e, const strip *s, LLVMValueRef row, unsigned count) {
    size_t bytes = (size_t)rt_dtype_bytes(s->dtype);
    tile t = {.count = count};
    for (unsigned r = 0; r < count; ++r) {
        LLVMValueRef number = add(e, row, rt_emit_i64(e, r));
        t.a[r] = hide_origin(e, rt_emit_address(e, s->a, mul(e, number, s->a_row), bytes));
        LLVMValueRef at = add(e, mul(e, number, s->c_row), s->first_column);
        t.c[r] = rt_emit_address(e, s->c, at, bytes);
    }
    load_sums(e, s, &t);
    LLVMValueRef even = LLVMBuildAnd(e->builder, s->inner, rt_emit_i64(e, -STEPS), "");
    emit_steps(e, s, &t, rt_emit_i64(e, 0), even, STEPS);
    emit_steps(e, s, &t, even, s->inner, 1);
    for (unsigned r = 0; r < count; ++r)
        for (unsigned v = 0; v < s->vectors; ++v)
            rt_emit_store(e, s->dtype, t.sums[r][v], t.c[r], vector_at(e, s, v), last_mask(s, v));
}

/* All rows of a strip of `vectors` vectors: full tiles, then pairs, then one by one. */
static void emit_strip(rt_emitter *e, strip *s, unsigned vectors) {
    unsigned sizes[] = {s->tile_rows, 2, 1};
    LLVMValueRef begin = rt_emit_i64(e, 0);
    s->vectors = vectors;
    if (s->lanes > 1) {
        LLVMValueRef last = column_of(e, s, vectors - 1);
        s->mask = rt_emit_tail_mask(e, last, s->columns, s->lanes);
    }
    for (unsigned i = 0; i < RT_COUNT_OF(sizes); ++i) {
        LLVMValueRef left = sub(e, s->rows, begin), size = rt_emit_i64(e, sizes[i]);
        LLVMValueRef whole = mul(e, LLVMBuildSDiv(e->builder, left, size, ""), size);
        LLVMValueRef end = add(e, begin, whole);
        rt_loop row = rt_emit_loop_begin(e, begin, end, size, "row");
        emit_tile(e, s, row.index, sizes[i]);
        rt_emit_loop_end(e, &row);
        begin = end;
    }
}

/* The widest strip while it fits, then the rest by the number of vectors that it takes. */
static void emit_product_body(rt_emitter *e, strip *s) {
    LLVMValueRef width = rt_emit_i64(e, s->tile_vectors * s->lanes);
    rt_loop column = rt_emit_loop_begin(e, rt_emit_i64(e, 0), s->columns, width, "columns");
    s->first_column = column.index;
    LLVMValueRef left = sub(e, s->columns, column.index);
    for (unsigned vectors = s->tile_vectors; vectors >= 1; --vectors) {
        LLVMValueRef least = rt_emit_i64(e, (vectors - 1) * s->lanes);
        LLVMValueRef most = rt_emit_i64(e, vectors * s->lanes);
        LLVMValueRef fits = LLVMBuildICmp(e->builder, LLVMIntSGT, left, least, "");
        if (vectors < s->tile_vectors) {
            LLVMValueRef not_more = LLVMBuildICmp(e->builder, LLVMIntSLE, left, most, "");
            fits = LLVMBuildAnd(e->builder, fits, not_more, "");
        }
        rt_branch branch = rt_emit_if_begin(e, fits, "strip");
        emit_strip(e, s, vectors);
        rt_emit_if_end(e, &branch);
    }
    rt_emit_loop_end(e, &column);
}

enum { PRODUCT_PARAMETERS = 12 };

static LLVMValueRef product_function(rt_emitter *e, rt_dtype dtype, bool is_strided,
                                     LLVMTypeRef type) {
    char name[48];
    snprintf(name, sizeof name, "rt_product_%s%s", rt_dtype_text(dtype), is_strided ? "_any" : "");
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name);
    if (function) return function;
    place before = begin_helper(e, name, type);
    function = e->function;
    strip s = {.dtype = dtype,
               .lanes = is_strided ? 1 : vector_lanes(e, dtype),
               .tile_rows = tile_of(e).rows,
               .tile_vectors = is_strided ? 2 : tile_of(e).vectors};
    LLVMValueRef *fields[PRODUCT_PARAMETERS] = {&s.a,       &s.a_row,    &s.a_inner, &s.b,
                                                &s.b_inner, &s.b_column, &s.c,       &s.c_row,
                                                &s.rows,    &s.columns,  &s.inner,   &s.adds};
    for (unsigned i = 0; i < PRODUCT_PARAMETERS; ++i) *fields[i] = LLVMGetParam(function, i);
    if (!is_strided) s.b_column = NULL;
    emit_product_body(e, &s);
    end_helper(e, before);
    return function;
}

void rt_emit_product(rt_emitter *e, const rt_product *p) {
    LLVMTypeRef types[PRODUCT_PARAMETERS] = {e->pointer, e->i64, e->i64, e->pointer, e->i64, e->i64,
                                             e->pointer, e->i64, e->i64, e->i64,     e->i64, e->i1};
    LLVMTypeRef type = LLVMFunctionType(e->none, types, PRODUCT_PARAMETERS, false);
    LLVMValueRef function = product_function(e, p->dtype, p->b_column != NULL, type);
    LLVMValueRef one = rt_emit_i64(e, 1);
    LLVMValueRef arguments[PRODUCT_PARAMETERS] = {
        p->a,       p->a_row,   p->a_inner,
        p->b,       p->b_inner, p->b_column ? p->b_column : one,
        p->c,       p->c_row,   p->rows,
        p->columns, p->inner,   p->adds ? p->adds : rt_emit_int(e, e->i1, 0)};
    LLVMBuildCall2(e->builder, type, function, arguments, PRODUCT_PARAMETERS, "");
}

/* ---- transpose */

/* Swaps the off-diagonal quarters of all blocks of 2 * distance rows and lanes; for the distances
 * 1, 2, 4, … this transposes. */
static void exchange(rt_emitter *e, LLVMValueRef *rows, unsigned lanes, unsigned distance) {
    LLVMValueRef upper[64], lower[64];
    for (unsigned j = 0; j < lanes; ++j) {
        bool is_second = j & distance;
        upper[j] = rt_emit_int(e, e->i32, is_second ? lanes + j - distance : j);
        lower[j] = rt_emit_int(e, e->i32, is_second ? lanes + j : j + distance);
    }
    for (unsigned i = 0; i < lanes; ++i) {
        if (i & distance) continue;
        LLVMValueRef a = rows[i], b = rows[i + distance];
        rows[i] = LLVMBuildShuffleVector(e->builder, a, b, LLVMConstVector(upper, lanes), "");
        rows[i + distance] =
            LLVMBuildShuffleVector(e->builder, a, b, LLVMConstVector(lower, lanes), "");
    }
}

enum { TRANSPOSE_PARAMETERS = 6 };

static void emit_transpose_body(rt_emitter *e, const rt_transpose_job *job, unsigned lanes) {
    LLVMValueRef zero = rt_emit_i64(e, 0), step = rt_emit_i64(e, lanes), rows[64];
    LLVMValueRef last = sub(e, job->rows, rt_emit_i64(e, 1));
    rt_loop row = rt_emit_loop_begin(e, zero, job->rows, step, "row");
    rt_loop column = rt_emit_loop_begin(e, zero, job->columns, step, "column");
    LLVMValueRef mask = rt_emit_tail_mask(e, column.index, job->columns, lanes);
    for (unsigned r = 0; r < lanes; ++r) {
        LLVMValueRef from = rt_emit_min(e, add(e, row.index, rt_emit_i64(e, r)), last, true);
        from = add(e, mul(e, from, job->from_row), column.index);
        rows[r] = rt_emit_load(e, RT_F32, job->from, from, lanes, mask);
    }
    for (unsigned distance = 1; distance < lanes; distance *= 2) exchange(e, rows, lanes, distance);
    for (unsigned r = 0; r < lanes; ++r) {
        LLVMValueRef to = mul(e, add(e, column.index, rt_emit_i64(e, r)), job->to_row);
        rt_emit_store(e, RT_F32, rows[r], job->to, add(e, to, row.index), NULL);
    }
    rt_emit_loop_end(e, &column);
    rt_emit_loop_end(e, &row);
}

void rt_emit_transpose(rt_emitter *e, const rt_transpose_job *job) {
    static const char name[] = "rt_transpose_f32";
    LLVMTypeRef types[TRANSPOSE_PARAMETERS] = {e->pointer, e->i64,     e->i64,
                                               e->i64,     e->pointer, e->i64};
    LLVMTypeRef type = LLVMFunctionType(e->none, types, TRANSPOSE_PARAMETERS, false);
    LLVMValueRef function = LLVMGetNamedFunction(e->module, name);
    if (!function) {
        place before = begin_helper(e, name, type);
        function = e->function;
        LLVMValueRef p[TRANSPOSE_PARAMETERS];
        for (unsigned i = 0; i < TRANSPOSE_PARAMETERS; ++i) p[i] = LLVMGetParam(function, i);
        rt_transpose_job own = {p[0], p[1], p[2], p[3], p[4], p[5]};
        unsigned lanes = rt_emit_target_lanes(e, 4);
        RT_ASSERT(lanes <= RT_TRANSPOSE_PAD);
        emit_transpose_body(e, &own, lanes);
        end_helper(e, before);
    }
    LLVMValueRef arguments[TRANSPOSE_PARAMETERS] = {job->from,    job->from_row, job->rows,
                                                    job->columns, job->to,       job->to_row};
    LLVMBuildCall2(e->builder, type, function, arguments, TRANSPOSE_PARAMETERS, "");
}

/* ---- copy */

void rt_emit_copy(rt_emitter *e, const rt_copy_job *job) {
    unsigned lanes = vector_lanes(e, RT_F32);
    rt_loop row = rt_emit_loop_begin(e, rt_emit_i64(e, 0), job->rows, rt_emit_i64(e, 1), "row");
    LLVMValueRef from = mul(e, row.index, job->from_row);
    LLVMValueRef to = mul(e, row.index, rt_emit_i64(e, job->width));
    for (int64_t column = 0; column < job->width; column += lanes) {
        LLVMValueRef first = rt_emit_i64(e, column);
        LLVMValueRef mask = rt_emit_tail_mask(e, first, job->columns, lanes);
        LLVMValueRef x = rt_emit_load(e, RT_F32, job->from, add(e, from, first), lanes, mask);
        rt_emit_store(e, RT_F32, x, job->to, add(e, to, first), NULL);
    }
    rt_emit_loop_end(e, &row);
}
