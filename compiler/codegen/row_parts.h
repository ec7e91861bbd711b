// SPDX-License-Identifier: Apache-2.0
/* Reductions over the rows of a row group (rt_member.reduces_rows). The rows are cut into
 * RT_ROW_PARTS parts, the units of the kernel's range; each part accumulates in memory of its own,
 * which stays in the cache while its rows pass. A second kernel combines the parts in order. */
#ifndef RETORT_COMPILER_CODEGEN_ROW_PARTS_H
#define RETORT_COMPILER_CODEGEN_ROW_PARTS_H

#include "compiler/codegen/reduction.h"

/* The first row of `part` (i64); its end is the first of the next. */
LLVMValueRef rt_row_part_begin(rt_loop_body *body, LLVMValueRef part);

/* Sets the accumulators of `part` to what a reduction of nothing gives. */
void rt_emit_row_part_start(rt_loop_body *body, LLVMValueRef part);

/* Adds the block just computed to the accumulators of the reductions that `phase` makes. */
void rt_emit_row_part_step(rt_loop_body *body, unsigned phase);

/* The body of the second kernel: its range is the columns. */
void rt_emit_row_parts_kernel(rt_kernel_code *code);

#endif
