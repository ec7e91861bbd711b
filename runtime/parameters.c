// SPDX-License-Identifier: Apache-2.0
/* Parameters are loaded file by file, so that each file is mapped once and let go. */
#include "runtime/parameters.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/checksum.h"
#include "runtime/base/dtype.h"
#include "runtime/base/file.h"
#include "runtime/base/philox.h"
#include "runtime/program.h"

/* Converts `count` elements from the file's type; equal types are copied. */
static void convert(rt_dtype to, void *target, size_t target_index, rt_dtype from,
                    const void *source, size_t source_index) {
    if (rt_dtype_is_float(to) || rt_dtype_is_float(from))
        rt_element_set_double(to, target, target_index,
                              rt_element_as_double(from, source, source_index));
    else
        rt_element_set_int64(to, target, target_index,
                             rt_element_as_int64(from, source, source_index));
}

/* The file holds [columns, rows] of a [rows, columns] parameter: copied in square blocks, so that
 * both sides stay in cache. */
static void transpose(const retort_parameter *p, void *target, const uint8_t *source) {
    enum { BLOCK = 32 };
    int64_t rows = p->dims[0], columns = p->dims[1];
    bool is_plain = p->dtype == p->source_dtype && p->dtype == RT_F32;
    for (int64_t r0 = 0; r0 < rows; r0 += BLOCK)
        for (int64_t c0 = 0; c0 < columns; c0 += BLOCK)
            for (int64_t r = r0; r < rows && r < r0 + BLOCK; ++r)
                for (int64_t c = c0; c < columns && c < c0 + BLOCK; ++c) {
                    size_t to = (size_t)(r * columns + c), from = (size_t)(c * rows + r);
                    if (is_plain)
                        memcpy((float *)target + to, source + from * sizeof(float), sizeof(float));
                    else
                        convert((rt_dtype)p->dtype, target, to, (rt_dtype)p->source_dtype, source,
                                from);
                }
}

static void place(const retort_parameter *p, void *target, const uint8_t *source) {
    size_t count = (size_t)retort_parameter_elements(p);
    if (p->transform == RETORT_TRANSFORM_TRANSPOSE)
        transpose(p, target, source);
    else if (p->dtype == p->source_dtype)
        memcpy(target, source, (size_t)p->size_bytes);
    else
        for (size_t i = 0; i < count; ++i)
            convert((rt_dtype)p->dtype, target, i, (rt_dtype)p->source_dtype, source, i);
}

static rt_status check_source(const retort_parameter *p, const char *path, size_t file_size,
                              rt_error *error) {
    uint64_t expected =
        (uint64_t)retort_parameter_elements(p) * rt_dtype_bytes((rt_dtype)p->source_dtype);
    if (p->size_bytes != expected)
        return rt_fail(error, RT_INTERNAL, "%s: tensor '%s' has %llu bytes, %llu were expected",
                       path, p->source_name, (unsigned long long)p->size_bytes,
                       (unsigned long long)expected);
    if (p->offset > file_size || p->size_bytes > file_size - p->offset)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s: the file is too short for tensor '%s'; it changed after compiling",
                       path, p->source_name);
    return RT_OK;
}

/* Loads every parameter whose source is file `index`. */
static rt_status load_file(const retort_program *program, uint32_t index, const char *path,
                           void *const *memory, bool skips_checksum, rt_error *error) {
    rt_mapped_file file = {0};
    RT_TRY(rt_file_map(path, &file, error));
    rt_status status = RT_OK;
    for (uint32_t i = 0; status == RT_OK && i < program->parameter_count; ++i) {
        const retort_parameter *p = &program->parameters[i];
        if (p->initial != RETORT_INITIAL_SOURCE || p->embedded || p->file != index) continue;
        status = check_source(p, path, file.size, error);
        if (status != RT_OK) break;
        const uint8_t *source = file.data + p->offset;
        if (!skips_checksum && rt_checksum(source, (size_t)p->size_bytes) != p->checksum)
            status = rt_fail(error, RT_INVALID_DATA,
                             "%s: tensor '%s' is not the one the program was compiled for "
                             "(its checksum differs); compile again",
                             path, p->source_name);
        else
            place(p, memory[i], source);
    }
    rt_file_unmap(&file);
    return status;
}

/* Where external file `index` lies under --weights. */
static char *relocated(const retort_program *program, uint32_t index, const char *weights) {
    const char *compiled = program->files[index].path;
    if (!weights) return strdup(compiled);
    if (!rt_folder_exists(weights)) return strdup(weights);
    const char *slash = strrchr(compiled, '/');
    return rt_path_join(weights, slash ? slash + 1 : compiled);
}

static uint64_t name_stream(const char *name) {
    return rt_checksum(name, strlen(name));
}

static void fill_random(const retort_parameter *p, void *target, uint64_t seed) {
    rt_random random = rt_random_begin(seed, name_stream(p->name));
    size_t count = (size_t)retort_parameter_elements(p);
    for (size_t i = 0; i < count; ++i) {
        double value = p->initial == RETORT_INITIAL_NORMAL
                           ? rt_random_normal(&random) * p->initial_value
                           : (rt_random_uniform(&random) * 2 - 1) * p->initial_value;
        rt_element_set_double((rt_dtype)p->dtype, target, i, value);
    }
}

static void initialise_one(const retort_parameter *p, void *target, uint64_t seed) {
    size_t count = (size_t)retort_parameter_elements(p);
    if (p->initial == RETORT_INITIAL_NORMAL || p->initial == RETORT_INITIAL_UNIFORM)
        fill_random(p, target, seed);
    else if (p->initial == RETORT_INITIAL_CONSTANT)
        for (size_t i = 0; i < count; ++i)
            rt_element_set_double((rt_dtype)p->dtype, target, i, p->initial_value);
    else if (p->initial == RETORT_INITIAL_SOURCE && p->embedded)
        place(p, target, p->embedded);
}

static bool is_used(const retort_program *program, uint32_t file) {
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        const retort_parameter *p = &program->parameters[i];
        if (p->initial == RETORT_INITIAL_SOURCE && !p->embedded && p->file == file) return true;
    }
    return false;
}

rt_status retort_parameters_initialise(const retort_program *program, void *const *memory,
                                       uint64_t seed, const char *weights, bool skips_checksum,
                                       rt_error *error) {
    for (uint32_t i = 0; i < program->parameter_count; ++i)
        initialise_one(&program->parameters[i], memory[i], seed);
    for (uint32_t f = 0; f < program->file_count; ++f) {
        if (!is_used(program, f)) continue;
        char *path = relocated(program, f, weights);
        if (!path) return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
        rt_status status = load_file(program, f, path, memory, skips_checksum, error);
        free(path);
        RT_TRY(status);
    }
    return RT_OK;
}
