// SPDX-License-Identifier: Apache-2.0
/* Reading walks the header one tensor at a time: a scanner that knows only strings and brackets
 * cuts out each entry, jansson reads the entry alone. So the memory taken stays a small multiple of
 * the header, whatever the header claims to be. */
#include "runtime/base/safetensors.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/json.h"
#include "runtime/base/sizes.h"

enum { PREFIX_BYTES = 8, MAX_ENTRY_BYTES = 16 * 1024 };

/* ---- Scanner ---- */

typedef struct span {
    const char *begin;
    const char *end;
} span;

static size_t span_length(span text) {
    return (size_t)(text.end - text.begin);
}

static void skip_space(span *rest) {
    while (rest->begin < rest->end && memchr(" \t\r\n", *rest->begin, 4)) ++rest->begin;
}

static bool take(span *rest, char wanted) {
    skip_space(rest);
    if (rest->begin == rest->end || *rest->begin != wanted) return false;
    ++rest->begin;
    return true;
}

/* Takes a string with its quotes, without looking at its escapes. */
static bool take_string(span *rest, span *string) {
    skip_space(rest);
    string->begin = rest->begin;
    if (!take(rest, '"')) return false;
    for (bool is_escaped = false; rest->begin < rest->end; ++rest->begin) {
        if (!is_escaped && *rest->begin == '"') {
            string->end = ++rest->begin;
            return true;
        }
        is_escaped = !is_escaped && *rest->begin == '\\';
    }
    return false;
}

/* Takes an object or a string; what is between its ends is left to jansson. */
static bool take_value(span *rest, span *value) {
    skip_space(rest);
    value->begin = rest->begin;
    size_t depth = 0;
    do {
        if (rest->begin == rest->end) return false;
        span string;
        if (*rest->begin == '"') {
            if (!take_string(rest, &string)) return false;
            continue;
        }
        if (*rest->begin == '{')
            ++depth;
        else if (depth == 0)
            return false;
        else if (*rest->begin == '}')
            --depth;
        ++rest->begin;
    } while (depth > 0);
    value->end = rest->begin;
    return true;
}

/* ---- Reading ---- */

typedef struct reader {
    rt_safetensors *file;
    const char *where;
    rt_error *error;
    const char *header;
    const uint8_t *data; /* behind the header */
    uint64_t data_offset;
    uint64_t data_size;
    size_t tensor_capacity;
    size_t metadata_capacity;
    bool has_metadata;
} reader;

typedef rt_status visit_member(reader *r, const char *key, span value);

/* Decodes a string or an entry that the scanner cut out. */
static rt_status decode(reader *r, span text, json_t **value) {
    json_error_t reason;
    *value = json_loadb(text.begin, span_length(text), JSON_DECODE_ANY | JSON_REJECT_DUPLICATES,
                        &reason);
    if (*value) return RT_OK;
    if (json_error_code(&reason) == json_error_out_of_memory)
        return rt_fail(r->error, RT_OUT_OF_MEMORY, "%s: out of memory", r->where);
    return rt_fail(r->error, RT_INVALID_DATA, "%s: header, byte %zu: %s", r->where,
                   (size_t)(text.begin - r->header) + (size_t)reason.position, reason.text);
}

/* Decodes a string into the file's arena. */
static rt_status decode_string(reader *r, span text, const char **string) {
    json_t *value;
    RT_TRY(decode(r, text, &value));
    rt_status status = RT_OK;
    if (!json_is_string(value)) {
        status = rt_fail(r->error, RT_INVALID_DATA, "%s: header, byte %zu: expected a string",
                         r->where, (size_t)(text.begin - r->header));
    } else {
        *string = rt_arena_copy_string(&r->file->arena, json_string_value(value));
        if (!*string) status = rt_fail(r->error, RT_OUT_OF_MEMORY, "%s: out of memory", r->where);
    }
    json_decref(value);
    return status;
}

/* Calls `visit` for each member of the object at the start of `rest`, which moves behind it. */
static rt_status walk_object(reader *r, span *rest, visit_member *visit) {
    bool is_sound = take(rest, '{');
    for (bool is_first = true; is_sound && !take(rest, '}'); is_first = false) {
        span key, value;
        is_sound = (is_first || take(rest, ',')) && take_string(rest, &key) && take(rest, ':') &&
                   take_value(rest, &value);
        if (!is_sound) break;
        const char *name;
        RT_TRY(decode_string(r, key, &name));
        RT_TRY(visit(r, name, value));
    }
    if (is_sound) return RT_OK;
    return rt_fail(r->error, RT_INVALID_DATA, "%s: header is no JSON object of tensors, byte %zu",
                   r->where, (size_t)(rest->begin - r->header));
}

static rt_status visit_metadata(reader *r, const char *key, span value) {
    rt_safetensors *file = r->file;
    size_t needed = 2 * (file->metadata_count + 1);
    const char **grown =
        rt_arena_grow(&file->arena, file->metadata, &r->metadata_capacity, needed, sizeof *grown);
    if (!grown) return rt_fail(r->error, RT_OUT_OF_MEMORY, "%s: out of memory", r->where);
    file->metadata = grown;
    RT_TRY(decode_string(r, value, &grown[needed - 1]));
    grown[needed - 2] = key;
    ++file->metadata_count;
    return RT_OK;
}

/* An array of at most `most` integers from 0 on; *count is its length. */
static void read_integers(rt_json_fields *fields, const char *key, size_t most, int64_t *values,
                          size_t *count) {
    const json_t *array = rt_json_array(fields, key);
    *count = json_array_size(array);
    if (*count > most)
        rt_json_refuse(fields, key, "has %zu numbers, expected at most %zu", *count, most);
    for (size_t i = 0; i < *count && i < most; ++i) {
        const json_t *value = json_array_get(array, i);
        values[i] = json_integer_value(value);
        if (!json_is_integer(value) || values[i] < 0)
            rt_json_refuse(fields, key, "must hold integers from 0 on");
    }
}

/* Checks `size_bytes`, the length of the tensor's range, against its type and shape. */
static void check_size(rt_json_fields *fields, const rt_safetensor *tensor) {
    size_t size = rt_dtype_bytes(tensor->dtype);
    for (int i = 0; i < tensor->rank; ++i) {
        if (rt_size_multiply(size, (size_t)tensor->dims[i], &size)) continue;
        rt_json_refuse(fields, "shape", "has more elements than can be addressed");
        return;
    }
    if (size == tensor->size_bytes) return;
    rt_json_refuse(fields, "data_offsets", "span %" PRIu64 " bytes, type and shape need %zu",
                   tensor->size_bytes, size);
}

static void read_tensor(reader *r, rt_json_fields *fields, rt_safetensor *tensor) {
    int64_t offsets[2] = {0};
    size_t rank, offset_count;
    const char *dtype = rt_json_string(fields, "dtype");
    if (dtype && !rt_dtype_from_safetensors(dtype, &tensor->dtype))
        rt_json_refuse(fields, "dtype", "is '%.20s', which is not supported", dtype);
    read_integers(fields, "shape", RT_SAFETENSORS_MAX_RANK, tensor->dims, &rank);
    read_integers(fields, "data_offsets", 2, offsets, &offset_count);
    if (fields->status != RT_OK) return;
    tensor->rank = (int)rank;
    uint64_t begin = (uint64_t)offsets[0], end = (uint64_t)offsets[1];
    if (offset_count != 2 || begin > end || end > r->data_size) {
        rt_json_refuse(fields, "data_offsets",
                       "must be [begin, end] with begin <= end <= %" PRIu64
                       ", the bytes behind the header",
                       r->data_size);
        return;
    }
    tensor->data = r->data + begin;
    tensor->offset = r->data_offset + begin;
    tensor->size_bytes = end - begin;
    check_size(fields, tensor);
}

static rt_status visit_tensor(reader *r, const char *key, span value) {
    if (!strcmp(key, "__metadata__")) {
        if (r->has_metadata)
            return rt_fail(r->error, RT_INVALID_DATA, "%s: two '__metadata__'", r->where);
        r->has_metadata = true;
        return walk_object(r, &value, visit_metadata);
    }
    if (span_length(value) > MAX_ENTRY_BYTES) {
        return rt_fail(r->error, RT_INVALID_DATA,
                       "%s: tensor '%.100s': its header entry has %zu bytes, at most %d are read",
                       r->where, key, span_length(value), MAX_ENTRY_BYTES);
    }
    rt_safetensors *file = r->file;
    rt_safetensor *grown = rt_arena_grow(&file->arena, file->tensors, &r->tensor_capacity,
                                         file->count + 1, sizeof *grown);
    if (!grown) return rt_fail(r->error, RT_OUT_OF_MEMORY, "%s: out of memory", r->where);
    file->tensors = grown;
    json_t *entry;
    RT_TRY(decode(r, value, &entry));
    char prefix[120];
    snprintf(prefix, sizeof prefix, "%.100s.", key);
    rt_json_fields fields = {entry, r->where, prefix, r->error, RT_OK};
    grown[file->count] = (rt_safetensor){.name = key};
    read_tensor(r, &fields, &grown[file->count]);
    ++file->count;
    json_decref(entry);
    return fields.status;
}

static int compare_offsets(const void *left, const void *right) {
    const rt_safetensor *a = left, *b = right;
    if (a->offset != b->offset) return a->offset < b->offset ? -1 : 1;
    if (a->size_bytes != b->size_bytes) return a->size_bytes < b->size_bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int compare_names(const void *left, const void *right) {
    const rt_safetensor *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

/* Sorts by offset; the tensors must follow one another without gap or overlap to the file's end. */
static rt_status order_tensors(reader *r) {
    rt_safetensors *file = r->file;
    if (file->count) qsort(file->tensors, file->count, sizeof *file->tensors, compare_offsets);
    uint64_t end = r->data_offset;
    for (size_t i = 0; i < file->count; ++i) {
        const rt_safetensor *tensor = &file->tensors[i];
        if (tensor->offset != end) {
            return rt_fail(r->error, RT_INVALID_DATA, "%s: tensor '%.100s' %s", r->where,
                           tensor->name,
                           tensor->offset < end ? "overlaps the one before it"
                                                : "leaves a gap to the one before it");
        }
        end += tensor->size_bytes;
    }
    if (end == r->data_offset + r->data_size) return RT_OK;
    return rt_fail(r->error, RT_INVALID_DATA, "%s: %" PRIu64 " bytes behind the last tensor",
                   r->where, r->data_offset + r->data_size - end);
}

static rt_status index_names(reader *r) {
    rt_safetensors *file = r->file;
    file->by_name = RT_NEW_ARRAY(&file->arena, const rt_safetensor *, file->count);
    if (!file->by_name) return rt_fail(r->error, RT_OUT_OF_MEMORY, "%s: out of memory", r->where);
    for (size_t i = 0; i < file->count; ++i) file->by_name[i] = &file->tensors[i];
    if (file->count) qsort(file->by_name, file->count, sizeof *file->by_name, compare_names);
    for (size_t i = 1; i < file->count; ++i) {
        if (compare_names(&file->by_name[i - 1], &file->by_name[i])) continue;
        return rt_fail(r->error, RT_INVALID_DATA, "%s: two tensors '%.100s'", r->where,
                       file->by_name[i]->name);
    }
    return RT_OK;
}

static rt_status read_file(reader *r, const uint8_t *bytes, size_t size) {
    uint64_t header_size = 0;
    for (size_t i = 0; i < PREFIX_BYTES && i < size; ++i)
        header_size |= (uint64_t)bytes[i] << 8 * i;
    if (size < PREFIX_BYTES || header_size > size - PREFIX_BYTES) {
        return rt_fail(r->error, RT_INVALID_DATA,
                       "%s: no safetensors file or cut short: header of %" PRIu64
                       " bytes in a file of %zu",
                       r->where, header_size, size);
    }
    if (header_size > RT_SAFETENSORS_MAX_HEADER) {
        return rt_fail(r->error, RT_INVALID_DATA,
                       "%s: header of %" PRIu64 " bytes, at most %d are read", r->where,
                       header_size, RT_SAFETENSORS_MAX_HEADER);
    }
    r->header = (const char *)bytes + PREFIX_BYTES;
    r->data_offset = PREFIX_BYTES + header_size;
    r->data = bytes + r->data_offset;
    r->data_size = size - r->data_offset;
    span rest = {r->header, r->header + header_size};
    RT_TRY(walk_object(r, &rest, visit_tensor));
    skip_space(&rest);
    if (rest.begin < rest.end) {
        return rt_fail(r->error, RT_INVALID_DATA, "%s: header goes on behind its end, byte %zu",
                       r->where, (size_t)(rest.begin - r->header));
    }
    RT_TRY(order_tensors(r));
    return index_names(r);
}

rt_status rt_safetensors_open_memory(const char *where, const void *bytes, size_t size,
                                     rt_safetensors *file, rt_error *error) {
    *file = (rt_safetensors){0};
    reader r = {.file = file, .where = where, .error = error};
    rt_status status = read_file(&r, bytes, size);
    if (status != RT_OK) rt_safetensors_close(file);
    return status;
}

rt_status rt_safetensors_open(const char *path, rt_safetensors *file, rt_error *error) {
    *file = (rt_safetensors){0};
    rt_mapped_file mapped;
    RT_TRY(rt_file_map(path, &mapped, error));
    rt_status status = rt_safetensors_open_memory(path, mapped.data, mapped.size, file, error);
    if (status == RT_OK)
        file->file = mapped;
    else
        rt_file_unmap(&mapped);
    return status;
}

void rt_safetensors_close(rt_safetensors *file) {
    rt_file_unmap(&file->file);
    rt_arena_deinit(&file->arena);
    *file = (rt_safetensors){0};
}

const rt_safetensor *rt_safetensors_find(const rt_safetensors *file, const char *name) {
    if (!file->count) return NULL;
    const rt_safetensor wanted = {.name = name}, *key = &wanted;
    const rt_safetensor **found =
        bsearch(&key, file->by_name, file->count, sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

const char *rt_safetensors_metadata(const rt_safetensors *file, const char *key) {
    for (size_t i = 0; i < file->metadata_count; ++i)
        if (!strcmp(file->metadata[2 * i], key)) return file->metadata[2 * i + 1];
    return NULL;
}
