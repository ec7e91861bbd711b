// SPDX-License-Identifier: Apache-2.0
/* Philox-4x32-10 (runtime/base/philox.h) as emitted code: which elements dropout keeps. */
#ifndef RETORT_COMPILER_KERNELS_PHILOX_H
#define RETORT_COMPILER_KERNELS_PHILOX_H

#include "compiler/codegen/emitter.h"

/* What the elements of one row share: counter words 1 to 3 and the key, all i32 scalars. Element
 * number j of the row uses counter word 0 = j / 4 and of the four result words number j % 4. */
typedef struct rt_draw {
    LLVMValueRef position, example, site;
    LLVMValueRef seed, step;
} rt_draw;

/* <lanes x i1>: whether dropout of `rate` keeps the elements `first`, first + 1, … (i64). With more
 * than one lane, lanes is a multiple of 4 and so is `first`. 32 lanes on 512-bit vectors (and 16 on
 * 256-bit ones) make full use of one evaluation: about 6 instructions per round. */
LLVMValueRef rt_emit_kept(rt_emitter *e, const rt_draw *draw, LLVMValueRef first, unsigned lanes,
                          double rate);

/* The same for many rows at once, their positions being the lanes of draw->position, at least 4:
 * kept[i] is of element first + i of each row; `first` is a multiple of 4. */
void rt_emit_kept_rows(rt_emitter *e, const rt_draw *draw, LLVMValueRef first, double rate,
                       LLVMValueRef kept[4]);

#endif
