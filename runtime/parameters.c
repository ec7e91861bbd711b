// SPDX-License-Identifier: Apache-2.0
/* Parameters are loaded file by file, so that each file is mapped once and let go. Within a file
 * each tensor is read in pieces whose pages are given back when they have been used: mapped pages
 * count as the process's memory while they are resident. */
#include "runtime/parameters.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/base/checksum.h"
#include "runtime/base/dtype.h"
#include "runtime/base/file.h"
#include "runtime/base/philox.h"
#include "runtime/base/transform.h"
#include "runtime/program.h"

_Static_assert((int)RETORT_TRANSFORM_TRANSPOSE == (int)RT_TRANSFORM_TRANSPOSE &&
                   (int)RETORT_TRANSFORM_HALVES == (int)RT_TRANSFORM_HALVES &&
                   (int)RETORT_TRANSFORM_VARINTS == (int)RT_TRANSFORM_VARINTS &&
                   (int)RETORT_TRANSFORM_VARINT_HALVES == (int)RT_TRANSFORM_VARINT_HALVES,
               "programs carry the numbers of rt_transform");

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

/* A tensor in a mapped file; `file` is NULL where the bytes are part of the program. */
typedef struct tensor_source {
    const rt_mapped_file *file;
    const uint8_t *bytes;
    size_t size;
} tensor_source;

/* Bytes [begin, end) of the source have been used. */
static void let_go(const tensor_source *source, size_t begin, size_t end) {
    if (source->file)
        rt_file_discard(source->file, (size_t)(source->bytes - source->file->data) + begin,
                        end - begin);
}

/* The file holds [columns, rows] of a [rows, columns] parameter: copied in square blocks, so that
 * both sides stay in cache; row after row of the source. */
static void transpose(const retort_parameter *p, void *target, const tensor_source *source) {
    enum { BLOCK = 32 };
    int64_t rows = p->dims[0], columns = p->dims[1];
    size_t row_bytes = (size_t)rows * rt_dtype_bytes((rt_dtype)p->source_dtype), used = 0;
    bool is_plain = p->dtype == p->source_dtype && p->dtype == RT_F32;
    for (int64_t c0 = 0; c0 < columns; c0 += BLOCK) {
        int64_t c1 = c0 + BLOCK < columns ? c0 + BLOCK : columns;
        for (int64_t r0 = 0; r0 < rows; r0 += BLOCK)
            for (int64_t r = r0; r < rows && r < r0 + BLOCK; ++r)
                for (int64_t c = c0; c < c1; ++c) {
                    size_t to = (size_t)(r * columns + c), from = (size_t)(c * rows + r);
                    if (is_plain)
                        memcpy((float *)target + to, source->bytes + from * sizeof(float),
                               sizeof(float));
                    else
                        convert((rt_dtype)p->dtype, target, to, (rt_dtype)p->source_dtype,
                                source->bytes, from);
                }
        size_t end = (size_t)c1 * row_bytes;
        if (end - used >= RT_FILE_PIECE || c1 == columns) let_go(source, used, end), used = end;
    }
}

static void copy(const retort_parameter *p, void *target, const tensor_source *source) {
    size_t width = rt_dtype_bytes((rt_dtype)p->source_dtype);
    for (size_t begin = 0; begin < source->size; begin += RT_FILE_PIECE) {
        size_t left = source->size - begin, size = left < RT_FILE_PIECE ? left : RT_FILE_PIECE;
        if (p->dtype == p->source_dtype)
            memcpy((uint8_t *)target + begin, source->bytes + begin, size);
        else
            for (size_t i = begin / width; i < (begin + size) / width; ++i)
                convert((rt_dtype)p->dtype, target, i, (rt_dtype)p->source_dtype, source->bytes, i);
        let_go(source, begin, begin + size);
    }
}

/* False where the bytes are not exactly the parameter's elements. */
static bool unpack(const retort_parameter *p, void *target, const tensor_source *source) {
    enum { PIECE_ELEMENTS = 1 << 20 };
    rt_unpacking unpacking = {(rt_transform)p->transform, (rt_dtype)p->dtype, source->bytes,
                              source->bytes + source->size};
    int64_t count = retort_parameter_elements(p);
    size_t width = rt_dtype_bytes((rt_dtype)p->dtype), used = 0;
    for (int64_t done = 0; done < count; done += PIECE_ELEMENTS) {
        int64_t piece = count - done < PIECE_ELEMENTS ? count - done : PIECE_ELEMENTS;
        if (rt_unpack(&unpacking, (uint8_t *)target + (size_t)done * width, piece) != piece)
            return false;
        size_t end = (size_t)(unpacking.next - source->bytes);
        let_go(source, used, end);
        used = end;
    }
    return unpacking.next == unpacking.end;
}

static rt_status place(const retort_parameter *p, void *target, const tensor_source *source,
                       rt_error *error) {
    if (rt_transform_is_packed((rt_transform)p->transform)) {
        if (unpack(p, target, source)) return RT_OK;
        return rt_fail(error, RT_INVALID_DATA,
                       "tensor '%s' does not hold %lld packed elements; compile again",
                       p->source_name, (long long)retort_parameter_elements(p));
    }
    if (p->transform == RETORT_TRANSFORM_TRANSPOSE)
        transpose(p, target, source);
    else
        copy(p, target, source);
    return RT_OK;
}

static uint64_t sum_source(const tensor_source *source) {
    rt_checksum_state state;
    rt_checksum_begin(&state);
    for (size_t begin = 0; begin < source->size; begin += RT_FILE_PIECE) {
        size_t left = source->size - begin, size = left < RT_FILE_PIECE ? left : RT_FILE_PIECE;
        rt_checksum_add(&state, source->bytes + begin, size);
        let_go(source, begin, begin + size);
    }
    return rt_checksum_end(&state);
}

static rt_status check_source(const retort_parameter *p, const char *path, size_t file_size,
                              rt_error *error) {
    uint64_t expected =
        (uint64_t)retort_parameter_elements(p) * rt_dtype_bytes((rt_dtype)p->source_dtype);
    if (!rt_transform_is_packed((rt_transform)p->transform) && p->size_bytes != expected)
        return rt_fail(error, RT_INTERNAL, "%s: tensor '%s' has %llu bytes, %llu were expected",
                       path, p->source_name, (unsigned long long)p->size_bytes,
                       (unsigned long long)expected);
    if (p->offset > file_size || p->size_bytes > file_size - p->offset)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s: the file is too short for tensor '%s'; it changed after compiling",
                       path, p->source_name);
    return RT_OK;
}

static bool is_given(const retort_parameter *p, const retort_instance_options *options) {
    return options->is_given && options->is_given(p, options->given_argument);
}

/* Whether the parameter is read from a file. */
static bool is_external(const retort_parameter *p, const retort_instance_options *options) {
    return p->initial == RETORT_INITIAL_SOURCE && !p->embedded && !is_given(p, options);
}

/* Reads one parameter from its file. */
static rt_status read_external(const retort_sources *sources, uint32_t index, void *memory,
                               rt_error *error) {
    const retort_parameter *p = &sources->program->parameters[index];
    const rt_mapped_file *file = &sources->files[p->file];
    const char *path = sources->paths[p->file];
    RT_TRY(check_source(p, path, file->size, error));
    tensor_source source = {file, file->data + p->offset, (size_t)p->size_bytes};
    if (!sources->options.skips_checksum && sum_source(&source) != p->checksum)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s: tensor '%s' is not the one the program was compiled for "
                       "(its checksum differs); compile again",
                       path, p->source_name);
    return place(p, memory, &source, error);
}

static bool is_used(const retort_program *program, uint32_t file,
                    const retort_instance_options *options) {
    for (uint32_t i = 0; i < program->parameter_count; ++i)
        if (program->parameters[i].file == file && is_external(&program->parameters[i], options))
            return true;
    return false;
}

/* The file in `folder` under the longest end of its compiled path that is there, so that files of
 * one name in different folders stay apart; under its base name where none is there. */
static char *find_in(const char *folder, const char *compiled) {
    for (const char *end = compiled;;) {
        end += strspn(end, "/");
        char *path = rt_path_join(folder, end);
        const char *slash = strchr(end, '/');
        if (!path || !slash || rt_file_exists(path)) return path;
        free(path);
        end = slash;
    }
}

/* Where external file `index` lies under options->weights; the caller frees. */
static rt_status relocate(const retort_program *program, uint32_t index,
                          const retort_instance_options *options, char **path, rt_error *error) {
    const char *weights = options->weights, *compiled = program->files[index].path;
    uint32_t used = 0;
    for (uint32_t f = 0; f < program->file_count; ++f) used += is_used(program, f, options);
    if (weights && rt_file_exists(weights) && used > 1)
        return rt_fail(error, RT_INVALID_ARGUMENT,
                       "%s: is one file, but the program reads %u, %s among them; name a folder "
                       "that holds them",
                       weights, used, compiled);
    *path = !weights                    ? strdup(compiled)
            : rt_folder_exists(weights) ? find_in(weights, compiled)
                                        : strdup(weights);
    return *path ? RT_OK : rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
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

static rt_status initialise_one(const retort_parameter *p, void *target, uint64_t seed,
                                rt_error *error) {
    size_t count = (size_t)retort_parameter_elements(p);
    tensor_source embedded = {NULL, p->embedded, (size_t)p->size_bytes};
    if (p->initial == RETORT_INITIAL_NORMAL || p->initial == RETORT_INITIAL_UNIFORM)
        fill_random(p, target, seed);
    else if (p->initial == RETORT_INITIAL_CONSTANT)
        for (size_t i = 0; i < count; ++i)
            rt_element_set_double((rt_dtype)p->dtype, target, i, p->initial_value);
    else if (p->initial == RETORT_INITIAL_SOURCE && p->embedded)
        return place(p, target, &embedded, error);
    return RT_OK;
}

/* Maps file `index`, reads every parameter with memory from it, and lets it go where all have. */
static rt_status read_file(retort_sources *sources, uint32_t index, void *const *memory,
                           rt_error *error) {
    const retort_program *program = sources->program;
    bool is_mapped = false, is_needed = false;
    for (uint32_t i = 0; i < program->parameter_count; ++i) {
        if (program->parameters[i].file != index ||
            !is_external(&program->parameters[i], &sources->options))
            continue;
        if (!is_mapped) {
            RT_TRY(relocate(program, index, &sources->options, &sources->paths[index], error));
            RT_TRY(rt_file_map(sources->paths[index], &sources->files[index], error));
            is_mapped = true;
        }
        if (memory[i])
            RT_TRY(read_external(sources, i, memory[i], error));
        else
            is_needed = true;
    }
    if (is_mapped && !is_needed) {
        rt_file_unmap(&sources->files[index]);
        sources->files[index] = (rt_mapped_file){0};
    }
    return RT_OK;
}

rt_status retort_sources_open(const retort_program *program, const retort_instance_options *options,
                              void *const *memory, retort_sources *sources, rt_error *error) {
    *sources = (retort_sources){.program = program,
                                .options = *options,
                                .files = calloc(program->file_count + 1, sizeof(rt_mapped_file)),
                                .paths = calloc(program->file_count + 1, sizeof(char *))};
    if (!sources->files || !sources->paths)
        return rt_fail(error, RT_OUT_OF_MEMORY, "out of memory");
    for (uint32_t i = 0; i < program->parameter_count; ++i)
        if (memory[i] && !is_given(&program->parameters[i], options))
            RT_TRY(initialise_one(&program->parameters[i], memory[i], options->seed, error));
    for (uint32_t f = 0; f < program->file_count; ++f) RT_TRY(read_file(sources, f, memory, error));
    return RT_OK;
}

void retort_sources_close(retort_sources *sources) {
    for (uint32_t f = 0; sources->files && f < sources->program->file_count; ++f)
        rt_file_unmap(&sources->files[f]);
    for (uint32_t f = 0; sources->paths && f < sources->program->file_count; ++f)
        free(sources->paths[f]);
    free(sources->files);
    free(sources->paths);
    *sources = (retort_sources){0};
}

rt_status retort_sources_read(const retort_sources *sources, uint32_t parameter, void *memory,
                              rt_error *error) {
    const retort_parameter *p = &sources->program->parameters[parameter];
    const retort_instance_options *options = &sources->options;
    if (is_given(p, options))
        return options->give ? options->give(p, memory, options->given_argument, error) : RT_OK;
    if (is_external(p, options)) return read_external(sources, parameter, memory, error);
    memset(memory, 0, (size_t)retort_parameter_bytes(p));
    return initialise_one(p, memory, options->seed, error);
}
