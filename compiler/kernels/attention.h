// SPDX-License-Identifier: Apache-2.0
/* What attention and its gradient share.
 *
 * Queries and keys of a row are counted apart: where the node has no query_offsets both are the
 * row's tokens, else there may be fewer queries, more, or none of either.
 *
 * A unit is one head of one row. Within it a block of queries meets
 * one block of keys after another. The scores of a block stand transposed, one strip of numbers per
 * key with a query in each lane: maxima and sums over keys are then plain vector operations, keys
 * and values are read where they are, and only the block of queries is transposed. No array is as
 * large as the square of a row's length. */
#ifndef RETORT_COMPILER_KERNELS_ATTENTION_H
#define RETORT_COMPILER_KERNELS_ATTENTION_H

#include "compiler/kernels/kernel_rules.h"
#include "compiler/kernels/philox.h"
#include "compiler/kernels/product.h"

/* Keys of a block at most, a multiple of KEY_STEP, by which passes over strips go: dropout draws
 * for so many keys at once. Queries of a block: the strip of the target's products. */
enum { ATTENTION_KEYS = 128, KEY_STEP = 4, ATTENTION_QUERIES = RT_PRODUCT_MAX_STRIP };

/* The node's attributes and operand numbers, alike for forward and gradient. */
typedef struct attention_facts {
    int64_t heads, head_size, width; /* width = heads * head_size: stride between tokens */
    int64_t padded_head_size;        /* up to a multiple of RT_TRANSPOSE_PAD */
    double scale, dropout;
    bool is_causal, is_gradient;
    uint32_t query;   /* operands query, key, value */
    uint32_t offsets; /* operands row_offsets, key_mask, example_ids, and two of the queries */
    rt_dim longest;
} attention_facts;
attention_facts attention_describe(const rt_graph *graph, rt_node node);
/* Sets the sizes of heads, of which there are `heads` in the width. */
void attention_set_width(attention_facts *facts, int64_t width);

/* The unit being worked on. */
typedef struct attention_unit {
    rt_kernel_build *build;
    const attention_facts *facts;
    unsigned lanes;     /* of the target's vectors */
    int64_t panel;      /* queries of a block, the stride from strip to strip */
    int64_t scratch_at; /* numbers of scratch given out so far */
    LLVMValueRef row, head;
    packed_row keys, queries;
    LLVMValueRef positions;                /* query_positions, or NULL */
    LLVMValueRef key_origin, query_origin; /* elements before the head's first number of the row */
    rt_draw draw;                          /* but for the position, which is the query's */
} attention_unit;

/* Emits a loop over the units and `body` in it: over all, or over those that have keys or queries.
 */
typedef void (*attention_body)(attention_unit *unit, void *state);
void attention_emit_all_units(rt_kernel_build *build, const attention_facts *facts,
                              attention_body body, void *state);
void attention_emit_units(rt_kernel_build *build, const attention_facts *facts, attention_body body,
                          void *state);
LLVMValueRef attention_has_tokens(const attention_unit *unit); /* i1 */
/* Index of the unit in an array [B,heads]. */
LLVMValueRef attention_unit_at(const attention_unit *unit);
/* The same row and head in arrays of another width. */
attention_unit attention_unit_of(const attention_unit *unit, const attention_facts *facts);

/* Bytes for `numbers` numbers and `copies` copies of one head of the longest row. */
rt_dim attention_scratch_bytes(const rt_graph *graph, const attention_facts *facts, int64_t copies,
                               int64_t numbers);
/* The next `numbers` numbers of the worker's scratch, a multiple of 16. */
LLVMValueRef attention_take(attention_unit *unit, int64_t numbers);

/* The head's numbers of the row's key or query `number`, in an array shaped like all keys or all
 * queries. */
LLVMValueRef attention_key(const attention_unit *unit, LLVMValueRef array, LLVMValueRef number);
LLVMValueRef attention_query(const attention_unit *unit, LLVMValueRef array, LLVMValueRef number);
/* Index of the row's query `number` in an lse. */
LLVMValueRef attention_lse_at(const attention_unit *unit, LLVMValueRef number);

/* Queries [first, first + count) of the row, and keys [key, key + key_count). */
typedef struct attention_block {
    attention_unit *unit;
    LLVMValueRef first, count;
    LLVMValueRef columns;   /* count, rounded up to whole vectors */
    LLVMValueRef positions; /* one i32 per query, where dropout or causal need them, else NULL */
    LLVMValueRef key, key_count;
} attention_block;

/* A loop over the row's blocks of queries, or of keys, of which there is at least one, and maybe
 * empty: what belongs to none becomes 0 that way. */
typedef void (*attention_block_body)(attention_block *block, void *state);
void attention_emit_query_blocks(attention_unit *unit, attention_block_body body, void *state);
void attention_emit_key_blocks(attention_block *block, attention_block_body body, void *state);
/* Fills block->positions, `numbers`. */
void attention_emit_positions(attention_block *block, LLVMValueRef numbers);

/* to[head_size][panel] = the transpose of the block's queries at `from`; lanes behind the last are
 * copies of it. */
void attention_emit_transpose(const attention_block *block, LLVMValueRef from,
                              LLVMValueRef from_row, LLVMValueRef to);
/* Rows of one head: where the first is, and from row to row. */
typedef struct attention_rows {
    LLVMValueRef at, stride;
} attention_rows;
/* to[rows][padded_head_size] = rows of the head at `from`: in place they are far apart, which costs
 * translations of addresses and conflicts in the first-level cache. Without RT_OPTIMIZE_pack_heads
 * they stay there. */
attention_rows attention_emit_copy(const attention_unit *unit, LLVMValueRef from, LLVMValueRef rows,
                                   LLVMValueRef to);
/* The rows from `first` on. */
LLVMValueRef attention_rows_from(const attention_unit *unit, attention_rows rows,
                                 LLVMValueRef first);
/* strips[key_count][panel] = the block's keys among all times a transpose. */
void attention_emit_scores(const attention_block *block, attention_rows keys,
                           LLVMValueRef transposed, LLVMValueRef strips);
/* Products of the block's strips x, one row per key with the queries side by side:
 * result (of keys) += x q, with the block's queries q, beginning with the first block of queries;
 * result (of queries) += x' k, with the row's keys k, beginning with the first block of keys. */
void attention_emit_key_gradient(const attention_block *block, LLVMValueRef strips,
                                 attention_rows queries, LLVMValueRef result);
void attention_emit_query_gradient(const attention_block *block, LLVMValueRef strips,
                                   attention_rows keys, LLVMValueRef result);
/* Makes scores of keys that do not count -inf, and of those up to the next KEY_STEP behind the
 * last.
 */
void attention_emit_masks(const attention_block *block, LLVMValueRef strips);

/* The lanes of some queries of the block, for passes over its strips: a loop over vectors. */
typedef struct attention_lanes {
    const attention_block *block;
    LLVMValueRef column;   /* of the first lane in the block */
    LLVMValueRef position; /* i32 vector, where there are positions */
} attention_lanes;
typedef void (*attention_lanes_body)(const attention_lanes *lanes, void *state);
void attention_emit_lanes(const attention_block *block, attention_lanes_body body, void *state);

/* A loop over the block's keys by KEY_STEP: `step` adds to `sum`, which it returns. `row` is the
 * first of the keys in the block. */
typedef LLVMValueRef (*attention_step)(const attention_lanes *lanes, LLVMValueRef row,
                                       LLVMValueRef sum, void *state);
LLVMValueRef attention_emit_pass(const attention_lanes *lanes, attention_step step,
                                 LLVMValueRef sum, void *state);
/* Index of the lanes in strip row + number. */
LLVMValueRef attention_strip_at(const attention_lanes *lanes, LLVMValueRef row, unsigned number);
/* Which of the lanes see key row + number, where the node is causal. */
LLVMValueRef attention_sees(const attention_lanes *lanes, LLVMValueRef row, unsigned number);
/* Which of the lanes keep keys [row, row + KEY_STEP), where the node has dropout. */
void attention_draw(const attention_lanes *lanes, LLVMValueRef row, LLVMValueRef kept[KEY_STEP]);

#endif
