// SPDX-License-Identifier: Apache-2.0
/* The ONNX reader on arbitrary bytes: a model, and a bare tensor. */
#include "compiler/frontend/onnx_reader.h"
#include "compiler/frontend/onnx_tensor.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    rt_onnx_source source;
    rt_error error;
    if (rt_onnx_read(bytes, size, "fuzz/model.onnx", &source, &error) == RT_OK) {
        rt_onnx_close(&source);
    }
    if (rt_onnx_read_tensor(bytes, size, "fuzz/tensor.pb", &source, &error) == RT_OK) {
        rt_dtype dtype;
        void *values = NULL;
        if (rt_onnx_type_dtype(source.tensor->type, &dtype)) {
            values = malloc((size_t)source.tensor->count * rt_dtype_bytes(dtype) + 1);
        }
        if (values && rt_onnx_tensor_values(source.tensor, values) != RT_OK) abort();
        free(values);
        rt_onnx_close(&source);
    }
    return 0;
}
