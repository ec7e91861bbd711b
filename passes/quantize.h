// SPDX-License-Identifier: Apache-2.0
/* Products and tables with weights of fewer bits, as graph: what a value of the weights becomes
 * derives from weights alone, so that `hoist` computes it once. Formulas: docs/precision.md. */
#ifndef RETORT_PASSES_QUANTIZE_H
#define RETORT_PASSES_QUANTIZE_H

#include "ir/builder.h"

typedef enum rt_precision {
#define PRECISION(id, text, bits, line) RT_PRECISION_##id,
#include "passes/precisions.def"
    RT_PRECISION_COUNT
} rt_precision;

const char *rt_precision_text(rt_precision precision);
int rt_precision_bits(rt_precision precision);
bool rt_precision_from_text(const char *text, size_t length, rt_precision *precision);
/* "f32, bf16, ..", for messages; a literal. */
const char *rt_precision_names(void);
/* A line for each: its name and what it means. In `arena`. */
const char *rt_precision_listing(rt_arena *arena);

/* What the kernels of the target want. */
typedef struct rt_quantize_form {
    int64_t width;         /* columns of a panel of floats and of int4 */
    int64_t integer_width; /* columns of a panel of int8 */
    rt_dtype activations;  /* of integer products: u8, i8 or i16 */
    int64_t group;         /* rows of an int4 weight that share a scale */
} rt_quantize_form;

/* x w, or x w' where `is_transposed`: w of [K,N] (or [N,K]), constant sizes, f32; x f32 [..,K].
 * int4 falls back to int8 where K is not a multiple of the group. */
rt_value rt_build_quantized_matmul(rt_builder *b, rt_value x, rt_value w, bool is_transposed,
                                   rt_precision precision, const rt_quantize_form *form);

/* gather(table, indices) along axis 0, of a table [V,D] of f32. */
rt_value rt_build_quantized_gather(rt_builder *b, rt_value table, rt_value indices,
                                   rt_precision precision);

/* The same for training: products and rows in f32, of values that are rounded as those would be,
 * and through which gradients pass as if they were not. Not of f32. */
rt_value rt_build_fake_quantized_matmul(rt_builder *b, rt_value x, rt_value w, bool is_transposed,
                                        rt_precision precision, int64_t group);
rt_value rt_build_fake_quantized_gather(rt_builder *b, rt_value table, rt_value indices,
                                        rt_precision precision);

/* A weight that the pass can give fewer bits. */
typedef struct rt_quantizable {
    const char *name; /* of the parameter; of the first where the value is made of several */
    int64_t elements;
    bool is_table; /* looked up alone; products read it otherwise */
} rt_quantizable;

/* Those of the module that the pass `quantize` finds with panels of such widths, each name once, in
 * the order of the graphs. Arrays in `arena`; false without memory. */
bool rt_quantizable_weights(const rt_module *module, const rt_quantize_form *form, rt_arena *arena,
                            rt_quantizable **weights, size_t *count);

#endif
