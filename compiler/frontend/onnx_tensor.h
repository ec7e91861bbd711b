// SPDX-License-Identifier: Apache-2.0
/* Where the values of a TensorProto lie, and reading them. */
#ifndef RETORT_COMPILER_FRONTEND_ONNX_TENSOR_H
#define RETORT_COMPILER_FRONTEND_ONNX_TENSOR_H

#include "compiler/frontend/onnx_model.h"
#include "runtime/base/status.h"
#include "runtime/base/transform.h"

/* Product of the dimensions. A negative dimension and a product beyond 2^56 are errors that name
 * `what` ("initializer 'w'"). */
RT_MUST_CHECK rt_status rt_onnx_count_elements(const int64_t *dims, int rank, const char *what,
                                               int64_t *count, rt_error *error);

/* Finds the values in the message [offset, offset + size) of tensor->file, whose name, type and
 * dims are filled: sets storage, offset and size_bytes. Their number must be that of the dims. */
RT_MUST_CHECK rt_status rt_onnx_tensor_locate(rt_onnx_tensor *tensor, uint64_t offset,
                                              uint64_t size, const char *what, rt_error *error);

/* How a program that loads the values from their file has to unpack them; not for values in
 * several fields. */
rt_transform rt_onnx_tensor_packing(const rt_onnx_tensor *tensor);

/* Bytes that the values take in raw form; the tensor's type must have a fixed size. */
uint64_t rt_onnx_tensor_raw_bytes(const rt_onnx_tensor *tensor);

/* Writes the values as a plain array of the tensor's rt_dtype: count * rt_dtype_bytes(dtype)
 * bytes. Returns RT_UNSUPPORTED where there is no such rt_dtype. */
RT_MUST_CHECK rt_status rt_onnx_tensor_values(const rt_onnx_tensor *tensor, void *values);

#endif
