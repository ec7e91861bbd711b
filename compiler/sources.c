// SPDX-License-Identifier: Apache-2.0
#include "compiler/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/checksum.h"

enum { PIECE_BYTES = 1 << 20 };

static bool is_external(const rt_parameter_info *info) {
    return info->initial == RT_INITIAL_SOURCE;
}

static const rt_parameter_info *parameter_at(const rt_module *module, size_t index) {
    return rt_module_parameter(module, (rt_parameter){(uint32_t)index});
}

/* The checksum of the bytes at info's source in the open file. */
static rt_status checksum_one(int file, const char *path, const rt_parameter_info *info,
                              uint8_t *piece, uint64_t *checksum, rt_error *error) {
    rt_checksum_state state;
    uint64_t at = info->source.offset, end = at + info->source.size_bytes;
    rt_checksum_begin(&state);
    while (at < end) {
        size_t wanted = end - at < PIECE_BYTES ? (size_t)(end - at) : PIECE_BYTES;
        ssize_t got = pread(file, piece, wanted, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return rt_fail(error, RT_IO, "%s: %s: %s", path, info->name, strerror(errno));
        if (got == 0)
            return rt_fail(error, RT_INVALID_DATA, "%s: the file ends before the bytes of '%s'",
                           path, info->name);
        rt_checksum_add(&state, piece, (size_t)got);
        at += (uint64_t)got;
    }
    *checksum = rt_checksum_end(&state);
    return RT_OK;
}

static rt_status checksum_file(const rt_module *module, uint32_t index, uint8_t *piece,
                               uint64_t *checksums, rt_error *error) {
    const char *path = rt_module_file_path(module, index);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return rt_fail(error, RT_IO, "%s: %s", path, strerror(errno));
    rt_status status = RT_OK;
    for (size_t i = 0; status == RT_OK && i < rt_module_parameter_count(module); ++i) {
        const rt_parameter_info *info = parameter_at(module, i);
        if (is_external(info) && info->source.file == index)
            status = checksum_one(file, path, info, piece, &checksums[i], error);
    }
    close(file);
    return status;
}

rt_status rt_sources_checksum(const rt_module *module, rt_arena *arena, uint64_t **checksums,
                              rt_error *error) {
    size_t count = rt_module_parameter_count(module), files = rt_module_file_count(module);
    uint64_t *sums = RT_NEW_ARRAY(arena, uint64_t, count + 1);
    bool *is_used = RT_NEW_ARRAY(arena, bool, files + 1);
    uint8_t *piece = malloc(PIECE_BYTES);
    rt_status status = RT_OK;
    if (!sums || !is_used || !piece)
        status = rt_fail(error, RT_OUT_OF_MEMORY, "no memory to read external tensors");
    for (size_t i = 0; status == RT_OK && i < count; ++i)
        if (is_external(parameter_at(module, i)))
            is_used[parameter_at(module, i)->source.file] = true;
    for (uint32_t f = 0; status == RT_OK && f < files; ++f)
        if (is_used[f]) status = checksum_file(module, f, piece, sums, error);
    free(piece);
    *checksums = sums;
    return status;
}

rt_status rt_sources_embed(const rt_module *module, rt_arena *arena, const char ***symbols,
                           rt_embedded_bytes **bytes, size_t *count, rt_error *error) {
    size_t parameters = rt_module_parameter_count(module);
    *count = 0;
    *symbols = RT_NEW_ARRAY(arena, const char *, parameters + 1);
    *bytes = RT_NEW_ARRAY(arena, rt_embedded_bytes, parameters + 1);
    for (size_t i = 0; *symbols && *bytes && i < parameters; ++i) {
        const rt_parameter_info *info = parameter_at(module, i);
        if (!is_external(info)) continue;
        (*symbols)[i] = rt_arena_format(arena, "retort_tensor_%zu", i);
        const char *path = rt_module_file_path(module, info->source.file);
        (*bytes)[(*count)++] = (rt_embedded_bytes){(*symbols)[i], rt_arena_copy_string(arena, path),
                                                   info->source.offset, info->source.size_bytes};
    }
    return rt_arena_failed(arena) ? rt_fail(error, RT_OUT_OF_MEMORY, "no memory to embed tensors")
                                  : RT_OK;
}
