// SPDX-License-Identifier: Apache-2.0
/* What the LSTM and its gradient share. A worker runs all rows of its range together, step by step:
 * those long enough for a step are gathered in scratch, so that each step is one matrix product.
 * The product's bits do not depend on how many rows there are, hence not on the split. */
#ifndef RETORT_COMPILER_KERNELS_LSTM_H
#define RETORT_COMPILER_KERNELS_LSTM_H

#include "compiler/kernels/kernel_rules.h"

typedef struct lstm_facts {
    rt_kernel_build *build;
    int64_t size;         /* hidden units H */
    bool is_reverse;      /* time runs from a row's last token to its first */
    LLVMValueRef offsets; /* row_offsets */
    LLVMValueRef rows;    /* of the whole batch, i64 */
    LLVMValueRef longest; /* row in [begin, end) */
} lstm_facts;
lstm_facts lstm_describe(rt_kernel_build *build, uint32_t offsets_operand, int64_t size,
                         bool is_reverse);

/* H of a [T,4H] operand; B from row_offsets; scratch of `per_row` bytes per row and `fixed`. */
int64_t lstm_hidden_size(const rt_graph *graph, rt_node node, uint32_t wide_operand);
rt_dim lstm_rows(const rt_graph *graph, rt_node node, uint32_t offsets_operand);
rt_dim lstm_row_bytes(const rt_graph *graph, rt_dim rows, int64_t per_row, int64_t fixed);
rt_dim lstm_product_flops(const rt_graph *graph, rt_node node, uint32_t wide_operand);

/* The token of time `step` of a row, and the ones before and after it in time. */
LLVMValueRef lstm_token(const lstm_facts *f, packed_row row, LLVMValueRef step);
LLVMValueRef lstm_earlier(const lstm_facts *f, LLVMValueRef token);
LLVMValueRef lstm_later(const lstm_facts *f, LLVMValueRef token);

/* Emits a loop over the rows of the range with a token at time `step` and in it `body`: the row's
 * number from the range's first, its token, its place among those found. Returns how many. */
typedef struct lstm_row {
    LLVMValueRef number, token, place;
    LLVMValueRef length;
} lstm_row;
typedef void (*lstm_row_body)(const lstm_facts *f, const lstm_row *row, void *state);
LLVMValueRef lstm_emit_active_rows(const lstm_facts *f, LLVMValueRef step, lstm_row_body body,
                                   void *state);

#endif
