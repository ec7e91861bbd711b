// SPDX-License-Identifier: Apache-2.0
/* What relation_loss and its gradient share: the scores of two models at once, each as attention
 * has them, in blocks of queries and keys. No array is as large as the square of a row's length. */
#ifndef RETORT_COMPILER_KERNELS_RELATION_H
#define RETORT_COMPILER_KERNELS_RELATION_H

#include "compiler/kernels/attention.h"

typedef struct relation_facts {
    attention_facts sides[2]; /* own, target */
    bool is_divergence;
    int own; /* side that a gradient is of */
} relation_facts;
relation_facts relation_describe(const rt_graph *graph, rt_node node);

/* One model. Of the block's queries: `across` transposed, `strips` its scores with the block's
 * keys; `most` and `sums` one number per query: the largest score so far and the sum of
 * exponentials from there, behind the last block `most` is the log-sum-exp. */
typedef struct relation_side {
    attention_unit unit;
    LLVMValueRef across, strips, most, sums;
    attention_rows keys;  /* the row's */
    LLVMValueRef shift;   /* of the lanes */
    LLVMValueRef queries; /* operand */
} relation_side;

/* Scratch of the unit; one number per query of the block each: `counts` is 1 where the query
 * counts, `losses` its loss, of a divergence before its end sum_j e^t (t - s). */
typedef struct relation_state {
    const relation_facts *facts;
    relation_side sides[2];
    LLVMValueRef counts, losses;
} relation_state;

/* Numbers that relation_begin takes, beside the copies of the row's keys. */
int64_t relation_numbers(const relation_facts *facts);
/* Bytes for them and `more` numbers. */
rt_dim relation_scratch_bytes(const rt_graph *graph, const relation_facts *facts, int64_t more);
/* Floating-point operations of `scores` times the scores of both sides and `products` more of the
 * own side. */
rt_dim relation_products(const rt_graph *graph, rt_node node, int64_t scores, int64_t products);

/* Takes the unit's scratch. */
relation_state relation_begin(attention_unit *unit, const relation_facts *facts);
/* Copies the row's keys into the scratch behind what was taken. */
void relation_copy_keys(attention_unit *unit, relation_state *state);
/* Transposes a block of queries, and sees which count. */
void relation_begin_queries(attention_block *block, relation_state *state);
/* The block as the side sees it. */
attention_block relation_block(const attention_block *block, relation_side *side);
/* Both sides' strips of the block's keys: -inf where a key does not count. */
void relation_emit_scores(const attention_block *block, relation_state *state);
/* s - t of the lanes and key row + number, 0 where the key does not count. */
LLVMValueRef relation_difference(const attention_lanes *lanes, const relation_state *state,
                                 LLVMValueRef row, unsigned number);
/* All keys: losses of the block's queries, and of a divergence the log-sum-exps. */
void relation_emit_losses(attention_block *block, relation_state *state);

#endif
