// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/safetensors.h"
#include "runtime/base/sizes.h"

enum { PREFIX_BYTES = 8, DATA_ALIGNMENT = 64 };

/* Widths of elements in the order of writing: each tensor then begins on a multiple of its own. */
static const size_t widths[] = {8, 4, 2, 1};

typedef struct plan {
    const rt_safetensor *tensors;
    size_t count;
    const char *path;
    rt_error *error;
    const rt_safetensors_job *job;
} plan;

static rt_status check_tensor(const plan *p, const rt_safetensor *tensor) {
    size_t size = rt_dtype_bytes(tensor->dtype);
    bool fits = tensor->rank >= 0 && tensor->rank <= RT_SAFETENSORS_MAX_RANK;
    for (int i = 0; fits && i < tensor->rank; ++i)
        fits = tensor->dims[i] >= 0 && rt_size_multiply(size, (size_t)tensor->dims[i], &size);
    if (!fits || size != tensor->size_bytes) {
        return rt_fail(p->error, RT_INVALID_ARGUMENT,
                       "%s: tensor '%.100s': %" PRIu64 " bytes do not fit its type and shape",
                       p->path, tensor->name, tensor->size_bytes);
    }
    return RT_OK;
}

/* Adds the entry of one tensor at `begin` of the data. A name that is not UTF-8 is refused. */
static rt_status add_entry(const plan *p, json_t *header, const rt_safetensor *tensor,
                           uint64_t begin) {
    RT_TRY(check_tensor(p, tensor));
    if (!strcmp(tensor->name, "__metadata__") || json_object_get(header, tensor->name)) {
        return rt_fail(p->error, RT_INVALID_ARGUMENT, "%s: tensor name '%.100s' is taken", p->path,
                       tensor->name);
    }
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; ++i)
        json_array_append_new(shape, json_integer(tensor->dims[i]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", rt_dtype_safetensors(tensor->dtype),
                              "shape", shape, "data_offsets", (json_int_t)begin,
                              (json_int_t)(begin + tensor->size_bytes));
    if (entry && json_object_set_new(header, tensor->name, entry) == 0) return RT_OK;
    return rt_fail(p->error, RT_INVALID_ARGUMENT, "%s: tensor name '%.100s' is not UTF-8", p->path,
                   tensor->name);
}

static rt_status add_metadata(const plan *p, json_t *header, const char *const *metadata,
                              size_t count) {
    json_t *object = json_object();
    if (json_object_set_new(header, "__metadata__", object))
        return rt_fail(p->error, RT_OUT_OF_MEMORY, "%s: out of memory", p->path);
    for (size_t i = 0; i < count; ++i) {
        if (json_object_set_new(object, metadata[2 * i], json_string(metadata[2 * i + 1])) == 0)
            continue;
        return rt_fail(p->error, RT_INVALID_ARGUMENT, "%s: metadata '%.100s' is not UTF-8", p->path,
                       metadata[2 * i]);
    }
    return RT_OK;
}

static rt_status add_entries(const plan *p, json_t *header) {
    uint64_t begin = 0;
    for (size_t w = 0; w < RT_COUNT_OF(widths); ++w) {
        for (size_t i = 0; i < p->count; ++i) {
            const rt_safetensor *tensor = &p->tensors[i];
            if (rt_dtype_bytes(tensor->dtype) != widths[w]) continue;
            RT_TRY(add_entry(p, header, tensor, begin));
            begin += tensor->size_bytes;
        }
    }
    return RT_OK;
}

static rt_status write_values(const plan *p, rt_writer *writer) {
    for (size_t w = 0; w < RT_COUNT_OF(widths); ++w)
        for (size_t i = 0; i < p->count; ++i) {
            const void *bytes = p->tensors[i].data;
            if (rt_dtype_bytes(p->tensors[i].dtype) != widths[w]) continue;
            if (!bytes && p->tensors[i].size_bytes && p->job->read)
                RT_TRY(p->job->read(p->job->argument, i, &bytes, p->error));
            rt_writer_write(writer, bytes, p->tensors[i].size_bytes);
        }
    return RT_OK;
}

static rt_status stream(const plan *p, const char *header) {
    rt_writer writer;
    RT_TRY(rt_writer_open(&writer, p->path, p->error));
    size_t length = strlen(header);
    uint64_t padded = rt_align_up(PREFIX_BYTES + length, DATA_ALIGNMENT) - PREFIX_BYTES;
    uint8_t prefix[PREFIX_BYTES];
    for (int i = 0; i < PREFIX_BYTES; ++i) prefix[i] = (uint8_t)(padded >> 8 * i);
    rt_writer_write(&writer, prefix, sizeof prefix);
    rt_writer_write(&writer, header, length);
    rt_writer_print(&writer, "%*s", (int)(padded - length), "");
    rt_status status = write_values(p, &writer);
    if (status == RT_OK) return rt_writer_commit(&writer, p->error);
    rt_writer_abandon(&writer);
    return status;
}

rt_status rt_safetensors_write(const char *path, const rt_safetensor *tensors, size_t count,
                               const char *const *metadata, size_t metadata_count,
                               rt_error *error) {
    rt_safetensors_job job = {path, tensors, count, metadata, metadata_count, NULL, NULL};
    return rt_safetensors_write_job(&job, error);
}

rt_status rt_safetensors_write_job(const rt_safetensors_job *job, rt_error *error) {
    plan p = {job->tensors, job->count, job->path, error, job};
    char *text = NULL;
    json_t *header = json_object();
    rt_status status = header ? RT_OK : RT_OUT_OF_MEMORY;
    if (status == RT_OK && job->metadata_count)
        status = add_metadata(&p, header, job->metadata, job->metadata_count);
    if (status == RT_OK) status = add_entries(&p, header);
    if (status == RT_OK && !(text = json_dumps(header, JSON_COMPACT)))
        status = rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", job->path);
    if (status == RT_OK) status = stream(&p, text);
    json_decref(header);
    free(text);
    return status;
}
