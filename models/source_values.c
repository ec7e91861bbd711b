// SPDX-License-Identifier: Apache-2.0
#include "models/source_values.h"

rt_status rt_source_values_open(const rt_module *module, rt_arena *arena, rt_source_values *values,
                                rt_error *error) {
    *values = (rt_source_values){.module = module, .arena = arena};
    values->files = RT_NEW_ARRAY(arena, rt_mapped_file, rt_module_file_count(module));
    return values->files ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
}

void rt_source_values_close(rt_source_values *values) {
    size_t count = values->files ? rt_module_file_count(values->module) : 0;
    for (size_t i = 0; i < count; ++i) rt_file_unmap(&values->files[i]);
    *values = (rt_source_values){0};
}

static rt_status source_bytes(rt_source_values *values, const rt_parameter_info *info,
                              const uint8_t **bytes, rt_error *error) {
    const rt_source *source = &info->source;
    if (info->initial != RT_INITIAL_SOURCE)
        return rt_fail(error, RT_INVALID_ARGUMENT, "'%s' has no values to be saved", info->name);
    rt_mapped_file *file = &values->files[source->file];
    const char *path = rt_module_file_path(values->module, source->file);
    if (!file->data) RT_TRY(rt_file_map(path, file, error));
    if (source->offset > file->size || source->size_bytes > file->size - source->offset)
        return rt_fail(error, RT_INVALID_DATA, "%s: '%s' lies outside the file", path,
                       source->tensor_name);
    *bytes = file->data + source->offset;
    return RT_OK;
}

/* Sizes of the parameter as a matrix; a vector is one column. */
static bool matrix_sizes(const rt_module *module, rt_type type, size_t *rows, size_t *columns) {
    int64_t sizes[RT_MAX_RANK], elements;
    if (!rt_type_is_static(rt_module_dims(module), type, sizes, &elements)) return false;
    *rows = type.rank ? (size_t)sizes[0] : 1;
    *columns = *rows ? (size_t)elements / *rows : 0;
    return true;
}

rt_status rt_source_values_find(rt_source_values *values, const char *name, size_t count,
                                const void **numbers, rt_error *error) {
    rt_parameter parameter = rt_module_find_parameter(values->module, name);
    if (!rt_parameter_is(parameter))
        return rt_fail(error, RT_INVALID_ARGUMENT, "the model has no parameter '%s'", name);
    const rt_parameter_info *info = rt_module_parameter(values->module, parameter);
    const rt_source *source = &info->source;
    const uint8_t *bytes = NULL;
    size_t rows, columns;
    RT_TRY(source_bytes(values, info, &bytes, error));
    if (rt_transform_is_packed(source->transform))
        return rt_fail(error, RT_UNSUPPORTED, "'%s' is stored as packed integers",
                       source->tensor_name);
    if (source->size_bytes != count * rt_dtype_bytes(source->dtype) ||
        !matrix_sizes(values->module, info->type, &rows, &columns) || rows * columns != count)
        return rt_fail(error, RT_INVALID_DATA, "'%s' has %llu bytes, not %zu numbers",
                       source->tensor_name, (unsigned long long)source->size_bytes, count);
    bool is_transposed = source->transform == RT_TRANSFORM_TRANSPOSE;
    *numbers = bytes;
    if (!is_transposed && source->dtype == RT_F32) return RT_OK;
    float *copy = RT_NEW_ARRAY(values->arena, float, count);
    if (!copy) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (size_t row = 0; row < rows; ++row) {
        for (size_t column = 0; column < columns; ++column) {
            size_t from = is_transposed ? column * rows + row : row * columns + column;
            copy[row * columns + column] = (float)rt_element_as_double(source->dtype, bytes, from);
        }
    }
    *numbers = copy;
    return RT_OK;
}
