// SPDX-License-Identifier: Apache-2.0
/* safetensors files, mapped for reading and written whole.
 * Format: 8-byte little-endian header length, JSON header, raw little-endian row-major tensors
 * (github.com/huggingface/safetensors, "Format"). Header counts, offsets and sizes are checked
 * before use: the tensors must fill the bytes behind the header without gap or overlap. A bad file
 * gives one error that names the file and the tensor. */
#ifndef RETORT_RUNTIME_BASE_SAFETENSORS_H
#define RETORT_RUNTIME_BASE_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/arena.h"
#include "runtime/base/dtype.h"
#include "runtime/base/file.h"
#include "runtime/base/status.h"

enum { RT_SAFETENSORS_MAX_RANK = 8, RT_SAFETENSORS_MAX_HEADER = 100 * 1000 * 1000 };

typedef struct rt_safetensor {
    const char *name;
    rt_dtype dtype;
    int rank;
    int64_t dims[RT_SAFETENSORS_MAX_RANK];
    const void *data; /* into the mapping; may be unaligned */
    uint64_t offset;  /* of data from the start of the file, bytes */
    uint64_t size_bytes;
} rt_safetensor;

typedef struct rt_safetensors {
    rt_mapped_file file;    /* empty where the bytes are lent (open_memory) */
    rt_arena arena;         /* names and tables */
    rt_safetensor *tensors; /* in the order of their offsets */
    size_t count;
    const rt_safetensor **by_name; /* the same, sorted by name */
    const char **metadata;         /* key, value, key, value … of "__metadata__" */
    size_t metadata_count;         /* pairs */
} rt_safetensors;

RT_MUST_CHECK rt_status rt_safetensors_open(const char *path, rt_safetensors *file,
                                            rt_error *error);
/* The same from memory, which is lent until close; `where` stands for the file's name in errors. */
RT_MUST_CHECK rt_status rt_safetensors_open_memory(const char *where, const void *bytes,
                                                   size_t size, rt_safetensors *file,
                                                   rt_error *error);
void rt_safetensors_close(rt_safetensors *file); /* also of a zeroed struct */
const rt_safetensor *rt_safetensors_find(const rt_safetensors *file, const char *name);
const char *rt_safetensors_metadata(const rt_safetensors *file, const char *key); /* or NULL */

/* Writing: tensors are streamed, so nothing is copied. `tensors[i].data` points at the values and
 * size_bytes is theirs; offset is ignored. `metadata`: `metadata_count` key/value pairs. Wider
 * elements come first, otherwise the order is kept; the first value lies on a multiple of 64 bytes,
 * so that every tensor is aligned to its element. The file is written whole and renamed
 * (rt_writer). */
RT_MUST_CHECK rt_status rt_safetensors_write(const char *path, const rt_safetensor *tensors,
                                             size_t count, const char *const *metadata,
                                             size_t metadata_count, rt_error *error);

/* The same where not all values are in memory: a tensor whose `data` is NULL is asked for by its
 * index when it is written, in the order of writing; the bytes that `read` gives are lent until the
 * next call. */
typedef struct rt_safetensors_job {
    const char *path;
    const rt_safetensor *tensors;
    size_t count;
    const char *const *metadata;
    size_t metadata_count;
    rt_status (*read)(void *argument, size_t tensor, const void **bytes, rt_error *error);
    void *argument;
} rt_safetensors_job;
RT_MUST_CHECK rt_status rt_safetensors_write_job(const rt_safetensors_job *job, rt_error *error);

#endif
