// SPDX-License-Identifier: Apache-2.0
/* Products of f32, and of narrow numbers in panels, by blocks that stay in the caches. From the
 * outside in:
 *
 *   blocks of the inner index    so that a panel of b and rows of a fit beside each other
 *     groups of panels of b      where b is packed here: packed once for all rows of a
 *       blocks of rows of a      that stay in the second-level cache; packed where a is transposed
 *         panels of b            streamed from the second-level cache
 *           tiles of rows of a   product_tile.h
 *
 * Rows are cut into tiles once for the whole matrix, as evenly as whole rows allow: with the number
 * of rows known there are two sizes of tile. Workers share runs of tiles of one panel, numbered
 * panel by panel. Blocks of the inner index continue each other's sums, so that the bits are those
 * of one chain over all of it, whatever the blocks and the split are. */
#include <stddef.h>

#include "compiler/kernels/matmul.h"
#include "runtime/abi.h"

enum {
    INNER_BLOCK = 1024,
    /* Where a is transposed: of narrow strips of its rows, the cache holds no more. */
    NARROW_INNER_BLOCK = 384,
    PACKED_ROWS = 16 * INNER_BLOCK, /* of panels, in a group of them */
    RUN_TILES = 8,                  /* that workers share as one */
    FEW_ROWS = 16,                  /* for which packing would only add to reading b */
    ROW_BLOCK_MAX_BYTES = 512 * 1024,
    ROW_BLOCK_MIN_BYTES = 64 * 1024
};

static int64_t inner_block_of(const matmul *m) {
    return m->transpose_a ? NARROW_INNER_BLOCK : INNER_BLOCK;
}

/* A quarter of the second-level cache is for rows of a; two panels and what they displace need the
 * rest. */
static int64_t row_block_bytes(const rt_emitter *e) {
    int64_t bytes = e->target->l2_bytes / 4;
    if (bytes > ROW_BLOCK_MAX_BYTES) return ROW_BLOCK_MAX_BYTES;
    return bytes < ROW_BLOCK_MIN_BYTES ? ROW_BLOCK_MIN_BYTES : bytes;
}

static const int64_t panels_bytes = 4 * PACKED_ROWS * RT_TILE_MAX_WIDTH;

/* Rows that a packed panel has at most: of a short inner index no more than whole vectors of it. */
static int64_t slot_rows(int64_t inner_block, int64_t inner) {
    int64_t rows = (inner + RT_TRANSPOSE_PAD - 1) / RT_TRANSPOSE_PAD * RT_TRANSPOSE_PAD;
    return inner >= 0 && rows < inner_block ? rows : inner_block;
}

int64_t matmul_blocks_bytes(int64_t inner, int64_t columns, bool transpose_a) {
    if (transpose_a) return panels_bytes + ROW_BLOCK_MAX_BYTES;
    int64_t most = PACKED_ROWS / INNER_BLOCK * RT_TILE_MAX_WIDTH;
    if (columns >= 0 && columns + RT_TILE_MAX_WIDTH < most) most = columns + RT_TILE_MAX_WIDTH;
    return 4 * slot_rows(INNER_BLOCK, inner) * most;
}

typedef struct blocks {
    const matmul *m;
    const rt_tile_shape *shape;
    int64_t a_bytes, b_bytes; /* of a row of a and of a column of b, in a step of the inner index */
    matmul_storage b_storage;
    LLVMValueRef tiles, tile_rows, longer_tiles; /* the first `longer_tiles` have one row more */
    LLVMValueRef panels, width;
    rt_product whole; /* one matrix of the batch */
} blocks;

/* Tiles [first_tile, end_tile) of panels [first_panel, end_panel). */
typedef struct area {
    LLVMValueRef first_tile, end_tile, first_panel, end_panel;
} area;

/* Part of the inner index. */
typedef struct inner_block {
    LLVMValueRef first, count, adds;
} inner_block;

static LLVMValueRef first_row_of(const blocks *s, LLVMValueRef tile) {
    rt_emitter *e = s->m->build->e;
    return add(e, mul(e, tile, s->tile_rows), emit_less_of(e, tile, s->longer_tiles));
}

/* Of sums, and of rows of a that are f32. */
static LLVMValueRef bytes_of(rt_emitter *e, LLVMValueRef elements) {
    return mul(e, elements, rt_emit_i64(e, 4));
}

/* Of steps of a row of a. */
static LLVMValueRef bytes_of_steps(const blocks *s, LLVMValueRef steps) {
    rt_emitter *e = s->m->build->e;
    return mul(e, steps, rt_emit_i64(e, s->a_bytes));
}

/* ---- packing */

static LLVMValueRef slot_of(const blocks *s, LLVMValueRef slot) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef inner = s->m->inner;
    int64_t known = LLVMIsConstant(inner) ? (int64_t)LLVMConstIntGetZExtValue(inner) : -1;
    int64_t rows = slot_rows(inner_block_of(s->m), s->m->transpose_a ? -1 : known);
    int64_t panel = rows * rt_tile_width(e, s->shape);
    return rt_emit_address(e, s->m->build->scratch, mul(e, slot, rt_emit_i64(e, panel)), 4);
}

/* Where the panel of b begins that has to be packed. */
static LLVMValueRef unpacked_panel(const blocks *s, const inner_block *k, LLVMValueRef panel) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef column = mul(e, panel, s->width), stride = s->m->b_stride;
    LLVMValueRef at = s->b_storage == MATMUL_COLUMNS ? add(e, mul(e, column, stride), k->first)
                                                     : add(e, mul(e, k->first, stride), column);
    return rt_emit_address(e, s->whole.b, at, 4);
}

static LLVMValueRef columns_of(const blocks *s, LLVMValueRef panel) {
    rt_emitter *e = s->m->build->e;
    return emit_less_of(e, sub(e, s->m->columns, mul(e, panel, s->width)), s->width);
}

static void emit_packed_panel(const blocks *s, const inner_block *k, LLVMValueRef panel,
                              LLVMValueRef to) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef from = unpacked_panel(s, k, panel), columns = columns_of(s, panel);
    if (s->b_storage == MATMUL_COLUMNS)
        rt_emit_transpose(e, &(rt_transpose_job){.from = from,
                                                 .from_row = s->m->b_stride,
                                                 .rows = columns,
                                                 .columns = k->count,
                                                 .to = to,
                                                 .to_row = s->width});
    else
        rt_emit_copy(e, &(rt_copy_job){.from = from,
                                       .from_row = s->m->b_stride,
                                       .rows = k->count,
                                       .columns = columns,
                                       .to = to,
                                       .width = rt_tile_width(e, s->shape)});
}

/* Elements of a tile of packed rows. The surplus lets the same places of several tiles fall into
 * different sets of the cache. */
static LLVMValueRef packed_tile(const blocks *s, const inner_block *k) {
    enum { SURPLUS = 16 };
    rt_emitter *e = s->m->build->e;
    return add(e, mul(e, k->count, rt_emit_i64(e, s->shape->rows)), rt_emit_i64(e, SURPLUS));
}

static LLVMValueRef packed_rows(const blocks *s) {
    rt_emitter *e = s->m->build->e;
    return rt_emit_address(e, s->m->build->scratch, rt_emit_i64(e, panels_bytes), 1);
}

/* Steps [begin, end) of the inner index for one tile, read from its first row on. */
typedef struct packed_steps {
    LLVMValueRef begin, end, from, to;
    LLVMValueRef left; /* rows that there are, where fewer than whole vectors; else NULL */
} packed_steps;

/* In whole vectors: what they write too much, the next step overwrites. */
static void emit_packed_steps(const blocks *s, const packed_steps *p) {
    rt_emitter *e = s->m->build->e;
    unsigned lanes = rt_tile_lanes(e), rows = s->shape->rows;
    rt_loop inner = rt_emit_loop_begin(e, p->begin, p->end, rt_emit_i64(e, 1), "inner");
    LLVMValueRef from = mul(e, inner.index, s->whole.a_inner);
    LLVMValueRef to = mul(e, inner.index, rt_emit_i64(e, rows));
    for (unsigned r = 0; r < rows; r += lanes) {
        LLVMValueRef lane = rt_emit_i64(e, r), mask = NULL;
        if (p->left && lanes > 1) mask = rt_emit_tail_mask(e, lane, p->left, lanes);
        LLVMValueRef x = rt_emit_load(e, RT_F32, p->from, add(e, from, lane), lanes, mask);
        rt_emit_store(e, RT_F32, x, p->to, add(e, to, lane), NULL);
    }
    rt_emit_loop_end(e, &inner);
}

/* Rows of tiles [first, end) of a transposed a: tile by tile, `rows` of a whole tile numbers for
 * each inner index. Some steps of it at a time, whose lines stay in the first-level cache until all
 * tiles have taken their part. */
static void emit_packed_rows(const blocks *s, const inner_block *k, LLVMValueRef first,
                             LLVMValueRef end) {
    enum { STEPS = 64 };
    rt_emitter *e = s->m->build->e;
    unsigned lanes = rt_tile_lanes(e);
    int64_t width = (s->shape->rows + lanes - 1) / lanes * lanes;
    LLVMValueRef zero = rt_emit_i64(e, 0), steps = rt_emit_i64(e, STEPS);
    LLVMValueRef from = emit_at(e, s->whole.a, k->first, s->whole.a_inner, 4);
    rt_loop part = rt_emit_loop_begin(e, zero, k->count, steps, "part");
    rt_loop tile = rt_emit_loop_begin(e, first, end, rt_emit_i64(e, 1), "tile");
    LLVMValueRef row = first_row_of(s, tile.index), left = sub(e, s->m->rows, row);
    packed_steps p = {
        .begin = part.index,
        .end = emit_less_of(e, add(e, part.index, steps), k->count),
        .from = rt_emit_address(e, from, row, 4),
        .to = emit_at(e, packed_rows(s), sub(e, tile.index, first), packed_tile(s, k), 4)};
    LLVMValueRef is_whole = LLVMBuildICmp(e->builder, LLVMIntSGE, left, rt_emit_i64(e, width), "");
    rt_branch branch = rt_emit_if_begin(e, is_whole, "whole");
    emit_packed_steps(s, &p);
    rt_emit_if_end(e, &branch);
    branch = rt_emit_if_begin(e, LLVMBuildNot(e->builder, is_whole, ""), "part");
    p.left = left;
    emit_packed_steps(s, &p);
    rt_emit_if_end(e, &branch);
    rt_emit_loop_end(e, &tile);
    rt_emit_loop_end(e, &part);
}

/* ---- tiles */

/* Tiles of [first, end) over one panel, in this part of the inner index. */
typedef struct panel_run {
    const inner_block *k;
    LLVMValueRef first, end;           /* tiles */
    LLVMValueRef panel, b, scales;     /* its number, its rows; NULL: no scales */
    LLVMValueRef next_b, next_b_row;   /* the next panel as it is in memory: bytes between rows */
    LLVMValueRef next_first, next_end; /* tiles of the rows that are next */
    LLVMValueRef run, runs; /* number of this run over the rows, and how many there are */
} panel_run;

/* Each tile fetches its share of the next panel. */
static rt_tile_fetch share_of_panel(const blocks *s, const panel_run *r, LLVMValueRef tile) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef tiles = sub(e, r->end, r->first);
    LLVMValueRef rows = matmul_divided_up(e, r->k->count, tiles);
    LLVMValueRef row = mul(e, sub(e, tile, r->first), rows);
    return (rt_tile_fetch){emit_at(e, r->next_b, row, r->next_b_row, 1), r->next_b_row};
}

/* The same of a transposed a, where each step of the inner index has some lines: a tile fetches one
 * of them for an eighth of the steps. */
static rt_tile_fetch share_of_columns(const blocks *s, const panel_run *r, LLVMValueRef tile) {
    enum { LINE = 64 };
    rt_emitter *e = s->m->build->e;
    LLVMValueRef parts = rt_emit_i64(e, RT_TILE_FETCH_INNER), line = rt_emit_i64(e, LINE);
    LLVMValueRef first = first_row_of(s, r->next_first), end = first_row_of(s, r->next_end);
    LLVMValueRef lines = matmul_divided_up(e, bytes_of(e, sub(e, end, first)), line);
    LLVMValueRef number = add(e, mul(e, r->run, sub(e, r->end, r->first)), sub(e, tile, r->first));
    LLVMValueRef which = LLVMBuildUDiv(e->builder, number, parts, "");
    LLVMValueRef part = LLVMBuildURem(e->builder, number, parts, "");
    LLVMValueRef step = mul(e, part, matmul_divided_up(e, r->k->count, parts));
    LLVMValueRef at = add(e, mul(e, add(e, r->k->first, step), s->whole.a_inner), first);
    at = rt_emit_address(e, s->whole.a, add(e, bytes_of(e, at), mul(e, which, line)), 1);
    LLVMValueRef is_there = LLVMBuildICmp(e->builder, LLVMIntSLT, which, lines, "");
    return (rt_tile_fetch){where(e, is_there, at, r->b),
                           where(e, is_there, bytes_of(e, s->whole.a_inner), rt_emit_i64(e, 0))};
}

/* The tiles of all panels together fetch the next rows of a: each some lines that follow each
 * other. */
static rt_tile_fetch share_of_rows(const blocks *s, const panel_run *r, LLVMValueRef tile) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef one = rt_emit_i64(e, 1);
    if (s->m->transpose_a) return share_of_columns(s, r, tile);
    LLVMValueRef first = first_row_of(s, r->next_first), end = first_row_of(s, r->next_end);
    LLVMValueRef row_bytes = emit_greater_of(e, bytes_of_steps(s, r->k->count), one);
    LLVMValueRef tiles = sub(e, r->end, r->first);
    LLVMValueRef all = mul(e, sub(e, end, first), row_bytes);
    LLVMValueRef share = matmul_divided_up(e, all, mul(e, r->runs, tiles));
    LLVMValueRef number = add(e, mul(e, r->run, tiles), sub(e, tile, r->first));
    LLVMValueRef from = mul(e, number, share);
    LLVMValueRef row = add(e, first, LLVMBuildUDiv(e->builder, from, row_bytes, ""));
    row = emit_less_of(e, row, sub(e, end, one));
    LLVMValueRef column = LLVMBuildURem(e->builder, from, row_bytes, "");
    LLVMValueRef at = emit_at(e, s->whole.a, row, s->whole.a_row, (size_t)s->a_bytes);
    at = rt_emit_address(e, at, add(e, bytes_of_steps(s, r->k->first), column), 1);
    LLVMValueRef times = matmul_divided_up(e, r->k->count, rt_emit_i64(e, RT_TILE_FETCH_INNER));
    return (rt_tile_fetch){at, matmul_divided_up(e, share, emit_greater_of(e, times, one))};
}

/* Which of the numbers from 1 to `most` the value can have, as bits. */
static unsigned possible_rows(const blocks *s) {
    unsigned most = s->shape->rows;
    if (!LLVMIsConstant(s->m->rows)) return ((1u << most) - 1) << 1;
    uint64_t rows = LLVMConstIntGetZExtValue(s->m->rows), tiles = (rows + most - 1) / most;
    if (!rows) return 0;
    return 1u << rows / tiles | (rows % tiles ? 1u << (rows / tiles + 1) : 0);
}

static unsigned possible_vectors(const blocks *s) {
    unsigned most = s->shape->vectors, lanes = rt_tile_lanes(s->m->build->e);
    if (!LLVMIsConstant(s->m->columns)) return ((1u << most) - 1) << 1;
    uint64_t columns = LLVMConstIntGetZExtValue(s->m->columns), rest = columns % (most * lanes);
    unsigned bits = rest ? 1u << (rest + lanes - 1) / lanes : 0;
    return columns >= most * lanes ? bits | 1u << most : bits;
}

/* The tile's function for its number of rows and of vectors. */
static void emit_tile_of_size(const blocks *s, rt_tile *tile, LLVMValueRef rows) {
    rt_emitter *e = s->m->build->e;
    unsigned lanes = rt_tile_lanes(e), most = s->shape->rows;
    LLVMValueRef vectors = matmul_divided_up(e, tile->columns, rt_emit_i64(e, lanes));
    LLVMValueRef size = add(e, mul(e, vectors, rt_emit_i64(e, most + 1)), rows);
    LLVMBasicBlockRef after = LLVMAppendBasicBlockInContext(e->context, e->function, "tiled");
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->builder), other = NULL;
    LLVMValueRef choice = NULL;
    unsigned row_bits = possible_rows(s), vector_bits = possible_vectors(s);
    for (unsigned v = s->shape->vectors; v; --v) {
        for (unsigned r = most; r; --r) {
            if (!(row_bits >> r & 1) || !(vector_bits >> v & 1)) continue;
            LLVMBasicBlockRef block =
                LLVMAppendBasicBlockInContext(e->context, e->function, "size");
            if (choice) {
                LLVMAddCase(choice, rt_emit_i64(e, v * (most + 1) + r), block);
            } else { /* the first takes what cannot be */
                LLVMPositionBuilderAtEnd(e->builder, before);
                choice = LLVMBuildSwitch(e->builder, size, block, 3 * RT_TILE_MAX_ROWS);
                other = block;
            }
            LLVMPositionBuilderAtEnd(e->builder, block);
            tile->rows = r;
            tile->vectors = v;
            rt_emit_tile(e, tile);
            LLVMBuildBr(e->builder, after);
        }
    }
    if (!other) LLVMBuildBr(e->builder, after); /* an empty product */
    LLVMPositionBuilderAtEnd(e->builder, after);
}

/* The tile of c that follows: below this one, or at the top of the next panel. */
static LLVMValueRef next_tile(const blocks *s, const panel_run *r, LLVMValueRef tile) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef one = rt_emit_i64(e, 1), next = add(e, tile, one);
    LLVMValueRef is_last = LLVMBuildICmp(e->builder, LLVMIntEQ, next, r->end, "");
    LLVMValueRef row = first_row_of(s, where(e, is_last, r->first, next));
    LLVMValueRef panel = where(e, is_last, add(e, r->panel, one), r->panel);
    LLVMValueRef at = add(e, mul(e, row, s->whole.c_row), mul(e, panel, s->width));
    return rt_emit_address(e, s->whole.c, at, 4);
}

static void emit_run(const blocks *s, const panel_run *r) {
    rt_emitter *e = s->m->build->e;
    bool is_packed = s->m->transpose_a;
    LLVMValueRef one = rt_emit_i64(e, 1);
    rt_loop loop = rt_emit_loop_begin(e, r->first, r->end, one, "tile");
    LLVMValueRef row = first_row_of(s, loop.index);
    LLVMValueRef rows = sub(e, first_row_of(s, add(e, loop.index, one)), row);
    LLVMValueRef packed = mul(e, sub(e, loop.index, r->first), packed_tile(s, r->k));
    LLVMValueRef a = add(e, mul(e, row, s->whole.a_row), r->k->first);
    LLVMValueRef c = add(e, mul(e, row, s->whole.c_row), mul(e, r->panel, s->width));
    rt_tile tile = {.shape = s->shape,
                    .numbers = s->m->numbers,
                    .scales = r->scales,
                    .a = is_packed ? rt_emit_address(e, packed_rows(s), packed, 4)
                                   : rt_emit_address(e, s->whole.a, a, (size_t)s->a_bytes),
                    .a_row = s->whole.a_row,
                    .has_packed_rows = is_packed,
                    .b = r->b,
                    .c = rt_emit_address(e, s->whole.c, c, 4),
                    .c_row = s->whole.c_row,
                    .inner = r->k->count,
                    .columns = columns_of(s, r->panel),
                    .adds = r->k->adds,
                    .next_c = next_tile(s, r, loop.index),
                    .next_b = share_of_panel(s, r, loop.index),
                    .next_a = share_of_rows(s, r, loop.index)};
    emit_tile_of_size(s, &tile, rows);
    rt_emit_loop_end(e, &loop);
}

/* ---- blocks */

static LLVMValueRef stored_panel(const blocks *s, const inner_block *k, LLVMValueRef panel) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef row = add(e, mul(e, panel, s->m->inner), k->first);
    return emit_at(e, s->whole.b, row, s->width, (size_t)s->b_bytes);
}

/* Blocks of the inner index begin where a scale does. */
static LLVMValueRef stored_scales(const blocks *s, const inner_block *k, LLVMValueRef panel) {
    rt_emitter *e = s->m->build->e;
    const rt_tile_numbers *numbers = &s->m->numbers;
    if (!numbers->scale_steps) return NULL;
    LLVMValueRef row = add(e, mul(e, panel, s->m->inner), k->first);
    row = LLVMBuildUDiv(e->builder, row, rt_emit_i64(e, numbers->scale_steps), "");
    return emit_at(e, s->m->build->operands[2], row, s->width,
                   rt_dtype_bytes(numbers->scale_dtype));
}

/* One panel over one block of rows. Packed panels are numbered in their group. */
static void emit_panel(const blocks *s, panel_run *r, LLVMValueRef group, LLVMValueRef is_first,
                       LLVMValueRef has_one_block) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef next = add(e, r->panel, rt_emit_i64(e, 1));
    LLVMValueRef row = mul(e, s->width, rt_emit_i64(e, s->b_bytes));
    if (s->b_storage == MATMUL_PANELS) {
        r->b = stored_panel(s, r->k, r->panel);
        r->scales = stored_scales(s, r->k, r->panel);
        r->next_b = stored_panel(s, r->k, next);
        r->next_b_row = row;
        emit_run(s, r);
        return;
    }
    /* With one block of rows a panel is read by it alone: all take the same place, which then stays
     * in the cache. */
    LLVMValueRef zero = rt_emit_i64(e, 0);
    LLVMValueRef slot = where(e, has_one_block, zero, sub(e, r->panel, group));
    r->b = slot_of(s, slot);
    rt_branch pack = rt_emit_if_begin(e, is_first, "pack");
    emit_packed_panel(s, r->k, r->panel, r->b);
    rt_emit_if_end(e, &pack);
    bool is_columns = s->b_storage == MATMUL_COLUMNS;
    r->next_b = where(e, is_first, unpacked_panel(s, r->k, next),
                      slot_of(s, add(e, slot, rt_emit_i64(e, 1))));
    r->next_b_row = is_columns ? row : where(e, is_first, bytes_of(e, s->m->b_stride), row);
    emit_run(s, r);
}

static void emit_group(const blocks *s, const area *w, const inner_block *k) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef one = rt_emit_i64(e, 1), tiles = sub(e, w->end_tile, w->first_tile);
    LLVMValueRef most = LLVMBuildUDiv(e->builder, rt_emit_i64(e, row_block_bytes(e)),
                                      bytes_of_steps(s, packed_tile(s, k)), "");
    LLVMValueRef count = matmul_divided_up(e, tiles, emit_greater_of(e, most, one));
    LLVMValueRef size = matmul_divided_up(e, tiles, count); /* evenly */
    LLVMValueRef has_one = LLVMBuildICmp(e->builder, LLVMIntEQ, count, one, "");
    rt_loop rows = rt_emit_loop_begin(e, w->first_tile, w->end_tile, size, "rows");
    panel_run r = {.k = k, .first = rows.index};
    r.end = emit_less_of(e, add(e, rows.index, size), w->end_tile);
    LLVMValueRef is_last = LLVMBuildICmp(e->builder, LLVMIntEQ, r.end, w->end_tile, "");
    r.next_first = where(e, is_last, w->first_tile, r.end);
    r.next_end = emit_less_of(e, add(e, r.next_first, size), w->end_tile);
    r.runs = sub(e, w->end_panel, w->first_panel);
    if (s->m->transpose_a) emit_packed_rows(s, k, r.first, r.end);
    LLVMValueRef is_first = LLVMBuildICmp(e->builder, LLVMIntEQ, rows.index, w->first_tile, "");
    rt_loop panel = rt_emit_loop_begin(e, w->first_panel, w->end_panel, one, "panel");
    r.panel = panel.index;
    r.run = sub(e, panel.index, w->first_panel);
    emit_panel(s, &r, w->first_panel, is_first, has_one);
    rt_emit_loop_end(e, &panel);
    rt_emit_loop_end(e, &rows);
}

/* Blocks of the inner index are of equal size but for the last, and one where there is nothing to
 * sum, to give zeros. */
static void emit_area(const blocks *s, const area *w) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef inner = emit_greater_of(e, s->m->inner, one);
    LLVMValueRef count = matmul_divided_up(e, inner, rt_emit_i64(e, inner_block_of(s->m)));
    int64_t multiple = s->m->numbers.scale_steps ? s->m->numbers.scale_steps : RT_TILE_FETCH_INNER;
    LLVMValueRef size = emit_round_up(e, matmul_divided_up(e, inner, count), multiple);
    LLVMValueRef adds = rt_emit_int(e, e->i1, s->m->build->accumulates);
    rt_loop block = rt_emit_loop_begin(e, zero, inner, size, "block");
    inner_block k = {block.index, emit_less_of(e, sub(e, s->m->inner, block.index), size),
                     LLVMBuildICmp(e->builder, LLVMIntSGT, block.index, zero, "")};
    k.adds = LLVMBuildOr(e->builder, k.adds, adds, "");
    if (s->b_storage == MATMUL_PANELS) {
        emit_group(s, w, &k);
    } else {
        LLVMValueRef most = rt_emit_i64(e, PACKED_ROWS / inner_block_of(s->m));
        rt_loop group = rt_emit_loop_begin(e, w->first_panel, w->end_panel, most, "group");
        LLVMValueRef end = emit_less_of(e, add(e, group.index, most), w->end_panel);
        emit_group(s, &(area){w->first_tile, w->end_tile, group.index, end}, &k);
        rt_emit_loop_end(e, &group);
    }
    rt_emit_loop_end(e, &block);
}

/* ---- the range: runs of one matrix after the other, panel by panel, or, where there are far more
 * rows than columns, of tiles over all panels at once: each worker reads as little as possible. */

static void emit_few_or_many(const blocks *s, const area *w) {
    rt_emitter *e = s->m->build->e;
    if (s->b_storage != MATMUL_ROWS || s->m->transpose_a) {
        emit_area(s, w);
        return;
    }
    LLVMValueRef few = rt_emit_i64(e, FEW_ROWS);
    LLVMValueRef is_few = LLVMBuildICmp(e->builder, LLVMIntSLE, s->m->rows, few, "");
    rt_branch branch = rt_emit_if_begin(e, is_few, "few");
    rt_product part = s->whole;
    LLVMValueRef column = mul(e, w->first_panel, s->width), row = first_row_of(s, w->first_tile);
    part.a = emit_at(e, part.a, row, part.a_row, 4);
    part.b = rt_emit_address(e, part.b, column, 4);
    part.c = rt_emit_address(e, part.c, add(e, mul(e, row, part.c_row), column), 4);
    part.rows = sub(e, first_row_of(s, w->end_tile), row);
    part.columns = emit_less_of(e, mul(e, w->end_panel, s->width), s->m->columns);
    part.columns = sub(e, part.columns, column);
    rt_emit_product(e, &part);
    rt_emit_if_end(e, &branch);
    branch = rt_emit_if_begin(e, LLVMBuildNot(e->builder, is_few, ""), "many");
    emit_area(s, w);
    rt_emit_if_end(e, &branch);
}

/* Units [begin, end) of a matrix: the rest of a panel's runs, whole panels, the first runs of one.
 */
static void emit_units(const blocks *s, LLVMValueRef by_rows, LLVMValueRef begin,
                       LLVMValueRef end) {
    rt_emitter *e = s->m->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    LLVMValueRef run = where(e, by_rows, one, rt_emit_i64(e, RUN_TILES));
    LLVMValueRef runs = matmul_divided_up(e, s->tiles, run);
    rt_loop piece = rt_emit_loop_begin(e, zero, rt_emit_i64(e, 3), one, "piece");
    LLVMValueRef unit = rt_emit_loop_carry(e, &piece, begin), left = sub(e, end, unit);
    LLVMValueRef panel = LLVMBuildUDiv(e->builder, unit, runs, "");
    LLVMValueRef first = LLVMBuildURem(e->builder, unit, runs, "");
    LLVMValueRef is_whole = LLVMBuildICmp(e->builder, LLVMIntEQ, first, zero, "");
    LLVMValueRef fits = LLVMBuildICmp(e->builder, LLVMIntSGE, left, runs, "");
    is_whole = LLVMBuildAnd(e->builder, is_whole, fits, "");
    LLVMValueRef panels = where(e, is_whole, LLVMBuildUDiv(e->builder, left, runs, ""), one);
    LLVMValueRef last = where(e, is_whole, runs, emit_less_of(e, add(e, first, left), runs));
    area w = {mul(e, first, run), emit_less_of(e, mul(e, last, run), s->tiles),
              where(e, by_rows, zero, panel), where(e, by_rows, s->panels, add(e, panel, panels))};
    LLVMValueRef is_some = LLVMBuildICmp(e->builder, LLVMIntSGT, left, zero, "");
    rt_branch branch = rt_emit_if_begin(e, is_some, "some");
    emit_few_or_many(s, &w);
    rt_emit_if_end(e, &branch);
    rt_emit_loop_next(e, &piece, unit, add(e, unit, mul(e, panels, sub(e, last, first))));
    rt_emit_loop_end(e, &piece);
}

static LLVMValueRef worker_count(const matmul *m) {
    rt_emitter *e = m->build->e;
    LLVMValueRef workers =
        rt_emit_context_field(e, m->build->context, offsetof(retort_context, workers), e->i32);
    return LLVMBuildZExt(e->builder, workers, e->i64, "");
}

void matmul_emit_blocks(const matmul *m, matmul_storage b_storage) {
    rt_emitter *e = m->build->e;
    LLVMValueRef zero = rt_emit_i64(e, 0), one = rt_emit_i64(e, 1);
    blocks s = {.m = m,
                .shape = m->shape,
                .a_bytes = rt_tile_a_bytes(&m->numbers),
                .b_bytes = rt_tile_b_bytes(m->shape, &m->numbers),
                .b_storage = b_storage};
    LLVMValueRef most = rt_emit_i64(e, s.shape->rows);
    s.width = rt_emit_i64(e, rt_tile_width(e, s.shape));
    s.tiles = matmul_divided_up(e, m->rows, most);
    LLVMValueRef divisor = emit_greater_of(e, s.tiles, one);
    s.tile_rows = LLVMBuildUDiv(e->builder, m->rows, divisor, "");
    s.longer_tiles = LLVMBuildURem(e->builder, m->rows, divisor, "");
    s.panels = matmul_divided_up(e, m->columns, s.width);
    LLVMValueRef far = mul(e, m->columns, worker_count(m));
    LLVMValueRef by_rows = LLVMBuildICmp(e->builder, LLVMIntSGE, m->rows, far, "");
    LLVMValueRef runs = matmul_divided_up(e, s.tiles, rt_emit_i64(e, RUN_TILES));
    LLVMValueRef units = where(e, by_rows, s.tiles, mul(e, s.panels, runs)); /* of a matrix */
    matmul_tiles own = matmul_own_tiles(m, mul(e, m->matrices, units));
    LLVMValueRef first = LLVMBuildUDiv(e->builder, own.begin, units, "");
    LLVMValueRef last = matmul_divided_up(e, own.end, units);
    rt_loop matrix = rt_emit_loop_begin(e, first, last, one, "matrix");
    s.whole = matmul_product(m, &(matmul_part){.matrix = matrix.index,
                                               .first_row = zero,
                                               .rows = m->rows,
                                               .first_column = zero,
                                               .columns = m->columns});
    LLVMValueRef origin = mul(e, matrix.index, units);
    LLVMValueRef begin = emit_greater_of(e, sub(e, own.begin, origin), zero);
    emit_units(&s, by_rows, begin, emit_less_of(e, sub(e, own.end, origin), units));
    rt_emit_loop_end(e, &matrix);
}
