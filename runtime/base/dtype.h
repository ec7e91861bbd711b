// SPDX-License-Identifier: Apache-2.0
/* Element types of tensors, shared by the graph, the files and compiled programs. The numbers are
 * part of the ABI of compiled programs: rows are only appended to dtypes.def. */
#ifndef RETORT_RUNTIME_BASE_DTYPE_H
#define RETORT_RUNTIME_BASE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum rt_dtype {
#define DTYPE(id, text, bytes, class, safetensors) RT_##id,
#include "runtime/base/dtypes.def"
#undef DTYPE
    RT_DTYPE_COUNT
} rt_dtype;

size_t rt_dtype_bytes(rt_dtype dtype);
const char *rt_dtype_text(rt_dtype dtype); /* "f32" */
bool rt_dtype_is_float(rt_dtype dtype);
bool rt_dtype_is_signed(rt_dtype dtype);  /* signed integer */
bool rt_dtype_is_integer(rt_dtype dtype); /* signed or unsigned; not bool */

/* By its text ("f32") or its name in safetensors files ("F32"); false where unknown. */
bool rt_dtype_from_text(const char *text, size_t length, rt_dtype *dtype);
bool rt_dtype_from_safetensors(const char *text, rt_dtype *dtype);
const char *rt_dtype_safetensors(rt_dtype dtype);

/* Reads or writes element `index` of an array of `dtype`, which need not be aligned. Double to a
 * shorter float rounds once, to nearest even. Double to integer drops the fraction, NaN gives 0,
 * what int64 (for u64 also uint64) cannot hold becomes its nearest end, and the rest wraps to the
 * width. Integers wrap to the width; u64 reads as int64 by its bits. bool is 0 or 1: any value but
 * zero is stored as 1. */
double rt_element_as_double(rt_dtype dtype, const void *array, size_t index);
int64_t rt_element_as_int64(rt_dtype dtype, const void *array, size_t index);
void rt_element_set_double(rt_dtype dtype, void *array, size_t index, double value);
void rt_element_set_int64(rt_dtype dtype, void *array, size_t index, int64_t value);

/* 16-bit floats as bits. */
float rt_bf16_to_f32(uint16_t bits);
uint16_t rt_f32_to_bf16(float value); /* nearest even; NaN stays NaN */
float rt_f16_to_f32(uint16_t bits);
uint16_t rt_f64_to_f16(double value);  /* nearest even, one rounding */
uint16_t rt_f64_to_bf16(double value); /* nearest even, one rounding */

#endif
