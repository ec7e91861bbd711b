// SPDX-License-Identifier: Apache-2.0
/* The innermost part of large products: one tile of the result, whose accumulators fill the
 * registers while the inner index runs over rows of a and a panel of b. One function inside the
 * compiled module for each size of tile, added when first used.
 *
 * A panel is a strip of columns of b, as wide as a tile, whose rows follow each other in memory; of
 * the last panel, columns that b has not are not read beyond their vector. Each element of a tile
 * is one chain of multiply-adds in the inner index's ascending order. */
#ifndef RETORT_COMPILER_KERNELS_PRODUCT_TILE_H
#define RETORT_COMPILER_KERNELS_PRODUCT_TILE_H

#include "compiler/kernels/product_dot.h"

/* Sums are of 32 bits, f32 or i32; one step of the inner index takes 4 bytes of each row of a. */
typedef struct rt_tile_shape {
    rt_dtype dtype; /* of a */
    unsigned least_vector_bytes;
    const char *architecture, *feature;
    unsigned rows, vectors; /* of a whole tile */
    rt_dot dot;
} rt_tile_shape;

enum { RT_TILE_MAX_ROWS = 9, RT_TILE_MAX_VECTORS = 3, RT_TILE_MAX_WIDTH = 48 };

/* The target's tile for this type of a; NULL where there is no row in product_tiles.def. */
const rt_tile_shape *rt_tile_shape_of(const rt_emitter *e, rt_dtype dtype);
/* The target's tile for integers, whatever type that wants. */
const rt_tile_shape *rt_tile_shape_of_integers(const rt_emitter *e);
unsigned rt_tile_lanes(const rt_emitter *e);
int64_t rt_tile_width(const rt_emitter *e, const rt_tile_shape *shape); /* columns of a panel */

/* How panels hold b: in the type of f32 products or a narrower one; as i8 under integers, a group
 * (product_dot.h) a step; or, where there are scales, as pairs of four bits (ops.def, matmul_int4),
 * one a step, which then takes two numbers of a. */
typedef struct rt_tile_numbers {
    rt_dtype dtype;
    rt_dtype scale_dtype;
    int64_t scale_steps; /* that share a scale, a multiple of RT_TILE_FETCH_INNER; 0: no scales */
} rt_tile_numbers;
int64_t rt_tile_a_bytes(const rt_tile_numbers *numbers); /* of a row of a, in a step */
/* Of a column of b, in a step. */
int64_t rt_tile_b_bytes(const rt_tile_shape *shape, const rt_tile_numbers *numbers);

/* Memory that later tiles read, fetched into the second-level cache meanwhile: every FETCH_INNER
 * steps of the inner index one panel's row of bytes from `at` on, which then moves by `step` bytes.
 */
enum { RT_TILE_FETCH_INNER = 8 };
typedef struct rt_tile_fetch {
    LLVMValueRef at, step;
} rt_tile_fetch;

/* c[i][j] = (adds ? c[i][j] : 0) + sum_k a[i][k] b[k][j] for a tile. Strides of a are in steps, of
 * c in elements. */
typedef struct rt_tile {
    const rt_tile_shape *shape;
    rt_tile_numbers numbers;
    unsigned rows, vectors;            /* of this tile */
    bool has_packed_rows;              /* a[i][k] stands at k * shape->rows + i, */
    LLVMValueRef a, a_row;             /* else at i * a_row + k */
    LLVMValueRef b;                    /* of the panel */
    LLVMValueRef scales;               /* of the panel and its first step; NULL: none */
    LLVMValueRef c, c_row;             /* columns of c are contiguous */
    LLVMValueRef inner, columns, adds; /* i64, i64 (of the tile's vectors, the last in part), i1 */
    rt_tile_fetch next_b, next_a;      /* of a one line at a time */
    LLVMValueRef next_c;               /* the next tile's place in c */
} rt_tile;
void rt_emit_tile(rt_emitter *e, const rt_tile *tile);

#endif
