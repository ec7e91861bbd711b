// SPDX-License-Identifier: Apache-2.0
/* What the forms of matmul share: a batch of products c = a b after the transposes, and how its
 * range is cut. The range is the number of elements of the result; border u of it becomes border u
 * * tiles / elements between the tiles of a form, whatever these are. */
#ifndef RETORT_COMPILER_KERNELS_MATMUL_H
#define RETORT_COMPILER_KERNELS_MATMUL_H

#include "compiler/kernels/kernel_rules.h"
#include "compiler/kernels/product.h"
#include "compiler/kernels/product_tile.h"

typedef struct matmul {
    rt_kernel_build *build;
    rt_type a, b, c;
    bool transpose_a, transpose_b;
    int batch_rank; /* leading dimensions of the result that are looped over; others join the rows
                     */
    LLVMValueRef matrices, rows, columns, inner;
    LLVMValueRef a_stride, b_stride; /* between rows as they stand in memory */
    int64_t panel;                   /* columns of a panel */
    const rt_tile_shape *shape;      /* of a's type; NULL where there is none */
    rt_tile_numbers numbers; /* of b; where they are narrower, inner and a_stride are steps */
} matmul;

/* Columns [first_column, + columns) and rows [first_row, + rows) of one matrix of the batch. */
typedef struct matmul_part {
    LLVMValueRef matrix, first_row, rows, first_column, columns;
} matmul_part;

/* The part as a product that reads a and b where they are. */
rt_product matmul_product(const matmul *m, const matmul_part *part);

/* The tiles [begin, end) of `tiles` that are this call's. Emitted where there is work: the range is
 * not empty. */
typedef struct matmul_tiles {
    LLVMValueRef begin, end;
} matmul_tiles;
matmul_tiles matmul_own_tiles(const matmul *m, LLVMValueRef tiles);

LLVMValueRef matmul_divided_up(rt_emitter *e, LLVMValueRef size, LLVMValueRef by);

/* The forms, each of which does its own tiles. In place: any type, nothing packed. Library: f32 by
 * OpenBLAS. Blocks: f32, by panels of b of rt_product_panel columns, which are packed for the call
 * or stored like that: panel by panel, the rows of each following each other, the last one padded
 * to the full width. Panels are stored for one matrix, not for a batch of them. */
typedef enum matmul_storage {
    MATMUL_ROWS,    /* of b, as the operator has it */
    MATMUL_COLUMNS, /* b is transposed */
    MATMUL_PANELS
} matmul_storage;
void matmul_emit_in_place(const matmul *m);
void matmul_emit_library(const matmul *m);
/* Of a product whose b is in panels (ops.def, panel_columns); of any width and type. */
matmul matmul_describe_panels(rt_kernel_build *build);
void matmul_emit_panels(const matmul *m);
/* Narrow numbers in panels of another width than the tiles': element by element. */
void matmul_emit_elements(const matmul *m);
/* The panels are as wide as tiles. */
bool matmul_is_tiled(const matmul *m);
void matmul_emit_blocks(const matmul *m, matmul_storage b_storage);
/* Bytes of scratch; a size that is not known is -1. */
int64_t matmul_blocks_bytes(int64_t inner, int64_t columns, bool transpose_a);

#endif
