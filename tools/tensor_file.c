// SPDX-License-Identifier: Apache-2.0
#include "tools/tensor_file.h"

#include <string.h>

#include "compiler/frontend/onnx_reader.h"
#include "compiler/frontend/onnx_tensor.h"
#include "compiler/frontend/onnx_writer.h"
#include "tools/npy.h"

static bool has_ending(const char *path, const char *ending) {
    size_t length = strlen(path), size = strlen(ending);
    return length > size && strcmp(path + length - size, ending) == 0;
}

static rt_status read_proto(const char *path, rt_arena *arena, rt_tensor *tensor, rt_error *error) {
    rt_onnx_source source = {0};
    rt_dtype dtype;
    RT_TRY(rt_onnx_open_tensor(path, &source, error));
    const rt_onnx_tensor *stored = source.tensor;
    rt_status status = RT_OK;
    if (!rt_onnx_type_dtype(stored->type, &dtype) || stored->rank > RT_MAX_RANK)
        status = rt_fail(error, RT_UNSUPPORTED, "%s: %s of rank %d", path,
                         rt_onnx_type_text(stored->type), stored->rank);
    void *values = status == RT_OK
                       ? rt_arena_array(arena, (size_t)stored->count + 1, rt_dtype_bytes(dtype))
                       : NULL;
    if (status == RT_OK && !values)
        status = rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    if (status == RT_OK) status = rt_onnx_tensor_values(stored, values);
    if (status == RT_OK) {
        *tensor = (rt_tensor){
            .dtype = dtype, .rank = stored->rank, .count = stored->count, .data = values};
        for (int i = 0; i < stored->rank; ++i) tensor->dims[i] = stored->dims[i];
    }
    rt_onnx_close(&source);
    return status;
}

rt_status tensor_file_read(const char *path, rt_arena *arena, rt_tensor *tensor, rt_error *error) {
    if (has_ending(path, ".npy")) return npy_read(path, arena, tensor, error);
    if (has_ending(path, ".pb")) return read_proto(path, arena, tensor, error);
    return rt_fail(
        error, RT_INVALID_ARGUMENT,
        "%s: a file of one tensor is a .npy of NumPy or a .pb (a serialised TensorProto)", path);
}

bool tensor_file_has_ending(const char *path) {
    return has_ending(path, ".npy") || has_ending(path, ".pb");
}

rt_status tensor_file_write(rt_writer *writer, const char *path, const char *name,
                            const rt_tensor *tensor, rt_error *error) {
    rt_onnx_tensor proto;
    rt_onnx_file file;
    if (!has_ending(path, ".pb")) {
        npy_write(writer, tensor);
        return RT_OK;
    }
    rt_onnx_tensor_of_memory(&proto, &file, name, tensor->dtype, tensor->dims, tensor->rank,
                             tensor->data);
    return rt_onnx_stream_tensor(writer, &proto, error);
}
