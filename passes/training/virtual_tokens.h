// SPDX-License-Identifier: Apache-2.0
/* Virtual tokens in packed rows: P vectors that stand before the tokens of each row, or behind its
 * first ones, the same for every row. Of offsets o_b (T tokens, B rows) the new rows begin at
 * o_b + P b (T + P B tokens). */
#ifndef RETORT_PASSES_TRAINING_VIRTUAL_TOKENS_H
#define RETORT_PASSES_TRAINING_VIRTUAL_TOKENS_H

#include "ir/builder.h"

typedef struct rt_virtual_tokens {
    rt_value offsets; /* i32[B+1] of the new rows */
    rt_value indices; /* i32[T+P*B]: row of [the P vectors; the T tokens] that each new token is */
    rt_value places;  /* i32[T+P*B]: place of each new token in its row */
    rt_dim tokens;    /* T + P*B */
    rt_dim count;     /* P */
} rt_virtual_tokens;

/* For rows of `tokens` tokens with `row_offsets` i32[B+1]; `own_first` tokens of each row, which
 * has as many, stay before the virtual ones. */
rt_virtual_tokens rt_build_virtual_tokens(rt_builder *b, rt_value row_offsets, rt_dim tokens,
                                          int64_t count, int64_t own_first);
/* [T+P*B, ..] of the vectors [P, ..] and the tokens [T, ..]. */
rt_value rt_build_with_virtual(rt_builder *b, const rt_virtual_tokens *v, rt_value vectors,
                               rt_value tokens);

#endif
