// SPDX-License-Identifier: Apache-2.0
/* The golden data as what graphs over packed rows read and give. */
#ifndef RETORT_TESTS_SUPPORT_GOLDEN_H
#define RETORT_TESTS_SUPPORT_GOLDEN_H

#include "ir/eval.h"
#include "runtime/base/safetensors.h"

/* A padded batch [rows, width] and its packed form: token i is place `positions[i]` of row
 * `token_rows[i]`. With `counts_padding` all rows * width places are tokens. */
typedef struct golden_batch {
    int64_t rows, width, tokens;
    int64_t *token_rows, *positions;
    rt_array *input_ids, *token_type_ids, *position_ids, *row_offsets, *example_ids,
        *token_examples, *key_mask, *labels;
} golden_batch;

/* Reads "<prefix>input_ids", "<prefix>attention_mask" and so on; NULL where they are not there.
 * Everything is in `arena`. */
golden_batch *golden_pack(const rt_safetensors *file, const char *prefix, bool counts_padding,
                          rt_arena *arena);

/* A tensor of the file as an array; NULL where there is none of that name. */
rt_array *golden_array(const rt_safetensors *file, const char *name, rt_arena *arena);

/* Values for each input of the graph, by name; NULL entries where the batch has none. */
const rt_array **golden_inputs(const rt_graph *graph, const golden_batch *batch, rt_arena *arena);

/* Values for each parameter whose name is `prefix` + a name in the file; the others stay as in
 * `values`, which may be NULL to begin. */
const rt_array **golden_parameters(const rt_module *module, const rt_safetensors *file,
                                   const char *prefix, const rt_array **values, rt_arena *arena);

/* Largest |got - want| over the tokens of the batch, where `got` is [tokens, H] and `want` is
 * [rows, width, H]; *largest receives the largest |want|. -1 where the shapes do not fit. */
double golden_token_error(const golden_batch *batch, const rt_array *got, const rt_array *want,
                          double *largest);
/* The same for arrays of one shape. */
double golden_error(const rt_array *got, const rt_array *want, double *largest);

#endif
