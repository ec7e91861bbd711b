// SPDX-License-Identifier: Apache-2.0
/* "\x93NUMPY", version, length of the header, header, values. The header is a Python literal:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 * filled up with spaces, so that the values are aligned, and a newline. */
#include "tools/npy.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/check.h"
#include "runtime/base/sizes.h"

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

enum { ALIGNMENT = 64, MOST_DIGITS = 18 };

/* NumPy's letter and size of each element type; bf16 has none. */
static const struct {
    rt_dtype dtype;
    const char *text;
} descriptors[] = {
    {RT_F32, "f4"}, {RT_F64, "f8"}, {RT_F16, "f2"}, {RT_I8, "i1"},  {RT_I16, "i2"}, {RT_I32, "i4"},
    {RT_I64, "i8"}, {RT_U8, "u1"},  {RT_U16, "u2"}, {RT_U32, "u4"}, {RT_U64, "u8"}, {RT_BOOL, "b1"},
};

/* ---- the header */

typedef struct reader {
    const char *path;
    const char *at, *end;
    rt_error *error;
    rt_tensor *tensor;
} reader;

static rt_status fail(const reader *r, const char *what) {
    return rt_fail(r->error, RT_INVALID_DATA, "%s: the header is damaged: %s", r->path, what);
}

static void skip_spaces(reader *r) {
    while (r->at < r->end && *r->at == ' ') ++r->at;
}

/* Takes `text` behind spaces; false where something else stands there. */
static bool take(reader *r, const char *text) {
    size_t length = strlen(text);
    skip_spaces(r);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, text, length) != 0) return false;
    r->at += length;
    return true;
}

/* A quoted text without escapes, into a buffer; false where there is none or it is longer. */
static bool take_text(reader *r, char *text, size_t capacity) {
    skip_spaces(r);
    if (r->at == r->end || (*r->at != '\'' && *r->at != '"')) return false;
    const char *begin = r->at + 1, *close = memchr(begin, *r->at, (size_t)(r->end - begin));
    if (!close || (size_t)(close - begin) >= capacity) return false;
    memcpy(text, begin, (size_t)(close - begin));
    text[close - begin] = '\0';
    r->at = close + 1;
    return strlen(text) == (size_t)(close - begin) && !strchr(text, '\\');
}

static rt_status read_descriptor(reader *r) {
    char text[64];
    if (take(r, "[")) /* fields of a record */
        return rt_fail(r->error, RT_UNSUPPORTED,
                       "%s: holds records; save one plain array of numbers", r->path);
    if (!take_text(r, text, sizeof text) || !*text) return fail(r, "'descr' is no text");
    if (text[0] == '>')
        return rt_fail(
            r->error, RT_UNSUPPORTED,
            "%s: holds big-endian values ('%s'); save x.astype(x.dtype.newbyteorder('<'))", r->path,
            text);
    for (size_t i = 0; i < RT_COUNT_OF(descriptors); ++i) {
        if (strcmp(text + 1, descriptors[i].text) != 0) continue;
        r->tensor->dtype = descriptors[i].dtype;
        bool is_byte = rt_dtype_bytes(descriptors[i].dtype) == 1;
        if (text[0] == '<' || (is_byte && text[0] == '|')) return RT_OK;
    }
    return rt_fail(r->error, RT_UNSUPPORTED,
                   "%s: holds values of type '%s'; floats, integers and bool are read", r->path,
                   text);
}

static rt_status read_order(reader *r) {
    if (take(r, "False")) return RT_OK;
    if (!take(r, "True")) return fail(r, "'fortran_order' is neither True nor False");
    return rt_fail(r->error, RT_UNSUPPORTED,
                   "%s: is in Fortran order; save numpy.ascontiguousarray(x)", r->path);
}

/* Digits of one dimension. */
static bool take_size(reader *r, int64_t *size) {
    const char *begin = r->at;
    for (*size = 0; r->at < r->end && isdigit((unsigned char)*r->at); ++r->at) {
        if (r->at - begin == MOST_DIGITS) return false;
        *size = *size * 10 + (*r->at - '0');
    }
    return r->at > begin;
}

static rt_status read_shape(reader *r) {
    rt_tensor *tensor = r->tensor;
    bool is_closed = false, has_comma = true;
    if (!take(r, "(")) return fail(r, "'shape' is no tuple");
    while (!(is_closed = take(r, ")"))) {
        int64_t size;
        if (!has_comma || !take_size(r, &size)) break;
        if (tensor->rank == RT_MAX_RANK)
            return rt_fail(r->error, RT_UNSUPPORTED, "%s: has more than %d axes", r->path,
                           RT_MAX_RANK);
        tensor->dims[tensor->rank++] = size;
        has_comma = take(r, ",");
    }
    /* "(3)" is a number in Python, no tuple. */
    if (!is_closed || (tensor->rank == 1 && !has_comma))
        return fail(r, "'shape' is no tuple of sizes");
    return RT_OK;
}

static rt_status read_header(reader *r) {
    enum { DESCRIPTOR = 1, ORDER = 2, SHAPE = 4, ALL = 7 };
    static const char *const names[] = {"descr", "fortran_order", "shape"};
    static rt_status (*const readers[])(reader *) = {read_descriptor, read_order, read_shape};
    unsigned seen = 0;
    bool has_comma = true;
    if (!take(r, "{")) return fail(r, "it is no dictionary");
    while (!take(r, "}")) {
        char name[32];
        size_t which = 0;
        if (!has_comma || !take_text(r, name, sizeof name) || !take(r, ":"))
            return fail(r, "it is no dictionary");
        while (which < RT_COUNT_OF(names) && strcmp(name, names[which]) != 0) ++which;
        if (which == RT_COUNT_OF(names)) return fail(r, "a key is not one of the format");
        if (seen & 1u << which) return fail(r, "a key stands there twice");
        seen |= 1u << which;
        RT_TRY(readers[which](r));
        has_comma = take(r, ",");
    }
    if (seen != ALL) return fail(r, "'descr', 'fortran_order' or 'shape' is missing");
    skip_spaces(r);
    return r->end - r->at == 1 && *r->at == '\n' ? RT_OK : fail(r, "it does not end in a newline");
}

/* ---- the file */

/* Finds the header; what follows it are the values. */
static rt_status find_header(reader *r, const uint8_t *bytes, size_t size) {
    enum { SHORT_PREFIX = 10, LONG_PREFIX = 12 };
    if (size < SHORT_PREFIX || memcmp(bytes, magic, sizeof magic) != 0)
        return rt_fail(r->error, RT_INVALID_DATA, "%s: is no .npy file of NumPy", r->path);
    int major = bytes[6], minor = bytes[7];
    if ((major != 1 && major != 2) || minor != 0)
        return rt_fail(r->error, RT_UNSUPPORTED,
                       "%s: is a .npy file of version %d.%d; 1.0 and 2.0 are read", r->path, major,
                       minor);
    size_t prefix = major == 1 ? SHORT_PREFIX : LONG_PREFIX;
    uint64_t length = bytes[8] | (uint64_t)bytes[9] << 8;
    if (major == 2 && size >= LONG_PREFIX)
        length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
    if (size < prefix || length > size - prefix) return fail(r, "the file ends in it");
    r->at = (const char *)bytes + prefix;
    r->end = r->at + length;
    return RT_OK;
}

/* The product of the sizes, checked. */
static rt_status count_elements(reader *r, size_t *size_bytes) {
    size_t count = 1, bytes;
    bool fits = true, is_empty = false;
    for (int i = 0; i < r->tensor->rank; ++i) is_empty |= r->tensor->dims[i] == 0;
    for (int i = 0; i < r->tensor->rank && !is_empty; ++i)
        fits = fits && rt_size_multiply(count, (size_t)r->tensor->dims[i], &count);
    if (is_empty) count = 0;
    fits = fits && rt_size_multiply(count, rt_dtype_bytes(r->tensor->dtype), &bytes);
    if (!fits || bytes > INT64_MAX) return fail(r, "'shape' is larger than any memory");
    r->tensor->count = (int64_t)count;
    *size_bytes = bytes;
    return RT_OK;
}

rt_status npy_parse(const void *bytes, size_t size, const char *path, rt_arena *arena,
                    rt_tensor *tensor, rt_error *error) {
    reader r = {.path = path, .error = error, .tensor = tensor};
    size_t wanted = 0;
    *tensor = (rt_tensor){0};
    RT_TRY(find_header(&r, bytes, size));
    const uint8_t *values = (const uint8_t *)r.end;
    size_t there = size - (size_t)(values - (const uint8_t *)bytes);
    RT_TRY(read_header(&r));
    RT_TRY(count_elements(&r, &wanted));
    if (there != wanted)
        return rt_fail(error, RT_INVALID_DATA,
                       "%s: the header promises %zu bytes of values, the file has %zu", path,
                       wanted, there);
    uint8_t *copy = rt_arena_allocate(arena, wanted);
    if (!copy) return rt_fail(error, RT_OUT_OF_MEMORY, "%s: out of memory", path);
    memcpy(copy, values, wanted);
    for (size_t i = 0; tensor->dtype == RT_BOOL && i < wanted; ++i) copy[i] = copy[i] != 0;
    tensor->data = copy;
    return RT_OK;
}

rt_status npy_read(const char *path, rt_arena *arena, rt_tensor *tensor, rt_error *error) {
    rt_mapped_file file;
    RT_TRY(rt_file_map(path, &file, error));
    rt_status status = npy_parse(file.data, file.size, path, arena, tensor, error);
    rt_file_unmap(&file);
    return status;
}

/* ---- writing */

static void write_header(rt_writer *writer, const rt_tensor *tensor, const char *descriptor) {
    char header[512]; /* rank 8 at most 20 digits each */
    int length = snprintf(header, sizeof header,
                          "{'descr': '%s', 'fortran_order': False, "
                          "'shape': (",
                          descriptor);
    for (int i = 0; i < tensor->rank; ++i)
        length += snprintf(header + length, sizeof header - (size_t)length, "%" PRId64 "%s",
                           tensor->dims[i],
                           i + 1 < tensor->rank ? ", "
                           : tensor->rank == 1  ? ","
                                                : "");
    length += snprintf(header + length, sizeof header - (size_t)length, "), }");
    size_t whole = sizeof magic + 4 + (size_t)length + 1;
    size_t fill = rt_align_up(whole, ALIGNMENT) - whole;
    size_t size = (size_t)length + fill + 1;
    const uint8_t prefix[4] = {1, 0, (uint8_t)size, (uint8_t)(size >> 8)};
    rt_writer_write(writer, magic, sizeof magic);
    rt_writer_write(writer, prefix, sizeof prefix);
    rt_writer_print(writer, "%s%*s\n", header, (int)fill, "");
}

/* In pieces, so that a large array is not held twice. */
static void write_widened(rt_writer *writer, const rt_tensor *tensor) {
    float piece[1024];
    for (int64_t begin = 0; begin < tensor->count; begin += 1024) {
        size_t count = (size_t)(tensor->count - begin < 1024 ? tensor->count - begin : 1024);
        for (size_t i = 0; i < count; ++i)
            piece[i] = (float)rt_element_as_double(tensor->dtype, tensor->data, (size_t)begin + i);
        rt_writer_write(writer, piece, count * sizeof *piece);
    }
}

void npy_write(rt_writer *writer, const rt_tensor *tensor) {
    char descriptor[8] = "<f4";
    bool is_known = false;
    for (size_t i = 0; i < RT_COUNT_OF(descriptors); ++i) {
        if (descriptors[i].dtype != tensor->dtype) continue;
        is_known = true;
        snprintf(descriptor, sizeof descriptor, "%c%s",
                 rt_dtype_bytes(tensor->dtype) == 1 ? '|' : '<', descriptors[i].text);
    }
    write_header(writer, tensor, descriptor);
    if (is_known)
        rt_writer_write(writer, tensor->data, rt_tensor_bytes(tensor));
    else
        write_widened(writer, tensor);
}
