// SPDX-License-Identifier: Apache-2.0
/* What attention and its gradient share.
 *
 * Queries and keys of a row are counted apart: where the node has no query_offsets both are the
 * row's tokens, else there may be fewer queries, more, or none of either.
 *
 * A unit is one head of one row: unit u is head u / B of row u % B, so that a worker gets whole
 * heads over all rows and equal work whatever the rows' lengths. Within it, queries are taken in
 * blocks of ATTENTION_BLOCK. Scratch is strips of one number per key (of the row, padded to whole
 * vectors): one bias, the transposed keys, and the scores of a block; never a square of a row's
 * length. */
#ifndef RETORT_COMPILER_KERNELS_ATTENTION_H
#define RETORT_COMPILER_KERNELS_ATTENTION_H

#include "compiler/kernels/kernel_rules.h"
#include "compiler/kernels/philox.h"

enum { ATTENTION_BLOCK = 96 };

/* The node's attributes and operand numbers, alike for forward and gradient. */
typedef struct attention_facts {
    int64_t heads, head_size, width; /* width = heads * head_size: stride between tokens */
    int64_t padded_head_size;        /* strips that a transpose of head_size columns fills */
    double scale, dropout;
    bool is_causal;
    uint32_t query;   /* operands query, key, value */
    uint32_t offsets; /* operands row_offsets, key_mask, example_ids, and two of the queries */
    rt_dim longest;
} attention_facts;
attention_facts attention_describe(const rt_graph *graph, rt_node node);

/* The unit being worked on. */
typedef struct attention_unit {
    rt_kernel_build *build;
    const attention_facts *facts;
    LLVMValueRef head;
    packed_row keys, queries;
    LLVMValueRef positions;                /* query_positions of the row, or NULL */
    LLVMValueRef key_origin, query_origin; /* elements before the head's first number of the row */
    LLVMValueRef padded;                   /* keys, rounded up to whole vectors */
    LLVMValueRef stride;                   /* elements from strip to strip, at least `padded` */
    LLVMValueRef bias; /* strip 0: 0 for a key that counts, else -inf; padding included */
    rt_draw draw;      /* but for the position, which is the query's */
} attention_unit;

/* Emits a loop over the units that have keys or queries and `body` in it. */
typedef void (*attention_body)(const attention_unit *unit);
void attention_emit_units(rt_kernel_build *build, attention_body body);

/* Strip `number` of the worker's scratch, and the bytes of `strips` strips and `singles` numbers.
 */
LLVMValueRef attention_strip(const attention_unit *unit, int64_t number);
rt_dim attention_scratch_bytes(const rt_graph *graph, rt_node node, int64_t strips,
                               int64_t singles);

/* The head's numbers of the row's key or query `number`, in an array shaped like all keys or all
 * queries. */
LLVMValueRef attention_key(const attention_unit *unit, LLVMValueRef array, LLVMValueRef number);
LLVMValueRef attention_query_at(const attention_unit *unit, LLVMValueRef array,
                                LLVMValueRef number);
/* Index of the row's query `number` in an lse. */
LLVMValueRef attention_lse_at(const attention_unit *unit, LLVMValueRef number);
/* The transpose of the head's keys or values, [head_size][stride], at `to`. */
void attention_emit_transpose(const attention_unit *unit, uint32_t operand, LLVMValueRef to);
/* strips[count][padded] = x of queries [first, first + count) times a transpose. */
void attention_emit_scores(const attention_unit *unit, LLVMValueRef x, LLVMValueRef first,
                           LLVMValueRef count, LLVMValueRef transposed, LLVMValueRef strips);

/* One query, and a pass over the padded keys of its strip: `step` is emitted for double vectors,
 * which suit dropout's random words, and for single ones; `sum` is a vector of the target's lanes
 * that it combines what it finds into. */
typedef struct attention_query attention_query;
struct attention_query {
    const attention_unit *unit;
    LLVMValueRef position; /* in the row, as i64 */
    LLVMValueRef scores;   /* its strip */
    LLVMValueRef other;    /* strip of d_probabilities, for the gradient */
    LLVMValueRef shift;    /* scalar taken from the scores: the maximum, or log-sum-exp */
    LLVMValueRef mean;     /* scalar d_out . out, for the gradient */
};
typedef LLVMValueRef (*attention_step)(const attention_query *q, LLVMValueRef key, unsigned lanes,
                                       LLVMValueRef sum);
LLVMValueRef attention_position(const attention_unit *unit, LLVMValueRef number);
LLVMValueRef attention_emit_pass(const attention_query *q, attention_step step, LLVMValueRef sum);

/* scale * score + bias of keys [key, key + lanes); -inf for what the query does not see. */
LLVMValueRef attention_score(const attention_query *q, LLVMValueRef key, unsigned lanes);
/* x where dropout keeps the key, else 0; not yet scaled by 1 / (1 - rate). */
LLVMValueRef attention_drop(const attention_query *q, LLVMValueRef key, LLVMValueRef x);
/* Both halves of a double vector, or the vector itself, combined into `sum`. */
LLVMValueRef attention_combine(rt_emitter *e, LLVMValueRef sum, LLVMValueRef x,
                               rt_lane_reduction reduction);

#endif
